//! Resource documents as people keep them: `metadata` and `spec` in YAML, in either spelling.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::without_content;
use crate::resource::Metadata;
use crate::spelling::shape::{self, Shape, joined};
use crate::spelling::{printed, scalar};
use crate::update::without_zeros;
use crate::{Error, Resource};

/// How the keys of specs are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As this API does: `machine_allocation`, only what is not zero.
    Api,
    /// As `omnictl get -o yaml` does: `machineallocation`, every field. `omnictl apply` takes no other.
    Omnictl,
}

/// Reads the documents of a text; empty ones are skipped.
///
/// Keys of specs may be in either spelling, or as protobuf's JSON has them (`machineAllocation`). A key that the kind's
/// spec does not have is an error, where omnictl would drop it; a namespace that is not given is the kind's usual one.
/// Specs of kinds that are not in [`shape`] are taken as they are. What is written with a version carries it, so that it
/// can be updated.
///
/// [`Error::Invalid`] names the place of the first thing that is wrong.
///
/// ```
/// let text = "
/// metadata: {type: MachineClasses.omni.sidero.dev, id: gpu}
/// spec:
///   autoprovision: {providerid: proxmox, grpctunnel: enabled}
/// ";
/// let class = &omni_client::yaml::read(text)?[0];
/// assert_eq!(class.metadata.namespace, "default");
/// assert_eq!(class.spec["auto_provision"]["grpc_tunnel"], 1);
/// # Ok::<(), omni_client::Error>(())
/// ```
pub fn read(text: &str) -> Result<Vec<Resource>, Error> {
    let mut resources = Vec::new();
    // The kind may come after the spec, and says what is in it.
    let heads = serde_yaml::Deserializer::from_str(text);
    let bodies = serde_yaml::Deserializer::from_str(text);
    for (head, body) in heads.zip(bodies) {
        let Some(head) = Option::<Head>::deserialize(head).map_err(|error| wrong(&error))? else {
            // A stream that is not read to its end is an error of the next.
            Option::<IgnoredAny>::deserialize(body).map_err(|error| wrong(&error))?;
            continue;
        };
        let metadata = head.metadata.into_metadata()?;
        let spec = DocumentSeed(&metadata.kind)
            .deserialize(body)
            .map_err(|error| wrong(&error))?;
        resources.push(Resource { metadata, spec });
    }
    Ok(resources)
}

/// Writes documents that [`read`] gives back. Not byte for byte what omnictl prints, but the same to whoever reads it.
///
/// What of a spec is not known has no certain omnictl spelling, and cannot be read back from it.
pub fn write(resources: &[Resource], spelling: Spelling) -> Result<String, Error> {
    let mut text = String::new();
    for resource in resources {
        let spec = match spelling {
            Spelling::Api if resource.spec.is_null() => Value::Object(Map::new()),
            Spelling::Api => resource.spec.clone(),
            Spelling::Omnictl => printed(&resource.metadata.kind, &resource.spec),
        };
        let document = Written {
            metadata: metadata_of(resource)?,
            spec,
        };
        let written = serde_yaml::to_string(&document)
            .map_err(|error| Error::invalid(format!("a spec cannot be written: {error}")))?;
        if !text.is_empty() {
            text.push_str("---\n");
        }
        text.push_str(&written);
    }
    Ok(text)
}

fn wrong(error: &serde_yaml::Error) -> Error {
    Error::invalid(without_content(&error.to_string()))
}

/// What is set of it. The value of a label may be empty.
fn metadata_of(resource: &Resource) -> Result<Value, Error> {
    let wrong = |error| Error::invalid(format!("metadata cannot be written: {error}"));
    let mut metadata = serde_json::to_value(&resource.metadata).map_err(wrong)?;
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|_, value| match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(items) => !items.is_empty(),
            other => *other != json!("") && *other != json!(0),
        });
    }
    Ok(metadata)
}

#[derive(Serialize)]
struct Written {
    metadata: Value,
    spec: Value,
}

#[derive(Deserialize)]
struct Head {
    metadata: HeadMetadata,
}

/// Any scalar is a text here, as it stands: `id: 0123` is not a number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct HeadMetadata {
    namespace: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    id: String,
    version: Option<String>,
    owner: Option<String>,
    phase: Option<String>,
    created: Option<String>,
    updated: Option<String>,
    labels: Option<std::collections::BTreeMap<String, Option<String>>>,
    annotations: Option<std::collections::BTreeMap<String, Option<String>>>,
    finalizers: Option<Vec<String>>,
}

