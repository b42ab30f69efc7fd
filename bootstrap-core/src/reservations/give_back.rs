//! Giving a reservation back: what the mark says was there before comes back.

use std::net::Ipv4Addr;

use unifi_client::{ClientPatch, ClientRecord, Mac};

use crate::diagnostic::Diagnostic;
use crate::mark;
use crate::ports::{Failure, Gateway, PortError, PortResult, System};

/// What releasing takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveBack {
    /// There is no reservation.
    Absent,
    /// This one goes.
    Release(Given),
}

/// A reservation that goes, and what it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Address it frees.
    pub address: Ipv4Addr,
    /// Address that was reserved before, and is again.
    pub before: Option<Ipv4Addr>,
    id: String,
    patch: ClientPatch,
}

/// Decides what releasing the reservation of a client takes.
///
/// # Errors
/// It is not `owner`'s, and `any` was not asked for.
pub fn give_back(
    record: Option<&ClientRecord>,
    owner: &str,
    any: bool,
) -> Result<GiveBack, Diagnostic> {
    let found = record.and_then(|record| Some((record, record.fixed_ip?)));
    let Some((record, address)) = found else {
        return Ok(GiveBack::Absent);
    };
    let note = record.note.as_deref().unwrap_or_default();
    let ours = mark::Reservation::find(note, owner);
    let mark = match (ours, any) {
        (Some(mark), _) => Some(mark),
        (None, true) => mark::Reservation::any(note),
        (None, false) => {
            let whose = match mark::Reservation::any(note) {
                Some(mark) => format!("it was made by {} for {}", mark.site, mark.machine),
                None => "it carries no mark, so a person made it".to_owned(),
            };
            return Err(Diagnostic::error(format!(
                "the reservation of {address} for {} is not {owner}'s: {whose}",
                record.mac
            )));
        }
    };
    Ok(GiveBack::Release(Given {
        address,
        before: mark.as_ref().and_then(|mark| mark.before),
        id: record.id.clone(),
        patch: undo(record, mark.as_ref()),
    }))
}

/// The change that takes a reservation and its mark away.
pub(crate) fn undo(record: &ClientRecord, mark: Option<&mark::Reservation>) -> ClientPatch {
    let before = mark.and_then(|mark| mark.before);
    let note = record.note.as_deref().unwrap_or_default();
    ClientPatch {
        fixed_ip: Some(before),
        network_id: before.and(record.network_id.clone()),
        note: mark.map(|mark| mark::Reservation::removed_from(note, &mark.site)),
        ..ClientPatch::default()
    }
}

/// Releases, and reads back.
///
/// # Errors
/// The gateway refuses it, or shows the reservation still.
pub async fn release(gateway: &dyn Gateway, mac: Mac, given: &Given) -> PortResult<()> {
    let written = gateway.update_client(&given.id, mac, &given.patch).await;
    let left = match gateway.client_record(mac).await {
        Ok(left) => left,
        Err(unread) => return Err(written.err().unwrap_or(unread)),
    };
    if left.and_then(|record| record.fixed_ip) == given.before {
        return Ok(());
    }
    Err(written.err().unwrap_or_else(|| {
        let message = format!("{} is still reserved for {mac}", given.address);
        PortError::new(System::Unifi, Failure::Other, message)
    }))
}
