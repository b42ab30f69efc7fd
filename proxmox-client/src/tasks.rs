//! Tasks: how they are doing, what they said, and waiting for their end.

use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::model::{TaskLog, TaskQuery, TaskStatus, Upid};
use crate::request::{Call, node_path, segment};
use crate::wire;

/// First pause between two looks at a task; it grows to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How many tasks of a VM are "recent".
const RECENT: u32 = 50;

impl Client {
    /// How a task is doing. A token may ask about its own tasks; others' need Sys.Audit on the node.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the node does not know it (any more).
    pub async fn task(&self, upid: &Upid) -> Result<TaskStatus, Error> {
        let call = Call::get(task_path(upid, "/status")?);
        let label = call.label();
        let task: wire::Task = self.fetch(call).await?;
        let exit = match task.status.as_deref() {
            Some("running") => None,
            // A stopped task without a result is one whose worker died.
            _ => Some(
                task.exitstatus
                    .clone()
                    .unwrap_or_else(|| "unexpected status".to_owned()),
            ),
        };
        task_status(task, exit, &label)
    }

    /// Waits for a task to end well, for at most `within` on the client's clock. An unreachable node is
    /// waited for as well: the task goes on without us.
    ///
    /// "Ended" can precede what other calls show by a second or two.
    ///
    /// # Errors
    /// [`Error::Task`] when it failed, or without an exit status when it still runs at the deadline; the
    /// last failure when the node could not be asked until then.
    pub async fn wait_task(&self, upid: &Upid, within: Duration) -> Result<TaskStatus, Error> {
        let clock = self.clock();
        let deadline = clock.now().saturating_add(within);
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.task(upid).await {
                Ok(task) if task.is_success() => return Ok(task),
                Ok(task) if task.is_running() => Error::Task {
                    upid: upid.clone(),
                    exit: None,
                },
                Ok(task) => {
                    return Err(Error::Task {
                        upid: upid.clone(),
                        exit: task.exit_status,
                    });
                }
                Err(error) if error.is_retryable() => error,
                Err(error) => return Err(error),
            };
            let left = deadline.saturating_sub(clock.now());
            if left.is_zero() {
                return Err(failure);
            }
            clock.sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Lines of a task's log from line `start` (0 is the first), at most `limit`.
    ///
    /// `GET /nodes/N/tasks/UPID/log`.
    pub async fn task_log(&self, upid: &Upid, start: u32, limit: u32) -> Result<TaskLog, Error> {
        let call = Call::get(task_path(upid, "/log")?)
            .query("start", start.to_string())
            .query("limit", limit.to_string());
        let envelope: wire::Envelope<Vec<wire::LogLine>> = self.envelope(call).await?;
        let lines: Vec<String> = envelope
            .data
            .unwrap_or_default()
            .into_iter()
            .filter_map(|line| line.t)
            .collect();
        let total = envelope
            .total
            .unwrap_or_else(|| u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(TaskLog { total, lines })
    }

    /// The last tasks of a VM, running ones included, newest first, as far as this token may see them.
    ///
    /// `GET /nodes/N/tasks?vmid=ID&source=all`. A token sees its own tasks, a user its own and those of all its
    /// tokens; others' need Sys.Audit on the node.
    pub async fn recent_tasks(&self, node: &str, vmid: u32) -> Result<Vec<TaskStatus>, Error> {
        let query = TaskQuery {
            vmid: Some(vmid),
            limit: Some(RECENT),
            running_too: true,
            ..TaskQuery::default()
        };
        self.tasks(node, &query).await
    }

    /// Tasks of a node, newest first.
    ///
    /// `GET /nodes/N/tasks`; see [`recent_tasks`](Self::recent_tasks) for who sees what.
    pub async fn tasks(&self, node: &str, query: &TaskQuery) -> Result<Vec<TaskStatus>, Error> {
        let call = Call::get(node_path(node, "/tasks")?)
            .query_opt("vmid", query.vmid.map(|vmid| vmid.to_string()))
            .query_opt("errors", query.only_failed.then_some("1"))
            .query_opt("statusfilter", query.status.as_deref())
            .query_opt("limit", query.limit.map(|limit| limit.to_string()))
            .query_opt("source", query.running_too.then_some("all"));
        self.listed(call).await
    }

    /// The last tasks of the whole cluster, newest first. Nodes report them to each other: one that just began
    /// may be missing.
    ///
    /// `GET /cluster/tasks`.
    pub async fn cluster_tasks(&self) -> Result<Vec<TaskStatus>, Error> {
        self.listed(Call::get("/cluster/tasks")).await
    }

    async fn listed(&self, call: Call) -> Result<Vec<TaskStatus>, Error> {
        let label = call.label();
        let rows: Vec<wire::Task> = self.list(call).await?;
        let mut tasks = rows
            .into_iter()
            .map(|row| {
                let exit = row
                    .status
                    .clone()
                    .filter(|s| !s.is_empty() && s != "RUNNING" && s != "running");
                task_status(row, exit, &label)
            })
            .collect::<Result<Vec<_>, _>>()?;
        tasks.sort_by_key(|task| std::cmp::Reverse(task.start_time));
        Ok(tasks)
    }

    /// Interrupts a running task.
    ///
    /// `DELETE /nodes/N/tasks/UPID`. It ends with `received interrupt`.
    pub async fn stop_task(&self, upid: &Upid) -> Result<(), Error> {
        self.execute(Call::delete(task_path(upid, "")?)).await
    }
}

fn task_path(upid: &Upid, rest: &str) -> Result<String, Error> {
    node_path(
        upid.node(),
        &format!("/tasks/{}{rest}", segment(upid.as_str())?),
    )
}

fn task_status(task: wire::Task, exit: Option<String>, call: &str) -> Result<TaskStatus, Error> {
    let upid = Upid::parse(&task.upid).map_err(|error| Error::Decode {
        call: call.to_owned(),
        message: error.to_string(),
    })?;
    Ok(TaskStatus {
        kind: task.kind.unwrap_or_else(|| upid.kind().to_owned()),
        id: task.id.unwrap_or_else(|| upid.id().to_owned()),
        start_time: task.starttime.unwrap_or_else(|| upid.start_time()),
        exit_status: exit.map(|text| wire::one_line(&text)),
        upid,
    })
}
