//! `v2/api/site/…`: bare rows, errors with a code.

use serde_json::{Map, Value, json};

use super::legacy::wan_row;
use super::{Call, SITE, Site};
use crate::door::http::Response;
use crate::world::State;
use crate::world::gateway::{DnsRefusal, Entry, Gateway, LeaseView, NewEntry, Record, SITE_ID};

pub(super) fn dispatch(
    site: &mut Site<'_>,
    call: &Call<'_>,
    name: &str,
    path: &[&str],
) -> Response {
    if name != SITE {
        return error(400, "api.err.NoSiteContext", "No site context", &[]);
    }
    match path {
        ["static-dns", rest @ ..] => static_dns(site, call, rest),
        _ if call.is_write() && !call.may_write() => no_permission(),
        _ if call.is_write() => error(405, "api.err.MethodNotAllowed", "Method not allowed", &[]),
        ["active-leases"] => {
            let leases = site.state.gateway.leases(site.now);
            let rows: Vec<Value> = leases.iter().map(lease_row).collect();
            Response::json(200, &json!({ "dhcp_lease_info": rows }))
        }
        ["clients", "active"] => {
            let gateway = &site.state.gateway;
            let rows = gateway.present().into_iter().map(|(record, ip)| {
                let mut row = client_row(gateway, record);
                row["status"] = json!("online");
                if let Some(ip) = ip {
                    row["ip"] = json!(ip);
                }
                row
            });
            Response::json(200, &rows.collect())
        }
        ["clients", "history"] => {
            let gateway = &site.state.gateway;
            let seen = gateway
                .records()
                .filter(|record| record.last_seen.is_some());
            Response::json(
                200,
                &seen.map(|record| client_row(gateway, record)).collect(),
            )
        }
        ["clients", "local", mac] => {
            let gateway = &site.state.gateway;
            let record = super::legacy::mac_of(mac).and_then(|mac| gateway.record(mac));
            match record.filter(|record| record.last_seen.is_some()) {
                Some(record) => Response::json(200, &client_row(gateway, record)),
                None => error(404, "api.err.ClientNotFound", "Client not found", &[]),
            }
        }
        ["wan", "enriched-configuration"] => {
            let row = json!({
                "configuration": wan_row(&site.state.gateway),
                "details": {
                    "creation_timestamp": 1_729_226_537,
                    "service_provider": { "asn": 64_496, "city": "Example", "name": "Example ISP" },
                },
                "statistics": { "uptime_percentage": 100.0 },
            });
            Response::json(200, &json!([row]))
        }
        _ => error(404, "api.err.NotFound", "Not found", &[]),
    }
}

fn error(status: u16, code: &str, message: &str, invalid: &[&str]) -> Response {
    let mut body = json!({ "code": code, "message": message, "errorCode": status });
    if !invalid.is_empty() {
        body["details"] = json!({ "invalid_fields": invalid });
    }
    Response::json(status, &body)
}

fn no_permission() -> Response {
    error(403, "api.err.NoPermission", "No permission", &[])
}

fn refuse(refusal: &DnsRefusal) -> Response {
    match refusal {
        DnsRefusal::Exists => error(
            400,
            "api.err.StaticDnsRecordAlreadyExists",
            "Static DNS Record Already Exists",
            &[],
        ),
        DnsRefusal::CnameOverlap => error(
            400,
            "api.err.StaticDnsCnameAliasOverlapsWithOtherRecords",
            "CNAME alias overlaps with other records",
            &[],
        ),
        DnsRefusal::DeviceOverlap(_) => error(
            400,
            "api.err.StaticDnsOverlapsWithDeviceLocalDns",
            "Static DNS overlaps with device local DNS",
            &[],
        ),
        DnsRefusal::Invalid { field, message } => error(
            400,
            "api.err.StaticDnsRecordInvalidParameters",
            message,
            &[field],
        ),
        DnsRefusal::NotFound => error(
            404,
            "api.err.StaticDnsRecordNotFound",
            "Static DNS record not found",
            &[],
        ),
    }
}

