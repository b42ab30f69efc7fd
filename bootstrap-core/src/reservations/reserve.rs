//! Making a reservation: checks first, one write, read back.

use std::net::Ipv4Addr;

use unifi_client::{ClientPatch, ClientRecord, Mac, Network, NewClient};

use super::{AddressRange, BY_HAND, network_of};
use crate::diagnostic::Diagnostic;
use crate::mark;
use crate::observe::GatewayView;
use crate::occupancy::{Lists, holder};
use crate::ports::{Failure, Gateway, PortError, PortResult, System};
use crate::site::suggest;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// For whom.
    pub mac: Mac,
    /// What.
    pub address: Ipv4Addr,
    /// Alias for a client that has none.
    pub name: Option<String>,
    /// Name of the network the address must be in.
    pub network: Option<String>,
}

/// What is asked for must keep to these.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Who makes it: the name in the mark.
    pub owner: String,
    /// Addresses that nobody is to get, with the reason.
    pub excluded: Vec<(AddressRange, String)>,
    /// Another reservation of this client may be replaced; it comes back when this one is released.
    pub replace: bool,
}

/// What it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is there.
    Unchanged,
    /// The client has no record yet.
    Make(NewClient),
    /// Its record is changed; `was` was reserved before.
    Change {
        /// Id of the record.
        id: String,
        /// What is changed.
        patch: ClientPatch,
        /// Address reserved before.
        was: Option<Ipv4Addr>,
    },
}

/// Why nothing is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It cannot be, whoever asks.
    Impossible(Diagnostic),
    /// Somebody else has it: a person decides.
    Taken(Diagnostic),
}

impl Refused {
    fn impossible(message: String, hint: impl Into<String>) -> Self {
        Self::Impossible(Diagnostic::error(message).hint(hint))
    }

    fn taken(message: String, hint: impl Into<String>) -> Self {
        Self::Taken(Diagnostic::error(message).hint(hint))
    }
}

/// Decides what a reservation takes. `own` is the client's record, also where the list leaves it out.
///
/// # Errors
/// The address cannot be given out in its network, is excluded, or somebody has it.
pub fn decide(
    wanted: &Wanted,
    rules: &Rules,
    own: Option<&ClientRecord>,
    view: &GatewayView,
    now: u64,
) -> Result<Decision, Refused> {
    let (mac, address) = (wanted.mac, wanted.address);
    let network = network(wanted, view)?;
    if let Some((range, why)) = rules
        .excluded
        .iter()
        .find(|(range, _)| range.contains(address))
    {
        return Err(Refused::impossible(
            format!("{address} is excluded: {range} is {why}"),
            "choose another address",
        ));
    }
    let hardware = view
        .active
        .iter()
        .any(|client| client.device && client.mac == mac);
    if hardware {
        return Err(Refused::impossible(
            format!("{mac} is UniFi hardware, which cannot have a reservation"),
            "set its address in its own settings",
        ));
    }
    let lists = Lists {
        records: &view.records,
        leases: &view.leases,
        active: &view.active,
        now,
    };
    if let Some(holder) = holder(lists, address, Some(mac)) {
        return Err(Refused::taken(
            format!("{address} is {holder}"),
            "choose another address, or free this one: `unifi-reservation conflicts` tells more",
        ));
    }
    let Some(record) = own else {
        return Ok(Decision::Make(NewClient {
            mac,
            name: wanted.name.clone(),
            note: Some(mark(wanted, rules, true, None).to_string()),
            fixed_ip: address,
            network_id: network.id.clone(),
            local_dns: None,
        }));
    };
    change(wanted, rules, record, network)
}

fn change(
    wanted: &Wanted,
    rules: &Rules,
    record: &ClientRecord,
    network: &Network,
) -> Result<Decision, Refused> {
    if record.reserved() == Some(wanted.address) {
        return Ok(Decision::Unchanged);
    }
    let note = record.note.as_deref().unwrap_or_default();
    let earlier = mark::Reservation::find(note, &rules.owner);
    let was = record.reserved();
    if let (Some(was), None, false) = (was, &earlier, rules.replace) {
        return Err(Refused::taken(
            format!(
                "{} has {was} reserved, which is not {}'s",
                wanted.mac, rules.owner
            ),
            "--replace takes the new address; releasing it brings this one back",
        ));
    }
    let made = earlier.as_ref().is_some_and(|mark| mark.made_record);
    let before = match &earlier {
        Some(mark) => mark.before,
        None => was,
    };
    let has_name = record.name.as_deref().is_some_and(|name| !name.is_empty());
    let patch = ClientPatch {
        fixed_ip: Some(Some(wanted.address)),
        network_id: Some(network.id.clone()),
        name: wanted.name.clone().filter(|_| !has_name),
        note: Some(mark(wanted, rules, made, before).added_to(Some(note))),
        local_dns: None,
    };
    Ok(Decision::Change {
        id: record.id.clone(),
        patch,
        was,
    })
}

