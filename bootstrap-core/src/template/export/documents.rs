//! The documents of an exported template, in omnictl's order.

use ecow::eco_format;
use omni_client::specs::{
    AllocationType, Cluster, ExtensionsConfiguration, KernelArgs, MachineInstallDiskConfig,
    StrategyConfig, UpdateStrategy,
};
use omni_client::{Resource, labels};

use super::fields::{Fields, texts};
use super::gathered::{Gathered, Set, spec};
use super::parts::{health_checks, manifests, patches};
use super::{ExportError, ExportOptions};
use crate::template::go_yaml::Value;
use crate::template::text;
use crate::template::translate::{CLUSTER_WEIGHT, SET_WEIGHT};

pub(super) fn documents(
    gathered: &Gathered<'_>,
    options: ExportOptions,
) -> Result<Vec<Value>, ExportError> {
    let Some(plane) = gathered.sets.iter().find(|set| set.control_plane) else {
        let message = format!(
            "cluster {} has no control plane, and a template needs one",
            gathered.cluster.id()
        );
        return Err(ExportError::new(message, "complete the cluster first"));
    };
    let mut documents = vec![
        cluster(gathered, options)?,
        machine_set(plane, gathered, options)?,
    ];
    let mut workers: Vec<_> = gathered
        .sets
        .iter()
        .filter(|set| !set.control_plane)
        .collect();
    workers.sort_by_key(|set| workers_name(set, gathered));
    for set in workers {
        documents.push(machine_set(set, gathered, options)?);
    }
    let mut nodes: Vec<_> = gathered
        .sets
        .iter()
        .flat_map(|set| set.nodes.iter().map(|node| (*node, set.control_plane)))
        .collect();
    nodes.sort_by_key(|(node, _)| node.id());
    for (node, control_plane) in nodes {
        let fields = machine(node, control_plane, gathered, options)?;
        // A document that says nothing changes nothing.
        if options.omnictl || fields.len() > 2 {
            documents.push(fields.into_value());
        }
    }
    Ok(documents)
}

fn cluster(gathered: &Gathered<'_>, options: ExportOptions) -> Result<Value, ExportError> {
    let resource = gathered.cluster;
    let prefix = format!("cluster-{}", resource.id());
    let wanted: Cluster = spec(resource)?;
    let mut fields = Fields::default();
    fields.text("kind", "Cluster");
    let own = extensions(&gathered.extensions.cluster, resource.id())?;
    fields.list("systemExtensions", own.as_deref());
    fields.text("name", resource.id());
    fields.descriptors(&resource.metadata);
    let mut kubernetes = Fields::default();
    let version = |version: &str| Value::Text(eco_format!("v{version}"));
    kubernetes.put("version", version(&wanted.kubernetes_version));
    kubernetes.sequence(
        "manifests",
        manifests(&gathered.manifests, &prefix, options)?,
    );
    kubernetes.sequence(
        "healthchecks",
        health_checks(&gathered.health_checks, &prefix, options)?,
    );
    fields.nested("kubernetes", kubernetes);
    let mut talos = Fields::default();
    talos.put("version", version(&wanted.talos_version));
    fields.nested("talos", talos);
    fields.nested("features", features(gathered, &wanted, options));
    let own = patches(&gathered.patches.cluster, &prefix, CLUSTER_WEIGHT, options)?;
    fields.sequence("patches", own);
    Ok(fields.into_value())
}

fn features(gathered: &Gathered<'_>, wanted: &Cluster, options: ExportOptions) -> Fields {
    let on = wanted.features.clone().unwrap_or_default();
    let mut fields = Fields::default();
    fields.flag("diskEncryption", on.disk_encryption);
    fields.flag("enableWorkloadProxy", on.enable_workload_proxy);
    fields.flag(
        "useEmbeddedDiscoveryService",
        on.use_embedded_discovery_service,
    );
    let silent = on.disable_public_discovery_service;
    if may_leave_public_discovery(&gathered.initial_talos_version) {
        fields.put("disablePublicDiscoveryService", Value::Bool(silent));
    } else if !options.omnictl {
        fields.flag("disablePublicDiscoveryService", silent);
    }
    fields.flag("enableNodeAuditSkip", on.enable_node_audit_skip);
    let backup = wanted.backup_configuration.clone().unwrap_or_default();
    // Naming the interval switches backups on; omnictl does so even where they are off.
    if options.omnictl || backup.enabled {
        let mut interval = Fields::default();
        interval.text("interval", &go_interval(backup.interval.as_str()));
        fields.nested("backupConfiguration", interval);
    }
    fields
}

