//! A plan for people.

use std::fmt::Write as _;

use super::{Action, Change, Effect, Plan, Slot};

/// Renders the actions and slots, one line each with the reason, and a summary line.
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    for action in &plan.actions {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "  {} {}{}",
            symbol(action),
            title(action),
            effect(action.effect)
        );
        let _ = writeln!(out, "      {}", action.reason);
        for line in &action.detail {
            let _ = writeln!(out, "      {line}");
        }
    }
    for slot in &plan.slots {
        for line in slot_lines(slot) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(out, "{}", summary(plan));
    out
}

/// One action on Omni's resources: what, with which consequences, and the lines that explain it. `!` marks what may
/// restart or destroy machines.
pub fn render_action(action: &Action) -> String {
    let mark = if restarts(action.effect) { "!" } else { " " };
    let mut out = format!(
        "  {}{mark} {}{}\n",
        written(action),
        title(action),
        effect(action.effect)
    );
    for line in &action.detail {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "       {line}");
    }
    out
}

/// How many of Omni's resources a plan makes, changes and removes.
pub fn summary_of_resources(plan: &Plan) -> String {
    if plan.actions.is_empty() {
        return format!("{}: nothing to do.", plan.site);
    }
    let count = |wanted: &str| {
        let actions = plan.actions.iter();
        actions.filter(|action| written(action) == wanted).count()
    };
    let restarting = plan.actions.iter().filter(|action| restarts(action.effect));
    format!(
        "{}: {} to add, {} to change, {} to remove{}.",
        plan.site,
        count("+"),
        count("~"),
        count("-"),
        match restarting.count() {
            0 => String::new(),
            several => format!("; {several} may restart or destroy machines (!)"),
        }
    )
}

fn written(action: &Action) -> &'static str {
    match &action.change {
        Change::UpdateResource { .. } => "~",
        Change::DeleteResource { .. } => "-",
        _ => "+",
    }
}

fn restarts(effect: Effect) -> bool {
    effect != Effect::None
}

fn symbol(action: &Action) -> &'static str {
    match (&action.change, action.effect) {
        (Change::ReleaseReservation { .. } | Change::DeleteResource { .. }, _)
        | (_, Effect::DestroysMachines) => "-",
        (_, Effect::RollingUpgrade | Effect::MayRebootNodes) => "!",
        (Change::UpdateResource { .. }, _) => "~",
        _ => "+",
    }
}

fn title(action: &Action) -> String {
    match &action.change {
        Change::CreateDnsRecord {
            name,
            record_type,
            value,
            ..
        } => {
            format!("DNS record {name} {record_type} {value}")
        }
        Change::CreateResource { resource }
        | Change::UpdateResource { resource, .. }
        | Change::DeleteResource { seen: resource } => {
            format!("{} {}", resource.kind(), resource.id())
        }
        Change::CreateMapping { provider, id, .. } => {
            format!("PCI mapping {id} in Proxmox ({provider})")
        }
        Change::ReleaseReservation { mac, address, .. } => {
            format!("reservation of {address} for {mac}")
        }
    }
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "",
        Effect::MayRebootNodes => "  (may reboot nodes, one after another)",
        Effect::RollingUpgrade => "  (rolling upgrade, in this order)",
        Effect::DestroysMachines => "  (destroys or wipes machines that run now)",
    }
}

fn slot_lines(slot: &Slot) -> Vec<String> {
    let mut lines = Vec::new();
    let (who, mac) = match &slot.request {
        Some(request) => (request.clone(), ""),
        None => (
            format!("{}, new machine {}", slot.machine_set, slot.number),
            " (MAC known after the VM is made)",
        ),
    };
    if slot.request.is_none() {
        lines.push(format!("+ machine {} {}", slot.machine_set, slot.number));
    }
    if let Some(address) = &slot.address {
        lines.push(format!(
            "+ reservation {} for {who}{mac}: {}",
            address.address, address.reason
        ));
    }
    for gpu in &slot.by_class {
        lines.push(format!(
            "+ GPU {} for {who}, made with it by the class",
            gpu.mapping
        ));
    }
    for gpu in &slot.attach {
        let (symbol, how) = if slot.request.is_some() {
            (
                "!",
                "attached to the VM; a VM that runs is stopped and started for it where that is allowed",
            )
        } else {
            ("+", "attached to the VM before its first start")
        };
        lines.push(format!("{symbol} GPU {} for {who}, {how}", gpu.mapping));
    }
    lines
}

fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing to do: the site is as declared.".to_owned();
    }
    let count = |symbols: &[&str]| {
        plan.actions
            .iter()
            .filter(|action| symbols.contains(&symbol(action)))
            .count()
    };
    let machines = plan
        .slots
        .iter()
        .filter(|slot| slot.request.is_none())
        .count();
    let reservations = plan
        .slots
        .iter()
        .filter(|slot| slot.address.is_some())
        .count();
    let gpus: usize = plan
        .slots
        .iter()
        .map(|slot| slot.attach.len() + slot.by_class.len())
        .sum();
    let added = plan
        .actions
        .iter()
        .filter(|action| {
            matches!(
                action.change,
                Change::CreateResource { .. }
                    | Change::CreateDnsRecord { .. }
                    | Change::CreateMapping { .. }
            )
        })
        .count();
    let destroying = plan
        .actions
        .iter()
        .filter(|action| {
            action.effect == Effect::DestroysMachines
                && matches!(action.change, Change::UpdateResource { .. })
        })
        .count();
    let updated = plan
        .actions
        .iter()
        .filter(|action| matches!(action.change, Change::UpdateResource { .. }))
        .count();
    format!(
        "Plan: {added} to add, {} to change, {} to remove; {} to come, {}, {}{}{}.",
        updated.saturating_sub(destroying),
        count(&["-"]),
        amount(machines, "machine"),
        amount(reservations, "reservation"),
        amount(gpus, "GPU"),
        match count(&["!"]) {
            0 => String::new(),
            restarts => format!("; {restarts} may restart nodes"),
        },
        match destroying {
            0 => String::new(),
            1 => "; 1 machine set shrinks and machines of it are destroyed".to_owned(),
            sets => format!("; {sets} machine sets shrink and machines of them are destroyed"),
        }
    )
}

fn amount(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