fn network<'a>(wanted: &Wanted, view: &'a GatewayView) -> Result<&'a Network, Refused> {
    let address = wanted.address;
    let names = || view.networks.iter().map(|network| network.name.as_str());
    let found = match &wanted.network {
        Some(name) => view
            .networks
            .iter()
            .find(|network| network.name == *name)
            .ok_or_else(|| {
                let hint = match suggest(name, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}", names().collect::<Vec<_>>().join(", ")),
                };
                Refused::impossible(format!("the gateway has no network {name}"), hint)
            })?,
        None => network_of(&view.networks, address).ok_or_else(|| {
            let all: Vec<String> = view
                .networks
                .iter()
                .filter_map(|network| {
                    Some(format!("{} ({})", network.name, network.subnet?.trunc()))
                })
                .collect();
            Refused::impossible(
                format!("{address} is in no network of the gateway"),
                format!("it has {}", all.join(", ")),
            )
        })?,
    };
    let name = &found.name;
    if found.gateway() == Some(address) {
        return Err(Refused::impossible(
            format!("{address} is the gateway of {name} itself"),
            "choose another address",
        ));
    }
    if !found.is_assignable(address) {
        let subnet = found.subnet.map(|subnet| subnet.trunc().to_string());
        return Err(Refused::impossible(
            format!(
                "{address} is no address that {name} ({}) can give out",
                subnet.as_deref().unwrap_or("no subnet")
            ),
            "choose an address of that network, not its first or last one",
        ));
    }
    if !found.dhcp.enabled || found.dhcp_elsewhere {
        return Err(Refused::impossible(
            format!(
                "the gateway does not serve DHCP on {name}: a reservation would have no effect"
            ),
            "switch its DHCP server on",
        ));
    }
    Ok(found)
}

fn mark(
    wanted: &Wanted,
    rules: &Rules,
    made_record: bool,
    before: Option<Ipv4Addr>,
) -> mark::Reservation {
    // Fields of a mark are parted by blanks.
    let machine = wanted
        .name
        .as_deref()
        .map(|name| name.replace([' ', ']'], "_"));
    mark::Reservation {
        site: rules.owner.clone(),
        cluster: BY_HAND.to_owned(),
        machine_set: BY_HAND.to_owned(),
        machine: machine.unwrap_or_else(|| wanted.mac.to_string()),
        made_record,
        before,
    }
}

/// Carries a decision out and reads back.
///
/// # Errors
/// The gateway refuses it, or does not show it afterwards, or shows the address reserved twice.
pub async fn carry_out(
    gateway: &dyn Gateway,
    wanted: &Wanted,
    decision: &Decision,
) -> PortResult<()> {
    let written = match decision {
        Decision::Unchanged => return Ok(()),
        Decision::Make(new) => gateway.create_client(new).await,
        Decision::Change { id, patch, .. } => gateway.update_client(id, wanted.mac, patch).await,
    };
    read_back(gateway, wanted.address, wanted.mac, written).await
}

/// What was written is there, and nobody else has the address; an answer that was lost does not count when it is.
pub(crate) async fn read_back(
    gateway: &dyn Gateway,
    address: Ipv4Addr,
    mac: Mac,
    written: PortResult<()>,
) -> PortResult<()> {
    match gateway.client_record(mac).await? {
        Some(now) if now.reserved() == Some(address) => one_holder(gateway, address, mac).await,
        _ => Err(written.err().unwrap_or_else(|| {
            let message = format!(
                "the gateway took the reservation of {address} for {mac} but does not show it"
            );
            PortError::new(System::Unifi, Failure::Other, message)
                .hint("look at the client in the gateway")
        })),
    }
}

/// The gateway has no lock: two runs at once show only afterwards.
async fn one_holder(gateway: &dyn Gateway, address: Ipv4Addr, mac: Mac) -> PortResult<()> {
    let records = gateway.client_records().await?;
    let other = records
        .iter()
        .find(|record| record.reserved() == Some(address) && record.mac != mac);
    match other {
        None => Ok(()),
        Some(other) => Err(PortError::new(
            System::Unifi,
            Failure::Conflict,
            format!("{address} is reserved for {mac} and for {}", other.mac),
        )
        .hint("another run made the second reservation: run it again")),
    }
}

#[cfg(test)]
mod tests {
    use unifi_client::{ActiveClient, DhcpServer, Lease};

    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn record(mac: Mac, address: [u8; 4], on: bool, note: Option<&str>) -> ClientRecord {
        ClientRecord {
            id: "id".to_owned(),
            mac,
            name: None,
            hostname: None,
            note: note.map(str::to_owned),
            use_fixed_ip: on,
            fixed_ip: Some(address.into()),
            network_id: None,
            local_dns: None,
            last_seen: None,
            last_ip: None,
        }
    }

