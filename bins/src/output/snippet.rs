//! Findings as people read them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin as Place, Renderer, Snippet};
use bootstrap_core::diagnostic::{Diagnostic, Origin, Severity};

use super::{clean, is_invisible};

/// Longer lines are not shown: they are data, not something to look at.
const MAX_LINE: usize = 400;

/// Findings that are shown with their lines; a file with more has one fault many times.
const MAX_SNIPPETS: usize = 200;

/// Places that are listed of a finding that is there many times.
const MAX_PLACES: usize = 50;

/// Renders findings, each with its line of the file where that is safe to show.
pub(super) fn render<'d>(findings: impl Iterator<Item = &'d Diagnostic>, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut files = Files::default();
    let mut text = String::new();
    for (at, (finding, others)) in told_once(findings).into_iter().enumerate() {
        if at >= MAX_SNIPPETS {
            write_plainly(&mut text, finding, &others);
            continue;
        }
        let mut group = group(finding, &mut files);
        if !others.is_empty() {
            group = group.element(Level::NOTE.with_name("also at").message(places(&others)));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\n", renderer.render(&[group]));
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Findings that say the same, at several places, become one with the other places.
fn told_once<'d>(
    findings: impl Iterator<Item = &'d Diagnostic>,
) -> Vec<(&'d Diagnostic, Vec<&'d Origin>)> {
    let mut told: Vec<(&Diagnostic, Vec<&Origin>)> = Vec::new();
    let mut known = HashMap::new();
    for finding in findings {
        let is_error = finding.severity == Severity::Error;
        let at = *known
            .entry((is_error, &finding.message, &finding.hint))
            .or_insert(told.len());
        match (told.get_mut(at), &finding.origin) {
            (None, _) => told.push((finding, Vec::new())),
            (Some((first, others)), Some(origin)) if first.origin.as_ref() != Some(origin) => {
                others.push(origin);
            }
            _ => {}
        }
    }
    told
}

/// A finding without its line and hint, which those before it have.
fn write_plainly(text: &mut String, finding: &Diagnostic, others: &[&Origin]) {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let _ = writeln!(text, "{severity}: {}", lines(&finding.message));
    if let Some(origin) = &finding.origin {
        let _ = writeln!(text, "--> {}", clean(&origin.to_string()));
    }
    if !others.is_empty() {
        let _ = writeln!(text, " = also at: {}", places(others));
    }
    text.push('\n');
}

/// Places in a row; nobody reads thousands of them.
fn places(others: &[&Origin]) -> String {
    let shown = others.iter().take(MAX_PLACES);
    let mut places: Vec<String> = shown.map(|origin| clean(&origin.to_string())).collect();
    if let Some(more) = others
        .len()
        .checked_sub(MAX_PLACES)
        .filter(|more| *more > 0)
    {
        places.push(format!("and {more} more places"));
    }
    places.join(", ")
}

fn group(finding: &Diagnostic, files: &mut Files) -> Group<'static> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(lines(&finding.message)));
    if let Some(origin) = &finding.origin {
        group = with_place(group, origin, files);
    }
    if let Some(hint) = &finding.hint {
        group = group.element(Level::HELP.with_name("hint").message(lines(hint)));
    }
    group
}

