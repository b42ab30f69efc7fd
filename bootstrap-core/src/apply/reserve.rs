//! One reservation: look at the gateway right before, write once, read back, look again.

use std::net::Ipv4Addr;

use unifi_client::{ClientPatch, ClientRecord, Mac, NewClient};

use super::Run;
use crate::mark;
use crate::occupancy::{Lists, holder};
use crate::plan::{Slot, SlotAddress};
use crate::ports::{Failure, Gateway, PortError, PortResult, System};
use crate::reservations::read_back;

/// Reserves the slot's address for a MAC. Done already counts as done.
pub(super) async fn reserve(
    run: &Run,
    slot: &Slot,
    machine: &str,
    wanted: &SlotAddress,
    mac: Mac,
) -> PortResult<()> {
    let Some(gateway) = run.ports.gateway.as_deref() else {
        return Ok(());
    };
    let _one_at_a_time = run.gateway_writes.lock().await;
    let records = gateway.client_records().await?;
    let own = match records.iter().find(|record| record.mac == mac) {
        Some(record) => Some(record.clone()),
        // Some versions list configured clients only.
        None => gateway.client_record(mac).await?,
    };
    if own
        .as_ref()
        .is_some_and(|record| record.use_fixed_ip && record.fixed_ip.is_some())
    {
        return Ok(());
    }
    check_free(run, gateway, &records, wanted.address, mac).await?;
    let written = write(gateway, run, slot, machine, wanted, mac, own.as_ref()).await;
    read_back(gateway, wanted.address, mac, written).await
}

async fn write(
    gateway: &dyn Gateway,
    run: &Run,
    slot: &Slot,
    machine: &str,
    wanted: &SlotAddress,
    mac: Mac,
    own: Option<&ClientRecord>,
) -> PortResult<()> {
    let mark = |made_record: bool| mark::Reservation {
        site: run.site.name.clone(),
        cluster: slot.cluster.clone(),
        machine_set: slot.machine_set.clone(),
        machine: machine.to_owned(),
        made_record,
        before: None,
    };
    let patch = |record: &ClientRecord| ClientPatch {
        fixed_ip: Some(Some(wanted.address)),
        network_id: Some(wanted.network_id.clone()),
        name: record
            .name
            .as_deref()
            .unwrap_or_default()
            .is_empty()
            .then(|| machine.to_owned()),
        note: Some(mark(false).added_to(record.note.as_deref())),
        local_dns: None,
    };
    let Some(record) = own else {
        let client = NewClient {
            mac,
            name: Some(machine.to_owned()),
            note: Some(mark(true).to_string()),
            fixed_ip: wanted.address,
            network_id: wanted.network_id.clone(),
            local_dns: None,
        };
        let created = gateway.create_client(&client).await;
        // Seen by DHCP a moment ago: the record exists now, and is changed instead.
        if created
            .as_ref()
            .is_err_and(|error| error.failure == Failure::Conflict)
            && let Some(record) = gateway.client_record(mac).await?
        {
            return gateway
                .update_client(&record.id, mac, &patch(&record))
                .await;
        }
        return created;
    };
    gateway.update_client(&record.id, mac, &patch(record)).await
}

async fn check_free(
    run: &Run,
    gateway: &dyn Gateway,
    records: &[ClientRecord],
    address: Ipv4Addr,
    mac: Mac,
) -> PortResult<()> {
    let (leases, active) = tokio::try_join!(gateway.leases(), gateway.active_clients())?;
    let now = crate::observe::unix_seconds(run.ports.clock.wall());
    let lists = Lists {
        records,
        leases: &leases,
        active: &active,
        now,
    };
    match holder(lists, address, Some(mac)) {
        None => Ok(()),
        Some(holder) => Err(PortError::new(
            System::Unifi,
            Failure::Conflict,
            format!("{address} is {holder} since the plan was made"),
        )
        .hint("run it again: the machine gets another address of its pool")),
    }
}
