//! From the file to the intent.

use std::collections::BTreeMap;
use std::path::Path;

use omni_client::Resource;

use super::addresses::{Claim, check_disjoint};
use super::checks;
use super::clusters::{ClusterDraft, SetDraft};
use super::decode::{Fields, Reader, suggest};
use super::endpoints::origin_of;
use super::model::{ClusterIntent, DnsIntent, MachineSetIntent, Site};
use super::patches;
use crate::diagnostic::{Diagnostic, Origin, Severity};
use crate::template::{self, MachineCount, MachineSetView, Template};
use crate::yaml::{self, Node};

pub(super) const SITE: &[&str] = &[
    "version",
    "name",
    "omni",
    "proxmox",
    "unifi",
    "dns",
    "machineClasses",
    "gpuMappings",
    "clusters",
];

/// Loads a site file and all it points at. Reads files only.
///
/// # Errors
/// Every finding, ordered by place, warnings among them; at least one is an error.
pub fn load(path: &Path) -> Result<Site, Vec<Diagnostic>> {
    let documents = yaml::read(path, path)?;
    let mut reader = Reader::new(path);
    let mut site = root(&mut reader, &documents).and_then(|root| site(&mut reader, root));
    let mut findings = reader.findings;
    let unchecked = site
        .as_mut()
        .map(|site| std::mem::take(&mut site.unchecked))
        .unwrap_or_default();
    let refused = site.is_none()
        || findings
            .iter()
            .any(|finding| finding.severity == Severity::Error);
    if refused {
        findings.extend(unchecked.iter().cloned());
    }
    findings
        .sort_by(|one, other| (&one.origin, one.severity).cmp(&(&other.origin, other.severity)));
    findings.dedup();
    match site {
        Some(mut site) if !refused => {
            site.warnings = findings;
            site.unchecked = unchecked;
            Ok(site)
        }
        _ => Err(findings),
    }
}

fn root<'n>(reader: &mut Reader, documents: &'n [Node]) -> Option<&'n Node> {
    match documents {
        [] => {}
        [root] if root.is_null() => {}
        [root] => return Some(root),
        [_, second, ..] => {
            reader.error(
                second,
                "a site file holds one document, and a second begins here",
            );
            return None;
        }
    }
    let origin = Origin {
        file: reader.file.clone(),
        ..Origin::default()
    };
    let hint = "it begins with `version: 1` and an `omni` section";
    reader.findings.push(
        Diagnostic::error("the site file is empty")
            .at(origin)
            .hint(hint),
    );
    None
}

fn site(reader: &mut Reader, root: &Node) -> Option<Site> {
    let fields = reader.fields(root, "the site file", SITE)?;
    version(reader, &fields);
    let name = fields
        .get("name")
        .map_or(Some("default".to_owned()), |node| site_name(reader, node));
    let omni = reader
        .required(&fields, "omni")
        .and_then(|node| reader.omni(node));
    let proxmox = fields
        .get("proxmox")
        .map(|node| reader.proxmox(node))
        .unwrap_or_default();
    let unifi_node = fields.get("unifi");
    let unifi = unifi_node.and_then(|node| reader.unifi(node));
    let no_dns = DnsIntent {
        node_resolvers_origin: origin_of(reader, None),
        ..DnsIntent::default()
    };
    let dns = fields.get("dns").map_or(no_dns, |node| reader.dns(node));
    let machine_classes = fields
        .get("machineClasses")
        .map(|node| reader.classes(node))
        .unwrap_or_default();
    let gpu_mappings = fields
        .get("gpuMappings")
        .map(|node| reader.mappings(node, &proxmox))
        .unwrap_or_default();
    let drafts = fields
        .get("clusters")
        .map(|node| reader.clusters(node))
        .unwrap_or_default();

    let mut claims = Vec::new();
    let mut clusters: Vec<ClusterIntent> = Vec::new();
    let mut resolver_findings = Vec::new();
    for draft in drafts {
        let Some(cluster) = cluster(reader, draft, &dns, &mut claims, &mut resolver_findings)
        else {
            continue;
        };
        if let Some(twin) = clusters.iter().find(|known| known.name == cluster.name) {
            let message = format!(
                "cluster `{}` is given twice, first on line {}",
                cluster.name, twin.origin.line
            );
            reader
                .findings
                .push(Diagnostic::error(message).at(cluster.origin.clone()));
            continue;
        }
        clusters.push(cluster);
    }
    check_disjoint(&claims, &mut reader.findings);
    // A site whose other sections are broken is still checked as far as it goes.
    let systems = checks::Systems {
        proxmox: &proxmox,
        unifi: unifi_node.is_some(),
        classes: &machine_classes,
        mappings: &gpu_mappings,
    };
    let mut unchecked = Vec::new();
    checks::check(
        &systems,
        &dns,
        &clusters,
        &mut reader.findings,
        &mut unchecked,
    );
    Some(Site {
        name: name?,
        path: reader.file.clone(),
        omni: omni?,
        proxmox,
        unifi,
        dns,
        machine_classes,
        gpu_mappings,
        clusters,
        warnings: Vec::new(),
        unchecked,
        resolver_findings,
    })
}