/// Clusters made with Talos 1.14 or newer can do without the public discovery service.
fn may_leave_public_discovery(initial_version: &str) -> bool {
    let mut parts = initial_version.trim_start_matches('v').split('.');
    let mut number = || parts.next()?.parse::<u32>().ok();
    matches!((number(), number()), (Some(major), Some(minor)) if (major, minor) >= (1, 14))
}

/// An API duration as Go prints it; empty for none.
pub(super) fn go_interval(duration: &str) -> String {
    match text::parse_proto_duration(duration) {
        Some((seconds, nanos)) if (seconds, nanos) != (0, 0) => {
            text::go_duration_text(seconds, nanos)
        }
        _ => String::new(),
    }
}

/// `None`: nothing is said at this level.
fn extensions(own: &[&Resource], target: &str) -> Result<Option<Vec<String>>, ExportError> {
    let id = format!("schematic-{target}");
    let chosen = own.iter().find(|resource| resource.id() == id);
    let Some(chosen) = chosen.or(own.first()) else {
        return Ok(None);
    };
    Ok(Some(spec::<ExtensionsConfiguration>(chosen)?.extensions))
}

/// Empty for the default.
fn workers_name<'s>(set: &Set<'s>, gathered: &Gathered<'_>) -> &'s str {
    let id = set.resource.id();
    let name = id
        .strip_prefix(gathered.cluster.id())
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or(id);
    if name == "workers" { "" } else { name }
}

fn machine_set(
    set: &Set<'_>,
    gathered: &Gathered<'_>,
    options: ExportOptions,
) -> Result<Value, ExportError> {
    let id = set.resource.id();
    let none = Vec::new();
    let mut fields = Fields::default();
    let kind = if set.control_plane {
        "ControlPlane"
    } else {
        "Workers"
    };
    fields.text("kind", kind);
    let own = extensions(gathered.extensions.sets.get(id).unwrap_or(&none), id)?;
    fields.list("systemExtensions", own.as_deref());
    if !set.control_plane {
        fields.text("name", workers_name(set, gathered));
    }
    fields.descriptors(&set.resource.metadata);
    fields.maybe("bootstrapSpec", bootstrap(set));
    if let Some(allocation) = &set.allocation {
        let size = match allocation.allocation_type {
            AllocationType::Static => Value::Int(allocation.machine_count.into()),
            AllocationType::Unlimited => Value::Text("Unlimited".into()),
            AllocationType::Other(number) => Value::Text(eco_format!("{number}")),
        };
        let name = Value::Text((&allocation.name).into());
        fields.put(
            "machineClass",
            Value::mapping([("name", name), ("size", size)]),
        );
    } else {
        let ids: Vec<String> = set.nodes.iter().map(|node| node.id().to_owned()).collect();
        fields.maybe("machines", (!ids.is_empty()).then(|| texts(&ids)));
    }
    strategies(set, &mut fields, options);
    let own = gathered.patches.sets.get(id).unwrap_or(&none);
    fields.sequence("patches", patches(own, id, SET_WEIGHT, options)?);
    Ok(fields.into_value())
}

fn bootstrap(set: &Set<'_>) -> Option<Value> {
    let from = set.spec.bootstrap_spec.as_ref()?;
    Some(Value::mapping([
        ("clusterUUID", Value::Text((&from.cluster_uuid).into())),
        ("snapshot", Value::Text((&from.snapshot).into())),
    ]))
}

