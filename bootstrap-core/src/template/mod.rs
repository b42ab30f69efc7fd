//! Cluster templates as `omnictl` has them: load, validate, translate, render. Pure but for reading files.

use std::path::{Path, PathBuf};

use omni_client::Resource;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Origin};

/// A loaded cluster template.
#[derive(Debug, Clone)]
pub struct Template {
    path: PathBuf,
}

/// How many machines a class-based machine set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineCount {
    /// Exactly so many.
    Fixed(u32),
    /// All that match the class.
    Unlimited,
}

/// One machine set of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSetView {
    /// `control-planes`, or the Workers name (`workers` unless set).
    pub name: String,
    /// `<cluster>-<name>`.
    pub id: String,
    /// Whether it is the control plane.
    pub control_plane: bool,
    /// Machine class and size; `None` for sets of listed machines.
    pub class: Option<(String, MachineCount)>,
    /// Listed machines, as written.
    pub machines: Vec<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// A config patch in effect, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchView {
    /// Its name, or the file as written.
    pub name: String,
    /// Where the template lists it.
    pub origin: Origin,
    /// Its documents as JSON.
    pub documents: Vec<Value>,
}

/// What loading may touch.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Files outside this directory are refused; relative to the template's directory, which is the default.
    pub allowed_dir: Option<PathBuf>,
    /// The template's text when it does not come from the path (`-f -`); paths are then relative to the
    /// path's directory.
    pub text: Option<String>,
}

/// Loads a template file.
pub fn load(path: &Path) -> Result<Template, Vec<Diagnostic>> {
    load_with(path, &LoadOptions::default())
}

/// Loads a template file or text.
pub fn load_with(path: &Path, _options: &LoadOptions) -> Result<Template, Vec<Diagnostic>> {
    Ok(Template { path: path.to_owned() })
}

impl Template {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cluster name; empty where the template has no Cluster.
    pub fn cluster_name(&self) -> &str {
        ""
    }

    /// Talos version without leading `v`.
    pub fn talos_version(&self) -> &str {
        ""
    }

    /// Kubernetes version without leading `v`.
    pub fn kubernetes_version(&self) -> &str {
        ""
    }

    /// Every machine set, in document order.
    pub fn machine_sets(&self) -> Vec<MachineSetView> {
        Vec::new()
    }

    /// Everything omnictl's `validate` finds, in its wording and order.
    pub fn validate(&self) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// The resources in document order, specs as the API takes them.
    pub fn translate(&self) -> Result<Vec<Resource>, Vec<Diagnostic>> {
        Ok(Vec::new())
    }

    /// The patches in effect for a machine set (by name or id): cluster level, then its own.
    pub fn patches_for(&self, _machine_set: &str) -> Vec<PatchView> {
        Vec::new()
    }

    /// The system extensions in effect for a machine set (by name or id); `None`: left as they are.
    pub fn extensions_for(&self, _machine_set: &str) -> Option<Vec<String>> {
        None
    }

    /// Whether the template brings Kubernetes manifests.
    pub fn ships_manifests(&self) -> bool {
        false
    }
}

/// omnictl's YAML of resources; `created` is the RFC 3339 time they carry.
pub fn render(_resources: &[Resource], _created: &str) -> String {
    String::new()
}
