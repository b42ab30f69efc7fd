//! `integration/v1/…`: the official API, with pages and strict bodies.

use serde_json::{Map, Value, json};

use super::{Call, Site};
use crate::door::http::Response;
use crate::world::State;
use crate::world::gateway::{DnsRefusal, Entry, Gateway, Lan, NewEntry, SITE_UUID};

/// Largest page.
const MAX_LIMIT: usize = 200;
/// A record type: its name here, in the v2 API, the field of its value, its other fields, and the longest TTL.
type Shape = (&'static str, &'static str, &'static str, &'static [&'static str], u64);
const SHAPES: &[Shape] = &[
    ("A_RECORD", "A", "ipv4Address", &["ttlSeconds"], 86_400),
    ("AAAA_RECORD", "AAAA", "ipv6Address", &["ttlSeconds"], 86_400),
    ("CNAME_RECORD", "CNAME", "targetDomain", &["ttlSeconds"], 604_800),
    ("MX_RECORD", "MX", "mailServerDomain", &["priority"], 0),
    ("TXT_RECORD", "TXT", "text", &[], 0),
    ("SRV_RECORD", "SRV", "serverDomain", &["service", "protocol", "port", "priority", "weight"], 0),
    ("FORWARD_DOMAIN", "NS", "ipAddress", &[], 0),
];

/// A refusal of this API.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn missing(name: &str) -> Self {
        Self::new(400, "api.request.missing-property", format!("Missing request body property '$.{name}'"))
    }

    fn not_found() -> Self {
        Self::new(404, "api.request.not-found", "Not found")
    }
}

pub(super) fn dispatch(site: &mut Site<'_>, call: &Call<'_>, path: &[&str]) -> Response {
    let result = match path {
        ["info"] => Ok(Response::json(200, &json!({ "applicationVersion": site.state.gateway.version() }))),
        ["sites"] => page(call, vec![json!({ "id": SITE_UUID, "internalReference": super::SITE, "name": "Default" })]),
        ["sites", SITE_UUID, rest @ ..] => within(site, call, rest),
        _ => Err(Refusal::not_found()),
    };
    result.unwrap_or_else(|refusal| error(site, call, &refusal))
}

