//! What was done, resource by resource.

use bootstrap_core::resource::write::{self, Change, Step, Written};
use bootstrap_core::resource::{self, print};
use serde_json::{Value, json};
use similar::TextDiff;

use crate::args::Format;
use crate::output::diff::without_secrets;
use crate::output::{Screen, clean};
use crate::run::Failure;

/// How it went with one resource.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'e> {
    /// It was not to be written.
    Planned,
    Written(Written),
    Failed(&'e str),
    /// Its turn did not come.
    Left,
}

/// Lines for people as it goes, or one document for programs at the end.
pub(super) struct Report {
    format: Format,
    shows_changes: bool,
    entries: Vec<Value>,
    created: usize,
    changed: usize,
    unchanged: usize,
    left: usize,
}

impl Report {
    pub(super) fn new(format: Format, shows_changes: bool) -> Self {
        Self {
            format,
            shows_changes,
            entries: Vec::new(),
            created: 0,
            changed: 0,
            unchanged: 0,
            left: 0,
        }
    }

    /// How many were not written.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    pub(super) fn add(&mut self, step: &Step, outcome: Outcome, screen: &mut Screen) {
        let name = clean(&resource::name(&step.document.resource));
        let (symbol, result, words) = self.words(step, outcome);
        let difference = if self.shows_changes && !matches!(symbol, "=" | ".") {
            difference(step)
        } else {
            String::new()
        };
        let kept = write::kept(step);
        if self.format != Format::Table {
            let metadata = &step.document.resource.metadata;
            let mut entry = json!({
                "type": metadata.kind, "namespace": metadata.namespace, "id": metadata.id,
                "from": step.document.origin.to_string(), "result": result,
            });
            if let Outcome::Failed(error) = outcome {
                entry["error"] = json!(error);
            }
            if !difference.is_empty() {
                entry["difference"] = json!(difference);
            }
            if !kept.is_empty() {
                entry["kept"] = json!(kept);
            }
            self.entries.push(entry);
            return;
        }
        let is_wrong = matches!(outcome, Outcome::Failed(_) | Outcome::Left);
        if screen.quiet && !is_wrong && !matches!(outcome, Outcome::Planned) {
            return;
        }
        screen.print(&format!("{symbol} {name} {words}"));
        for line in difference.lines() {
            screen.print(&format!("    {line}"));
        }
        if self.shows_changes && !kept.is_empty() {
            screen.print(&format!("    Omni's own stay: {}", clean(&kept.join(", "))));
        }
    }

    fn words(
        &mut self,
        step: &Step,
        outcome: Outcome,
    ) -> (&'static str, &'static str, &'static str) {
        match (outcome, &step.change) {
            (Outcome::Written(Written::Created), _) => {
                self.created += 1;
                ("+", "created", "created")
            }
            (Outcome::Written(Written::Changed), _) => {
                self.changed += 1;
                ("~", "changed", "changed")
            }
            (Outcome::Written(Written::Unchanged), _) | (Outcome::Planned, Change::None) => {
                self.unchanged += 1;
                ("=", "unchanged", "unchanged")
            }
            (Outcome::Planned, Change::Create) => {
                self.created += 1;
                ("+", "create", "would be created")
            }
            (Outcome::Planned, Change::Update { .. }) => {
                self.changed += 1;
                ("~", "change", "would be changed")
            }
            (Outcome::Failed(_), _) => {
                self.left += 1;
                ("!", "failed", "failed")
            }
            (Outcome::Left, _) => {
                self.left += 1;
                (".", "not written", "not written")
            }
        }
    }

    pub(super) fn finish(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        if self.format != Format::Table {
            let entries = std::mem::take(&mut self.entries);
            return screen.document(self.format, &json!({"resources": entries}));
        }
        let mut counts = Vec::new();
        for (count, what) in [
            (self.created, "created"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.left, "not written"),
        ] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        screen.note(&counts.join(", "));
        Ok(())
    }
}

/// What changes in a resource, line by line; lines that may hold secrets are left out.
fn difference(step: &Step) -> String {
    let (before, after) = match &step.change {
        Change::None => return String::new(),
        Change::Create => (String::new(), print::declared(&step.document.resource, 4)),
        Change::Update { actual, wanted } => {
            (print::declared(actual, 4), print::declared(wanted, 4))
        }
    };
    let text = TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(2)
        .to_string();
    without_secrets(&text, "hidden: it may be a secret")
}
