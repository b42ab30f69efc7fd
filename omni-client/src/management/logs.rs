//! What machines and the server wrote down. Answers come as lines; what is asked for here ends by itself.
//!
//! Methods `MachineLogs`, lines `{"result": {"bytes": "<base64>"}}` [411], and `ReadAuditLog`, lines
//! `{"result": {"audit_log": "<base64 of JSON lines>"}}` [148]. A failure after the first line stands in the last one,
//! `{"error": {"code", "message"}}`, under status 200. At most 200,000 lines are kept.

use std::collections::BTreeMap;
use std::time::Duration;

use api_transport::Streamed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{named, understood};
use crate::client::MANAGEMENT;
use crate::sign::CallHeaders;
use crate::wire::Status;
use crate::{Client, Error};

/// How long a server may think before it answers with the first line.
const FIRST_LINE: Duration = Duration::from_secs(30);
/// What is kept in memory at most.
const MOST_LINES: usize = 200_000;

/// What happened on the server, oldest first, as it wrote it: `event_type`, `resource_type`, `resource_id`,
/// `event_ts` (milliseconds), `event_data`.
pub type AuditEvents = Vec<BTreeMap<String, Value>>;

#[derive(Serialize)]
struct Machine<'a> {
    machine_id: &'a str,
    tail_lines: i32,
}

#[derive(Serialize)]
struct Days<'a> {
    start_time: &'a str,
    end_time: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Chunk {
    bytes: String,
    audit_log: String,
}

#[derive(Deserialize)]
struct Line<T> {
    result: Option<T>,
    error: Option<Status>,
}

impl Client {
    /// The last lines of a machine's log, each without its end; lines are JSON objects with `msg`, `talos-level` and
    /// `talos-time`. Needs the role Reader.
    pub async fn machine_logs(
        &self,
        machine: &str,
        tail_lines: u16,
    ) -> Result<Vec<Vec<u8>>, Error> {
        const METHOD: &str = "MachineLogs";
        named("machine", machine)?;
        let body = Machine {
            machine_id: machine,
            tail_lines: i32::from(tail_lines),
        };
        let chunks: Vec<Chunk> = self.stream(METHOD, None, &body).await?;
        chunks
            .iter()
            .map(|chunk| decoded(METHOD, &chunk.bytes))
            .collect()
    }

    /// What happened on the server from the day `first` to the day `last` (`2026-11-01`), both included. Needs exactly
    /// one of the roles Auditor, Admin.
    pub async fn audit_log(&self, first: &str, last: &str) -> Result<AuditEvents, Error> {
        const METHOD: &str = "ReadAuditLog";
        named("first day", first)?;
        named("last day", last)?;
        let body = Days {
            start_time: first,
            end_time: last,
        };
        let mut events = Vec::new();
        let chunks: Vec<Chunk> = self.stream(METHOD, None, &body).await?;
        for chunk in chunks {
            let text = decoded(METHOD, &chunk.audit_log)?;
            // One event a line; a chunk may hold several.
            for event in text.split(|byte| *byte == b'\n') {
                if !event.is_empty() {
                    events.push(understood(METHOD, event)?);
                }
            }
        }
        Ok(events)
    }

    /// All `result`s of an answer that comes as lines. An error may stand in the last of them.
    pub(super) async fn stream<T: DeserializeOwned>(
        &self,
        method: &str,
        cluster: Option<&str>,
        body: &impl Serialize,
    ) -> Result<Vec<T>, Error> {
        let headers = CallHeaders {
            context: cluster,
            ..CallHeaders::default()
        };
        let request = self.request(MANAGEMENT, method, body, headers)?;
        let mut lines = match self.transport.lines(request, FIRST_LINE).await? {
            Streamed::Lines(lines) => lines,
            Streamed::Refused(response) => return Err(self.refusal(&response)),
        };
        let mut results = Vec::new();
        while let Some(line) = lines.next().await {
            let line = line?;
            let line: Line<T> = understood(method, &line)?;
            if let Some(error) = line.error {
                return Err(Error::from_code(&error, 200));
            }
            results.extend(line.result);
            if results.len() > MOST_LINES {
                return Err(Error::not_understood(method, &"it has too many lines"));
            }
        }
        Ok(results)
    }
}

fn decoded(method: &str, encoded: &str) -> Result<Vec<u8>, Error> {
    STANDARD
        .decode(encoded)
        .map_err(|_| Error::not_understood(method, &"a line is not base64"))
}
