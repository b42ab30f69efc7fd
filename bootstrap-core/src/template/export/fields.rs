//! Mappings as Go writes structs: in a fixed order, empty values left out.

use std::collections::BTreeMap;

use omni_client::{Metadata, labels};

use crate::template::go_yaml::Value;

#[derive(Default)]
pub(super) struct Fields(Vec<(Value, Value)>);

impl Fields {
    pub(super) fn put(&mut self, key: &str, value: Value) {
        self.0.push((Value::Text(key.into()), value));
    }

    pub(super) fn maybe(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.put(key, Value::Text(text.into()));
        }
    }

    pub(super) fn flag(&mut self, key: &str, flag: bool) {
        if flag {
            self.put(key, Value::Bool(true));
        }
    }

    /// A list that may be absent, which is not the same as empty.
    pub(super) fn list(&mut self, key: &str, list: Option<&[String]>) {
        self.maybe(key, list.map(texts));
    }

    pub(super) fn map(&mut self, key: &str, map: &BTreeMap<String, String>) {
        if !map.is_empty() {
            self.put(key, Value::string_map(map));
        }
    }

    /// What a user gave in labels and annotations; a template cannot set what is Omni's.
    pub(super) fn descriptors(&mut self, metadata: &Metadata) {
        self.map("labels", &of_user(&metadata.labels));
        self.map("annotations", &of_user(&metadata.annotations));
    }

    pub(super) fn sequence(&mut self, key: &str, items: Vec<Value>) {
        if !items.is_empty() {
            self.put(key, Value::Sequence(items));
        }
    }

    pub(super) fn nested(&mut self, key: &str, fields: Self) {
        if !fields.0.is_empty() {
            self.put(key, fields.into_value());
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn into_value(self) -> Value {
        Value::Mapping(self.0)
    }
}

pub(super) fn texts(list: &[String]) -> Value {
    Value::Sequence(list.iter().map(|text| Value::Text(text.into())).collect())
}

pub(super) fn of_user(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter()
        .filter(|(key, _)| !key.starts_with(labels::PREFIX))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
