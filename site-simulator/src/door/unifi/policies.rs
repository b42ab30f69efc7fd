//! `dns/policies` of the integration API.

use serde_json::{Map, Value, json};

use super::integration::{Refusal, page};
use super::{Call, Site};
use crate::door::http::Response;
use crate::world::State;
use crate::world::gateway::{DnsRefusal, Entry, Gateway, NewEntry};

/// A record type: its name here, in the v2 API, the field of its value, its other fields, and the longest TTL.
type Shape = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    u64,
);
const SHAPES: &[Shape] = &[
    ("A_RECORD", "A", "ipv4Address", &["ttlSeconds"], 86_400),
    (
        "AAAA_RECORD",
        "AAAA",
        "ipv6Address",
        &["ttlSeconds"],
        86_400,
    ),
    (
        "CNAME_RECORD",
        "CNAME",
        "targetDomain",
        &["ttlSeconds"],
        604_800,
    ),
    ("MX_RECORD", "MX", "mailServerDomain", &["priority"], 0),
    ("TXT_RECORD", "TXT", "text", &[], 0),
    (
        "SRV_RECORD",
        "SRV",
        "serverDomain",
        &["service", "protocol", "port", "priority", "weight"],
        0,
    ),
    ("FORWARD_DOMAIN", "NS", "ipAddress", &[], 0),
];

pub(super) fn dispatch(
    site: &mut Site<'_>,
    call: &Call<'_>,
    rest: &[&str],
) -> Result<Response, Refusal> {
    if call.is_write() && !call.may_write() {
        return Err(Refusal::new(403, "api.err.NoPermission", "No permission"));
    }
    let now = site.now;
    let State {
        gateway, rng, log, ..
    } = &mut *site.state;
    match (call.method, rest) {
        ("GET", []) => page(call, gateway.entries().iter().map(policy_row).collect()),
        ("GET", [id]) => {
            let found = gateway.entries().iter().find(|entry| entry.uuid == *id);
            Ok(Response::json(
                200,
                &policy_row(found.ok_or_else(Refusal::not_found)?),
            ))
        }
        ("POST", []) => {
            let entry = gateway
                .create_entry(now, rng, log, policy_of(call)?)
                .map_err(|refusal| refuse(&refusal))?;
            Ok(Response::json(201, &policy_row(entry)))
        }
        ("PUT", [id]) => {
            known(gateway, id)?;
            let entry = gateway
                .replace_entry(now, rng, log, id, policy_of(call)?)
                .map_err(|refusal| refuse(&refusal))?;
            Ok(Response::json(200, &policy_row(entry)))
        }
        ("DELETE", [id]) => {
            known(gateway, id)?;
            gateway
                .delete_entry(now, rng, log, id)
                .map_err(|refusal| refuse(&refusal))?;
            Ok(Response::empty(200))
        }
        _ => Err(Refusal::new(
            405,
            "api.request.method-not-allowed",
            "Method not allowed",
        )),
    }
}

/// Ids of the other API are not known here.
fn known(gateway: &Gateway, id: &str) -> Result<(), Refusal> {
    let found = gateway.entries().iter().any(|entry| entry.uuid == id);
    if found {
        Ok(())
    } else {
        Err(Refusal::not_found())
    }
}

fn refuse(refusal: &DnsRefusal) -> Refusal {
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
        DnsRefusal::Invalid { field, message } => Refusal::new(
            400,
            "api.dns.policy.validation.invalid",
            format!("{message} ({field})"),
        ),
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
    let kind = fields
        .get("type")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::missing("type"))?;
    let shape = SHAPES.iter().find(|(name, ..)| *name == kind);
    let (_, v2, value_field, others, longest) = shape.ok_or_else(|| {
        Refusal::new(
            400,
            "api.request.unknown-type-id",
            format!("Unknown type id '{kind}' of '$.type'"),
        )
    })?;
    let wanted = ["type", "enabled", "domain", value_field]
        .into_iter()
        .chain(others.iter().copied());
    let wanted: Vec<&str> = wanted.collect();
    if let Some(name) = fields.keys().find(|name| !wanted.contains(&name.as_str())) {
        let text = format!("Unknown request body property '$.{name}'");
        return Err(Refusal::new(400, "api.request.unknown-property", text));
    }
    if let Some(name) = wanted.iter().find(|name| !fields.contains_key(**name)) {
        return Err(Refusal::missing(name));
    }
    let text = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(malformed)
    };
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
        enabled: fields
            .get("enabled")
            .and_then(Value::as_bool)
            .ok_or_else(malformed)?,
        ttl,
        priority: number("priority")?,
        weight: number("weight")?,
        port: number("port")?,
    })
}
