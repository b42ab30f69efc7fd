//! Patches whose position changed: their ids hold it, so each is made anew and the old one deleted.

use std::collections::BTreeMap;

use super::own::named_by_position;
use crate::diagnostic::Diagnostic;
use crate::plan::{Action, Change, Finding, Plan};
use crate::ports::System;
use crate::site::ClusterIntent;

pub(super) fn advise(
    cluster: &ClusterIntent,
    made: &[Action],
    deleted: &[Action],
    plan: &mut Plan,
) {
    let position = |action: &Action| {
        let resource = match &action.change {
            Change::CreateResource { resource } => resource,
            Change::DeleteResource { seen } => seen,
            _ => return None,
        };
        let (prefix, name) = named_by_position(resource, &cluster.name)?;
        let key = (resource.metadata.kind.clone(), prefix, name.to_owned());
        Some((key, resource.id().to_owned()))
    };
    let new: BTreeMap<_, _> = made.iter().filter_map(position).collect();
    let moved: Vec<(String, &String)> = deleted
        .iter()
        .filter_map(position)
        .filter_map(|(key, old)| Some((old, new.get(&key)?)))
        .collect();
    let Some((old, new)) = moved.first() else {
        return;
    };
    let count = match moved.len() {
        1 => "1 patch has".to_owned(),
        several => format!("{several} patches have"),
    };
    let warning = Diagnostic::warning(format!(
        "{count} another position in the template of {}, which is part of the id: each is deleted and made again \
         ({old} becomes {new}{})",
        cluster.name,
        if moved.len() > 1 { ", and so on" } else { "" }
    ))
    .at(cluster.origin.clone())
    .hint(format!(
        "add new patches at the end of their list, or keep the id of one that moved: `idOverride: {old}`"
    ));
    plan.warnings.push(Finding::of(System::Omni, warning));
}
