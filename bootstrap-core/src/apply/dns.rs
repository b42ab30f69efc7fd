//! Whether the names that nodes need are served. A write stops the gateway's DNS for a second or two.

use std::time::Duration;

use super::{Event, Run};
use crate::diagnostic::Diagnostic;
use crate::plan::Finding;
use crate::ports::System;
use crate::site::WantedRecord;

/// Answers before this long after a write mean nothing.
const SETTLES: Duration = Duration::from_secs(10);
const GIVES_UP: Duration = Duration::from_mins(1);
const BETWEEN: Duration = Duration::from_secs(2);

/// Asks the resolver for each declared record until it is served as declared.
pub(super) async fn check_served(run: &Run, written: bool) -> Result<(), Finding> {
    let Some(dns) = &run.ports.dns else {
        return Ok(());
    };
    if run.site.dns.records.is_empty() {
        return Ok(());
    }
    let began = run.ports.clock.now();
    if written {
        run.events.tell(Event::Waiting {
            what: "the gateway to serve the DNS record".to_owned(),
        });
        run.sleep(SETTLES).await;
    }
    for record in &run.site.dns.records {
        loop {
            let answer = dns.lookup(&record.name, &record.record_type).await;
            let found = match answer {
                Ok(values)
                    if values
                        .iter()
                        .any(|value| value.eq_ignore_ascii_case(&record.value)) =>
                {
                    break;
                }
                Ok(values) if values.is_empty() => "no answer".to_owned(),
                Ok(values) => values.join(", "),
                Err(error) => error.message,
            };
            if run.ports.clock.now().saturating_sub(began) >= GIVES_UP || run.is_over() {
                return Err(not_served(record, &found));
            }
            run.sleep(BETWEEN).await;
        }
    }
    Ok(())
}

fn not_served(record: &WantedRecord, found: &str) -> Finding {
    let error = Diagnostic::error(format!(
        "the resolver does not answer {} with {}: {found}",
        record.name, record.value
    ))
    .at(record.origin.clone())
    .hint("nodes could not find Omni, so nothing after DNS was written; look at the gateway's DNS settings, then run it again");
    Finding::of(System::Dns, error)
}
