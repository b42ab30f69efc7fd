//! A plan as it may be shown: patches and manifests may hold secrets, so their digest stands for them.

use std::fmt::Write as _;

use omni_client::Resource;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::{Change, Plan, short};

/// What may hold secrets, by kind.
const SECRET_KEYS: [(&str, &[&str]); 3] = [
    ("ConfigPatches", &["data", "compressed_data"]),
    ("KubernetesManifestGroups", &["data", "compressed_data"]),
    ("KubernetesHealthChecks", &["job"]),
];

impl Plan {
    /// The plan for output: where a patch, a manifest or a health check's job stands, its SHA-256 and size stand
    /// instead. It is for eyes and for comparing, not for carrying out.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut plan = self.clone();
        for action in &mut plan.actions {
            match &mut action.change {
                Change::CreateResource { resource } => redact(resource),
                Change::UpdateResource { resource, seen } => {
                    redact(seen);
                    redact(resource);
                }
                Change::DeleteResource { seen } => redact(seen),
                _ => {}
            }
        }
        plan
    }
}

fn redact(resource: &mut Resource) {
    redact_spec(&resource.metadata.kind, &mut resource.spec);
    // An earlier apply by kubectl leaves the whole object there.
    for (key, value) in &mut resource.metadata.annotations {
        if key.ends_with("last-applied-configuration") {
            *value = summary(&Value::String(std::mem::take(value))).to_string();
        }
    }
}

fn redact_spec(kind: &str, spec: &mut Value) {
    let short = short(kind);
    let keys = SECRET_KEYS
        .iter()
        .find(|(kind, _)| *kind == short)
        .map_or(&[][..], |(_, keys)| *keys);
    for key in keys {
        if let Some(value) = spec
            .as_object_mut()
            .and_then(|spec: &mut Map<String, Value>| spec.get_mut(*key))
        {
            *value = summary(value);
        }
    }
}

/// Digest and size of a text, or of anything else as compact JSON.
fn summary(value: &Value) -> Value {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let mut sha256 = String::new();
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    json!({ "sha256": sha256, "bytes": text.len() })
}

#[cfg(test)]
mod tests {
    use omni_client::Metadata;

    use super::*;
    use crate::plan::{Action, Effect};

    fn resource(kind: &str, spec: Value) -> Resource {
        let metadata = Metadata {
            kind: format!("{kind}.omni.sidero.dev"),
            id: "x".to_owned(),
            ..Metadata::default()
        };
        Resource { metadata, spec }
    }

    fn action(change: Change) -> Action {
        Action {
            id: "a".to_owned(),
            reason: String::new(),
            effect: Effect::None,
            detail: Vec::new(),
            change,
        }
    }

    #[test]
    fn patches_and_manifests_are_told_by_their_digest() {
        let plan = Plan {
            actions: vec![
                action(Change::CreateResource {
                    resource: resource("ConfigPatches", json!({"data": "hunter2", "other": 1})),
                }),
                action(Change::UpdateResource {
                    resource: resource(
                        "KubernetesManifestGroups",
                        json!({"data": "hunter2", "mode": 1}),
                    ),
                    seen: Box::new(resource(
                        "KubernetesManifestGroups",
                        json!({"compressed_data": "hunter2"}),
                    )),
                }),
                action(Change::CreateResource {
                    resource: resource(
                        "KubernetesHealthChecks",
                        json!({"job": {"spec": "hunter2"}}),
                    ),
                }),
                action(Change::DeleteResource {
                    seen: resource("ConfigPatches", json!({"data": "hunter2"})),
                }),
                action(Change::CreateResource {
                    resource: resource("MachineClasses", json!({"data": "kept"})),
                }),
            ],
            ..Plan::default()
        };
        let shown = serde_json::to_string(&plan.redacted()).unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
        let digest = "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7";
        assert!(
            shown.contains(&format!(
                r#""data":{{"sha256":"{digest}","bytes":7}},"other":1"#
            )),
            "{shown}"
        );
        assert!(
            shown.contains(r#""data":"kept""#) && shown.contains(r#""mode":1"#),
            "{shown}"
        );
        let whole = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&whole).unwrap(), plan);
    }
}
