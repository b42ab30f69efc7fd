//! What both replays share: recorded files, a clock that jumps, comparison by meaning.
#![allow(dead_code)] // each test uses its part
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests stop and speak like tests

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use api_transport::Clock;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// A clock that goes on only when told to, or when somebody sleeps.
#[derive(Debug, Default)]
pub(crate) struct Stepped(std::sync::Arc<Mutex<Duration>>);

impl Stepped {
    pub(crate) fn to(&self, at: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(at);
    }

    pub(crate) fn by(&self, step: Duration) {
        *self.0.lock().unwrap() += step;
    }
}

impl Clock for Stepped {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_418_936) + self.now()
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.by(duration);
        Box::pin(std::future::ready(()))
    }
}

/// Where recordings are: the project's own copies, and those beside the project. Either may be absent.
pub(crate) fn recordings(system: &str) -> Vec<(&'static str, Vec<PathBuf>)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [
        ("fixtures", here.join("../tests/fixtures").join(system)),
        ("shared", here.join("../../shared/wire").join(system)),
    ];
    let present = places.into_iter().filter_map(|(place, folder)| {
        let entries = std::fs::read_dir(folder).ok()?;
        let numbered = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".json") && name.starts_with(|c: char| c.is_ascii_digit())
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(numbered)
            .collect();
        files.sort();
        Some((place, files))
    });
    let present: Vec<_> = present.collect();
    if present.is_empty() {
        let _ = writeln!(std::io::stderr(), "{system}: no recordings here");
    }
    present
}

/// Values that the real system and the simulated one choose for themselves, paired as they are first seen.
#[derive(Debug, Default)]
pub(crate) struct Pairs(BTreeMap<String, String>);

impl Pairs {
    /// Puts our values in the place of recorded ones.
    pub(crate) fn translate(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (theirs, ours)| {
            let encoded: String = url::form_urlencoded::byte_serialize(theirs.as_bytes()).collect();
            let ours_encoded: String =
                url::form_urlencoded::byte_serialize(ours.as_bytes()).collect();
            text.replace(theirs.as_str(), ours)
                .replace(&encoded, &ours_encoded)
        })
    }

    pub(crate) fn learn(&mut self, theirs: &str, ours: &str) -> bool {
        let known = self
            .0
            .entry(theirs.to_owned())
            .or_insert_with(|| ours.to_owned());
        known == ours
    }
}

/// What to leave out of a comparison.
pub(crate) struct Rules {
    /// Keys whose values are not compared.
    pub(crate) volatile: &'static [&'static str],
    /// Keys the simulated answer may lack.
    pub(crate) optional: &'static [&'static str],
    /// Whether our answer may have keys the recorded one lacks.
    pub(crate) more_keys: bool,
    /// Whether a text is one that each system chooses for itself.
    pub(crate) chosen: fn(&str) -> bool,
}

/// Compares answers by meaning; the differences found.
pub(crate) fn differences(
    theirs: &Value,
    ours: &Value,
    rules: &Rules,
    pairs: &mut Pairs,
) -> Vec<String> {
    let mut found = Vec::new();
    compare("", theirs, ours, rules, pairs, &mut found);
    found
}

fn compare(
    at: &str,
    theirs: &Value,
    ours: &Value,
    rules: &Rules,
    pairs: &mut Pairs,
    found: &mut Vec<String>,
) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            // The memory of the host that was recorded is no whole number of mebibytes.
            let host = theirs.get("type").is_some_and(|kind| kind == "node");
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(_) if host && key == "maxmem" => {}
                    Some(_) if rules.volatile.contains(&key.as_str()) => {}
                    Some(own) => compare(&format!("{at}.{key}"), value, own, rules, pairs, found),
                    None if rules.optional.contains(&key.as_str()) => {}
                    None => found.push(format!("{at}.{key}: missing, was {value}")),
                }
            }
            for (key, value) in ours
                .iter()
                .filter(|(key, _)| !rules.more_keys && !theirs.contains_key(*key))
            {
                found.push(format!("{at}.{key}: not recorded, is {value}"));
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => {
            if theirs.len() != ours.len() {
                found.push(format!(
                    "{at}: {} items, recorded {}",
                    ours.len(),
                    theirs.len()
                ));
            }
            let (theirs, ours) = (in_order(theirs), in_order(ours));
            for (index, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
                compare(&format!("{at}[{index}]"), theirs, ours, rules, pairs, found);
            }
        }
        (Value::String(theirs), Value::String(ours))
            if (rules.chosen)(theirs) && (rules.chosen)(ours) =>
        {
            if !pairs.learn(theirs, ours) {
                found.push(format!(
                    "{at}: {ours}, recorded {theirs}, which stood for another value before"
                ));
            }
        }
        (Value::String(theirs), Value::String(ours)) if generated_mac(theirs).is_some() => {
            let (Some(old), Some(new)) = (generated_mac(theirs), generated_mac(ours)) else {
                return found.push(format!("{at}: {ours}, recorded {theirs}"));
            };
            if !pairs.learn(old, new) || !same_text(theirs, ours, pairs) {
                found.push(format!("{at}: {ours}, recorded {theirs}"));
            }
        }
        (Value::String(theirs), Value::String(ours)) if same_text(theirs, ours, pairs) => {}
        (Value::Number(theirs), Value::Number(ours)) if theirs.as_f64() == ours.as_f64() => {}
        _ if theirs == ours => {}
        _ => found.push(format!("{at}: {ours}, recorded {theirs}")),
    }
}

/// Lists without an order of their own are put in that of their keys.
fn in_order(items: &[Value]) -> Vec<Value> {
    let mut items = items.to_vec();
    let name = |item: &Value| {
        let key = ["key", "id", "vmid", "sid"]
            .iter()
            .find_map(|key| item.get(key));
        key.filter(|_| item.get("starttime").is_none())
            .map(ToString::to_string)
    };
    if items.iter().all(|item| name(item).is_some()) {
        items.sort_by_key(|item| name(item));
    }
    items
}

fn same_text(theirs: &str, ours: &str, pairs: &Pairs) -> bool {
    let mask = |text: &str| match text.split_once("ctime=") {
        Some((before, _)) => format!("{before}ctime="),
        None => text.to_owned(),
    };
    mask(&pairs.translate(theirs)) == mask(ours)
}

/// A hardware address with the prefix of those that Proxmox makes up.
fn generated_mac(text: &str) -> Option<&str> {
    let at = text.find("BC:24:11:")?;
    text.get(at..at + 17)
}
