//! Which resources of a cluster are the template's own: those whose ids only a template gives.

use omni_client::{Resource, labels};

use super::short;

/// Whether a resource with the cluster's label comes and goes with the template. What had an `idOverride` cannot be
/// told from what a person made.
pub(crate) fn has_template_id(resource: &Resource, cluster: &str) -> bool {
    let id = resource.id();
    match short(&resource.metadata.kind) {
        "ConfigPatches" | "KubernetesManifestGroups" => {
            named_by_position(resource, cluster).is_some()
        }
        "ExtensionsConfigurations" => {
            id.strip_prefix("schematic-") == Some(&level(resource, cluster))
        }
        "KubernetesHealthChecks" => id
            .strip_prefix("cluster-")
            .and_then(|rest| rest.strip_prefix(cluster))
            .is_some_and(|rest| rest.len() > 1 && rest.starts_with('-')),
        // The rest has no other id to choose.
        _ => true,
    }
}

/// The prefix and name of a patch or manifest whose id is `NNN-PREFIX-NAME` as a template makes it.
pub(super) fn named_by_position<'r>(
    resource: &'r Resource,
    cluster: &str,
) -> Option<(String, &'r str)> {
    let name = resource.metadata.annotations.get("name")?;
    let (number, rest) = resource.id().split_once('-')?;
    let is_number = number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    let prefix = match (
        resource.label(labels::CLUSTER_MACHINE),
        resource.label(labels::MACHINE_SET),
    ) {
        (Some(machine), _) => format!("cm-{machine}"),
        (None, Some(set)) => set.to_owned(),
        (None, None) => format!("cluster-{cluster}"),
    };
    let own = rest
        .strip_prefix(&prefix)
        .and_then(|rest| rest.strip_prefix('-'));
    (is_number && own == Some(name)).then_some((prefix, name))
}

/// What a resource is for: a machine, a machine set or the cluster.
fn level(resource: &Resource, cluster: &str) -> String {
    resource
        .label(labels::CLUSTER_MACHINE)
        .or_else(|| resource.label(labels::MACHINE_SET))
        .unwrap_or(cluster)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use omni_client::Kind;

    use super::*;

    fn resource(kind: &str, id: &str, own: &[(&str, &str)], name: Option<&str>) -> Resource {
        let kind = Kind::new("default", format!("{kind}.omni.sidero.dev"));
        let mut resource = Resource::new(&kind, id).with_label(labels::CLUSTER, "c");
        for (label, value) in own {
            resource = resource.with_label(*label, *value);
        }
        if let Some(name) = name {
            resource
                .metadata
                .annotations
                .insert("name".to_owned(), name.to_owned());
        }
        resource
    }

    #[test]
    fn ids_that_only_a_template_gives_are_known() {
        let set = &[(labels::MACHINE_SET, "c-workers")][..];
        let machine = &[(labels::CLUSTER_MACHINE, "u-1")][..];
        for (kind, id, own, name, expected) in [
            ("ConfigPatches", "200-cluster-c-a", &[][..], Some("a"), true),
            (
                "ConfigPatches",
                "1200-cluster-c-p/a.yaml",
                &[],
                Some("p/a.yaml"),
                true,
            ),
            ("ConfigPatches", "20-cluster-c-a", &[], Some("a"), false),
            ("ConfigPatches", "200-cluster-c-a", &[], Some("b"), false),
            ("ConfigPatches", "200-cluster-c-a", &[], None, false),
            ("ConfigPatches", "200-cluster-d-a", &[], Some("a"), false),
            ("ConfigPatches", "400-c-workers-a", set, Some("a"), true),
            ("ConfigPatches", "400-cluster-c-a", set, Some("a"), false),
            ("ConfigPatches", "400-cm-u-1-a", machine, Some("a"), true),
            ("ConfigPatches", "mine", &[], Some("mine"), false),
            (
                "KubernetesManifestGroups",
                "201-cluster-c-m",
                &[],
                Some("m"),
                true,
            ),
            ("KubernetesManifestGroups", "m", &[], Some("m"), false),
            ("ExtensionsConfigurations", "schematic-c", &[], None, true),
            (
                "ExtensionsConfigurations",
                "schematic-c-workers",
                set,
                None,
                true,
            ),
            ("ExtensionsConfigurations", "schematic-c", set, None, false),
            (
                "ExtensionsConfigurations",
                "schematic-u-1",
                machine,
                None,
                true,
            ),
            ("ExtensionsConfigurations", "mine", &[], None, false),
            ("KubernetesHealthChecks", "cluster-c-h", &[], None, true),
            ("KubernetesHealthChecks", "cluster-cd-h", &[], None, false),
            ("KubernetesHealthChecks", "cluster-c-", &[], None, false),
            ("MachineSets", "c-anything", &[], None, true),
        ] {
            assert_eq!(
                has_template_id(&resource(kind, id, own, name), "c"),
                expected,
                "{kind} {id}"
            );
        }
    }
}