fn static_dns(site: &mut Site<'_>, call: &Call<'_>, rest: &[&str]) -> Response {
    if call.is_write() && !call.may_write() {
        return no_permission();
    }
    let State {
        gateway, rng, log, ..
    } = &mut *site.state;
    match (call.method, rest) {
        ("GET", []) => Response::json(200, &gateway.entries().iter().map(entry_row).collect()),
        ("DELETE", [id]) => match gateway.delete_entry(site.now, rng, log, id) {
            Ok(()) => Response::empty(200),
            Err(refusal) => refuse(&refusal),
        },
        ("POST" | "PUT", rest) if rest.len() == usize::from(call.method == "PUT") => {
            let Some(fields) = call.object() else {
                return error(400, "api.err.InvalidPayload", "Invalid payload", &[]);
            };
            let entry = match entry_of(&fields) {
                Ok(entry) => entry,
                Err(field) => {
                    return refuse(&DnsRefusal::Invalid {
                        field,
                        message: "Invalid parameters",
                    });
                }
            };
            // A PUT without the id in its body is taken for a new record.
            let result = match rest.first().filter(|_| fields.contains_key("_id")) {
                Some(id) => gateway.replace_entry(site.now, rng, log, id, entry),
                None => gateway.create_entry(site.now, rng, log, entry),
            };
            match result {
                Ok(entry) => Response::json(200, &entry_row(entry)),
                Err(refusal) => refuse(&refusal),
            }
        }
        _ => error(405, "api.err.MethodNotAllowed", "Method not allowed", &[]),
    }
}

/// Reads a record; what is left out is cleared, `enabled` included. The error is the field that is missing.
fn entry_of(fields: &Map<String, Value>) -> Result<NewEntry, &'static str> {
    let text = |key: &'static str| {
        let value = fields
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty());
        value.map(str::to_owned).ok_or(key)
    };
    let number = |key: &str| fields.get(key).and_then(Value::as_u64).unwrap_or(0);
    Ok(NewEntry {
        key: text("key")?,
        record_type: text("record_type")?,
        value: text("value")?,
        enabled: fields
            .get("enabled")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        ttl: number("ttl"),
        priority: number("priority"),
        weight: number("weight"),
        port: number("port"),
    })
}

fn entry_row(entry: &Entry) -> Value {
    json!({
        "_id": entry.id,
        "key": entry.key,
        "record_type": entry.record_type,
        "value": entry.value,
        "enabled": entry.enabled,
        "ttl": entry.ttl,
        "priority": entry.priority,
        "weight": entry.weight,
        "port": entry.port,
    })
}

fn lease_row(lease: &LeaseView<'_>) -> Value {
    let record = lease.record;
    json!({
        "mac": record.mac.to_string(),
        "ip": lease.ip,
        "hostname": record.hostname.clone().unwrap_or_default(),
        "name": record.name.clone().unwrap_or_default(),
        "display_name": record.display_name().unwrap_or_default(),
        "network_id": lease.lan.map(|lan| lan.id.clone()).unwrap_or_default(),
        "status": if lease.online { "online" } else { "offline" },
        "client_type": "WIRED",
        "use_fixedip": record.use_fixedip,
        "fixed_ip": record.fixed_ip.clone().unwrap_or_default(),
        "lease_expiration_time": lease.expires,
    })
}

fn client_row(gateway: &Gateway, record: &Record) -> Value {
    let mac = record.mac.to_string();
    let mut row = json!({
        "id": mac,
        "mac": mac,
        "user_id": record.id,
        "site_id": SITE_ID,
        "display_name": record.display_name().unwrap_or(&mac),
        "status": if gateway.is_online(record.mac) { "online" } else { "offline" },
        "type": "WIRED",
        "is_wired": true,
        "is_guest": false,
        "blocked": false,
        "noted": record.noted,
        "unifi_device": false,
        "use_fixedip": record.use_fixedip,
        "local_dns_record_enabled": record.local_dns_enabled,
        "usergroup_id": "",
        "oui": "",
        "tags": [],
    });
    let texts = [
        ("name", &record.name),
        ("hostname", &record.hostname),
        ("fixed_ip", &record.fixed_ip),
        ("local_dns_record", &record.local_dns),
        ("last_connection_network_id", &record.last_network),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            row[key] = json!(value);
        }
    }
    for (key, value) in [
        ("first_seen", record.first_seen),
        ("last_seen", record.last_seen),
    ] {
        if let Some(value) = value {
            row[key] = json!(value);
        }
    }
    if let Some(ip) = record.last_ip {
        row["last_ip"] = json!(ip);
    }
    row
}
