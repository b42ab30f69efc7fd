//! Patches, manifests and health checks.

use omni_client::Resource;
use omni_client::specs::{
    ConfigPatch, KubernetesHealthCheck, KubernetesManifestGroup, ManifestMode,
};

use super::documents::go_interval;
use super::fields::{Fields, of_user};
use super::gathered::spec;
use super::{ExportError, ExportOptions};
use crate::template::go_yaml::Value;
use crate::template::text::quote;
use crate::template::translate::CLUSTER_WEIGHT;

/// The annotation that keeps a patch's or manifest's name.
const NAME: &str = "name";

/// The patches of a level. Those of a template, `NNN-PREFIX-NAME`, come back by their name where NNN is their
/// position; others stand between them, by their id, so that the numbers fit.
pub(super) fn patches(
    own: &[&Resource],
    prefix: &str,
    weight: usize,
    options: ExportOptions,
) -> Result<Vec<Value>, ExportError> {
    let mut own = own.to_vec();
    own.sort_by_key(|patch| patch.id());
    if options.omnictl {
        return own.into_iter().map(by_id).collect();
    }
    let (mut numbered, others): (Vec<_>, Vec<_>) = own
        .into_iter()
        .map(|patch| (position(patch, prefix, weight), patch))
        .partition(|(position, _)| position.is_some());
    numbered.sort_by_key(|(position, patch)| (*position, patch.id()));
    let mut others = others.into_iter().map(|(_, patch)| patch);
    let mut written = Vec::new();
    loop {
        let here = Some(written.len());
        let fits = numbered.iter().position(|(at, _)| *at == here);
        if let Some(at) = fits {
            written.push(named(numbered.remove(at).1, None)?);
        } else if let Some(other) = others.next() {
            written.push(named(other, Some(other.id()))?);
        } else if numbered.is_empty() {
            return Ok(written);
        } else {
            let patch = numbered.remove(0).1;
            written.push(named(patch, Some(patch.id()))?);
        }
    }
}

/// The place a patch of a template had in its list.
fn position(patch: &Resource, prefix: &str, weight: usize) -> Option<usize> {
    let name = patch.metadata.annotations.get(NAME)?;
    let (number, rest) = patch.id().split_once('-')?;
    let at = number.parse::<usize>().ok()?;
    let is_own = rest.strip_prefix(prefix)?.strip_prefix('-')? == name;
    let is_canonical = format!("{at:03}") == number;
    (is_own && is_canonical && !name.is_empty()).then(|| at.checked_sub(weight))?
}

fn by_id(patch: &Resource) -> Result<Value, ExportError> {
    let mut fields = Fields::default();
    fields.text("idOverride", patch.id());
    fields.descriptors(&patch.metadata);
    inline(
        "inline",
        spec::<ConfigPatch>(patch)?.data.expose(),
        &mut fields,
    );
    Ok(fields.into_value())
}

fn named(patch: &Resource, id: Option<&str>) -> Result<Value, ExportError> {
    let mut fields = Fields::default();
    let mut annotations = of_user(&patch.metadata.annotations);
    let name = annotations.remove(NAME).unwrap_or_default();
    fields.text("name", &name);
    fields.text("idOverride", id.unwrap_or_default());
    fields.map("labels", &of_user(&patch.metadata.labels));
    fields.map("annotations", &annotations);
    inline(
        "inline",
        spec::<ConfigPatch>(patch)?.data.expose(),
        &mut fields,
    );
    Ok(fields.into_value())
}

fn inline(key: &str, text: &str, fields: &mut Fields) {
    fields.put(key, Value::Literal(text.into()));
}

/// Manifests are known by their position: there is no other way to give one an id.
pub(super) fn manifests(
    own: &[&Resource],
    prefix: &str,
    options: ExportOptions,
) -> Result<Vec<Value>, ExportError> {
    let mut own = own.to_vec();
    if options.omnictl {
        own.sort_by_key(|manifest| manifest.id());
    } else {
        own.sort_by_key(|manifest| (number(manifest, prefix).0, manifest.id()));
    }
    own.into_iter()
        .map(|manifest| one_manifest(manifest, prefix, options))
        .collect()
}

/// The number and the name that the id of a template's manifest has.
fn number<'r>(manifest: &'r Resource, prefix: &str) -> (usize, Option<&'r str>) {
    let parts = || {
        let (number, rest) = manifest.id().split_once('-')?;
        let name = rest.strip_prefix(prefix)?.strip_prefix('-')?;
        let number = number.parse::<usize>().ok()?;
        (number >= CLUSTER_WEIGHT && !name.is_empty()).then_some((number, Some(name)))
    };
    parts().unwrap_or((usize::MAX, None))
}

fn one_manifest(
    manifest: &Resource,
    prefix: &str,
    options: ExportOptions,
) -> Result<Value, ExportError> {
    let group: KubernetesManifestGroup = spec(manifest)?;
    let mut annotations = of_user(&manifest.metadata.annotations);
    let annotated = annotations.remove(NAME);
    let name = match (annotated, number(manifest, prefix).1) {
        (None, _) if options.omnictl => {
            let message = format!("manifest {} has no name annotation", quote(manifest.id()));
            return Err(ExportError::new(message, "export it without --compat"));
        }
        (Some(annotated), Some(name)) if !options.omnictl && annotated != name => {
            annotations.insert(NAME.to_owned(), annotated);
            name.to_owned()
        }
        (Some(annotated), _) => annotated,
        (None, Some(name)) => name.to_owned(),
        (None, None) => manifest.id().to_owned(),
    };
    let mut fields = Fields::default();
    inline("inline", group.data.expose(), &mut fields);
    fields.map("labels", &of_user(&manifest.metadata.labels));
    fields.map("annotations", &annotations);
    fields.put("name", Value::Text(name.into()));
    let mode = match group.mode {
        ManifestMode::Full => "full",
        ManifestMode::OneTime => "one-time",
        ManifestMode::Unknown | ManifestMode::Other(_) => {
            let number = i32::from(group.mode);
            let message = format!("error encoding model: unknown mode '\\x{number:02x}'");
            let hint = format!("give manifest {} a mode in Omni", manifest.id());
            return Err(ExportError::new(message, &hint));
        }
    };
    fields.text("mode", mode);
    Ok(fields.into_value())
}

pub(super) fn health_checks(
    own: &[&Resource],
    prefix: &str,
    options: ExportOptions,
) -> Result<Vec<Value>, ExportError> {
    let mut own = own.to_vec();
    own.sort_by_key(|check| check.id());
    own.into_iter()
        .map(|check| health_check(check, prefix, options))
        .collect()
}

fn health_check(
    check: &Resource,
    prefix: &str,
    options: ExportOptions,
) -> Result<Value, ExportError> {
    let wanted: KubernetesHealthCheck = spec(check)?;
    let mut fields = Fields::default();
    fields.descriptors(&check.metadata);
    let name = check
        .id()
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .filter(|name| !name.is_empty() && !options.omnictl);
    match name {
        Some(name) => fields.text("name", name),
        None => fields.text("idOverride", check.id()),
    }
    if !wanted.job.is_empty() {
        inline("job", &wanted.job, &mut fields);
    }
    fields.text("interval", &go_interval(wanted.interval.as_str()));
    Ok(fields.into_value())
}
