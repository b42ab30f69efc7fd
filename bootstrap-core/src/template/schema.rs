//! The JSON schema of cluster templates, for editors. It holds each document of a file; what spans documents is for
//! `omni-cluster-template validate`. A test keeps it in step with what the reader knows.

#![expect(dead_code, reason = "these shapes only describe the file")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

/// A document of a cluster template, as `omnictl cluster template` takes it.
#[derive(JsonSchema)]
#[schemars(untagged, title = "cluster template")]
enum Document {
    Cluster(Box<Cluster>),
    MachineSet(Box<MachineSet>),
    Machine(Box<Machine>),
}

/// The cluster itself. A template has one.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Cluster {
    #[schemars(extend("const" = "Cluster"))]
    kind: String,
    /// The cluster's name: letters, digits, `-` and `_`.
    name: String,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    kubernetes: Kubernetes,
    talos: Talos,
    features: Option<Features>,
    /// Config patches of every machine, in the order they are merged.
    patches: Option<Vec<Patch>>,
    /// System extensions of every machine. Absent: left as they are; `[]`: none.
    system_extensions: Option<Vec<String>>,
    /// Kernel arguments of every machine. Absent: left as they are; `[]`: none.
    kernel_args: Option<Vec<String>>,
}

/// Kubernetes' version, and what is kept in the cluster.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Kubernetes {
    /// `v1.36.2`. Another version is a rolling upgrade.
    #[schemars(regex(pattern = r"^v?[0-9]+\.[0-9]+\.[0-9]+"))]
    version: String,
    /// Manifests that Omni applies.
    manifests: Option<Vec<Manifest>>,
    /// Jobs that tell whether the cluster is healthy.
    healthchecks: Option<Vec<HealthCheck>>,
}

/// Talos' version.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Talos {
    /// With its `v`: `v1.13.7`. Another version is a rolling upgrade that restarts each machine.
    #[schemars(regex(pattern = r"^v[0-9]+\.[0-9]+\.[0-9]+"))]
    version: String,
}

/// What Omni does for the cluster.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Features {
    /// Encrypt disks with keys that Omni keeps. Only for new clusters.
    disk_encryption: Option<bool>,
    /// Reach services of the cluster through Omni.
    enable_workload_proxy: Option<bool>,
    /// Members find each other through Omni and not through the public discovery service.
    use_embedded_discovery_service: Option<bool>,
    /// Do not ask the public discovery service.
    disable_public_discovery_service: Option<bool>,
    /// Keep nodes that no machine stands for.
    enable_node_audit_skip: Option<bool>,
    backup_configuration: Option<Backup>,
}

/// Backups of etcd.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Backup {
    /// Time between two, such as `1h30m`.
    interval: Option<Duration>,
}

/// The control planes, of which a template has one document, or a set of workers.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct MachineSet {
    kind: MachineSetKind,
    /// Workers are called `<cluster>-<name>`, `workers` where absent. The name of control planes cannot be chosen.
    name: Option<String>,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    bootstrap_spec: Option<Bootstrap>,
    /// UUIDs of machines; excludes `machineClass`.
    machines: Option<Vec<String>>,
    machine_class: Option<MachineClass>,
    update_strategy: Option<Strategy>,
    delete_strategy: Option<Strategy>,
    upgrade_strategy: Option<Strategy>,
    /// Config patches of the set's machines, in the order they are merged.
    patches: Option<Vec<Patch>>,
    /// Instead of the cluster's. Absent: the cluster's; `[]`: none.
    system_extensions: Option<Vec<String>>,
    /// Instead of the cluster's. Absent: the cluster's; `[]`: none.
    kernel_args: Option<Vec<String>>,
}

#[derive(JsonSchema)]
enum MachineSetKind {
    ControlPlane,
    Workers,
}

/// What is particular to one machine of a set that lists its machines.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Machine {
    #[schemars(extend("const" = "Machine"))]
    kind: String,
    /// The machine's UUID.
    name: String,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    /// Keep the machine as it is: no updates, no upgrades. Not for control planes.
    locked: Option<bool>,
    install: Option<Install>,
    patches: Option<Vec<Patch>>,
    /// Instead of the set's. Absent: the set's; `[]`: none.
    system_extensions: Option<Vec<String>>,
    /// Instead of the set's. Absent: the set's; `[]`: none.
    kernel_args: Option<Vec<String>>,
}

/// The disk that Talos is installed on.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Install {
    /// `/dev/sda` and the like; excludes `diskSelector`.
    disk: Option<String>,
    /// A CEL expression over `disk`, such as `disk.size > 100u * GB`.
    disk_selector: Option<String>,
}

/// Begin from a backup of another cluster. For control planes only.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Bootstrap {
    #[schemars(rename = "clusterUUID")]
    cluster_uuid: Option<String>,
    snapshot: Option<String>,
}

/// Machines by class.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct MachineClass {
    /// The class's id.
    name: String,
    size: Size,
}

/// How many: a number, or all that match.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Size {
    Number(u32),
    Word(SizeWord),
}

