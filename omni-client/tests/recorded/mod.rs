//! Recorded exchanges with a real server.
#![allow(dead_code)] // each test binary uses its part

use std::time::{Duration, SystemTime};

use api_transport::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omni_client::{Kind, Resource};
use serde_json::Value;

use crate::fake::{Answer, Paper};

/// One exchange with a real server.
pub(crate) struct Record {
    pub(crate) number: String,
    pub(crate) name: String,
    pub(crate) request: Value,
    pub(crate) response: Value,
}

pub(crate) fn records() -> Vec<Record> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/omni");
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut records: Vec<Record> = entries
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

    /// The resources in the answer, as they were written.
    pub(crate) fn resources(&self) -> Vec<String> {
        let mut found = Vec::new();
        let body: Value = serde_json::from_str(&self.text()).unwrap_or(Value::Null);
        found.extend(body["body"].as_str().map(str::to_owned));
        for item in body["items"].as_array().into_iter().flatten() {
            found.extend(item.as_str().map(str::to_owned));
        }
        for line in self.chunks().concat().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            for side in ["resource", "old"] {
                found.extend(line["result"]["event"][side].as_str().map(str::to_owned));
            }
        }
        found
    }

    /// What arrived of a watch.
    pub(crate) fn chunks(&self) -> Vec<String> {
        let frames = self.response["frames"].as_array();
        frames
            .into_iter()
            .flatten()
            .map(|frame| frame["chunk"].as_str().unwrap().to_owned())
            .filter(|chunk| !chunk.starts_with("<<"))
            .collect()
    }

    /// Whether it is a call of the resource service, however odd.
    pub(crate) fn is_of_resources(&self) -> bool {
        self.request["path"]
            .as_str()
            .unwrap()
            .contains("ResourceService/")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let headers = self.request["headers"].as_object().unwrap();
        headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_str())
    }

    pub(crate) fn status(&self) -> u16 {
        u16::try_from(self.response["status"].as_u64().unwrap()).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        self.response["body_text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn answer(&self) -> Answer {
        if self.method() == "Watch" && self.status() == 200 {
            let chunks = self.chunks();
            return Answer::Stream { chunks, cut: true };
        }
        let headers: HeaderMap = self.response["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|pair| {
                let name: HeaderName = pair[0].as_str()?.parse().ok()?;
                (name == "date").then(|| Some((name, pair[1].as_str()?.parse().ok()?)))?
            })
            .collect();
        Answer::Whole {
            status: self.status(),
            headers,
            body: self.text(),
        }
    }

    /// The clock and the signer that made the recorded request.
    pub(crate) fn maker(&self) -> (SystemTime, Paper) {
        let seconds = self
            .header("grpc-metadata-x-sidero-timestamp")
            .unwrap()
            .parse()
            .unwrap();
        let signature = self.header("grpc-metadata-x-sidero-signature").unwrap();
        let parts: Vec<&str> = signature.split(' ').collect();
        let paper = Paper {
            identity: parts[1].to_owned(),
            key_id: parts[2].to_owned(),
            signature: STANDARD.decode(parts[3]).unwrap(),
        };
        (SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), paper)
    }

    pub(crate) fn kind(&self) -> Kind {
        let body = &self.request["body"];
        let metadata = if body["resource"].is_object() {
            &body["resource"]["metadata"]
        } else {
            body
        };
        let text = |name: &str| metadata[name].as_str().unwrap().to_owned();
        Kind::new(text("namespace"), text("type"))
    }

    pub(crate) fn id(&self) -> &str {
        self.request["body"]["id"].as_str().unwrap_or_default()
    }

    /// A number in the request; 0 where it is not there.
    pub(crate) fn number(&self, name: &str) -> u32 {
        let number = self.request["body"][name].as_u64().unwrap_or(0);
        u32::try_from(number).unwrap()
    }

    pub(crate) fn selectors(&self) -> Vec<String> {
        self.header("grpc-metadata-selectors")
            .map(str::to_owned)
            .into_iter()
            .collect()
    }

    /// The resource that was written.
    pub(crate) fn resource(&self) -> Resource {
        let mut written = self.request["body"]["resource"].clone();
        let version: u64 = written["metadata"]["version"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        written["metadata"]["version"] = version.into();
        let spec = written["spec"]
            .as_str()
            .map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        written["spec"] = spec;
        serde_json::from_value(written).unwrap()
    }
}
