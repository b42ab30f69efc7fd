//! What the QEMU guest agent of a running VM says. Needs VM.GuestAgent.Audit on the VM (VM.Monitor before
//! Proxmox VE 9).
//!
//! An agent that is not up is [`Cause::AgentNotRunning`](crate::Cause::AgentNotRunning), said after three
//! seconds, and a VM that is not running [`Cause::GuestNotRunning`](crate::Cause::GuestNotRunning). What the
//! guest says is the guest's word: its owner can make it say anything.

use std::net::IpAddr;

use crate::client::Client;
use crate::error::Error;
use crate::request::{Call, vm_path};
use crate::wire;

/// A network interface as the guest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestInterface {
    /// `eth0`, `lo`, …
    pub name: String,
    /// Hardware address, lower case with colons; bonds and the like have one that no VM option names.
    pub mac: Option<String>,
    /// Its addresses; none while it has none.
    pub addresses: Vec<GuestAddress>,
}

/// An address of a guest's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuestAddress {
    /// The address.
    pub address: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix: u8,
}

impl Client {
    /// Whether the guest agent answers; `Ok` when it does. Changes nothing, but is sent once: it is a POST.
    pub async fn agent_ping(&self, node: &str, vmid: u32) -> Result<(), Error> {
        self.execute(Call::post(vm_path(node, vmid, "/agent/ping")?))
            .await
    }

    /// The guest's network interfaces, loopback and virtual ones included.
    pub async fn agent_interfaces(
        &self,
        node: &str,
        vmid: u32,
    ) -> Result<Vec<GuestInterface>, Error> {
        let call = Call::get(vm_path(node, vmid, "/agent/network-get-interfaces")?);
        let answer: wire::Agent<Vec<wire::Interface>> = self.fetch(call).await?;
        let interfaces = answer.result.unwrap_or_default().into_iter();
        Ok(interfaces.map(interface).collect())
    }
}

fn interface(row: wire::Interface) -> GuestInterface {
    let addresses = row.addresses.unwrap_or_default().into_iter();
    GuestInterface {
        name: row.name,
        mac: row.mac.map(|mac| mac.to_ascii_lowercase()),
        addresses: addresses.filter_map(address).collect(),
    }
}

fn address(row: wire::Address) -> Option<GuestAddress> {
    let text = row.address?;
    // A link-local address may come with its zone.
    let address: IpAddr = text.split('%').next()?.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    Some(GuestAddress {
        address,
        prefix: u8::try_from(row.prefix?)
            .ok()
            .filter(|prefix| *prefix <= longest)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_taken() {
        let read = |text: &str, prefix: u64| {
            address(wire::Address {
                address: Some(text.to_owned()),
                prefix: Some(prefix),
            })
        };
        for (text, prefix, want) in [
            ("192.0.2.77", 24, Some("192.0.2.77")),
            ("fe80::1%eth0", 64, Some("fe80::1")),
            ("192.0.2.77", 64, None),
            ("192.0.2.77", 300, None),
            ("eth0", 24, None),
            ("", 0, None),
        ] {
            let want = want.map(|want| want.parse::<IpAddr>().unwrap());
            assert_eq!(
                read(text, prefix).map(|found| found.address),
                want,
                "{text}"
            );
        }
    }
}
