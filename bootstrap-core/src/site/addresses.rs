//! Address pools: reading them, and what must hold across them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::decode::Reader;
use super::model::{ClusterIntent, MachineSetIntent};
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml::Node;

/// Addresses a range may hold; more is a slip of the pen.
const MAX_RANGE: u32 = 4096;

/// A pool in the order written, with the line each address came from.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) addresses: Vec<Ipv4Addr>,
    pub(super) places: BTreeMap<Ipv4Addr, Origin>,
}

impl Reader {
    pub(super) fn pool(&mut self, node: &Node) -> Pool {
        let mut pool = Pool::default();
        let items = self.items(node, "addresses");
        if items.is_empty() && node.as_sequence().is_some() {
            self.error_hint(
                node,
                "`addresses` is empty",
                "leave the key out where the machines need no reservations",
            );
        }
        for item in items {
            let Some((first, last)) = self.range(item) else {
                continue;
            };
            let origin = self.origin(item);
            let mut twice = None;
            for bits in first.to_bits()..=last.to_bits() {
                let address = Ipv4Addr::from_bits(bits);
                if let Some(other) = pool.places.get(&address) {
                    twice.get_or_insert((address, other.line));
                    continue;
                }
                pool.places.insert(address, origin.clone());
                pool.addresses.push(address);
            }
            if let Some((address, line)) = twice {
                self.error(
                    item,
                    format!("{address} is in this pool twice, first on line {line}"),
                );
            }
        }
        pool
    }

    fn range(&mut self, node: &Node) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let text = self.string(node, "addresses")?;
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (first.trim(), last.trim()),
            None => (text.trim(), text.trim()),
        };
        let first_address = self.address(node, first, None)?;
        let last_address = self.address(node, last, Some(first_address))?;
        if first_address > last_address {
            self.error(node, format!("range `{text}` runs backwards"));
            return None;
        }
        if last_address.to_bits() - first_address.to_bits() >= MAX_RANGE {
            self.error(
                node,
                format!("range `{text}` holds more than {MAX_RANGE} addresses"),
            );
            return None;
        }
        Some((first_address, last_address))
    }

    /// A host's IPv4 address. `begins` is where its range begins, for the hint on `a.b.c.d-e`.
    pub(super) fn address(
        &mut self,
        node: &Node,
        text: &str,
        begins: Option<Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            if address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || address.is_broadcast()
            {
                self.error(node, format!("{address} is not the address of a host"));
                return None;
            }
            return Some(address);
        }
        let hint = match (begins, text.parse::<u8>()) {
            (Some(first), Ok(last)) => {
                let [a, b, c, _] = first.octets();
                format!("write the range in full: {first}-{a}.{b}.{c}.{last}")
            }
            _ if text.contains('/') => {
                "write a range, first-last, without the network's and the gateway's own".to_owned()
            }
            _ if text.parse::<std::net::Ipv6Addr>().is_ok() => "reservations are IPv4".to_owned(),
            _ => "write an IPv4 address or a range, first-last".to_owned(),
        };
        self.error_hint(node, format!("`{text}` is no IPv4 address"), hint);
        None
    }
}

/// An address somebody claims: for a pool or by a pin.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) address: Ipv4Addr,
    /// Machine set id.
    pub(super) set: String,
    pub(super) origin: Origin,
}

/// No address belongs to two machine sets.
pub(super) fn check_disjoint(claims: &[Claim], findings: &mut Vec<Diagnostic>) {
    let mut owners: BTreeMap<Ipv4Addr, &Claim> = BTreeMap::new();
    let mut told: BTreeSet<(&str, &str, &Origin)> = BTreeSet::new();
    for claim in claims {
        let Some(owner) = owners.get(&claim.address) else {
            owners.insert(claim.address, claim);
            continue;
        };
        if owner.set != claim.set && told.insert((&owner.set, &claim.set, &claim.origin)) {
            findings.push(
                Diagnostic::error(format!(
                    "{} belongs to machine set `{}` already, on line {}",
                    claim.address, owner.set, owner.origin.line
                ))
                .at(claim.origin.clone())
                .hint("each address belongs to one machine set, in all clusters"),
            );
        }
    }
}

/// Whether a machine set's addresses suffice for its machines.
pub(super) fn check_size(
    cluster: &ClusterIntent,
    set: &MachineSetIntent,
    size: usize,
    findings: &mut Vec<Diagnostic>,
) {
    if set.addresses.is_empty() {
        return;
    }
    let mut usable: BTreeSet<Ipv4Addr> = set
        .addresses
        .iter()
        .chain(set.pins.values())
        .copied()
        .collect();
    for address in &cluster.virtual_addresses {
        if usable.remove(address) {
            findings.push(
                Diagnostic::warning(format!(
                    "{address} is a virtual address of cluster `{}`: no machine gets it",
                    cluster.name
                ))
                .at(set.addresses_origin.clone())
                .hint("take it out of the addresses"),
            );
        }
    }
    let have = usable.len();
    if have < size {
        findings.push(
            Diagnostic::error(format!(
                "too few addresses for machine set `{}`: {have}, and its size is {size}",
                set.id
            ))
            .at(set.addresses_origin.clone())
            .hint(format!(
                "add {} or more, and one to spare: a dead machine's lease lives on",
                size - have
            )),
        );
    } else if have == size {
        findings.push(
            Diagnostic::warning(format!("machine set `{}` has no spare address", set.id))
                .at(set.addresses_origin.clone())
                .hint("add one: a dead machine's lease lives on, and its successor waits for it"),
        );
    }
}