fn version(reader: &mut Reader, fields: &Fields<'_>) {
    let Some(node) = reader.required(fields, "version") else {
        return;
    };
    if node.as_i64() != Some(1) {
        reader.error_hint(
            node,
            "unknown version of the site file",
            "this program reads `version: 1`",
        );
    }
}

/// Names stand in notes and labels, so they are kept plain.
fn site_name(reader: &mut Reader, node: &Node) -> Option<String> {
    let name = reader.string(node, "name")?;
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.len() > 63 || !name.bytes().all(known) || name.starts_with('-') || name.ends_with('-') {
        reader.error_hint(
            node,
            format!("`{name}` is no name for a site"),
            "up to 63 lower-case letters, digits and `-`, no `-` at the ends",
        );
        return None;
    }
    Some(name.to_owned())
}

/// Brings a cluster's section and its template together.
fn cluster(
    reader: &mut Reader,
    draft: ClusterDraft,
    dns: &DnsIntent,
    claims: &mut Vec<Claim>,
    resolver_findings: &mut Vec<Diagnostic>,
) -> Option<ClusterIntent> {
    let path = draft.template.clone()?;
    if !path.is_file() {
        let message = format!("template {} is not there", path.display());
        let hint = "paths are relative to this file";
        reader.findings.push(
            Diagnostic::error(message)
                .at(draft.template_origin)
                .hint(hint),
        );
        return None;
    }
    let template = match template::load(&path) {
        Ok(template) => template,
        Err(findings) => {
            reader.findings.extend(findings);
            return None;
        }
    };
    let views = template.machine_sets();
    check_set_names(&draft, &views, template.path(), &mut reader.findings);
    let placed = translated(&template, &mut reader.findings);
    let mut cluster = bare(template, placed, draft.origin.clone());
    learn_from_patches(&mut cluster, &views);
    let (mut drafts, network) = (draft.sets, draft.network);
    for view in views {
        let own = drafts
            .iter()
            .position(|set| set.name == view.name)
            .map(|at| drafts.swap_remove(at));
        let size = size_of(&view);
        if let Some(own) = &own {
            claims.extend(claims_of(own, &view.id));
        }
        let set = machine_set(view, own, network.as_deref());
        if let Some(size) = size {
            super::addresses::check_size(&cluster, &set, size, &mut reader.findings);
        }
        if !dns.node_resolvers.is_empty() {
            let patches = cluster.template.patches_for(&set.name);
            resolver_findings.extend(patches::check_resolvers(dns, &set, &patches));
        }
        cluster.machine_sets.push(set);
    }
    Some(cluster)
}

fn bare(template: Template, placed: Vec<(Resource, Origin)>, origin: Origin) -> ClusterIntent {
    let (mut resources, mut origins) = (Vec::new(), BTreeMap::new());
    for (resource, place) in placed {
        let metadata = &resource.metadata;
        origins.insert((metadata.kind.clone(), metadata.id.clone()), place);
        resources.push(resource);
    }
    ClusterIntent {
        name: template.cluster_name().to_owned(),
        resources,
        origins,
        machine_sets: Vec::new(),
        talos_version: template.talos_version().to_owned(),
        kubernetes_version: template.kubernetes_version().to_owned(),
        cni_none: false,
        virtual_addresses: Vec::new(),
        origin,
        template,
    }
}

