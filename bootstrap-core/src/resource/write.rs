//! From documents to Omni: what differs, whether it can be, and writing it.

use std::collections::BTreeMap;
use std::time::Duration;

use api_transport::Clock;
use futures_util::future::try_join_all;
use omni_client::{Kind, Metadata, Resource, kinds};
use serde_json::{Map, Value};

use super::shape::{self, Shape};
use super::{Document, class, name, schema};
use crate::diagnostic::{Diagnostic, Severity};
use crate::meaning::{same_spec, with_omnis_own};
use crate::ports::{Failure, Omni, PortError, PortResult};

/// From so many documents of one type on, listing is cheaper than asking for each.
const WORTH_A_LIST: usize = 4;
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// A document and what it takes to make Omni agree with it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The document.
    pub document: Document,
    /// What is to be done.
    pub change: Change,
}

/// What is to be done for a document.
#[derive(Debug, Clone)]
pub enum Change {
    /// Omni does not have it, or does not show it to this key.
    Create,
    /// Omni has it in another form.
    Update {
        /// What was read.
        actual: Box<Resource>,
        /// What it is to become.
        wanted: Box<Resource>,
    },
    /// Nothing.
    None,
}

/// What was done for a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Created,
    /// It was changed.
    Changed,
    /// It was so already.
    Unchanged,
}

/// Reads what Omni has and compares.
///
/// # Errors
/// Omni does not answer.
pub async fn compare(omni: &dyn Omni, documents: Vec<Document>) -> PortResult<Vec<Step>> {
    let mut ids: BTreeMap<Kind, Vec<&str>> = BTreeMap::new();
    for document in &documents {
        let ids = ids.entry(document.resource.kind()).or_default();
        ids.push(document.resource.id());
    }
    let read = ids.iter().map(|(kind, ids)| read(omni, kind, ids));
    let found: BTreeMap<(Kind, String), Resource> = try_join_all(read)
        .await?
        .into_iter()
        .flatten()
        .map(|resource| ((resource.kind(), resource.metadata.id.clone()), resource))
        .collect();
    Ok(documents
        .into_iter()
        .map(|document| {
            let key = (
                document.resource.kind(),
                document.resource.metadata.id.clone(),
            );
            let change = change(&document, found.get(&key));
            Step { document, change }
        })
        .collect())
}

/// What this key may not read counts as absent: it may yet be allowed to create it.
async fn read(omni: &dyn Omni, kind: &Kind, ids: &[&str]) -> PortResult<Vec<Resource>> {
    let all = if ids.len() > WORTH_A_LIST {
        omni.list(kind, None).await
    } else {
        let each = try_join_all(ids.iter().map(|id| omni.get(kind, id))).await;
        each.map(|found| found.into_iter().flatten().collect())
    };
    match all {
        Err(error) if error.failure == Failure::Denied => Ok(Vec::new()),
        other => other,
    }
}

fn change(document: &Document, actual: Option<&Resource>) -> Change {
    let Some(actual) = actual else {
        return Change::Create;
    };
    let wanted = wanted(&document.resource, actual);
    let same_words = actual.metadata.labels == wanted.metadata.labels
        && actual.metadata.annotations == wanted.metadata.annotations;
    if same_words && same_spec(&actual.spec, &wanted.spec) {
        return Change::None;
    }
    Change::Update {
        actual: Box::new(actual.clone()),
        wanted: Box::new(wanted),
    }
}

/// The resource of a file over what Omni has: its finalizers, Omni's own labels and annotations, and fields of the
/// spec that are newer than this program stay.
fn wanted(file: &Resource, actual: &Resource) -> Resource {
    let metadata = Metadata {
        labels: with_omnis_own(&actual.metadata.labels, &file.metadata.labels, &[]),
        annotations: with_omnis_own(
            &actual.metadata.annotations,
            &file.metadata.annotations,
            &[],
        ),
        ..actual.metadata.clone()
    };
    let spec = match shape::fields(&file.metadata.kind) {
        Some(fields) => with_unknown(fields, &file.spec, &actual.spec),
        None => file.spec.clone(),
    };
    Resource { metadata, spec }
}

fn with_unknown(fields: &[(&str, Shape)], file: &Value, actual: &Value) -> Value {
    let (Some(file_fields), Some(actual)) = (file.as_object(), actual.as_object()) else {
        return file.clone();
    };
    let mut merged: Map<String, Value> = file_fields.clone();
    for (key, value) in actual {
        match fields.iter().find(|(name, _)| name == key) {
            None => drop(merged.insert(key.clone(), value.clone())),
            Some((_, Shape::Message(fields))) => {
                if let Some(inner) = merged.get_mut(key) {
                    *inner = with_unknown(fields, inner, value);
                }
            }
            Some(_) => {}
        }
    }
    Value::Object(merged)
}