#[derive(JsonSchema)]
enum SizeWord {
    #[schemars(rename = "unlimited")]
    Unlimited,
    #[schemars(rename = "Unlimited")]
    Capital,
    #[schemars(rename = "infinity")]
    Infinity,
    #[schemars(rename = "∞")]
    Sign,
    Static,
}

/// How many machines at once.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Strategy {
    r#type: Option<StrategyType>,
    rolling: Option<Rolling>,
}

#[derive(JsonSchema)]
enum StrategyType {
    Rolling,
    Unset,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Rolling {
    max_parallelism: Option<u32>,
}

/// A config patch, from a file or inline. Its place in the list is part of its id, unless `idOverride` is given.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Patch {
    /// Part of the id; the file's path where absent. Needed for inline patches without `idOverride`.
    name: Option<String>,
    /// The id in Omni, whole: it stays when patches before this one come or go.
    id_override: Option<String>,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    /// Relative to the template; excludes `inline`.
    file: Option<String>,
    inline: Option<Inline>,
}

/// A manifest of Kubernetes, from a file or inline.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    name: Option<String>,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    file: Option<String>,
    inline: Option<Inline>,
    mode: Option<ManifestMode>,
}

/// `full`: kept as written; `one-time`: applied once.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ManifestMode {
    Full,
    OneTime,
}

/// A job of Kubernetes that tells whether the cluster is healthy.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct HealthCheck {
    name: Option<String>,
    id_override: Option<String>,
    labels: Option<Labels>,
    annotations: Option<Labels>,
    file: Option<String>,
    job: Option<Inline>,
    /// Time between two, such as `30s`; at least 5 s.
    interval: Option<Duration>,
}

/// A document, several, or their text.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Inline {
    Mapping(Map<String, Value>),
    Mappings(Vec<Map<String, Value>>),
    Text(String),
}

type Labels = BTreeMap<String, Option<Scalar>>;

/// Any scalar; it is read as text.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Scalar {
    Text(String),
    Number(f64),
    Flag(bool),
}

/// A duration as Go reads it: `90s`, `1h30m`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Duration {
    Text(#[schemars(regex(pattern = r"^[-+]?([0-9.]+(ns|us|µs|μs|ms|s|m|h))+$|^[-+]?0$"))] String),
    Zero(u8),
}

/// The JSON schema of one document of a cluster template.
pub fn json_schema() -> Value {
    schemars::schema_for!(Document).to_value()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::super::construct::{Kind, Table};
    use super::*;

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let table = Table::parse(include_str!("omnictl_types.txt"));
        let schema = json_schema();
        for (shape, type_name) in [
            ("Cluster", "Cluster"),
            ("Kubernetes", "KubernetesCluster"),
            ("Talos", "TalosCluster"),
            ("Features", "Features"),
            ("Backup", "BackupConfiguration"),
            ("MachineSet", "ControlPlane"),
            ("MachineSet", "Workers"),
            ("Machine", "Machine"),
            ("Install", "MachineInstall"),
            ("Bootstrap", "BootstrapSpec"),
            ("MachineClass", "MachineClassConfig"),
            ("Strategy", "UpdateStrategyConfig"),
            ("Rolling", "RollingUpdateStrategyConfig"),
            ("Patch", "Patch"),
            ("Manifest", "KubernetesManifest"),
            ("HealthCheck", "KubernetesHealthCheck"),
        ] {
            let type_name = format!("models.{type_name}");
            let Kind::Struct(fields) = table.kind(&type_name) else {
                panic!("{type_name} is no struct");
            };
            let known: BTreeSet<&str> = fields.keys().copied().collect();
            let properties = schema["$defs"][shape]["properties"].as_object().unwrap();
            let described: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(described, known, "{shape}");
        }
    }

    /// The documents of a template that loads and validates, as JSON.
    fn valid(path: &Path) -> Option<Vec<Value>> {
        let template = crate::template::load(path).ok()?;
        if !template.validate().is_empty() {
            return None;
        }
        let nodes = crate::yaml::read(path, path).ok()?;
        Some(nodes.iter().map(crate::yaml::Node::to_json).collect())
    }

    #[test]
    fn what_is_valid_fits_and_what_has_unknown_keys_does_not() {
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut paths: Vec<_> = glob::glob(
            &root
                .join("tests/fixtures/golden/**/*.yaml")
                .to_string_lossy(),
        )
        .unwrap()
        .flatten()
        .collect();
        paths.push(root.join("examples/homelab/cluster/template.yaml"));
        let inputs = root.join("../shared/inputs/**/*.yaml");
        paths.extend(glob::glob(&inputs.to_string_lossy()).unwrap().flatten());
        let mut seen = 0;
        for path in paths {
            for mut document in valid(&path).unwrap_or_default() {
                let wrong: Vec<_> = validator
                    .iter_errors(&document)
                    .map(|error| error.to_string())
                    .collect();
                assert_eq!(wrong, Vec::<String>::new(), "{}", path.display());
                document["patchez"] = Value::Null;
                assert!(!validator.is_valid(&document), "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen > 20, "only {seen} documents");
    }
}
