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

/// A program without what stands before its first item: notes for people, and what lints are told.
fn program(text: &str) -> &str {
    let attributes = text.find("#![").map_or(0, |at| {
        let rest = &text[at..];
        at + rest.find(")]\n").map_or(0, |end| end + 3)
    });
    text[attributes..].trim_start()
}

#[test]
fn programs_on_pages_are_those_that_are_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("docs/embedding.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut written = String::new();
    let mut rest = page.as_str();
    let mut programs = 0;
    while let Some((before, after)) = rest.split_once("<!-- program: ") {
        let (file, after) = after.split_once(" -->\n```rust\n").unwrap();
        let (_, after) = after.split_once("```\n").unwrap();
        let source = std::fs::read_to_string(root.join(file)).unwrap();
        let program = program(&source);
        written += [
            before,
            "<!-- program: ",
            file,
            " -->\n```rust\n",
            program,
            "```\n",
        ]
        .concat()
        .as_str();
        rest = after;
        programs += 1;
    }
    written += rest;
    assert_eq!(programs, 3);
    if bins::run::environment("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &written).unwrap();
    } else {
        assert!(
            page == written,
            "docs/embedding.md is stale: UPDATE_DOCS=1 cargo test -p bins --test docs"
        );
    }
}