/// Labels and annotations that stay although the file has none of them.
pub fn kept(step: &Step) -> Vec<String> {
    let Change::Update { wanted, .. } = &step.change else {
        return Vec::new();
    };
    let file = &step.document.resource.metadata;
    let missing = |wanted: &BTreeMap<String, String>, file: &BTreeMap<String, String>| {
        let keys = wanted.keys().filter(|key| !file.contains_key(*key));
        keys.cloned().collect::<Vec<_>>()
    };
    let mut kept = missing(&wanted.metadata.labels, &file.labels);
    kept.extend(missing(&wanted.metadata.annotations, &file.annotations));
    kept
}

/// Everything that can be told before the first write: errors, and warnings.
///
/// # Errors
/// Omni does not answer.
pub async fn check(omni: &dyn Omni, steps: &[Step]) -> PortResult<Vec<Diagnostic>> {
    let mut findings: Vec<Diagnostic> = steps.iter().filter_map(forbidden).collect();
    if steps
        .iter()
        .any(|step| schema::provider(&step.document).is_some())
    {
        let schemas = schema::read(omni).await?;
        for step in steps {
            let mut found = schema::check(&step.document, &schemas);
            // What is in Omni already was good enough for it, and is not sent.
            if matches!(step.change, Change::None) {
                found.retain(|finding| finding.severity == Severity::Warning);
            }
            findings.extend(found);
        }
    }
    let writes = steps
        .iter()
        .any(|step| !matches!(step.change, Change::None));
    let is_fine = findings
        .iter()
        .all(|finding| finding.severity == Severity::Warning);
    if writes && is_fine {
        findings.extend(may_not_write(omni).await);
    }
    Ok(findings)
}

/// Changes that Omni refuses, or breaks over.
fn forbidden(step: &Step) -> Option<Diagnostic> {
    let Change::Update { actual, wanted } = &step.change else {
        return None;
    };
    let name = name(actual);
    let (message, hint) = if actual.is_tearing_down() {
        (
            format!("{name} is being deleted"),
            "apply it again once it is gone",
        )
    } else if !actual.metadata.owner.is_empty() {
        let owner = &actual.metadata.owner;
        (
            format!("{name} belongs to the controller {owner}, which alone may change it"),
            "change what the controller makes it from",
        )
    } else if actual.metadata.kind == class::TYPE
        && class::matches_labels(&actual.spec)
        && class::provisions(&wanted.spec)
    {
        (
            format!(
                "{name} matches labels in Omni, which cannot turn it into one that makes machines"
            ),
            "give the class in the file another id, or delete the one in Omni first",
        )
    } else {
        return None;
    };
    Some(
        Diagnostic::error(message)
            .at(step.document.origin.clone())
            .hint(hint),
    )
}

/// A key that may only read is told so before anything is tried.
async fn may_not_write(omni: &dyn Omni) -> Option<Diagnostic> {
    // Where the server does not say, the write itself will.
    let user = omni.get(&kinds::CURRENT_USER, "current").await.ok()??;
    let role = user.spec.get("role")?.as_str()?;
    matches!(role, "None" | "Reader").then(|| {
        Diagnostic::error(format!("this key has the role {role}, which may not write"))
            .hint("use the key of an account with the role Operator")
    })
}

/// Does what a step says, again from what is there where somebody else was faster or an answer was lost.
///
/// # Errors
/// Omni refuses, or does not answer.
pub async fn write(omni: &dyn Omni, clock: &dyn Clock, step: &Step) -> PortResult<Written> {
    let document = &step.document;
    let mut change = step.change.clone();
    let mut lost = None;
    for tried in 1.. {
        let (outcome, done) = match &change {
            Change::None => return Ok(lost.unwrap_or(Written::Unchanged)),
            Change::Create => (omni.create(&document.resource).await, Written::Created),
            Change::Update { wanted, .. } => (omni.update(wanted).await, Written::Changed),
        };
        let error = match outcome {
            Ok(()) => return Ok(done),
            Err(error) => error,
        };
        match error.failure {
            Failure::Conflict => {}
            // The write may have arrived: then the next look finds nothing to do.
            Failure::Unreachable => lost = Some(done),
            _ => return Err(error),
        }
        if tried >= TRIES {
            return Err(error);
        }
        clock.sleep(PAUSE * tried).await;
        change = look_again(omni, document, error).await?;
    }
    Ok(Written::Unchanged)
}

async fn look_again(omni: &dyn Omni, document: &Document, error: PortError) -> PortResult<Change> {
    let resource = &document.resource;
    let Ok(actual) = omni.get(&resource.kind(), resource.id()).await else {
        return Err(error);
    };
    let change = change(document, actual.as_ref());
    let step = Step {
        document: document.clone(),
        change,
    };
    match forbidden(&step) {
        Some(refused) => Err(PortError {
            failure: Failure::Invalid,
            message: refused.message,
            hint: refused.hint,
            ..error
        }),
        None => Ok(step.change),
    }
}
