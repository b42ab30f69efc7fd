//! Exchanges of the resource service.

use api_transport::{HeaderMap, HeaderName};
use omni_client::{Kind, Resource};
use serde_json::Value;

use super::Record;

impl Record {
    /// The resources in the answer, as they were written.
    pub(crate) fn resources(&self) -> Vec<String> {
        let mut found = Vec::new();
        let body: Value = serde_json::from_str(self.answered()).unwrap_or(Value::Null);
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

    /// The time the server told.
    pub(super) fn date(&self) -> HeaderMap {
        self.response["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|pair| {
                let name: HeaderName = pair[0].as_str()?.parse().ok()?;
                (name == "date").then(|| Some((name, pair[1].as_str()?.parse().ok()?)))?
            })
            .collect()
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
