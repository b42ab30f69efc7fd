//! DNS records: made where free, left where exactly as declared, anything else needs a person.

use std::net::Ipv6Addr;

use unifi_client::{DnsRecord, RecordType};

use super::{Action, Change, Effect, Finding, Plan};
use crate::diagnostic::Diagnostic;
use crate::observe::{GatewayView, Snapshot};
use crate::ports::System;
use crate::site::{Site, WantedRecord};

pub(super) fn plan(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    let Some(gateway) = &snapshot.gateway else {
        return;
    };
    for wanted in &site.dns.records {
        if let Some(held) = holder(site, wanted, gateway) {
            let finding = Diagnostic::error(held)
                .at(wanted.origin.clone())
                .hint("change or remove that in the gateway, or change `dns.records`; nothing is taken over unasked");
            plan.needs_person.push(Finding::of(System::Unifi, finding));
        } else if !gateway.dns.iter().any(|record| is_exactly(record, wanted)) {
            plan.actions.push(create(wanted));
        }
    }
    check_upstream(site, gateway, plan);
}

fn create(wanted: &WantedRecord) -> Action {
    let record_type = wanted.record_type.as_str();
    Action {
        id: format!("dns/{}/{record_type}/{}", wanted.name, wanted.value),
        reason: format!(
            "the gateway has no {record_type} record {} with this value",
            wanted.name
        ),
        effect: Effect::None,
        detail: Vec::new(),
        change: Change::CreateDnsRecord {
            name: wanted.name.clone(),
            record_type: record_type.to_owned(),
            value: wanted.value.clone(),
            ttl: wanted.ttl,
        },
    }
}

fn is_exactly(record: &DnsRecord, wanted: &WantedRecord) -> bool {
    record.enabled
        && same_name(&record.name, &wanted.name)
        && record.record_type == wanted.record_type
        && same_value(&wanted.record_type, &record.value, &wanted.value)
        && (wanted.ttl == 0 || record.ttl == wanted.ttl)
}

/// Whether two names are the same to DNS.
pub(crate) fn same_name(left: &str, right: &str) -> bool {
    left.trim_end_matches('.')
        .eq_ignore_ascii_case(right.trim_end_matches('.'))
}

/// Whether two values of a record are the same to DNS: IPv6 addresses have many spellings.
pub(crate) fn same_value(record_type: &RecordType, left: &str, right: &str) -> bool {
    match (
        record_type,
        left.parse::<Ipv6Addr>(),
        right.parse::<Ipv6Addr>(),
    ) {
        (RecordType::Aaaa, Ok(left), Ok(right)) => left == right,
        (RecordType::Txt, ..) => left == right,
        _ => same_name(left, right),
    }
}

/// What stands in the way of a record. A CNAME beside any record of its name can stop the
/// gateway's DNS and DHCP, so names are compared across types. Another declared value of the name
/// stands in nobody's way.
fn holder(site: &Site, wanted: &WantedRecord, gateway: &GatewayView) -> Option<String> {
    let name = &wanted.name;
    let holds = |local: &str| same_name(local, name);
    if let Some(client) = gateway
        .records
        .iter()
        .find(|client| client.local_dns.as_deref().is_some_and(holds))
    {
        return Some(format!(
            "the name {name} belongs to the client {} in the gateway",
            client.mac
        ));
    }
    gateway
        .dns
        .iter()
        .filter(|record| same_name(&record.name, name))
        .filter(|record| {
            !site
                .dns
                .records
                .iter()
                .any(|declared| is_exactly(record, declared))
        })
        .find(|record| {
            record.record_type == wanted.record_type
                || record.record_type == RecordType::Cname
                || wanted.record_type == RecordType::Cname
        })
        .map(|record| {
            let state = if record.enabled { "" } else { ", disabled" };
            format!(
                "the record {name} {} already has the value {} (ttl {}{state}), not {}",
                record.record_type, record.value, record.ttl, wanted.value,
            )
        })
}

fn check_upstream(site: &Site, gateway: &GatewayView, plan: &mut Plan) {
    let wanted: Vec<String> = site.dns.upstream.iter().map(ToString::to_string).collect();
    let found = &gateway.upstream;
    if wanted.is_empty() {
        return;
    }
    if let Some(mode) = found
        .encrypted
        .as_deref()
        .filter(|mode| !matches!(*mode, "" | "off"))
    {
        let warning = Diagnostic::warning(format!(
            "the gateway's encrypted DNS is on ({mode}) and takes the place of {}",
            wanted.join(", ")
        ))
        .hint("turn it off in the gateway's settings, or leave `dns.upstream` out; it is never changed from here");
        plan.warnings.push(Finding::of(System::Unifi, warning));
        return;
    }
    if found.servers == wanted && !found.automatic {
        return;
    }
    let now = if found.automatic || found.servers.is_empty() {
        "the provider's resolvers".to_owned()
    } else {
        found.servers.join(", ")
    };
    let warning = Diagnostic::warning(format!(
        "the gateway forwards DNS to {now}, not {}",
        wanted.join(", ")
    ))
    .hint("set it in the gateway's Internet settings; it is never changed from here");
    plan.warnings.push(Finding::of(System::Unifi, warning));
}