fn within(site: &mut Site<'_>, call: &Call<'_>, path: &[&str]) -> Result<Response, Refusal> {
    let gateway = &site.state.gateway;
    match path {
        ["networks"] if !call.is_write() => {
            let rows = gateway.lans().iter().enumerate().map(|(at, lan)| network_row(lan, at == 0));
            page(call, rows.collect())
        }
        ["networks", id] if !call.is_write() => {
            let found = gateway.lans().iter().enumerate().find(|(_, lan)| lan.uuid == *id);
            let (at, lan) = found.ok_or_else(Refusal::not_found)?;
            Ok(Response::json(200, &network_details(lan, at == 0)))
        }
        ["clients"] if !call.is_write() => page(call, client_rows(gateway)),
        ["wans"] if !call.is_write() => {
            page(call, vec![json!({ "id": "00000000-0000-4000-8000-000000000001", "name": "Internet 1" })])
        }
        ["dns", "policies", rest @ ..] if gateway.has_dns_policies() => policies(site, call, rest),
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

fn page(call: &Call<'_>, rows: Vec<Value>) -> Result<Response, Refusal> {
    let number = |name: &str, default: usize| match call.query(name) {
        Some(text) => text.parse::<usize>().map_err(|_| name.to_owned()),
        None => Ok(default),
    };
    let invalid = |name: String| {
        Refusal::new(400, "api.request.invalid-parameter", format!("Invalid request parameter '{name}'"))
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
        let since = jiff::Timestamp::from_second(since).unwrap_or_default().to_string();
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

fn policies(site: &mut Site<'_>, call: &Call<'_>, rest: &[&str]) -> Result<Response, Refusal> {
    if call.is_write() && !call.may_write() {
        return Err(Refusal::new(403, "api.err.NoPermission", "No permission"));
    }
    let now = site.now;
    let State { gateway, rng, log, .. } = &mut *site.state;
    match (call.method, rest) {
        ("GET", []) => page(call, gateway.entries().iter().map(policy_row).collect()),
        ("GET", [id]) => {
            let found = gateway.entries().iter().find(|entry| entry.uuid == *id);
            Ok(Response::json(200, &policy_row(found.ok_or_else(Refusal::not_found)?)))
        }
        ("POST", []) => {
            let entry = gateway.create_entry(now, rng, log, policy_of(call)?).map_err(refuse)?;
            Ok(Response::json(201, &policy_row(entry)))
        }
        ("PUT", [id]) => {
            known(gateway, id)?;
            let entry = gateway.replace_entry(now, rng, log, id, policy_of(call)?).map_err(refuse)?;
            Ok(Response::json(200, &policy_row(entry)))
        }
        ("DELETE", [id]) => {
            known(gateway, id)?;
            gateway.delete_entry(now, rng, log, id).map_err(refuse)?;
            Ok(Response::empty(200))
        }
        _ => Err(Refusal::new(405, "api.request.method-not-allowed", "Method not allowed")),
    }
}

/// Ids of the other API are not known here.
fn known(gateway: &Gateway, id: &str) -> Result<(), Refusal> {
    let found = gateway.entries().iter().any(|entry| entry.uuid == id);
    if found { Ok(()) } else { Err(Refusal::not_found()) }
}

fn refuse(refusal: DnsRefusal) -> Refusal {
    match refusal {
        DnsRefusal::Exists => Refusal::new(
            400,
            "api.dns.policy.validation.record-already-exists",
            "DNS policy with the same type and properties already exists",
        ),
        DnsRefusal::CnameOverlap => Refusal::new(
            400,
            "api.dns.policy.validation.cname-overlaps",
            "CNAME alias overlaps with other DNS policies",
        ),
        DnsRefusal::DeviceOverlap(_) => Refusal::new(
            400,
            "api.dns.policy.validation.device-local-dns-overlaps",
            "DNS policy overlaps with the local DNS record of a client",
        ),
        DnsRefusal::Invalid { field, message } => {
            Refusal::new(400, "api.dns.policy.validation.invalid", format!("{message} ({field})"))
        }
        DnsRefusal::NotFound => Refusal::not_found(),
    }
}

fn policy_row(entry: &Entry) -> Value {
    let shape = SHAPES.iter().find(|(_, v2, ..)| *v2 == entry.record_type);
    let (kind, value_field, others) = match shape {
        Some((kind, _, value, others, _)) => (*kind, *value, *others),
        None => (entry.record_type.as_str(), "value", &[][..]),
    };
    let mut fields = Map::new();
    fields.insert("type".to_owned(), json!(kind));
    fields.insert("id".to_owned(), json!(entry.uuid));
    fields.insert("enabled".to_owned(), json!(entry.enabled));
    fields.insert("domain".to_owned(), json!(entry.key));
    fields.insert(value_field.to_owned(), json!(entry.value));
    for other in others {
        let number = match *other {
            "ttlSeconds" => entry.ttl,
            "priority" => entry.priority,
            "weight" => entry.weight,
            "port" => entry.port,
            _ => continue,
        };
        fields.insert((*other).to_owned(), json!(number));
    }
    fields.insert("metadata".to_owned(), json!({ "origin": "USER_DEFINED" }));
    Value::Object(fields)
}

/// Reads a policy: every property of its type, and no other.
fn policy_of(call: &Call<'_>) -> Result<NewEntry, Refusal> {
    let malformed = || Refusal::new(400, "api.request.malformed", "Malformed request body");
    let fields = call.object().ok_or_else(malformed)?;
    let kind = fields.get("type").and_then(Value::as_str).ok_or_else(|| Refusal::missing("type"))?;
    let shape = SHAPES.iter().find(|(name, ..)| *name == kind);
    let (_, v2, value_field, others, longest) = shape.ok_or_else(|| {
        Refusal::new(400, "api.request.unknown-type-id", format!("Unknown type id '{kind}' of '$.type'"))
    })?;
    let wanted = ["type", "enabled", "domain", value_field].into_iter().chain(others.iter().copied());
    let wanted: Vec<&str> = wanted.collect();
    if let Some(name) = fields.keys().find(|name| !wanted.contains(&name.as_str())) {
        let text = format!("Unknown request body property '$.{name}'");
        return Err(Refusal::new(400, "api.request.unknown-property", text));
    }
    if let Some(name) = wanted.iter().find(|name| !fields.contains_key(**name)) {
        return Err(Refusal::missing(name));
    }
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(malformed);
    let number = |name: &str| match fields.get(name) {
        Some(value) => value.as_u64().ok_or_else(malformed),
        None => Ok(0),
    };
    let ttl = number("ttlSeconds")?;
    if ttl > *longest {
        let text = format!("'$.ttlSeconds' must be at most {longest}");
        return Err(Refusal::new(400, "api.request.invalid-property", text));
    }
    Ok(NewEntry {
        key: text("domain")?,
        record_type: (*v2).to_owned(),
        value: text(value_field)?,
        enabled: fields.get("enabled").and_then(Value::as_bool).ok_or_else(malformed)?,
        ttl,
        priority: number("priority")?,
        weight: number("weight")?,
        port: number("port")?,
    })
}
