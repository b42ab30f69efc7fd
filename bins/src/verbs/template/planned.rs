//! What a template would change in Omni, and how it is shown.

use bootstrap_core::observe::observe_template;
use bootstrap_core::plan::{
    Change, Compared, Plan, Rules, diff, plan_cluster, render_action, summary_of_resources,
};
use bootstrap_core::ports::Omni;
use bootstrap_core::site::ClusterIntent;

use super::render::now;
use crate::compat::failed_call;
use crate::output::{Screen, diff::Shown};
use crate::run::{Exit, Failure};

/// Plans for all clusters, with everything that can be foreseen.
pub(super) async fn plans(
    clusters: &[ClusterIntent],
    omni: &dyn Omni,
    rules: Rules,
) -> Result<Vec<Plan>, Failure> {
    let mut plans = Vec::new();
    for cluster in clusters {
        plans.push(plan_of(cluster, omni, rules, true).await?);
    }
    Ok(plans)
}

/// The plan for one cluster; with `checks` what foreseeing Omni's refusals takes is read, too.
pub(super) async fn plan_of(
    cluster: &ClusterIntent,
    omni: &dyn Omni,
    rules: Rules,
    checks: bool,
) -> Result<Plan, Failure> {
    let view = observe_template(cluster, omni, checks)
        .await
        .map_err(|error| failed_call(&error, Exit::Refused, false))?;
    Ok(plan_cluster(cluster, &view, rules))
}

/// Prints each change with its consequences, then the summary.
pub(super) fn print_changes(plan: &Plan, screen: &mut Screen) {
    for action in &plan.actions {
        screen.print(&render_action(action));
    }
    screen.print(&summary_of_resources(plan));
}

/// The same, each change with its diff.
pub(super) fn print_diffs(plan: &Plan, shown: Shown, screen: &mut Screen) {
    let created = now();
    for action in &plan.actions {
        screen.print(&render_action(action));
        // What goes is known by its name: its contents would only hide what is changed.
        if !matches!(action.change, Change::DeleteResource { .. }) {
            let text = diff(&action.change, &created, Compared::Decided);
            screen.print_diff(&text, shown);
        }
    }
    screen.print(&summary_of_resources(plan));
}
