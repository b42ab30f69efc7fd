//! Cluster templates as `omnictl` has them: load, validate, translate, render. Pure but for reading files.

mod cel;
mod compat;
mod construct;
mod decode;
mod export;
mod files;
mod findings;
pub mod go_yaml;
mod layout;
mod model;
mod omnictl;
pub mod schema;
mod semver;
pub(crate) mod talos;
pub(crate) mod text;
mod translate;
mod validate;

use std::fmt;
use std::path::{Path, PathBuf};

use omni_client::Resource;
use serde_json::Value;

pub use self::compat::{listed, load_as_omnictl, omnictl_report};
pub use self::export::{Export, ExportError, ExportOptions, export};
use self::files::Files;
use self::model::{Cluster, Document, MachineSet, Patch};
use self::omnictl::Reread;
use crate::diagnostic::{Diagnostic, Origin};
use crate::yaml;

/// A loaded cluster template.
#[derive(Debug, Clone)]
pub struct Template {
    path: PathBuf,
    documents: Vec<Document>,
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

/// A config patch in effect, parsed. Its documents may hold credentials, so `Debug` leaves them out.
#[derive(Clone, PartialEq)]
pub struct PatchView {
    /// Its name, or the file as written.
    pub name: String,
    /// Where the template lists it.
    pub origin: Origin,
    /// Its documents as JSON.
    pub documents: Vec<Value>,
}

impl fmt::Debug for PatchView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let documents = self.documents.len();
        f.debug_struct("PatchView")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .field("documents", &documents)
            .finish()
    }
}

/// What loading may touch.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// Files outside this directory are refused; relative to the template's directory, which is the default.
    pub allowed_dir: Option<PathBuf>,
    /// The template's text when it does not come from the path (`-f -`); paths are then relative to the
    /// path's directory.
    pub text: Option<String>,
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("allowed_dir", &self.allowed_dir)
            .finish_non_exhaustive()
    }
}

/// Loads a template file.
pub fn load(path: &Path) -> Result<Template, Vec<Diagnostic>> {
    load_with(path, &LoadOptions::default())
}

/// Loads a template file or text.
pub fn load_with(path: &Path, options: &LoadOptions) -> Result<Template, Vec<Diagnostic>> {
    let text = match &options.text {
        Some(text) => text.clone(),
        None => yaml::read_text(path, path)?,
    };
    let scanned = yaml::Scanned::of(&text);
    let nodes = scanned.nodes_in(path)?;
    let reread = Reread::of(&scanned);
    drop(scanned);
    decoded(&text, nodes, &reread, path, options)
}

/// A template from its documents.
fn decoded(
    text: &str,
    mut nodes: Vec<yaml::Node>,
    reread: &Reread,
    path: &Path,
    options: &LoadOptions,
) -> Result<Template, Vec<Diagnostic>> {
    omnictl::rewrite(&mut nodes, reread);
    let files = Files::new(path, options.allowed_dir.as_deref());
    let documents = decode::decode(&nodes, path, &files)?;
    // What only omnictl's own decoder minds must not load here either.
    if let Some(refused) = omnictl::refuses(text, reread, path) {
        return Err(refused);
    }
    Ok(Template {
        path: path.to_owned(),
        documents,
    })
}

impl Template {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cluster name; empty where the template has no Cluster.
    pub fn cluster_name(&self) -> &str {
        self.cluster().map_or("", |cluster| &cluster.name)
    }

    /// Talos version without leading `v`.
    pub fn talos_version(&self) -> &str {
        self.cluster()
            .map_or("", |cluster| cluster.talos_version.trim_start_matches('v'))
    }

    /// Kubernetes version without leading `v`.
    pub fn kubernetes_version(&self) -> &str {
        self.cluster().map_or("", |cluster| {
            cluster.kubernetes_version.trim_start_matches('v')
        })
    }

    /// Every machine set, in document order.
    pub fn machine_sets(&self) -> Vec<MachineSetView> {
        let view = |(set, control_plane): (&MachineSet, bool)| {
            let name = set_name(set, control_plane).to_owned();
            MachineSetView {
                id: format!("{}-{name}", self.cluster_name()),
                name,
                control_plane,
                class: set
                    .class
                    .as_ref()
                    .map(|class| (class.name.clone(), class.count)),
                machines: set.machines.iter().map(|(id, _)| id.clone()).collect(),
                origin: set.origin.clone(),
            }
        };
        self.sets().map(view).collect()
    }

