//! Tasks: what a UPID names, its log and its end.

use std::time::Duration;

use super::access::{Caller, Refusal};
use super::{Cluster, Due};

/// What a task does.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// Writes a VM's configuration and unlocks it.
    Create {
        /// Options to write.
        config: Vec<(String, String)>,
        /// How long it takes.
        takes: Duration,
    },
    /// Starts QEMU.
    Start {
        /// How long it takes.
        takes: Duration,
        /// Asked for by the infra provider.
        by_provider: bool,
    },
    /// Ends QEMU.
    Stop {
        /// How long it takes.
        takes: Duration,
    },
    /// Asks the guest to power off.
    Shutdown {
        /// How long the guest has.
        timeout: Duration,
        /// End QEMU then.
        force: bool,
        /// Start again, with this duration.
        restart: Option<Duration>,
    },
    /// Removes the VM.
    Destroy {
        /// How long it takes.
        takes: Duration,
    },
    /// Only shows.
    Note {
        /// How long it takes.
        takes: Duration,
    },
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id.
    pub upid: String,
    /// Node it runs on.
    pub node: String,
    /// `qmstart`, …
    pub kind: String,
    /// What it works on.
    pub id: String,
    /// `user@realm` or `user@realm!token`.
    pub owner: String,
    /// Process id.
    pub pid: u32,
    /// Process start, hundredths of a second.
    pub pstart: u64,
    /// Start, Unix seconds.
    pub start: u64,
    /// End, Unix seconds.
    pub end: Option<u64>,
    /// How it ended.
    pub exit: Option<String>,
    /// Lines so far.
    pub lines: Vec<String>,
    pub(super) asked: Duration,
    pub(super) job: Job,
}

impl Task {
    /// User and token of the owner.
    pub fn user(&self) -> (&str, Option<&str>) {
        match self.owner.split_once('!') {
            Some((user, token)) => (user, Some(token)),
            None => (&self.owner, None),
        }
    }
}

impl Cluster {
    /// Opens a task; it begins as soon as time goes on.
    pub(super) fn open(
        &mut self,
        now: Duration,
        node: &str,
        kind: &str,
        id: &str,
        owner: &str,
        job: Job,
    ) -> String {
        // What is told of before this is told without it.
        self.broadcast(now);
        self.last_pid += 3;
        let pid = self.last_pid;
        let ticks = u64::try_from(now.as_millis() / 10).unwrap_or(u64::MAX);
        let pstart = 200_000_u64.saturating_add(ticks);
        let start = self.epoch + now.as_secs();
        let upid = format!("UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{kind}:{id}:{owner}:");
        let task = Task {
            upid: upid.clone(),
            node: node.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            owner: owner.to_owned(),
            pid,
            pstart,
            start,
            end: None,
            exit: None,
            lines: Vec::new(),
            asked: now,
            job,
        };
        self.tasks.push(task);
        self.at(now, Due::Begin(upid.clone()));
        upid
    }

    /// Ends a task, frees the lock file it held.
    pub(super) fn close(&mut self, now: Duration, upid: &str, exit: &str) {
        let end = self.epoch + now.as_secs();
        if let Some(task) = self.tasks.iter_mut().rev().find(|task| task.upid == upid) {
            task.end = Some(end);
            task.exit = Some(exit.to_owned());
        }
        for vm in self
            .vms
            .values_mut()
            .filter(|vm| vm.held_by.as_deref() == Some(upid))
        {
            vm.held_by = None;
        }
    }

    pub(super) fn task_of(&self, upid: &str) -> Option<&Task> {
        self.tasks.iter().rev().find(|task| task.upid == upid)
    }

    pub(super) fn say(&mut self, upid: &str, line: impl Into<String>) {
        if let Some(task) = self.tasks.iter_mut().rev().find(|task| task.upid == upid) {
            task.lines.push(line.into());
        }
    }

    /// Whether a task runs, and its exit status.
    pub fn task_status(&self, upid: &str) -> Option<(bool, Option<String>)> {
        self.task_of(upid)
            .map(|task| (task.exit.is_none(), task.exit.clone()))
    }

    /// A task, if the caller may see it: one's own always, others' with `Sys.Audit`.
    pub fn task(&self, caller: &Caller, upid: &str) -> Result<&Task, Refusal> {
        if !is_upid(upid) {
            return Err(Refusal::parameter("upid", "unable to parse worker upid"));
        }
        let node = upid.split(':').nth(1).unwrap_or_default();
        let task = self.task_of(upid);
        let own = upid
            .split(':')
            .nth(7)
            .is_some_and(|owner| owner == caller.id());
        if !own {
            caller.require(&format!("/nodes/{node}"), &["Sys.Audit"])?;
        }
        task.ok_or_else(|| Refusal::parameter("upid", "no such task"))
    }

    /// Tasks the caller may see, newest first.
    pub fn tasks(&self, caller: &Caller) -> Vec<&Task> {
        let visible = |task: &&Task| {
            task.owner == caller.id()
                || caller.may(&format!("/nodes/{}", task.node), &["Sys.Audit"])
        };
        self.tasks.iter().rev().filter(visible).collect()
    }

    /// Kills a task.
    pub fn interrupt(&mut self, now: Duration, caller: &Caller, upid: &str) -> Result<(), Refusal> {
        let node = {
            let task = self.task(caller, upid)?;
            if task.exit.is_some() {
                return Ok(());
            }
            (task.owner != caller.id()).then(|| task.node.clone())
        };
        if let Some(node) = node {
            caller.require(&format!("/nodes/{node}"), &["Sys.Modify"])?;
        }
        self.close(now, upid, "received interrupt");
        Ok(())
    }
}

/// The log of a task with the line its end adds.
pub fn log_of(task: &Task) -> Vec<String> {
    let mut lines = task.lines.clone();
    match task.exit.as_deref() {
        Some(exit) if exit == "OK" || exit.starts_with("WARNINGS") => {
            lines.push(format!("TASK {exit}"));
        }
        Some(exit) => lines.push(format!("TASK ERROR: {exit}")),
        None => {}
    }
    lines
}

fn is_upid(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let hex = |at: usize| {
        parts.get(at).is_some_and(|part| {
            (8..=9).contains(&part.len()) && part.chars().all(|c| c.is_ascii_hexdigit())
        })
    };
    parts.len() == 9 && parts.first() == Some(&"UPID") && hex(2) && hex(3) && hex(4)
}
