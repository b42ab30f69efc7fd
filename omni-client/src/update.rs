//! Read, change, write, and again where somebody was faster.

use std::time::Duration;

use serde_json::Value;

use crate::{Client, Error, Kind, Resource};

const TRIES: u32 = 5;

impl Client {
    /// Writes `new` in place of `old`, which it was made from, unless nothing changed. Tells whether it was sent.
    ///
    /// An update that changes nothing would still raise the version and wake every controller.
    pub async fn update_if_changed(&self, old: &Resource, new: &Resource) -> Result<bool, Error> {
        if old.is_same_as(new) {
            return Ok(false);
        }
        self.update(new).await?;
        Ok(true)
    }

    /// Reads a resource, lets `change` change it, and writes it if that made a difference; once more
    /// from the start where somebody else was faster, or the answer was lost. Returns the resource as
    /// written (the version is the one before).
    pub async fn modify(
        &self,
        kind: &Kind,
        id: &str,
        mut change: impl FnMut(&mut Resource) + Send,
    ) -> Result<Resource, Error> {
        let change = |resource: &mut Resource| {
            change(resource);
            Ok(())
        };
        self.modify_with(kind, id, change).await
    }

    /// [`Client::modify`] with a change that can fail.
    pub(crate) async fn modify_with(
        &self,
        kind: &Kind,
        id: &str,
        mut change: impl FnMut(&mut Resource) -> Result<(), Error> + Send,
    ) -> Result<Resource, Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            let old = self.get(kind, id).await?;
            let mut new = old.clone();
            change(&mut new)?;
            match self.update_if_changed(&old, &new).await {
                Ok(_) => return Ok(new),
                // The next read tells whether a lost answer was a success: then nothing is left to change.
                Err(error) if (error.is_conflict() || error.is_retryable()) && tried < TRIES => {
                    let clock = self.transport.clock();
                    let pause = Duration::from_millis(100)
                        .mul_f64(f64::from(tried) * (0.5 + clock.random()));
                    clock.sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Resource {
    /// Whether an update from one to the other would change nothing: same labels, annotations,
    /// finalizers and spec. A field that is absent and one that is zero are the same to the server.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.metadata.labels == other.metadata.labels
            && self.metadata.annotations == other.metadata.annotations
            && self.metadata.finalizers == other.metadata.finalizers
            && meaning(&self.spec) == meaning(&other.spec)
    }
}

fn meaning(spec: &Value) -> Value {
    if spec.is_null() {
        Value::Object(serde_json::Map::new())
    } else {
        without_zeros(spec)
    }
}

/// The value without fields that hold what an absent one means. Items of lists stay, each in its place.
pub(crate) fn without_zeros(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), without_zeros(value)))
            .filter(|(_, value)| !is_zero(value))
            .collect(),
        Value::Array(items) => items.iter().map(without_zeros).collect(),
        other => other.clone(),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        // A message that is there and empty differs from one that is not: its presence may choose a mode.
        Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn zero_and_absent_are_the_same_but_presence_of_a_message_is_not() {
        for (one, other, same) in [
            (
                json!({"a": 1, "b": 0, "c": "", "d": [], "e": false, "f": null}),
                json!({"a": 1}),
                true,
            ),
            (json!({"a": {"b": 0, "c": 1}}), json!({"a": {"c": 1}}), true),
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true),
            (json!({"a": [0, 1]}), json!({"a": [1]}), false),
            (json!({}), Value::Null, true),
            (json!({"a": {}}), json!({}), false),
            (json!({"a": "1"}), json!({"a": "2"}), false),
        ] {
            let resource = |spec: &Value| Resource {
                spec: spec.clone(),
                ..Resource::default()
            };
            assert_eq!(
                resource(&one).is_same_as(&resource(&other)),
                same,
                "{one} {other}"
            );
        }
    }
}