impl HeadMetadata {
    fn into_metadata(self) -> Result<Metadata, Error> {
        if self.kind.is_empty() || self.id.is_empty() {
            return Err(Error::invalid("metadata needs a type and an id"));
        }
        let version = match self.version.as_deref() {
            None | Some("" | "undefined") => 0,
            Some(number) => number
                .parse()
                .map_err(|_| Error::invalid("metadata.version must be a whole number"))?,
        };
        let phase = match self.phase.as_deref() {
            None | Some("" | "running") => crate::Phase::Running,
            Some("tearingDown") => crate::Phase::TearingDown,
            Some(_) => {
                return Err(Error::invalid(
                    "metadata.phase must be running or tearingDown",
                ));
            }
        };
        let usual = || shape::namespace(&self.kind).map(str::to_owned);
        let namespace = self.namespace.filter(|name| !name.is_empty());
        let texts = |map: Option<std::collections::BTreeMap<String, Option<String>>>| {
            map.into_iter()
                .flatten()
                .map(|(key, value)| (key, value.unwrap_or_default()))
                .collect()
        };
        Ok(Metadata {
            namespace: namespace
                .or_else(usual)
                .unwrap_or_else(|| "default".to_owned()),
            kind: self.kind,
            id: self.id,
            version,
            owner: self.owner.unwrap_or_default(),
            phase,
            created: self.created.unwrap_or_default(),
            updated: self.updated.unwrap_or_default(),
            labels: texts(self.labels),
            annotations: texts(self.annotations),
            finalizers: self.finalizers.unwrap_or_default(),
            other: Map::new(),
        })
    }
}

/// A document of which the kind is known.
struct DocumentSeed<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for DocumentSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of metadata and spec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut spec = Value::Object(Map::new());
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), shape::fields(self.0)) {
                ("metadata", _) => drop(map.next_value::<IgnoredAny>()?),
                ("spec", Some(fields)) => {
                    spec = without_zeros(&map.next_value_seed(Maybe(Fields(fields)))?);
                }
                ("spec", None) => spec = map.next_value()?,
                (key, _) => {
                    let message = format!("unknown key `{key}` beside metadata and spec");
                    return Err(de::Error::custom(message));
                }
            }
        }
        if spec.is_null() {
            spec = Value::Object(Map::new());
        }
        Ok(spec)
    }
}

/// Null is nothing, whatever the shape.
struct Maybe<S>(S);

impl<'de, S: DeserializeSeed<'de, Value = Value>> DeserializeSeed<'de> for Maybe<S> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = Value>> Visitor<'de> for Maybe<S> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.deserialize(deserializer)
    }
}

#[derive(Clone, Copy)]
struct Fields(&'static [(&'static str, Shape)]);

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let known = |(name, _): &&(&str, Shape)| *name == key || joined(name) == joined(&key);
            let Some((name, shape)) = self.0.iter().find(known) else {
                return Err(de::Error::custom(format!("unknown key `{key}`")));
            };
            let value = map.next_value_seed(Maybe(Shaped(shape)))?;
            if read.insert((*name).to_owned(), value).is_some() {
                return Err(de::Error::custom(format!("`{name}` is given twice")));
            }
        }
        Ok(read.into())
    }
}

#[derive(Clone, Copy)]
struct Shaped(&'static Shape);

impl<'de> DeserializeSeed<'de> for Shaped {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.0 {
            Shape::Message(fields) => Fields(fields).deserialize(deserializer),
            Shape::List(_) => deserializer.deserialize_seq(self),
            Shape::Map(_) => deserializer.deserialize_map(self),
            // Any scalar is a text, as it stands: `1.30` is not 1.3.
            Shape::Text => String::deserialize(deserializer).map(Value::from),
            shape => {
                let written = Value::deserialize(deserializer)?;
                plain(shape, &written)
                    .ok_or_else(|| de::Error::custom(format!("not {}", name(shape))))
            }
        }
    }
}

impl<'de> Visitor<'de> for Shaped {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(self.0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let (Shape::List(item) | Shape::Map(item)) = self.0 else {
            return Err(de::Error::custom(format!("not {}", name(self.0))));
        };
        let mut items = Vec::new();
        while let Some(value) = seq.next_element_seed(Shaped(item))? {
            items.push(value);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (Shape::List(item) | Shape::Map(item)) = self.0 else {
            return Err(de::Error::custom(format!("not {}", name(self.0))));
        };
        let mut read = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Maybe(Shaped(item)))?;
            if read.insert(key, value).is_some() {
                return Err(de::Error::custom("a key is given twice"));
            }
        }
        Ok(read.into())
    }
}

/// A scalar; what newer servers have in enumerations, and 64-bit numbers as this API writes them, are taken as well.
fn plain(shape: &Shape, written: &Value) -> Option<Value> {
    match (shape, written) {
        (Shape::Enum(_), Value::Number(number)) => {
            i32::try_from(number.as_i64()?).ok().map(Value::from)
        }
        (Shape::Number, Value::String(digits)) => {
            let number: i128 = digits.parse().ok()?;
            serde_json::Number::from_i128(number).map(|number| number.to_string().into())
        }
        (Shape::Number, Value::Number(number)) if number.is_u64() || number.is_i64() => {
            Some(written.clone())
        }
        (Shape::Duration | Shape::Time | Shape::Bytes, Value::Number(number)) => {
            scalar(shape, &number.to_string().into())
        }
        _ => scalar(shape, written),
    }
}

fn name(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text => "a text",
        Shape::Number => "a whole number",
        Shape::Octet => "a number from 0 to 255",
        Shape::Float => "a number",
        Shape::Flag => "true or false",
        Shape::Bytes => "base64 or a list of bytes",
        Shape::Duration => "a duration such as 2h30m or 9000s",
        Shape::Time => "a time such as 2026-01-02T03:04:05Z",
        Shape::Any => "anything",
        Shape::Enum(_) => "a number or name of the enumeration",
        Shape::Message(_) | Shape::Map(_) => "a mapping",
        Shape::List(_) => "a list",
    }
}
