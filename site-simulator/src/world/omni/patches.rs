//! What Omni refuses in a config patch: text that is not YAML, keys that Talos does not know, keys that Omni
//! itself sets.

use serde_json::{Map, Value};

const TOP: &[&str] = &["version", "debug", "persist", "machine", "cluster"];
const MACHINE: &[&str] = &[
    "type",
    "token",
    "ca",
    "acceptedCAs",
    "certSANs",
    "controlPlane",
    "kubelet",
    "pods",
    "network",
    "disks",
    "install",
    "files",
    "env",
    "time",
    "sysctls",
    "sysfs",
    "registries",
    "systemDiskEncryption",
    "features",
    "udev",
    "logging",
    "kernel",
    "seccompProfiles",
    "baseRuntimeSpecOverrides",
    "nodeLabels",
    "nodeAnnotations",
    "nodeTaints",
];
const CLUSTER: &[&str] = &[
    "id",
    "secret",
    "controlPlane",
    "clusterName",
    "network",
    "token",
    "aescbcEncryptionSecret",
    "secretboxEncryptionSecret",
    "ca",
    "acceptedCAs",
    "aggregatorCA",
    "serviceAccount",
    "apiServer",
    "controllerManager",
    "proxy",
    "scheduler",
    "discovery",
    "etcd",
    "coreDNS",
    "externalCloudProvider",
    "extraManifests",
    "extraManifestHeaders",
    "inlineManifests",
    "adminKubeconfig",
    "allowSchedulingOnControlPlanes",
    "allowSchedulingOnMasters",
];
/// Keys that only Omni sets, as paths.
const RESERVED: &[&str] = &[
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

/// Everything wrong with a patch.
pub(crate) fn check(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    for document in text.split("\n---") {
        let parsed: Value = match serde_yaml::from_str(document.trim_start_matches("---")) {
            Ok(parsed) => parsed,
            Err(error) => {
                return vec![format!(
                    "decode error: go-yaml load error in parser: {error}"
                )];
            }
        };
        if parsed.get("kind").is_some() {
            continue;
        }
        if let Some(error) = unknown_keys(&parsed) {
            errors.push(error);
            continue;
        }
        for path in RESERVED {
            if parsed
                .pointer(&format!("/{}", path.replace('.', "/")))
                .is_some()
            {
                errors.push(format!(
                    "overriding \"{path}\" is not allowed in the config patch"
                ));
            }
        }
    }
    errors
}

/// The message Talos' configuration loader has for keys it does not know.
pub(super) fn unknown_keys(document: &Value) -> Option<String> {
    let mut unknown = Map::new();
    for (key, value) in document.as_object()? {
        let known = match key.as_str() {
            "machine" => MACHINE,
            "cluster" => CLUSTER,
            key if TOP.contains(&key) => continue,
            _ => {
                unknown.insert(key.clone(), value.clone());
                continue;
            }
        };
        let strange: Map<String, Value> = value
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| !known.contains(&key.as_str()) && !key.starts_with('$'))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !strange.is_empty() {
            unknown.insert(key.clone(), Value::Object(strange));
        }
    }
    if unknown.is_empty() {
        return None;
    }
    let shown = serde_yaml::to_string(&unknown).unwrap_or_default();
    let indented: String = shown.lines().fold(String::new(), |text, line| {
        let content = line.trim_start();
        let depth = line.len() - content.len();
        text + &" ".repeat(depth * 2) + content + "\n"
    });
    Some(format!(
        "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\n{indented}"
    ))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn recorded_refusals() {
        assert_eq!(check("machine:\n  sysctls:\n    a: \"1\"\n"), [""; 0]);
        assert_eq!(
            check("machine:\n  token: aaa\n"),
            ["overriding \"machine.token\" is not allowed in the config patch"]
        );
        assert_eq!(
            check("machine:\n  netwrk: {}\n"),
            [
                "error decoding document /v1alpha1/ (line 1): unknown keys found during decoding:\nmachine:\n    \
              netwrk: {}\n"
            ]
        );
        assert!(
            check("machine: [oops")[0].starts_with("decode error: go-yaml load error in parser")
        );
    }
}
