//! Machine sets and machines.

use omni_client::Resource;

use super::{
    Context, INSTALL_DISKS, KERNEL_ARGS, MACHINE_SET_NODES, MACHINE_SETS, Placed, SET_WEIGHT, Spec,
    bare, describe, extensions, label, labelled, mark_managed, patches,
};
use crate::diagnostic::{Diagnostic, Origin};
use crate::template::model::{Machine, MachineSet, Strategy};
use crate::template::{MachineCount, set_name};

pub(super) fn machine_set(
    set: &MachineSet,
    control_plane: bool,
    context: &Context,
) -> Result<Vec<Placed>, Diagnostic> {
    let id = format!("{}-{}", context.cluster, set_name(set, control_plane));
    let role = label(if control_plane {
        "role-controlplane"
    } else {
        "role-worker"
    });
    let cluster = (label("cluster"), context.cluster);
    let mut resource = labelled(MACHINE_SETS, &id, &[cluster.clone(), (role.clone(), "")]);
    describe(&mut resource, &set.descriptors);
    resource.spec = spec(set);
    let mut resources = vec![(resource, set.origin.clone())];
    let own = [cluster, (label("machine-set"), id.as_str())];
    if set.class.is_some() {
        if context.cluster_kernel_args.is_some() {
            let message = "kernelArgs cannot be defined at cluster level for this machine set since it uses a machine class";
            return Err(Diagnostic::error(message)
                .at(set.origin.clone())
                .hint("give kernel arguments in the machine class instead"));
        }
    } else {
        for (machine, origin) in &set.machines {
            resources.extend(node(machine, origin, set, &own, &role, context));
        }
    }
    resources.extend(patches(&set.patches, &id, SET_WEIGHT, &own)?);
    if let Some(list) = &set.extensions {
        resources.push((extensions(list, &id, &own), set.origin.clone()));
    }
    Ok(resources)
}

fn node(
    id: &str,
    origin: &Origin,
    set: &MachineSet,
    own: &[(String, &str)],
    role: &str,
    context: &Context,
) -> Vec<Placed> {
    let mut resource = labelled(MACHINE_SET_NODES, id, own);
    resource
        .metadata
        .labels
        .insert(role.to_owned(), String::new());
    let described = context.descriptors.get(id);
    if let Some(descriptors) = described {
        describe(&mut resource, descriptors);
    }
    if context.locked.contains(id) {
        resource
            .metadata
            .annotations
            .insert(label("locked"), String::new());
    }
    let mut resources = vec![(resource, origin.clone())];
    // A machine with a document of its own gets its arguments there.
    let args = set.kernel_args.as_ref().or(context.cluster_kernel_args);
    if let (None, Some(args)) = (described, args) {
        resources.push((kernel_args(id, args), origin.clone()));
    }
    resources
}

fn spec(set: &MachineSet) -> serde_json::Value {
    let kind = |strategy: Option<&Strategy>, default| {
        strategy
            .and_then(|strategy| strategy.kind)
            .unwrap_or(default)
    };
    let mut spec = Spec::default();
    spec.number("update_strategy", kind(set.update.as_ref(), 1));
    if let Some(bootstrap) = &set.bootstrap {
        let mut message = Spec::default();
        message.text("cluster_uuid", &bootstrap.cluster_uuid);
        message.text("snapshot", &bootstrap.snapshot);
        spec.message("bootstrap_spec", message);
    }
    spec.number("delete_strategy", kind(set.delete.as_ref(), 0));
    rolling(&mut spec, "update_strategy_config", set.update.as_ref());
    rolling(&mut spec, "delete_strategy_config", set.delete.as_ref());
    if let Some(class) = &set.class {
        let mut message = Spec::default();
        message.text("name", &class.name);
        match class.count {
            MachineCount::Fixed(count) => message.number("machine_count", count),
            MachineCount::Unlimited => message.number("allocation_type", 1),
        }
        spec.message("machine_allocation", message);
    }
    spec.number("upgrade_strategy", kind(set.upgrade.as_ref(), 0));
    rolling(&mut spec, "upgrade_strategy_config", set.upgrade.as_ref());
    spec.into_value()
}

fn rolling(spec: &mut Spec, key: &str, strategy: Option<&Strategy>) {
    if let Some(max_parallelism) = strategy.and_then(|strategy| strategy.max_parallelism) {
        let mut rolling = Spec::default();
        rolling.number("max_parallelism", max_parallelism);
        let mut config = Spec::default();
        config.message("rolling", rolling);
        spec.message(key, config);
    }
}

pub(super) fn machine(machine: &Machine, context: &Context) -> Result<Vec<Placed>, Diagnostic> {
    let id = machine.name.as_str();
    let mut resources = Vec::new();
    if !(machine.disk.is_empty() && machine.disk_selector.is_empty()) {
        let mut resource = bare(INSTALL_DISKS, id);
        mark_managed(&mut resource);
        let mut spec = Spec::default();
        spec.text("disk_selector", &machine.disk_selector);
        spec.text("disk", &machine.disk);
        resource.spec = spec.into_value();
        resources.push((resource, machine.install_origin.clone()));
    }
    let own = [
        (label("cluster"), context.cluster),
        (label("cluster-machine"), id),
    ];
    resources.extend(patches(
        &machine.patches,
        &format!("cm-{id}"),
        SET_WEIGHT,
        &own,
    )?);
    let set_args = context.set_kernel_args.get(id).copied().flatten();
    if let Some(args) = machine
        .kernel_args
        .as_ref()
        .or(set_args)
        .or(context.cluster_kernel_args)
    {
        resources.push((kernel_args(id, args), machine.origin.clone()));
    }
    if let Some(list) = &machine.extensions {
        resources.push((extensions(list, id, &own), machine.origin.clone()));
    }
    Ok(resources)
}

fn kernel_args(id: &str, args: &[String]) -> Resource {
    let mut resource = bare(KERNEL_ARGS, id);
    mark_managed(&mut resource);
    let mut spec = Spec::default();
    spec.list("args", args);
    resource.spec = spec.into_value();
    resource
}
