//! What a change does to a resource, as a unified diff of its YAML.

use std::fmt::Write as _;

use omni_client::Resource;
use similar::{Algorithm, ChangeTag, TextDiff};

use super::Change;
use crate::resource::print;

/// As `omnictl` indents what it compares.
const INDENT: usize = 2;
/// Lines around a change.
const CONTEXT: usize = 3;
/// More lines than this nobody reads.
const MOST_LINES: usize = 75_000;
/// Nor a diff of more bytes.
const MOST_BYTES: usize = 512 * 1024;

/// How much of a resource is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// All of it, as omnictl does.
    Whole,
    /// What a person decides: labels, annotations and spec, but not versions, times and finalizers.
    Decided,
}

/// The diff of a change to a resource, with a header that names it; empty where nothing that is compared differs.
/// `created` is the time that new resources carry, RFC 3339.
pub fn diff(change: &Change, created: &str, compared: Compared) -> String {
    let (old, new) = match change {
        Change::CreateResource { resource } => (None, Some(resource)),
        Change::UpdateResource { resource, seen } => (Some(seen.as_ref()), Some(resource)),
        Change::DeleteResource { seen } => (Some(seen), None),
        _ => return String::new(),
    };
    let text = |resource: Option<&Resource>| match resource {
        None => String::new(),
        Some(resource) => match compared {
            Compared::Whole => print::documents(std::slice::from_ref(resource), created, INDENT),
            Compared::Decided => print::declared(resource, INDENT),
        },
    };
    let body = body(&text(old), &text(new));
    if body.is_empty() {
        return body;
    }
    format!("--- {}\n+++ {}\n{body}", name(old), name(new))
}

fn name(resource: Option<&Resource>) -> String {
    resource.map_or_else(
        || "/dev/null".to_owned(),
        |resource| {
            let metadata = &resource.metadata;
            format!("{}({}/{})", metadata.kind, metadata.namespace, metadata.id)
        },
    )
}

fn body(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let (before, after) = (old.lines().count(), new.lines().count());
    if before + after > MOST_LINES {
        return too_large(before, after);
    }
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .diff_lines(old, new);
    let mut text = String::new();
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let old_lines = first.old_range().start..last.old_range().end;
        let new_lines = first.new_range().start..last.new_range().end;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "@@ -{} +{} @@", range(&old_lines), range(&new_lines));
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let _ = writeln!(text, "{sign}{}", change.value().trim_end_matches('\n'));
        }
    }
    if text.len() > MOST_BYTES {
        return too_large(before, after);
    }
    text
}

fn range(lines: &std::ops::Range<usize>) -> String {
    let first = if lines.is_empty() {
        lines.start
    } else {
        lines.start + 1
    };
    format!("{first},{}", lines.len())
}

fn too_large(before: usize, after: usize) -> String {
    format!("@@ -1,{before} +1,{after} @@ diff too large to display\n")
}

#[cfg(test)]
mod tests {
    use omni_client::{Resource, kinds};
    use serde_json::json;

    use super::*;

    fn patch(version: u64, text: &str) -> Resource {
        let mut resource = Resource::new(&kinds::CONFIG_PATCH, "200-a");
        resource.metadata.version = version;
        resource.metadata.created = "2026-01-01T00:00:00Z".to_owned();
        resource.metadata.finalizers = vec!["X".to_owned()];
        resource
            .metadata
            .labels
            .insert("version".to_owned(), "kept".to_owned());
        resource.spec = json!({"data": text});
        resource
    }

    #[test]
    fn what_omni_counts_is_left_out_of_what_people_decide() {
        let change = Change::UpdateResource {
            resource: patch(2, "a: 1\n"),
            seen: Box::new(patch(3, "a: 2\n")),
        };
        insta::assert_snapshot!(diff(&change, "", Compared::Decided), @r"
        --- ConfigPatches.omni.sidero.dev(default/200-a)
        +++ ConfigPatches.omni.sidero.dev(default/200-a)
        @@ -6,5 +6,5 @@
             version: kept
         spec:
           data: |
        -    a: 2
        +    a: 1
           compresseddata: []
        ");
        let whole = diff(&change, "", Compared::Whole);
        assert!(whole.contains("-  version: 3\n+  version: 2\n"), "{whole}");
        let same = Change::UpdateResource {
            resource: patch(2, "a: 1\n"),
            seen: Box::new(patch(3, "a: 1\n")),
        };
        assert_eq!(diff(&same, "", Compared::Decided), "");
    }

    #[test]
    fn a_diff_that_nobody_reads_is_not_made() {
        let change = Change::CreateResource {
            resource: patch(0, &"a: 1\n".repeat(MOST_LINES)),
        };
        let text = diff(&change, "", Compared::Decided);
        assert!(
            text.ends_with("diff too large to display\n"),
            "{}",
            text.len()
        );
    }
}
