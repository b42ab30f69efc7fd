//! Resources as omnictl prints them: spec keys joined and in lower case, zero values shown.

use omni_client::{Phase, Resource};
use serde_json::Value;

use super::go_yaml::{self, Value as Yaml};
use super::{text, translate};

/// What a spec field is, which decides how its zero value looks.
enum Shape {
    Text,
    Number,
    Flag,
    List,
    Duration,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

/// API name and shape, in the order of Go's struct.
type Field = (&'static str, Shape);

const STRATEGY: &[Field] = &[(
    "rolling",
    Shape::Message(&[("max_parallelism", Shape::Number)]),
)];

const CLUSTER: &[Field] = &[
    ("kubernetes_version", Shape::Text),
    ("talos_version", Shape::Text),
    (
        "features",
        Shape::Message(&[
            ("enable_workload_proxy", Shape::Flag),
            ("disk_encryption", Shape::Flag),
            ("use_embedded_discovery_service", Shape::Flag),
            ("enable_node_audit_skip", Shape::Flag),
            ("disable_public_discovery_service", Shape::Flag),
        ]),
    ),
    (
        "backup_configuration",
        Shape::Message(&[("interval", Shape::Duration), ("enabled", Shape::Flag)]),
    ),
];

const MACHINE_SET: &[Field] = &[
    ("update_strategy", Shape::Number),
    ("machine_class", Shape::Message(ALLOCATION)),
    (
        "bootstrap_spec",
        Shape::Message(&[("cluster_uuid", Shape::Text), ("snapshot", Shape::Text)]),
    ),
    ("delete_strategy", Shape::Number),
    ("update_strategy_config", Shape::Message(STRATEGY)),
    ("delete_strategy_config", Shape::Message(STRATEGY)),
    ("machine_allocation", Shape::Message(ALLOCATION)),
    ("upgrade_strategy", Shape::Number),
    ("upgrade_strategy_config", Shape::Message(STRATEGY)),
];

const ALLOCATION: &[Field] = &[
    ("name", Shape::Text),
    ("machine_count", Shape::Number),
    ("allocation_type", Shape::Number),
];

const MACHINE_CLASS: &[Field] = &[
    ("match_labels", Shape::List),
    (
        "auto_provision",
        Shape::Message(&[
            ("provider_id", Shape::Text),
            ("kernel_args", Shape::List),
            (
                "meta_values",
                Shape::Messages(&[("key", Shape::Number), ("value", Shape::Text)]),
            ),
            ("provider_data", Shape::Text),
            ("grpc_tunnel", Shape::Number),
        ]),
    ),
];

fn fields(kind: &str) -> &'static [Field] {
    match kind {
        translate::CLUSTERS => CLUSTER,
        translate::MACHINE_SETS => MACHINE_SET,
        translate::CONFIG_PATCHES => &[("data", Shape::Text), ("compressed_data", Shape::List)],
        translate::EXTENSIONS => &[("extensions", Shape::List)],
        translate::KERNEL_ARGS => &[("args", Shape::List)],
        translate::INSTALL_DISKS => &[("disk_selector", Shape::Text), ("disk", Shape::Text)],
        translate::MANIFESTS => &[
            ("compressed_data", Shape::List),
            ("data", Shape::Text),
            ("mode", Shape::Number),
        ],
        translate::HEALTH_CHECKS => &[("job", Shape::Text), ("interval", Shape::Duration)],
        "MachineClasses.omni.sidero.dev" => MACHINE_CLASS,
        _ => &[],
    }
}

/// Renders resources; `created` stands in where a resource has no time of its own.
pub(super) fn render(resources: &[Resource], created: &str) -> String {
    let documents: Vec<_> = resources
        .iter()
        .map(|resource| document(resource, created))
        .collect();
    go_yaml::emit(&documents, 2)
}

/// A resource with the metadata that is its author's.
pub(super) fn declare(resource: &Resource) -> String {
    let metadata = &resource.metadata;
    let bare = |text: &str| Yaml::Bare(text.to_owned());
    let mut pairs = vec![
        (bare("namespace"), bare(&metadata.namespace)),
        (bare("type"), bare(&metadata.kind)),
        (bare("id"), bare(&metadata.id)),
    ];
    for (key, map) in [
        ("labels", &metadata.labels),
        ("annotations", &metadata.annotations),
    ] {
        if !map.is_empty() {
            pairs.push((bare(key), Yaml::string_map(map)));
        }
    }
    let document = Yaml::mapping([
        ("metadata", Yaml::Mapping(pairs)),
        ("spec", message(fields(&metadata.kind), &resource.spec)),
    ]);
    go_yaml::emit(&[document], 2)
}

fn document(resource: &Resource, created: &str) -> Yaml {
    Yaml::mapping([
        ("metadata", metadata(resource, created)),
        (
            "spec",
            message(fields(&resource.metadata.kind), &resource.spec),
        ),
    ])
}

fn metadata(resource: &Resource, created: &str) -> Yaml {
    let metadata = &resource.metadata;
    let or_created =
        |time: &str| Yaml::Bare(if time.is_empty() { created } else { time }.to_owned());
    let version = if metadata.version == 0 {
        "undefined".to_owned()
    } else {
        metadata.version.to_string()
    };
    let phase = match metadata.phase {
        Phase::Running => "running",
        Phase::TearingDown => "tearingDown",
    };
    let mut pairs = vec![
        ("namespace", Yaml::Bare(metadata.namespace.clone())),
        ("type", Yaml::Bare(metadata.kind.clone())),
        ("id", Yaml::Bare(metadata.id.clone())),
        ("version", Yaml::Bare(version)),
        ("owner", Yaml::Bare(metadata.owner.clone())),
        ("phase", Yaml::Bare(phase.to_owned())),
        ("created", or_created(&metadata.created)),
        ("updated", or_created(&metadata.updated)),
    ];
    let bare_map = |map: &std::collections::BTreeMap<String, String>| {
        Yaml::Mapping(
            map.iter()
                .map(|(key, value)| (Yaml::Bare(key.clone()), Yaml::Bare(value.clone())))
                .collect(),
        )
    };
    if !metadata.labels.is_empty() {
        pairs.push(("labels", bare_map(&metadata.labels)));
    }
    if !metadata.annotations.is_empty() {
        pairs.push(("annotations", bare_map(&metadata.annotations)));
    }
    if !metadata.finalizers.is_empty() {
        pairs.push((
            "finalizers",
            Yaml::Sequence(
                metadata
                    .finalizers
                    .iter()
                    .cloned()
                    .map(Yaml::Bare)
                    .collect(),
            ),
        ));
    }
    Yaml::Mapping(
        pairs
            .into_iter()
            .map(|(key, value)| (Yaml::Bare(key.to_owned()), value))
            .collect(),
    )
}

/// Known fields in Go's order, then whatever else the spec has.
fn message(fields: &[Field], value: &Value) -> Yaml {
    let known = fields
        .iter()
        .map(|(name, shape)| (joined(name), field(shape, value.get(name))));
    let others = value.as_object().into_iter().flatten();
    let others = others
        .filter(|(name, _)| !fields.iter().any(|(known, _)| known == name))
        .map(|(name, value)| (joined(name), free(value)));
    Yaml::Mapping(known.chain(others).collect())
}

fn joined(name: &str) -> Yaml {
    Yaml::Text(name.replace('_', "").to_lowercase())
}

fn field(shape: &Shape, value: Option<&Value>) -> Yaml {
    match (shape, value) {
        (Shape::Text, None | Some(Value::Null)) => Yaml::Text(String::new()),
        (Shape::Number, None | Some(Value::Null)) => Yaml::Int(0),
        (Shape::Flag, None | Some(Value::Null)) => Yaml::Bool(false),
        (Shape::List | Shape::Messages(_), None | Some(Value::Null)) => Yaml::Sequence(Vec::new()),
        (Shape::Duration | Shape::Message(_), None | Some(Value::Null)) => Yaml::Null,
        (Shape::Message(fields), Some(value)) => message(fields, value),
        (Shape::Messages(fields), Some(Value::Array(items))) => {
            Yaml::Sequence(items.iter().map(|item| message(fields, item)).collect())
        }
        (Shape::Duration, Some(Value::String(duration))) => {
            match text::parse_proto_duration(duration) {
                Some((seconds, nanos)) => Yaml::mapping([
                    ("seconds", Yaml::Int(seconds.into())),
                    ("nanos", Yaml::Int(nanos.into())),
                ]),
                None => Yaml::Text(duration.clone()),
            }
        }
        (_, Some(value)) => free(value),
    }
}

fn free(value: &Value) -> Yaml {
    match value {
        Value::Null => Yaml::Null,
        Value::Bool(flag) => Yaml::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Yaml::Int(whole.into()),
            (_, Some(whole), _) => Yaml::Int(whole.into()),
            (.., float) => Yaml::Float(float.unwrap_or_default()),
        },
        Value::String(text) => Yaml::Text(text.clone()),
        Value::Array(items) => Yaml::Sequence(items.iter().map(free).collect()),
        Value::Object(object) => Yaml::Mapping(
            object
                .iter()
                .map(|(name, value)| (joined(name), free(value)))
                .collect(),
        ),
    }
}