    fn view() -> GatewayView {
        let network = |id: &str, subnet: &str, enabled| Network {
            id: id.to_owned(),
            name: id.to_owned(),
            purpose: "corporate".to_owned(),
            subnet: subnet.parse().ok(),
            vlan: None,
            dhcp: DhcpServer {
                enabled,
                ..DhcpServer::default()
            },
            dhcp_elsewhere: false,
        };
        let active = |mac, address: [u8; 4], device| ActiveClient {
            mac,
            ip: Some(address.into()),
            name: None,
            network_id: None,
            device,
        };
        let lease = |mac, address: [u8; 4], expires| Lease {
            mac,
            ip: address.into(),
            expires: Some(expires),
            name: None,
        };
        GatewayView {
            networks: vec![
                network("lan", "10.0.0.1/24", true),
                network("quiet", "10.0.1.1/24", false),
            ],
            records: vec![
                record(OTHER, [10, 0, 0, 20], true, None),
                record(Mac([2, 0, 0, 0, 0, 3]), [10, 0, 0, 21], false, None),
            ],
            active: vec![
                active(OTHER, [10, 0, 0, 22], false),
                active(Mac([2, 0, 0, 0, 0, 9]), [10, 0, 0, 2], true),
            ],
            leases: vec![
                lease(OTHER, [10, 0, 0, 23], 2_000),
                lease(OTHER, [10, 0, 0, 24], 500),
                lease(MAC, [10, 0, 0, 25], 2_000),
            ],
            ..GatewayView::default()
        }
    }

    #[test]
    fn what_cannot_be_and_what_is_taken_are_told_apart() {
        for (last, net, mac, expected) in [
            (10, 0, MAC, "make"),
            // Its own lease and one that ran out stand in nobody's way.
            (24, 0, MAC, "make"),
            (25, 0, MAC, "make"),
            (20, 0, MAC, "taken"),
            (21, 0, MAC, "taken"),
            (22, 0, MAC, "taken"),
            (23, 0, MAC, "taken"),
            (2, 0, MAC, "taken"),
            (1, 0, MAC, "impossible"),
            (0, 0, MAC, "impossible"),
            (255, 0, MAC, "impossible"),
            (40, 0, MAC, "impossible"),
            (10, 1, MAC, "impossible"),
            (10, 2, MAC, "impossible"),
            (10, 0, Mac([2, 0, 0, 0, 0, 9]), "impossible"),
        ] {
            let wanted = Wanted {
                mac,
                address: [10, 0, net, last].into(),
                name: None,
                network: None,
            };
            let rules = Rules {
                owner: "lab".to_owned(),
                excluded: vec![("10.0.0.40/30".parse().unwrap(), "kept".to_owned())],
                replace: false,
            };
            let found = match decide(&wanted, &rules, None, &view(), 1_000) {
                Ok(Decision::Make(_)) => "make",
                Ok(_) => "other",
                Err(Refused::Impossible(_)) => "impossible",
                Err(Refused::Taken(_)) => "taken",
            };
            assert_eq!(found, expected, "10.0.{net}.{last} for {mac}");
        }
    }

    #[test]
    fn a_record_that_exists_is_changed_with_what_undo_needs() {
        let ours =
            "[omni-bootstrap site=lab cluster=- set=- machine=x record=changed before=10.0.0.5]";
        for (own, replace, expected) in [
            (record(MAC, [10, 0, 0, 10], true, None), false, "unchanged"),
            (record(MAC, [10, 0, 0, 11], true, None), false, "taken"),
            (
                record(MAC, [10, 0, 0, 11], true, Some("rack")),
                true,
                "rack|[omni-bootstrap site=lab cluster=- set=- machine=n record=changed before=10.0.0.11]",
            ),
            // Moved again: what was there first still comes back.
            (
                record(MAC, [10, 0, 0, 12], true, Some(ours)),
                false,
                "[omni-bootstrap site=lab cluster=- set=- machine=n record=changed before=10.0.0.5]",
            ),
            // Switched off: nothing of it comes back.
            (
                record(MAC, [10, 0, 0, 10], false, None),
                false,
                "[omni-bootstrap site=lab cluster=- set=- machine=n record=changed]",
            ),
        ] {
            let wanted = Wanted {
                mac: MAC,
                address: [10, 0, 0, 10].into(),
                name: Some("n".to_owned()),
                network: Some("lan".to_owned()),
            };
            let rules = Rules {
                owner: "lab".to_owned(),
                replace,
                ..Rules::default()
            };
            let found = match decide(&wanted, &rules, Some(&own), &view(), 1_000) {
                Ok(Decision::Unchanged) => "unchanged".to_owned(),
                Ok(Decision::Change { patch, .. }) => {
                    patch.note.unwrap_or_default().replace('\n', "|")
                }
                Ok(Decision::Make(_)) => "made".to_owned(),
                Err(Refused::Impossible(_)) => "impossible".to_owned(),
                Err(Refused::Taken(_)) => "taken".to_owned(),
            };
            assert_eq!(found, expected);
        }
    }
}
