//! The documents at the root name only what is there.

use std::path::Path;

/// Paths in links and in backticks that look like places in this repository.
fn paths(text: &str) -> Vec<String> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let quoted = text.split('`').skip(1).step_by(2).filter(|word| {
        word.contains('/') || Path::new(word).extension().is_some_and(|end| end == "md")
    });
    links
        .chain(quoted)
        .filter(|path| !path.contains("://") && !path.contains([' ', '*', '<']))
        .map(|path| path.split('#').next().unwrap_or_default().to_owned())
        .filter(|path| !path.is_empty())
        .collect()
}

#[test]
fn every_path_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let named = paths(&text);
        assert!(
            document == "CHANGELOG.md" || !named.is_empty(),
            "{document} names nothing"
        );
        for path in named {
            assert!(
                root.join(&path).exists(),
                "{document} names {path}, which is not there"
            );
        }
    }
}
