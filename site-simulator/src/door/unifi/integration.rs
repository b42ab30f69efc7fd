//! `integration/v1/…`: the official API, with pages and strict bodies.

use serde_json::{Value, json};

use super::{Call, Site, policies};
use crate::door::http::Response;
use crate::world::State;
use crate::world::gateway::{Gateway, Lan, SITE_UUID};

/// Largest page.
const MAX_LIMIT: usize = 200;
/// A refusal of this API.
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn missing(name: &str) -> Self {
        Self::new(
            400,
            "api.request.missing-property",
            format!("Missing request body property '$.{name}'"),
        )
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "api.request.not-found", "Not found")
    }
}

pub(super) fn dispatch(site: &mut Site<'_>, call: &Call<'_>, path: &[&str]) -> Response {
    let result = match path {
        ["info"] => Ok(Response::json(
            200,
            &json!({ "applicationVersion": site.state.gateway.version() }),
        )),
        ["sites"] => page(
            call,
            vec![json!({ "id": SITE_UUID, "internalReference": super::SITE, "name": "Default" })],
        ),
        ["sites", SITE_UUID, rest @ ..] => within(site, call, rest),
        _ => Err(Refusal::not_found()),
    };
    result.unwrap_or_else(|refusal| error(site, call, &refusal))
}

fn within(site: &mut Site<'_>, call: &Call<'_>, path: &[&str]) -> Result<Response, Refusal> {
    let gateway = &site.state.gateway;
    match path {
        ["networks"] if !call.is_write() => {
            let rows = gateway
                .lans()
                .iter()
                .enumerate()
                .map(|(at, lan)| network_row(lan, at == 0));
            page(call, rows.collect())
        }
        ["networks", id] if !call.is_write() => {
            let found = gateway
                .lans()
                .iter()
                .enumerate()
                .find(|(_, lan)| lan.uuid == *id);
            let (at, lan) = found.ok_or_else(Refusal::not_found)?;
            Ok(Response::json(200, &network_details(lan, at == 0)))
        }
        ["clients"] if !call.is_write() => page(call, client_rows(gateway)),
        ["wans"] if !call.is_write() => page(
            call,
            vec![json!({ "id": "00000000-0000-4000-8000-000000000001", "name": "Internet 1" })],
        ),
        ["dns", "policies", rest @ ..] if gateway.has_dns_policies() => {
            policies::dispatch(site, call, rest)
        }
        _ => Err(Refusal::not_found()),
    }
}

fn error(site: &mut Site<'_>, call: &Call<'_>, refusal: &Refusal) -> Response {
    let name = match refusal.status {
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        _ => "BAD_REQUEST",
    };
    let State { gateway, rng, .. } = &mut *site.state;
    let id = uuid::Builder::from_random_bytes(rand::RngExt::random(rng)).into_uuid();
    let second = i64::try_from(gateway.unix(site.now)).unwrap_or(i64::MAX);
    let nanosecond = i32::try_from(site.now.subsec_nanos()).unwrap_or(0);
    let timestamp = jiff::Timestamp::new(second, nanosecond).unwrap_or_default();
    let body = json!({
        "statusCode": refusal.status,
        "statusName": name,
        "code": refusal.code,
        "message": refusal.message,
        "timestamp": timestamp.to_string(),
        "requestPath": call.request_path,
        "requestId": id.to_string(),
    });
    Response::json(refusal.status, &body)
}

pub(super) fn page(call: &Call<'_>, rows: Vec<Value>) -> Result<Response, Refusal> {
    let number = |name: &str, default: usize| match call.query(name) {
        Some(text) => text.parse::<usize>().map_err(|_| name.to_owned()),
        None => Ok(default),
    };
    let invalid = |name: String| {
        Refusal::new(
            400,
            "api.request.invalid-parameter",
            format!("Invalid request parameter '{name}'"),
        )
    };
    let offset = number("offset", 0).map_err(invalid)?;
    let limit = number("limit", 25).map_err(invalid)?;
    if limit > MAX_LIMIT {
        return Err(invalid("limit".to_owned()));
    }
    // The filter language is not spoken; saying so beats an answer that looks filtered.
    if call.query("filter").is_some() {
        return Err(invalid("filter".to_owned()));
    }
    let total = rows.len();
    let data: Vec<Value> = rows.into_iter().skip(offset).take(limit).collect();
    let body = json!({ "offset": offset, "limit": limit, "count": data.len(), "totalCount": total, "data": data });
    Ok(Response::json(200, &body))
}

fn network_row(lan: &Lan, first: bool) -> Value {
    json!({
        "id": lan.uuid,
        "name": lan.blueprint.name,
        "management": "GATEWAY",
        "enabled": true,
        "vlanId": lan.blueprint.vlan.unwrap_or(1),
        "default": first,
        "metadata": { "origin": if first { "SYSTEM_DEFINED" } else { "USER_DEFINED" } },
    })
}

fn network_details(lan: &Lan, first: bool) -> Value {
    let mut row = network_row(lan, first);
    let (start, stop) = lan.blueprint.dhcp;
    row["ipv4Configuration"] = json!({
        "hostIpAddress": lan.blueprint.subnet.addr(),
        "prefixLength": lan.blueprint.subnet.prefix_len(),
        "autoScaleEnabled": false,
        "additionalHostIpSubnets": [],
        "dhcpConfiguration": {
            "mode": "SERVER",
            "ipAddressRange": { "start": start, "stop": stop },
            "leaseTimeSeconds": 86_400,
            "pingConflictDetectionEnabled": true,
        },
    });
    row
}

fn client_rows(gateway: &Gateway) -> Vec<Value> {
    let rows = gateway.present().into_iter().map(|(record, ip)| {
        let mac = record.mac.to_string();
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, mac.as_bytes()).to_string();
        let since = i64::try_from(record.first_seen.unwrap_or(0)).unwrap_or(0);
        let since = jiff::Timestamp::from_second(since)
            .unwrap_or_default()
            .to_string();
        let mut row = json!({
            "type": "WIRED",
            "id": id,
            "name": record.display_name().unwrap_or(&mac),
            "connectedAt": since,
            "macAddress": mac,
            "uplinkDeviceId": "6204b587-7215-235b-d068-f96ca12eab52",
            "access": { "type": "DEFAULT" },
        });
        if let Some(ip) = ip {
            row["ipAddress"] = json!(ip);
        }
        row
    });
    rows.collect()
}