fn with_place(group: Group<'static>, origin: &Origin, files: &mut Files) -> Group<'static> {
    let path = clean(&origin.file.display().to_string());
    if let Some(line) = files.line(origin) {
        let span = span(&line, origin.column);
        let snippet = Snippet::source(line)
            .line_start(origin.line)
            .path(path)
            .annotation(AnnotationKind::Primary.span(span));
        return group.element(snippet);
    }
    let mut place = Place::path(path);
    if origin.line > 0 {
        place = place.line(origin.line);
        if origin.column > 0 {
            place = place.char_column(origin.column);
        }
    }
    group.element(place)
}

/// Control characters go, line ends stay.
fn lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// The word or quoted text at a column.
fn span(line: &str, column: usize) -> std::ops::Range<usize> {
    let begin = line
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(line.len(), |(at, _)| at);
    let rest = &line[begin..];
    let length = match rest.chars().next() {
        None => 0,
        Some(quote @ ('"' | '\'')) => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
        Some(open @ ('{' | '[')) => open.len_utf8(),
        Some(first) => {
            let end = rest.find([' ', ',', ']', '}', '#']).unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches(':');
            word.len().max(first.len_utf8())
        }
    };
    begin..begin + length
}

/// Files read for their lines, each once.
#[derive(Default)]
struct Files {
    read: HashMap<PathBuf, Option<Lines>>,
}

/// A text and where its lines begin.
struct Lines {
    text: String,
    begins: Vec<usize>,
}

impl Lines {
    fn get(&self, at: usize) -> Option<&str> {
        self.text.get(*self.begins.get(at)?..)?.lines().next()
    }
}

impl Files {
    /// A line that may be shown.
    fn line(&mut self, origin: &Origin) -> Option<String> {
        if !self.read.contains_key(&origin.file) {
            self.read.insert(origin.file.clone(), read(&origin.file));
        }
        let lines = self.read.get(&origin.file)?.as_ref()?;
        let at = origin.line.checked_sub(1)?;
        if origin.column == 0 {
            return None;
        }
        let line = lines.get(at)?;
        let before = at.checked_sub(1).and_then(|before| lines.get(before));
        let before = before.unwrap_or_default();
        let fit = line.len() <= MAX_LINE
            && !line
                .chars()
                .any(|character| character.is_control() || is_invisible(character));
        (fit && !may_hold_secret(before, line)).then(|| line.to_owned())
    }
}

fn read(path: &Path) -> Option<Lines> {
    let text = std::fs::read_to_string(path).ok()?;
    let mark = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    let begins = std::iter::once(mark).chain(ends).collect();
    Some(Lines { text, begins })
}

/// Secrets belong elsewhere, but a line that is complained about may hold one all the same.
pub(super) fn may_hold_secret(before: &str, line: &str) -> bool {
    secret_after_key(line)
        || secret_key_ends(before)
        || (line.contains("://") && line.contains('@'))
        || line
            .split(|character: char| {
                !(character.is_ascii_alphanumeric() || "-_+/=!.".contains(character))
            })
            .any(looks_random)
}

const SECRET_KEYS: [&str; 7] = [
    "key",
    "token",
    "password",
    "passwd",
    "secret",
    "cookie",
    "authorization",
];

/// A secret's key, also a misspelt one, with a value that is not a reference.
fn secret_after_key(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.match_indices(':').any(|(at, _)| {
        let key = lower[..at].trim_end_matches(['"', '\'', ' ']);
        let begin = key.rfind(|character: char| {
            !(character.is_ascii_alphanumeric() || "-_.".contains(character))
        });
        let value = lower[at + 1..].trim_start();
        names_secret(&key[begin.map_or(0, |before| before + 1)..])
            && !(value.is_empty() || value.starts_with(['{', '#', '}', ',']))
    })
}

/// Whether a key holds a secret's name, or nearly is one.
fn names_secret(key: &str) -> bool {
    SECRET_KEYS.iter().any(|name| {
        key.contains(name) || (name.len() > 3 && strsim::damerau_levenshtein(key, name) <= 2)
    })
}

/// A secret's key at the end of a line: the value is on the next one.
fn secret_key_ends(line: &str) -> bool {
    let lower = line
        .trim_end()
        .trim_end_matches(['|', '>', '-', '+', ' '])
        .to_ascii_lowercase();
    let Some(key) = lower.strip_suffix(':') else {
        return false;
    };
    SECRET_KEYS
        .iter()
        .any(|name| key.trim_end_matches(['"', '\'']).ends_with(name))
}

/// Long and of mixed characters, as keys and tokens are. Addresses, versions, paths and machines' UUIDs are not.
fn looks_random(word: &str) -> bool {
    if holds_uuid(word) {
        return false;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let pieces = word
        .split(['/', '.', '-', '_'])
        .map(str::len)
        .max()
        .unwrap_or_default();
    digits >= 4 && letters >= 4 && digits + letters >= 24 && pieces >= 8
}

fn holds_uuid(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.windows(5).any(|five| {
        five.iter().zip([8, 4, 4, 4, 12]).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_secrets_are_not_shown() {
        for (before, line, hidden) in [
            (
                "",
                "omni: {endpoint: http://x, serviceAccountKey: {env: OMNI_KEY}}",
                false,
            ),
            ("", "  apiToken: root@pam!x=1234", true),
            ("", "unifi: {apiKey: hunter2}", true),
            ("apiKey:", "  hunter2", true),
            ("apiKey: |-", "  hunter2", true),
            ("", "  apiKey: {file: unifi.key}", false),
            ("", "endpoint: https://me:hunter2@host", true),
            ("", "  auth: {username: pull, pasword: hunter2}", true),
            ("", "  auth: {'tokne' : hunter2}", true),
            ("", "  pcie: true", false),
            (
                "",
                "  apiTokn: root@pam!x=4f6f5f0e-8d2b-4c3e-9d0a-1b2c3d4e5f60",
                true,
            ),
            ("", "  aKy: 9sJ2kqPzXw81LmNb47VtYcRd55HgFe02", true),
            (
                "",
                "  - {node: proxmox, path: \"0000:03:00\", id: \"8086:56a6\"}",
                false,
            ),
            (
                "",
                "  - template: iac/omni/cluster-template/cluster-template.yaml",
                false,
            ),
            (
                "",
                "    addresses: [172.16.8.11-172.16.8.14, 172.16.8.100-172.16.8.120]",
                false,
            ),
        ] {
            assert_eq!(may_hold_secret(before, line), hidden, "{line}");
        }
    }

    #[test]
    fn many_findings_are_told_shortly_and_the_same_one_once() {
        let at = |line| Origin {
            file: "site.yaml".into(),
            line,
            column: 1,
        };
        let same = |line| Diagnostic::error("document is empty").at(at(line));
        let findings: Vec<_> = (1..=60).map(same).collect();
        let text = render(findings.iter(), false);
        assert!(
            text.contains("also at: site.yaml:2:1, site.yaml:3:1"),
            "{text}"
        );
        assert!(
            text.ends_with("site.yaml:51:1, and 9 more places\n"),
            "{text}"
        );

        let own = |line: usize| {
            Diagnostic::error(format!("no {line}"))
                .at(at(line))
                .hint("fix it")
        };
        let findings: Vec<_> = (1..=202).map(own).collect();
        let text = render(findings.iter(), false);
        let last = text.split("\n\n").last();
        assert_eq!(last, Some("error: no 202\n--> site.yaml:202:1\n"));
        assert_eq!(text.matches("error: no").count(), 202);
    }

    #[test]
    fn a_finding_shows_its_line_and_the_next_step() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("site.yaml");
        std::fs::write(&file, "version: 1\nomny: {}\napiKey:\n  hunter2\n").unwrap();
        let at = |line, column| Origin {
            file: file.clone(),
            line,
            column,
        };
        let findings = [
            Diagnostic::error("unknown key `omny`")
                .at(at(2, 1))
                .hint("did you mean `omni`?"),
            Diagnostic::warning("not a place").at(at(4, 3)),
            Diagnostic::error("proxmox: no answer\u{1b}[31m"),
        ];
        let text =
            render(findings.iter(), false).replace(&directory.path().display().to_string(), "DIR");
        insta::assert_snapshot!(text, @r"
        error: unknown key `omny`
         --> DIR/site.yaml:2:1
          |
        2 | omny: {}
          | ^^^^
          |
          = hint: did you mean `omni`?

        warning: not a place
        --> DIR/site.yaml:4:3

        error: proxmox: no answer[31m
        ");
    }
}
