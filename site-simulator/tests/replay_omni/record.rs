//! Recorded exchanges.

use std::collections::BTreeMap;
use std::path::Path;

use omni_client::Resource;
use serde_json::Value;

pub(crate) struct Record {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) request: Value,
    pub(crate) response: Value,
}

pub(crate) fn records(directory: &Path) -> Vec<Record> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut records: Vec<Record> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let number = name.split('-').next()?.parse().ok()?;
            let mut record: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            let (request, response) = (record["request"].take(), record["response"].take());
            Some(Record {
                number,
                name,
                request,
                response,
            })
        })
        .collect();
    records.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    records
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

pub(crate) fn labels(metadata: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(metadata["labels"].clone()).unwrap_or_default()
}

pub(crate) fn method(record: &Record) -> &str {
    text(&record.request, "path").rsplit('/').next().unwrap()
}

pub(crate) fn identity(record: &Record) -> &str {
    text(
        &record.request["headers"],
        "Grpc-Metadata-x-sidero-signature",
    )
    .split(' ')
    .nth(1)
    .unwrap_or_default()
}

pub(crate) fn headers_of(response: &Value) -> BTreeMap<String, String> {
    let pairs = response["headers"].as_array().into_iter().flatten();
    pairs
        .map(|pair| {
            (
                pair[0].as_str().unwrap().to_lowercase(),
                pair[1].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// Resources that a Get or List answered with.
pub(crate) fn shown(answer: &Value) -> Vec<Resource> {
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    let body = answer.get("body").cloned();
    items
        .iter()
        .chain(body.iter())
        .filter_map(|item| serde_json::from_str(item.as_str()?).ok())
        .collect()
}

pub(crate) fn events(record: &Record) -> Vec<Value> {
    let body = record.response["body_text"].as_str().unwrap_or_default();
    body.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

pub(crate) fn first_items(record: &Record) -> Vec<Resource> {
    events(record)
        .iter()
        .take_while(|event| event["result"]["event"]["event_type"] != 4)
        .filter_map(|event| {
            serde_json::from_str(event["result"]["event"]["resource"].as_str()?).ok()
        })
        .collect()
}
