//! Waiting until a cluster is healthy. Watches are doorbells only: what counts is what a look then finds, and there
//! is a look every few seconds anyway, so a lost event changes nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::select_all;
use jiff::Timestamp;
use omni_client::{Event, Kind, kinds, labels};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{Report, observe};
use crate::ports::{Failure, Omni, PortError, PortResult, Ports};

/// Looks follow each other by at least this.
const BETWEEN: Duration = Duration::from_secs(1);
/// Looks follow each other by at most this.
const AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// What rings.
static DOORBELLS: [Kind; 6] = [
    kinds::CLUSTER_STATUS,
    kinds::MACHINE_SET_STATUS,
    kinds::CLUSTER_MACHINE_STATUS,
    kinds::CLUSTER_MACHINE_REQUEST_STATUS,
    kinds::KUBERNETES_UPGRADE_STATUS,
    kinds::TALOS_UPGRADE_STATUS,
];

/// What is waited for, and how long.
#[derive(Debug)]
pub struct Follow<'f> {
    /// The cluster.
    pub cluster: &'f str,
    /// How long; zero: one look.
    pub wait: Duration,
    /// Whether a report ends the wait.
    pub healthy: fn(&Report) -> bool,
    /// Turns true when a person wants to stop.
    pub stop: watch::Receiver<bool>,
}

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The cluster is healthy.
    Healthy,
    /// It was not, and there was no time to wait.
    Unhealthy,
    /// It was not in time.
    TimedOut,
    /// Somebody wanted to stop.
    Stopped,
}

/// Looks until the cluster is healthy, the time is over or somebody wants to stop. `show` gets every look, and
/// errors that may pass by themselves.
///
/// # Errors
/// The first look failed, or a later one in a way that does not pass.
pub async fn follow(
    ports: &Ports,
    wanted: &Follow<'_>,
    mut show: impl FnMut(Result<&Report, &PortError>),
) -> PortResult<(Ended, Option<Report>)> {
    let clock = &ports.clock;
    let until = clock.now().saturating_add(wanted.wait);
    let mut stop = wanted.stop.clone();
    let mut last = None;
    let mut doorbell = None;
    loop {
        let looked = clock.now();
        let left = until.saturating_sub(looked);
        let look = observe(&*ports.omni, wanted.cluster, wall(ports));
        let seen = tokio::select! {
            seen = look => seen,
            () = clock.sleep(left), if !wanted.wait.is_zero() => return Ok((Ended::TimedOut, last)),
            () = asked(&mut stop) => return Ok((Ended::Stopped, last)),
        };
        match seen {
            Ok(report) => {
                show(Ok(&report));
                let healthy = (wanted.healthy)(&report);
                last = Some(report);
                if healthy {
                    return Ok((Ended::Healthy, last));
                }
            }
            Err(error) if last.is_some() && may_pass(&error) => show(Err(&error)),
            Err(error) => return Err(error),
        }
        if wanted.wait.is_zero() {
            return Ok((Ended::Unhealthy, last));
        }
        let bell = doorbell.get_or_insert_with(|| Doorbell::hang(ports, wanted.cluster));
        let next = async {
            let rung = async {
                bell.rung.notified().await;
                let since = clock.now().saturating_sub(looked);
                clock.sleep(BETWEEN.saturating_sub(since)).await;
            };
            tokio::select! {
                () = rung => {}
                () = clock.sleep(AT_LEAST_EVERY) => {}
            }
        };
        tokio::select! {
            () = next => {}
            () = clock.sleep(until.saturating_sub(clock.now())) => return Ok((Ended::TimedOut, last)),
            () = asked(&mut stop) => return Ok((Ended::Stopped, last)),
        }
    }
}

fn wall(ports: &Ports) -> Timestamp {
    Timestamp::try_from(ports.clock.wall()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn may_pass(error: &PortError) -> bool {
    matches!(error.failure, Failure::Unreachable | Failure::Other)
}

async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|asked| *asked).await.is_err() {
        // Nobody is left who could ask.
        std::future::pending::<()>().await;
    }
}

struct Doorbell {
    rung: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Doorbell {
    fn hang(ports: &Ports, cluster: &str) -> Self {
        let rung = Arc::new(Notify::new());
        let task = tokio::spawn(listen(
            Arc::clone(&ports.omni),
            cluster.to_owned(),
            Arc::clone(&rung),
        ));
        Self { rung, task }
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(omni: Arc<dyn Omni>, cluster: String, rung: Arc<Notify>) {
    let mut streams = Vec::new();
    for kind in &DOORBELLS {
        match omni.watch(kind).await {
            Ok(stream) => streams.push(stream),
            Err(error) => tracing::debug!("watch of {kind}: {error}"),
        }
    }
    let mut events = select_all(streams);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) if concerns(&event, &cluster) => rung.notify_one(),
            Ok(_) => {}
            Err(error) => tracing::debug!("a watch ended: {error}"),
        }
    }
}

fn concerns(event: &Event, cluster: &str) -> bool {
    event.resource().is_some_and(|resource| {
        resource.id() == cluster || resource.label(labels::CLUSTER) == Some(cluster)
    })
}