fn strategies(set: &Set<'_>, fields: &mut Fields, options: ExportOptions) {
    let spec = &set.spec;
    let (rolling, unset) = (UpdateStrategy::Rolling, UpdateStrategy::Unset);
    let update = strategy(
        spec.update_strategy,
        rolling,
        spec.update_strategy_config.as_ref(),
        options,
    );
    let delete = strategy(
        spec.delete_strategy,
        unset,
        spec.delete_strategy_config.as_ref(),
        options,
    );
    // A template may not set these two of a control plane.
    if !set.control_plane || options.omnictl {
        fields.maybe("updateStrategy", update);
        fields.maybe("deleteStrategy", delete);
    }
    let upgrade = strategy(
        spec.upgrade_strategy,
        unset,
        spec.upgrade_strategy_config.as_ref(),
        options,
    );
    fields.maybe("upgradeStrategy", upgrade);
}

/// omnictl shows a type only beside details.
fn strategy(
    kind: UpdateStrategy,
    default: UpdateStrategy,
    config: Option<&StrategyConfig>,
    options: ExportOptions,
) -> Option<Value> {
    let mut fields = Fields::default();
    if kind != default {
        let name = match kind {
            UpdateStrategy::Unset => "Unset".to_owned(),
            UpdateStrategy::Rolling => "Rolling".to_owned(),
            UpdateStrategy::Other(number) => number.to_string(),
        };
        fields.text("type", &name);
    }
    if let Some(rolling) = config.and_then(|config| config.rolling.as_ref()) {
        let mut details = Fields::default();
        if rolling.max_parallelism > 0 {
            let count = Value::Int(rolling.max_parallelism.into());
            details.put("maxParallelism", count);
        }
        fields.put("rolling", details.into_value());
    }
    let shown = if options.omnictl {
        config.is_some()
    } else {
        fields.len() > 0
    };
    shown.then(|| fields.into_value())
}

fn machine(
    node: &Resource,
    control_plane: bool,
    gathered: &Gathered<'_>,
    options: ExportOptions,
) -> Result<Fields, ExportError> {
    let id = node.id();
    let none = Vec::new();
    let mut fields = Fields::default();
    fields.text("kind", "Machine");
    let own = extensions(gathered.extensions.machines.get(id).unwrap_or(&none), id)?;
    fields.list("systemExtensions", own.as_deref());
    fields.text("name", id);
    fields.descriptors(&node.metadata);
    let locked = node.metadata.annotations.contains_key(labels::LOCKED);
    // A template may not lock a control plane.
    fields.flag("locked", locked && (!control_plane || options.omnictl));
    if let Some(disk) = gathered.install_disks.get(id) {
        let disk: MachineInstallDiskConfig = spec(disk)?;
        let mut install = Fields::default();
        install.text("disk", &disk.disk);
        install.text("diskSelector", &disk.disk_selector);
        fields.nested("install", install);
    }
    let own = gathered.patches.machines.get(id).unwrap_or(&none);
    let prefix = format!("cm-{id}");
    fields.sequence("patches", patches(own, &prefix, SET_WEIGHT, options)?);
    let args = kernel_args(id, gathered, options)?;
    fields.list("kernelArgs", args.as_deref());
    Ok(fields)
}

/// What a template manages must stay in it, or the next sync gives it up.
fn kernel_args(
    id: &str,
    gathered: &Gathered<'_>,
    options: ExportOptions,
) -> Result<Option<Vec<String>>, ExportError> {
    let found = gathered.kernel_args.get(id).copied();
    let is_managed = |resource: &Resource| {
        let annotations = &resource.metadata.annotations;
        annotations.contains_key(labels::MANAGED_BY_CLUSTER_TEMPLATES)
    };
    let shown = match (found, options.omnictl) {
        (None, true) => return Ok(options.kernel_args.then(Vec::new)),
        (None, false) => return Ok(None),
        (Some(_), true) => options.kernel_args,
        (Some(found), false) => options.kernel_args || is_managed(found),
    };
    match found {
        Some(found) if shown => Ok(Some(spec::<KernelArgs>(found)?.args)),
        _ => Ok(None),
    }
}
