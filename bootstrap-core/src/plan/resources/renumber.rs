//! Patches whose position changed: their ids hold it, so each is made anew and the old one deleted.

use std::collections::BTreeMap;

use omni_client::Resource;

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
    let new: BTreeMap<_, _> = made
        .iter()
        .filter_map(|action| position(action, cluster))
        .collect();
    let moved: Vec<(&Resource, &&Resource)> = deleted
        .iter()
        .filter_map(|action| position(action, cluster))
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
         ({} becomes {}{})",
        cluster.name,
        old.id(),
        new.id(),
        if moved.len() > 1 { ", and so on" } else { "" }
    ))
    .at(cluster.origin_of(new).clone())
    .hint(format!(
        "add new patches at the end of their list, or keep the id of one that moved: `idOverride: {}`",
        old.id()
    ));
    plan.warnings.push(Finding::of(System::Omni, warning));
}

/// What a patch or manifest is, but for its position, and the resource itself.
fn position<'a>(
    action: &'a Action,
    cluster: &ClusterIntent,
) -> Option<((String, String, String), &'a Resource)> {
    let resource = match &action.change {
        Change::CreateResource { resource } => resource,
        Change::DeleteResource { seen } => seen,
        _ => return None,
    };
    let (prefix, name) = named_by_position(resource, &cluster.name)?;
    let key = (resource.metadata.kind.clone(), prefix, name.to_owned());
    Some((key, resource))
}