    /// Everything omnictl's `validate` finds, in its wording and order.
    pub fn validate(&self) -> Vec<Diagnostic> {
        findings::flatten(validate::validate(&self.documents))
    }

    /// What omnictl's `validate` prints after `Error: `; `None` for a valid template.
    pub fn omnictl_report(&self) -> Option<String> {
        let findings = validate::validate(&self.documents);
        (!findings.is_empty()).then(|| findings::listed(&findings))
    }

    /// The resources in document order, specs as the API takes them.
    pub fn translate(&self) -> Result<Vec<Resource>, Vec<Diagnostic>> {
        let placed = self.translate_with_places()?.into_iter();
        Ok(placed.map(|(resource, _)| resource).collect())
    }

    /// The same, each with the place that asks for it.
    pub fn translate_with_places(&self) -> Result<Vec<(Resource, Origin)>, Vec<Diagnostic>> {
        translate::translate(&self.documents)
    }

    /// The patches in effect for a machine set (by name or id): cluster level, then its own.
    pub fn patches_for(&self, machine_set: &str) -> Vec<PatchView> {
        let cluster = self.cluster().map_or(&[][..], |cluster| &cluster.patches);
        let own = self.set(machine_set).map_or(&[][..], |set| &set.patches);
        cluster.iter().chain(own).map(patch_view).collect()
    }

    /// The system extensions in effect for a machine set (by name or id); `None`: left as they are.
    pub fn extensions_for(&self, machine_set: &str) -> Option<Vec<String>> {
        let own = self
            .set(machine_set)
            .and_then(|set| set.extensions.as_ref());
        own.or_else(|| {
            self.cluster()
                .and_then(|cluster| cluster.extensions.as_ref())
        })
        .cloned()
    }

    /// Whether the template brings Kubernetes manifests.
    pub fn ships_manifests(&self) -> bool {
        self.cluster()
            .is_some_and(|cluster| !cluster.manifests.is_empty())
    }

    fn cluster(&self) -> Option<&Cluster> {
        self.documents.iter().find_map(|document| match document {
            Document::Cluster(cluster) => Some(cluster.as_ref()),
            _ => None,
        })
    }

    fn sets(&self) -> impl Iterator<Item = (&MachineSet, bool)> {
        self.documents.iter().filter_map(|document| match document {
            Document::ControlPlane(set) => Some((set.as_ref(), true)),
            Document::Workers(set) => Some((set.as_ref(), false)),
            _ => None,
        })
    }

    fn set(&self, name_or_id: &str) -> Option<&MachineSet> {
        let prefixed = name_or_id
            .strip_prefix(self.cluster_name())
            .and_then(|rest| rest.strip_prefix('-'));
        let find = |wanted: &str| {
            self.sets()
                .find(|(set, control_plane)| set_name(set, *control_plane) == wanted)
                .map(|(set, _)| set)
        };
        find(name_or_id).or_else(|| prefixed.and_then(find))
    }
}

fn set_name(set: &MachineSet, control_plane: bool) -> &str {
    match (control_plane, set.name.as_str()) {
        (true, _) => "control-planes",
        (false, "") => "workers",
        (false, name) => name,
    }
}

/// Text that is no YAML has no documents; `validate` reports it.
fn patch_view(patch: &Patch) -> PatchView {
    let documents = match (&patch.source.inline, patch.source.text()) {
        (
            Some(model::Inline {
                documents: Some(documents),
                ..
            }),
            _,
        ) if patch.source.content.is_none() => documents.clone(),
        (_, Some(text)) => yaml::parse(text).unwrap_or_default(),
        (_, None) => Vec::new(),
    };
    PatchView {
        name: patch.title().to_owned(),
        origin: patch.origin.clone(),
        documents: documents
            .iter()
            .map(yaml::Node::to_json)
            .filter(|document| !document.is_null())
            .collect(),
    }
}

/// omnictl's YAML of resources; `created` is the RFC 3339 time of those that have none of their own.
pub fn render(resources: &[Resource], created: &str) -> String {
    crate::resource::print::documents(resources, created, 2)
}

/// A text in quotes as Go's `%q` writes it.
pub fn go_quote(text: &str) -> String {
    text::quote(text)
}

/// A duration as Go reads it, such as `90s` or `1h30m`, in nanoseconds.
pub fn go_duration(text: &str) -> Option<i64> {
    text::duration(text)
}
