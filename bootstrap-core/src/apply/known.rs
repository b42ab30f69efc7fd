//! Single writes to Proxmox and the gateway. Each looks first, writes once, and reads back; an answer that was lost is looked
//! up and never sent again blindly.

use proxmox_client::PciMapping;
use unifi_client::NewDnsRecord;

use super::Run;
use crate::mark;
use crate::plan::{Change, same_name, same_value};
use crate::ports::{Failure, Gateway, PortError, PortResult, System};
use crate::reservations::undo;
use crate::site::Site;

pub(super) async fn carry_out(run: &Run, change: &Change) -> PortResult<String> {
    match change {
        Change::CreateDnsRecord {
            name,
            record_type,
            value,
            ttl,
        } => {
            let record = NewDnsRecord {
                name: name.clone(),
                record_type: record_type.as_str().into(),
                value: value.clone(),
                ttl: *ttl,
            };
            create_dns_record(run, &record).await
        }
        Change::CreateMapping {
            provider,
            id,
            entries,
            description,
            mdev,
        } => create_mapping(run, provider, id, entries, (description, *mdev)).await,
        Change::ReleaseReservation {
            record,
            mac,
            address,
        } => release(run, record, mac, *address).await,
        Change::CreateResource { .. }
        | Change::UpdateResource { .. }
        | Change::DeleteResource { .. } => Err(other(
            System::Omni,
            "resources are written by their own part",
        )),
    }
}

fn other(system: System, message: impl Into<String>) -> PortError {
    PortError::new(system, Failure::Other, message)
}

fn gateway(run: &Run) -> PortResult<&dyn Gateway> {
    run.ports
        .gateway
        .as_deref()
        .ok_or_else(|| other(System::Unifi, "no gateway is configured"))
}

async fn create_dns_record(run: &Run, record: &NewDnsRecord) -> PortResult<String> {
    let gateway = gateway(run)?;
    let _one_at_a_time = run.gateway_writes.lock().await;
    if is_there(gateway, &run.site, record).await? {
        return Ok("was there already".to_owned());
    }
    let written = gateway.create_dns_record(record).await;
    match is_there(gateway, &run.site, record).await {
        Ok(true) => Ok("made".to_owned()),
        Ok(false) => Err(written.err().unwrap_or_else(|| {
            other(
                System::Unifi,
                "the gateway took the record but does not list it",
            )
        })),
        Err(unread) => Err(written.err().unwrap_or(unread)),
    }
}

/// Whether the gateway has the record. Other values of its name may stand beside it where they are
/// declared too.
async fn is_there(gateway: &dyn Gateway, site: &Site, wanted: &NewDnsRecord) -> PortResult<bool> {
    let mut there = false;
    for record in gateway.dns_records().await? {
        if !same_name(&record.name, &wanted.name) || record.record_type != wanted.record_type {
            continue;
        }
        let has =
            |value: &str| record.enabled && same_value(&wanted.record_type, &record.value, value);
        let is_declared = site.dns.records.iter().any(|declared| {
            same_name(&declared.name, &wanted.name)
                && declared.record_type == wanted.record_type
                && has(&declared.value)
        });
        if has(&wanted.value) {
            there = true;
        } else if !is_declared {
            return Err(PortError::changed(
                System::Unifi,
                &format!("the DNS record {}", wanted.name),
            ));
        }
    }
    Ok(there)
}

async fn create_mapping(
    run: &Run,
    provider: &str,
    id: &str,
    entries: &[String],
    (description, mdev): (&str, bool),
) -> PortResult<String> {
    let system = System::Proxmox(provider.to_owned());
    let port = run.ports.hypervisors.get(provider).ok_or_else(|| {
        other(
            system.clone(),
            "no Proxmox cluster is configured for this provider",
        )
    })?;
    let map = entries
        .iter()
        .map(|entry| entry.parse())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            other(
                system.clone(),
                format!("the plan's mapping entry is malformed: {error}"),
            )
        })?;
    let wanted = PciMapping {
        id: id.to_owned(),
        map,
        description: Some(description.to_owned()),
        mdev,
        ..PciMapping::default()
    };
    let find = async || -> PortResult<Option<PciMapping>> {
        Ok(port
            .pci_mappings(None)
            .await?
            .into_iter()
            .find(|mapping| mapping.id == id))
    };
    if find().await?.is_some_and(|found| found.map == wanted.map) {
        return Ok("was there already".to_owned());
    }
    let created = port.create_pci_mapping(&wanted).await;
    match find().await? {
        Some(found) if found.map == wanted.map => Ok("made".to_owned()),
        Some(_) => Err(PortError::changed(system, &format!("the mapping {id}"))),
        None => Err(created
            .err()
            .unwrap_or_else(|| other(system, "Proxmox took the mapping but does not list it"))),
    }
}

async fn release(
    run: &Run,
    id: &str,
    mac: &str,
    address: std::net::Ipv4Addr,
) -> PortResult<String> {
    let gateway = gateway(run)?;
    let _one_at_a_time = run.gateway_writes.lock().await;
    let mac = mac
        .parse()
        .map_err(|_| other(System::Unifi, "the plan's MAC is malformed"))?;
    let Some(record) = gateway.client_record(mac).await? else {
        return Ok("was gone already".to_owned());
    };
    let note = record.note.as_deref().unwrap_or_default();
    let ours = mark::Reservation::find(note, &run.site.name);
    let (Some(ours), true) = (
        ours,
        record.id == id && record.use_fixed_ip && record.fixed_ip == Some(address),
    ) else {
        return Ok("is not ours any more: left alone".to_owned());
    };
    let patch = undo(&record, Some(&ours));
    gateway.update_client(&record.id, mac, &patch).await?;
    match gateway.client_record(mac).await? {
        Some(left) if left.use_fixed_ip && left.fixed_ip == Some(address) => Err(other(
            System::Unifi,
            format!("{address} is still reserved for {mac}"),
        )),
        _ => Ok("released".to_owned()),
    }
}