/// What a valid template asks for by itself, without addresses and GPUs.
///
/// # Errors
/// What keeps it from being translated.
pub fn cluster_of(template: Template) -> Result<ClusterIntent, Vec<Diagnostic>> {
    let placed = template.translate_with_places()?;
    let origin = placed
        .iter()
        .find(|(resource, _)| resource.metadata.kind.starts_with("Clusters."))
        .map_or_else(
            || Origin {
                file: template.path().to_owned(),
                ..Origin::default()
            },
            |(_, origin)| origin.clone(),
        );
    let views = template.machine_sets();
    let mut cluster = bare(template, placed, origin);
    cluster.machine_sets = views
        .into_iter()
        .map(|view| machine_set(view, None, None))
        .collect();
    Ok(cluster)
}

fn check_set_names(
    draft: &ClusterDraft,
    views: &[MachineSetView],
    template: &Path,
    findings: &mut Vec<Diagnostic>,
) {
    for set in &draft.sets {
        if views.iter().any(|view| view.name == set.name) {
            continue;
        }
        let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        let hint = match suggest(&set.name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", super::decode::listed(&names)),
        };
        let message = format!(
            "machine set `{}` is not in the template {}",
            set.name,
            template.display()
        );
        findings.push(Diagnostic::error(message).at(set.origin.clone()).hint(hint));
    }
}

fn translated(template: &Template, findings: &mut Vec<Diagnostic>) -> Vec<(Resource, Origin)> {
    let invalid = template.validate();
    if !invalid.is_empty() {
        let stops = invalid
            .iter()
            .any(|finding| finding.severity == Severity::Error);
        findings.extend(invalid);
        if stops {
            return Vec::new();
        }
    }
    template.translate_with_places().unwrap_or_else(|errors| {
        findings.extend(errors);
        Vec::new()
    })
}

fn learn_from_patches(cluster: &mut ClusterIntent, views: &[MachineSetView]) {
    for view in views.iter().filter(|view| view.control_plane) {
        let patches = cluster.template.patches_for(&view.name);
        cluster.cni_none = patches::cni_none(&patches) && !cluster.template.ships_manifests();
        cluster.virtual_addresses = patches::virtual_addresses(&patches);
    }
}

/// Machines of a set; `None` where there are as many as match.
fn size_of(view: &MachineSetView) -> Option<usize> {
    match view.class {
        Some((_, MachineCount::Fixed(count))) => usize::try_from(count).ok(),
        Some((_, MachineCount::Unlimited)) => None,
        None => Some(view.machines.len()),
    }
}

fn claims_of<'s>(own: &'s SetDraft, set: &'s str) -> impl Iterator<Item = Claim> + 's {
    own.pool
        .places
        .iter()
        .chain(&own.pin_origins)
        .map(|(address, origin)| Claim {
            address: *address,
            set: set.to_owned(),
            origin: origin.clone(),
        })
}

fn machine_set(
    view: MachineSetView,
    own: Option<SetDraft>,
    network: Option<&str>,
) -> MachineSetIntent {
    let class = view.class.map(|(class, count)| match count {
        MachineCount::Fixed(count) => (class, count),
        MachineCount::Unlimited => (class, 0),
    });
    let mut set = MachineSetIntent {
        name: view.name,
        id: view.id,
        control_plane: view.control_plane,
        class,
        network: network.map(str::to_owned),
        nic: "net0".to_owned(),
        addresses: Vec::new(),
        pins: BTreeMap::new(),
        gpus: Vec::new(),
        addresses_origin: view.origin.clone(),
        origin: view.origin,
    };
    if let Some(own) = own {
        set.network = own.network.or(set.network);
        set.nic = own.nic;
        set.addresses = own.pool.addresses;
        set.pins = own.pins;
        set.gpus = own.gpus;
        set.origin = own.origin;
        set.addresses_origin = own.addresses_origin;
    }
    set
}
