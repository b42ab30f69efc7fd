//! The documents of a template, decoded, each value with its place where a finding may need it.

use std::collections::BTreeMap;
use std::fmt;

use crate::diagnostic::Origin;
use crate::yaml::Node;

use super::MachineCount;

/// A document.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Cluster(Box<Cluster>),
    ControlPlane(Box<MachineSet>),
    Workers(Box<MachineSet>),
    Machine(Box<Machine>),
}

/// `labels` and `annotations`.
#[derive(Debug, Clone, Default)]
pub(super) struct Descriptors {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub labels_origin: Origin,
    pub annotations_origin: Origin,
}

/// A list that may be absent, which is not the same as empty.
pub(super) type OptionalList = Option<Vec<String>>;

#[derive(Debug, Clone, Default)]
pub(super) struct Cluster {
    pub origin: Origin,
    pub name: String,
    pub name_origin: Origin,
    pub descriptors: Descriptors,
    pub kubernetes_version: String,
    pub kubernetes_origin: Origin,
    pub manifests: Vec<Manifest>,
    pub health_checks: Vec<HealthCheck>,
    pub talos_version: String,
    pub talos_origin: Origin,
    pub features: Features,
    pub patches: Vec<Patch>,
    pub extensions: OptionalList,
    pub kernel_args: OptionalList,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Features {
    pub disk_encryption: bool,
    pub workload_proxy: bool,
    pub embedded_discovery: bool,
    pub no_public_discovery: bool,
    pub node_audit_skip: bool,
    /// Nanoseconds.
    pub backup_interval: i64,
    pub origin: Origin,
}

#[derive(Debug, Clone, Default)]
pub(super) struct MachineSet {
    pub origin: Origin,
    /// As written; empty where it is not.
    pub name: String,
    pub descriptors: Descriptors,
    pub bootstrap: Option<Bootstrap>,
    pub machines: Vec<(String, Origin)>,
    pub class: Option<MachineClass>,
    pub update: Option<Strategy>,
    pub delete: Option<Strategy>,
    pub upgrade: Option<Strategy>,
    pub patches: Vec<Patch>,
    pub extensions: OptionalList,
    pub kernel_args: OptionalList,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Bootstrap {
    pub origin: Origin,
    pub cluster_uuid: String,
    pub snapshot: String,
}

#[derive(Debug, Clone)]
pub(super) struct MachineClass {
    pub origin: Origin,
    pub name: String,
    pub count: MachineCount,
}

/// An update, delete or upgrade strategy.
#[derive(Debug, Clone, Default)]
pub(super) struct Strategy {
    pub origin: Origin,
    /// 0 unset, 1 rolling.
    pub kind: Option<u32>,
    pub max_parallelism: Option<u32>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    pub origin: Origin,
    pub name: String,
    pub name_origin: Origin,
    pub descriptors: Descriptors,
    pub locked: bool,
    pub disk: String,
    pub disk_selector: String,
    pub install_origin: Origin,
    pub selector_origin: Origin,
    pub patches: Vec<Patch>,
    pub extensions: OptionalList,
    pub kernel_args: OptionalList,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Patch {
    pub origin: Origin,
    pub name: String,
    pub id_override: String,
    pub descriptors: Descriptors,
    pub source: Source,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Manifest {
    pub origin: Origin,
    pub name: String,
    pub descriptors: Descriptors,
    /// 0 not set, 1 full, 2 one-time.
    pub mode: u32,
    pub source: Source,
}

#[derive(Debug, Clone, Default)]
pub(super) struct HealthCheck {
    pub origin: Origin,
    pub name: String,
    pub id_override: String,
    pub descriptors: Descriptors,
    /// Nanoseconds; 0 is the server's default.
    pub interval: i64,
    pub source: Source,
}

/// Where a text comes from: `file` and `inline` (`job` in health checks). Exactly one is valid.
#[derive(Clone, Default)]
pub(super) struct Source {
    /// As written.
    pub file: String,
    pub file_origin: Origin,
    /// The file's text, or why there is none.
    pub content: Option<Result<String, FileProblem>>,
    pub inline: Option<Inline>,
}

/// What stands under `inline`.
#[derive(Clone)]
pub(super) struct Inline {
    pub origin: Origin,
    /// What Omni gets: the literal text, or the mappings as Go writes them.
    pub text: String,
    /// The mappings; `None` for literal text.
    pub documents: Option<Vec<Node>>,
}

/// Why a file's text is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileProblem {
    /// In omnictl's words.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// There is something at that place, though it cannot be read.
    pub exists: bool,
}

impl Source {
    /// The text that goes to Omni.
    pub(super) fn text(&self) -> Option<&str> {
        match (&self.content, &self.inline) {
            (Some(content), _) => content.as_deref().ok(),
            (None, Some(inline)) => Some(&inline.text),
            (None, None) => None,
        }
    }
}

impl Patch {
    /// The name, or the file as written.
    pub(super) fn title(&self) -> &str {
        if self.name.is_empty() {
            &self.source.file
        } else {
            &self.name
        }
    }
}

impl Manifest {
    /// The name, or the file as written.
    pub(super) fn title(&self) -> &str {
        if self.name.is_empty() {
            &self.source.file
        } else {
            &self.name
        }
    }
}

impl HealthCheck {
    /// The id, or the name.
    pub(super) fn title(&self) -> &str {
        if self.id_override.is_empty() {
            &self.name
        } else {
            &self.id_override
        }
    }
}

// Patches and manifests hold credentials, so their text stays out of whatever prints a template.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.text().map(str::len);
        f.debug_struct("Source")
            .field("file", &self.file)
            .field("length", &length)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.text.len();
        f.debug_struct("Inline")
            .field("origin", &self.origin)
            .field("length", &length)
            .finish_non_exhaustive()
    }
}
