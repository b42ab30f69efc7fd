//! What Talos and Omni accept in a machine configuration patch.

mod deletes;
mod load;

pub(crate) use self::load::load;
use super::text::quote;
use crate::yaml::{Content, Node};

/// Keys in a document without a kind that only Omni may set.
const FORBIDDEN_FIELDS: &[&str] = &[
    "cluster.clusterName",
    "cluster.id",
    "cluster.controlPlane.endpoint",
    "cluster.token",
    "cluster.secret",
    "cluster.aescbcEncryptionSecret",
    "cluster.secretboxEncryptionSecret",
    "cluster.ca",
    "cluster.acceptedCAs",
    "cluster.serviceAccount",
    "machine.token",
    "machine.ca",
    "machine.type",
    "machine.install.disk",
    "machine.install.extensions",
    "machine.acceptedCAs",
];

const FORBIDDEN_KINDS: &[&str] = &[
    "UnattendedInstallConfig",
    "DiscoveryIdentityConfig",
    "KubeClusterConfig",
    "KubeEtcdEncryptionConfig",
    "KubeAPIServerCAConfig",
    "KubeAggregatorCAConfig",
];

/// Something Omni refuses, and the way to it.
pub(crate) struct Forbidden {
    pub message: String,
    pub hint: Option<&'static str>,
    pub path: Vec<&'static str>,
}

/// Everything in one document that only Omni may set.
pub(crate) fn forbidden(document: &Node) -> Vec<Forbidden> {
    let kind = document.get("kind").and_then(string);
    let (fields, roles): (&[&'static str], _) = match kind {
        Some(kind) if FORBIDDEN_KINDS.contains(&kind) => {
            let message = format!(
                "the {} document is not allowed in the config patch",
                quote(kind)
            );
            return vec![Forbidden {
                message,
                hint: None,
                path: vec!["kind"],
            }];
        }
        Some("KubeServiceAccountConfig") => (&["issuer.privateKey"], None),
        Some("KubeTalosAPIAccessConfig") => (&[], Some("allowedRoles")),
        Some(_) => (&[], None),
        None => (
            FORBIDDEN_FIELDS,
            Some("machine.features.kubernetesTalosAPIAccess.allowedRoles"),
        ),
    };
    let mut found: Vec<Forbidden> = fields
        .iter()
        .filter(|field| {
            field
                .split('.')
                .try_fold(document, |node, key| node.get(key))
                .is_some()
        })
        .map(|field| Forbidden {
            message: format!(
                "overriding {} is not allowed in the config patch",
                quote(field)
            ),
            hint: instead(field),
            path: field.split('.').collect(),
        })
        .collect();
    if let Some(field) = roles {
        let path: Vec<&'static str> = field.split('.').collect();
        let list = path
            .iter()
            .try_fold(document, |node, key| node.get(key))
            .and_then(Node::as_sequence);
        let admins = list
            .into_iter()
            .flatten()
            .filter(|role| role.as_str() == Some("os:admin"));
        found.extend(admins.map(|_| Forbidden {
            message: format!(
                "element {} is not allowed in field {}",
                quote("os:admin"),
                quote(field)
            ),
            hint: None,
            path: path.clone(),
        }));
    }
    found
}

fn instead(field: &str) -> Option<&'static str> {
    match field {
        "machine.install.disk" => Some("use `install.disk` in the Machine document"),
        "machine.install.extensions" => Some("use `systemExtensions` in the template"),
        _ => None,
    }
}

fn string(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(scalar) if matches!(node.to_json(), serde_json::Value::String(_)) => {
            Some(&scalar.text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_omni_owns_is_forbidden() {
        for (text, expected) in [
            (
                "machine: {install: {disk: /dev/sda, wipe: true}, token: x}",
                vec![
                    "overriding \"machine.token\" is not allowed in the config patch",
                    "overriding \"machine.install.disk\" is not allowed in the config patch",
                ],
            ),
            (
                "kind: KubeClusterConfig\napiVersion: v1alpha1",
                vec!["the \"KubeClusterConfig\" document is not allowed in the config patch"],
            ),
            (
                "machine: {features: {kubernetesTalosAPIAccess: {allowedRoles: [os:reader, os:admin]}}}",
                vec![
                    "element \"os:admin\" is not allowed in field \"machine.features.kubernetesTalosAPIAccess.allowedRoles\"",
                ],
            ),
            ("kind: HostnameConfig\nmachine: {token: x}", vec![]),
        ] {
            let node = &crate::yaml::parse(text).unwrap()[0];
            let messages: Vec<_> = forbidden(node)
                .into_iter()
                .map(|forbidden| forbidden.message)
                .collect();
            assert_eq!(messages, expected, "{text}");
        }
    }
}
