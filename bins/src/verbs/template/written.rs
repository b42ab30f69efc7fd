//! A plan for Omni's resources carried out in front of a person or a program.

use std::sync::Arc;
use std::time::Duration;

use bootstrap_core::apply::{Events, How, Written, write_resources};
use bootstrap_core::plan::{Action, Plan};
use bootstrap_core::ports::Ports;
use serde::Serialize;

use crate::args::Format;
use crate::opened::diagnostics;
use crate::output::Screen;
use crate::progress;
use crate::run::{Exit, Failure};
use crate::signals::Stop;

/// What all plans of one run share.
pub(super) struct Run<'a> {
    pub(super) ports: &'a Ports,
    pub(super) stop: &'a Stop,
    pub(super) timeout: Duration,
    pub(super) at_once: usize,
    pub(super) format: Format,
}

#[derive(Serialize)]
struct Report<'a> {
    cluster: &'a str,
    #[serde(flatten)]
    written: &'a Written,
}

/// Carries a plan out, and tells at the end what was done and what was not.
pub(super) async fn carry_out(
    run: &Run<'_>,
    plan: &Plan,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let style = progress::Style {
        live: screen.live,
        quiet: screen.quiet,
        format: run.format,
    };
    // The plan must stand before the first line of progress.
    let _ = screen.flush();
    let shown = tokio::spawn(progress::show(
        receiver,
        style,
        Arc::clone(&run.ports.clock),
    ));
    let how = How {
        at_once: run.at_once,
        timeout: Some(run.timeout),
        stop: run.stop.asked.clone(),
        exact: false,
    };
    let actions: Vec<&Action> = plan.actions.iter().collect();
    let (omni, clock) = (run.ports.omni.as_ref(), run.ports.clock.as_ref());
    let written = write_resources(omni, clock, &actions, &how, &Events::new(sender)).await;
    // It ends by itself: all senders are gone now.
    let _ = shown.await;
    report(run, plan, &written, screen)
}

fn report(
    run: &Run<'_>,
    plan: &Plan,
    written: &Written,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    if run.format == Format::Table {
        screen.findings(&diagnostics(&written.failures));
        screen.note(&summary(plan, written));
    } else {
        let cluster = &plan.site;
        screen.document(run.format, &Report { cluster, written })?;
    }
    let stopped = *run.stop.asked.borrow();
    Ok(match (written.is_complete(), stopped) {
        (true, false) => Exit::Done,
        (_, true) => run.stop.exit(),
        (false, false) => Exit::Error,
    })
}

fn summary(plan: &Plan, written: &Written) -> String {
    if written.is_complete() {
        return match written.done.len() {
            1 => format!("{}: done, 1 change", plan.site),
            several => format!("{}: done, {several} changes", plan.site),
        };
    }
    let list = |what: &str, ids: &[String]| match ids {
        [] => String::new(),
        ids => format!("\n  {what}: {}", ids.join(", ")),
    };
    format!(
        "{}: {} done, {} failed, {} not begun{}{}\nrun it again to complete it: what is done is left as it is",
        plan.site,
        written.done.len(),
        written.failures.len(),
        written.not_begun.len(),
        list("done", &written.done),
        list("not begun", &written.not_begun),
    )
}
