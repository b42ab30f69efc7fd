//! Recorded exchanges with a real server, and whether a request of ours means the same.
#![allow(dead_code)] // each test binary uses its part

mod resources;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::fake::{Answer, Paper, Server};

pub(crate) struct Record {
    pub(crate) number: String,
    pub(crate) name: String,
    pub(crate) request: Value,
    pub(crate) response: Value,
}

/// Those whose path holds `part`, in order.
pub(crate) fn records(part: &str) -> Vec<Record> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/omni");
    let mut records: Vec<Record> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            Record {
                number: name.split('-').next().unwrap().to_owned(),
                name,
                request: whole["request"].take(),
                response: whole["response"].take(),
            }
        })
        .filter(|record| record.request["path"].as_str().unwrap().contains(part))
        .collect();
    records.sort_by(|a, b| a.name.cmp(&b.name));
    records
}

impl Record {
    pub(crate) fn method(&self) -> &str {
        self.request["path"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
    }

    pub(crate) fn status(&self) -> u16 {
        u16::try_from(self.response["status"].as_u64().unwrap()).unwrap()
    }

    /// A text field of the request.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.request["body"][field].as_str().unwrap_or_default()
    }

    /// The whole answer as text.
    pub(crate) fn answered(&self) -> &str {
        self.response["body_text"].as_str().unwrap_or_default()
    }

    pub(crate) fn answer(&self) -> Answer {
        if self.method() == "Watch" && self.status() == 200 {
            let chunks = self.chunks();
            return Answer::Stream { chunks, cut: true };
        }
        Answer::Whole {
            status: self.status(),
            headers: self.date(),
            body: self.answered().to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.request["headers"].as_object().unwrap();
        headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_str())
    }

    /// The clock and the signer that made the recorded request; none where it was not signed.
    pub(crate) fn maker(&self) -> Option<(SystemTime, Paper)> {
        let seconds = self.header("grpc-metadata-x-sidero-timestamp")?;
        let signature = self.header("grpc-metadata-x-sidero-signature")?;
        let parts: Vec<&str> = signature.split(' ').collect();
        let paper = Paper {
            identity: parts[1].to_owned(),
            key_id: parts[2].to_owned(),
            signature: STANDARD.decode(parts[3]).unwrap(),
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse().unwrap());
        Some((at, paper))
    }

    /// The first request that the server saw is this one: equal in method, path, meaning of the body, and the set and
    /// values of signed headers.
    pub(crate) fn check_request(&self, server: &Server) {
        let name = &self.name;
        let seen = server.seen.lock().unwrap();
        let sent = &seen[0];
        assert_eq!(sent.method().as_str(), self.request["method"], "{name}");
        assert_eq!(sent.uri().path(), self.request["path"], "{name}");
        let body: Value = serde_json::from_slice(sent.body()).unwrap();
        assert_eq!(
            meaning(body),
            meaning(self.request["body"].clone()),
            "{name}"
        );
        let ours = sent.headers().iter().map(|(name, value)| {
            let value = value.to_str().unwrap().to_owned();
            (name.as_str().to_owned(), value)
        });
        let recorded = self.request["headers"].as_object().unwrap();
        let recorded = recorded
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()));
        assert_eq!(signed(ours), signed(recorded), "{name}");
    }
}

/// The headers that a signature covers; the covered text by its meaning.
fn signed(headers: impl Iterator<Item = (String, String)>) -> BTreeMap<String, Value> {
    headers
        .filter(|(name, _)| name.starts_with("grpc-metadata-"))
        .map(|(name, value)| {
            let value = if name.ends_with("-payload") {
                serde_json::from_str(&value).unwrap()
            } else {
                Value::from(value)
            };
            (name, value)
        })
        .collect()
}

/// A message as the server reads it: zeros are the same as nothing, enum names the same as their numbers, and a resource
/// that is written is text in a text, of which the server ignores some.
fn meaning(mut message: Value) -> Value {
    if let Some(resource) = message.get_mut("resource").and_then(Value::as_object_mut) {
        if let Some(metadata) = resource.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("phase");
        }
        let spec = resource
            .get("spec")
            .and_then(Value::as_str)
            .unwrap_or("null");
        // What a spec says is not to be taken for zeros of the message.
        let spec = serde_json::from_str::<Value>(spec).unwrap().to_string();
        resource.insert("spec".to_owned(), spec.into());
    }
    if let Some(fields) = message.as_object_mut() {
        fields.remove("currentVersion");
        for value in fields.values_mut() {
            *value = match value.as_str() {
                Some("BOOT_ASSET_KIND_DISK") => 3.into(),
                _ => meaning(value.take()),
            };
        }
        fields.retain(|_, value| {
            let empty_list = value.as_array().is_some_and(Vec::is_empty);
            let zero = value.is_null() || *value == false || *value == 0 || *value == "";
            !(empty_list || zero)
        });
    }
    message
}
