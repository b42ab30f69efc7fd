//! What a template's config patches say, as far as the site has to know it.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use super::model::{DnsIntent, MachineSetIntent};
use crate::diagnostic::Diagnostic;
use crate::template::PatchView;

/// Whether the last word on the CNI is `none`.
pub(super) fn cni_none(patches: &[PatchView]) -> bool {
    let names = documents(patches)
        .filter_map(|document| document.pointer("/cluster/network/cni/name")?.as_str());
    names.last() == Some("none")
}

/// Virtual addresses of the control plane, in the order found.
pub(super) fn virtual_addresses(patches: &[PatchView]) -> Vec<Ipv4Addr> {
    let mut addresses = Vec::new();
    for document in documents(patches) {
        let interfaces = document
            .pointer("/machine/network/interfaces")
            .and_then(Value::as_array);
        for interface in interfaces.into_iter().flatten() {
            let vlans = interface.get("vlans").and_then(Value::as_array);
            for link in std::iter::once(interface).chain(vlans.into_iter().flatten()) {
                addresses.extend(link.pointer("/vip/ip").and_then(parsed::<Ipv4Addr>));
            }
        }
        if kind_of(document) == Some("Layer2VIPConfig") {
            addresses.extend(document.get("name").and_then(parsed::<Ipv4Addr>));
        }
    }
    addresses.dedup();
    addresses
}

/// The resolvers a patch sets, in Talos's old or new form.
fn nameservers(patch: &PatchView) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for document in &patch.documents {
        let listed = document
            .pointer("/machine/network/nameservers")
            .and_then(Value::as_array);
        servers.extend(listed.into_iter().flatten().filter_map(parsed::<IpAddr>));
        if kind_of(document) == Some("ResolverConfig") {
            let listed = document.get("nameservers").and_then(Value::as_array);
            let addresses = listed
                .into_iter()
                .flatten()
                .filter_map(|server| server.get("address"));
            servers.extend(addresses.filter_map(parsed::<IpAddr>));
        }
    }
    servers
}

/// Says where a machine set's resolvers are not those of `dns.nodeResolvers`. Talos appends lists, so the wanted
/// ones must appear in their order, with others between them at most.
pub(super) fn check_resolvers(
    dns: &DnsIntent,
    set: &MachineSetIntent,
    patches: &[PatchView],
) -> Option<Diagnostic> {
    let set_here: Vec<(&PatchView, Vec<IpAddr>)> = patches
        .iter()
        .map(|patch| (patch, nameservers(patch)))
        .filter(|(_, servers)| !servers.is_empty())
        .collect();
    let mut found = set_here.iter().flat_map(|(_, servers)| servers);
    if dns
        .node_resolvers
        .iter()
        .all(|wanted| found.any(|server| server == wanted))
    {
        return None;
    }
    let wanted = joined(&dns.node_resolvers);
    let required = format!("`dns.nodeResolvers` wants {wanted}");
    let diagnostic = match set_here.last() {
        None => Diagnostic::error(format!(
            "no patch of machine set `{}` sets its resolvers, and {required}",
            set.id
        ))
        .at(set.origin.clone()),
        Some((patch, servers)) => Diagnostic::error(format!(
            "patch `{}` sets the resolvers {}, but {required}",
            patch.name,
            joined(servers)
        ))
        .at(patch.origin.clone()),
    };
    let line = format!("machine: {{network: {{nameservers: [{wanted}]}}}}");
    Some(diagnostic.hint(format!(
        "a node that cannot resolve Omni's name never joins; a patch of the set needs `{line}`"
    )))
}

fn documents(patches: &[PatchView]) -> impl Iterator<Item = &Value> {
    patches.iter().flat_map(|patch| &patch.documents)
}

fn kind_of(document: &Value) -> Option<&str> {
    document.get("kind")?.as_str()
}

fn parsed<T: std::str::FromStr>(value: &Value) -> Option<T> {
    value.as_str()?.parse().ok()
}

fn joined(addresses: &[IpAddr]) -> String {
    addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnostic::Origin;

    fn patch(name: &str, documents: Value) -> PatchView {
        let Value::Array(documents) = documents else {
            panic!("an array")
        };
        PatchView {
            name: name.to_owned(),
            origin: Origin::default(),
            documents,
        }
    }

    fn set() -> MachineSetIntent {
        MachineSetIntent {
            name: "workers".into(),
            id: "c-workers".into(),
            control_plane: false,
            class: None,
            network: None,
            nic: "net0".into(),
            addresses: vec![],
            pins: std::collections::BTreeMap::new(),
            gpus: vec![],
            origin: Origin::default(),
            addresses_origin: Origin::default(),
        }
    }

    #[test]
    fn the_last_word_on_the_cni_counts() {
        let cni = |name: &str| {
            patch(
                name,
                json!([{"cluster": {"network": {"cni": {"name": name}}}}]),
            )
        };
        assert!(!cni_none(&[]));
        assert!(cni_none(&[cni("none")]));
        assert!(!cni_none(&[cni("none"), cni("flannel")]));
        assert!(cni_none(&[
            cni("flannel"),
            cni("none"),
            patch("other", json!([{"machine": {}}]))
        ]));
    }

    #[test]
    fn virtual_addresses_are_found_in_each_form() {
        let patches = [patch(
            "p",
            json!([
                {"machine": {"network": {"interfaces": [
                    {"vip": {"ip": "172.16.8.10"}},
                    {"interface": "eth1", "vlans": [{"vlanId": 4, "vip": {"ip": "10.4.0.10"}}]},
                    {"vip": {"ip": "fd00::1"}},
                ]}}},
                {"apiVersion": "v1alpha1", "kind": "Layer2VIPConfig", "name": "172.16.9.10", "link": "eth0"},
            ]),
        )];
        let expected: Vec<Ipv4Addr> = ["172.16.8.10", "10.4.0.10", "172.16.9.10"]
            .map(|text| text.parse().unwrap())
            .into();
        assert_eq!(virtual_addresses(&patches), expected);
    }

    #[test]
    fn resolvers_must_stand_in_order() {
        let dns = DnsIntent {
            node_resolvers: vec!["172.16.8.1".parse().unwrap(), "8.8.8.8".parse().unwrap()],
            ..DnsIntent::default()
        };
        let old = |name: &str, servers: &[&str]| {
            patch(
                name,
                json!([{"machine": {"network": {"nameservers": servers}}}]),
            )
        };
        let new = patch(
            "new",
            json!([{"kind": "ResolverConfig", "nameservers": [{"address": "172.16.8.1"}, {"address": "8.8.8.8"}]}]),
        );
        for (patches, expected) in [
            (vec![old("a", &["172.16.8.1", "8.8.8.8"])], None),
            (
                vec![old("a", &["172.16.8.1"]), old("b", &["1.1.1.1", "8.8.8.8"])],
                None,
            ),
            (vec![new], None),
            (
                vec![],
                Some(
                    "no patch of machine set `c-workers` sets its resolvers, and `dns.nodeResolvers` wants 172.16.8.1, 8.8.8.8",
                ),
            ),
            (
                vec![old("a", &["8.8.8.8", "172.16.8.1"])],
                Some(
                    "patch `a` sets the resolvers 8.8.8.8, 172.16.8.1, but `dns.nodeResolvers` wants 172.16.8.1, 8.8.8.8",
                ),
            ),
        ] {
            let message =
                check_resolvers(&dns, &set(), &patches).map(|diagnostic| diagnostic.message);
            assert_eq!(message.as_deref(), expected);
        }
    }
}
