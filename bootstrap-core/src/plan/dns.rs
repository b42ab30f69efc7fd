//! DNS records: made where free, left where exactly as declared, anything else needs a person.

use unifi_client::{DnsRecord, RecordType};

use super::{Action, Change, Effect, Finding, Plan, record_type_name};
use crate::diagnostic::Diagnostic;
use crate::observe::{GatewayView, Snapshot};
use crate::ports::System;
use crate::site::{Site, WantedRecord};

pub(super) fn plan(site: &Site, snapshot: &Snapshot, plan: &mut Plan) {
    let Some(gateway) = &snapshot.gateway else {
        return;
    };
    for wanted in &site.dns.records {
        if let Some(held) = holder(wanted, gateway) {
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
    let record_type = record_type_name(&wanted.record_type);
    Action {
        id: format!("dns/{}/{record_type}", wanted.name),
        reason: format!("the gateway has no {record_type} record {}", wanted.name),
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
        && record.name == wanted.name
        && record.record_type == wanted.record_type
        && record.value.eq_ignore_ascii_case(&wanted.value)
        && (wanted.ttl == 0 || record.ttl == wanted.ttl)
}

/// What stands in the way of a record. A CNAME beside any record of its name can stop the
/// gateway's DNS and DHCP, so names are compared across types.
fn holder(wanted: &WantedRecord, gateway: &GatewayView) -> Option<String> {
    let name = &wanted.name;
    if let Some(client) = gateway.records.iter().find(|client| client.local_dns.as_deref() == Some(name)) {
        return Some(format!("the name {name} belongs to the client {} in the gateway", client.mac));
    }
    gateway
        .dns
        .iter()
        .filter(|record| record.name == *name && !is_exactly(record, wanted))
        .find(|record| {
            record.record_type == wanted.record_type
                || record.record_type == RecordType::Cname
                || wanted.record_type == RecordType::Cname
        })
        .map(|record| {
            let state = if record.enabled { "" } else { ", disabled" };
            format!(
                "{name} already has a {} record with the value {} (ttl {}{state}), not {}",
                record_type_name(&record.record_type),
                record.value,
                record.ttl,
                wanted.value,
            )
        })
}

fn check_upstream(site: &Site, gateway: &GatewayView, plan: &mut Plan) {
    let wanted: Vec<String> = site.dns.upstream.iter().map(ToString::to_string).collect();
    let found = &gateway.upstream;
    if wanted.is_empty() || (found.servers == wanted && !found.automatic) {
        return;
    }
    let now = if found.automatic || found.servers.is_empty() {
        "the provider's resolvers".to_owned()
    } else {
        found.servers.join(", ")
    };
    let warning = Diagnostic::warning(format!("the gateway forwards DNS to {now}, not {}", wanted.join(", ")))
        .hint("set it in the gateway's Internet settings; it is never changed from here");
    plan.warnings.push(Finding::of(System::Unifi, warning));
}
