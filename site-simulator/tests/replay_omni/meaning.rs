//! When two answers mean the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::record::text;

/// Resource texts parsed, kubeconfigs decoded, what the world draws itself left out.
pub(crate) fn meaning(body: &Value) -> Value {
    let mut body = body.clone();
    for key in ["body", "kubeconfig", "omniconfig", "talosconfig"] {
        let Some(text) = body.get(key).and_then(Value::as_str).map(str::to_owned) else {
            continue;
        };
        body[key] = if key == "body" {
            resource_meaning(&text)
        } else {
            let yaml = STANDARD.decode(&text).unwrap();
            config_meaning(serde_yaml::from_slice(&yaml).unwrap())
        };
    }
    for user in body
        .get_mut("users")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        // Drawn when the user was made.
        user.as_object_mut().unwrap().remove("id");
    }
    if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            *item = resource_meaning(item.as_str().unwrap_or_default());
        }
    }
    body
}

pub(crate) fn resource_meaning(text: &str) -> Value {
    let mut resource: Value = serde_json::from_str(text).unwrap();
    // Made when the server starts, or when asked for.
    let virtual_one = ["virtual", "meta"]
        .iter()
        .any(|namespace| resource["metadata"]["namespace"] == *namespace);
    if virtual_one {
        for (part, key) in [
            ("metadata", "created"),
            ("metadata", "updated"),
            ("spec", "user_id"),
        ] {
            resource[part].as_object_mut().unwrap().remove(key);
        }
        if resource["spec"].get("grpc_api_url").is_some() {
            resource["spec"]["grpc_api_url"] = json!("https://127.0.0.1");
        }
    }
    resource
}

pub(crate) fn config_meaning(mut config: Value) -> Value {
    // Ports of the recording, and a token that nobody else could make.
    if let Some(token) = config.pointer_mut("/users/0/user/token") {
        let parts: Vec<String> = token
            .as_str()
            .unwrap()
            .split('.')
            .map(str::to_owned)
            .collect();
        assert_eq!(parts.len(), 3);
        *token = json!("a token in three parts");
    }
    serde_json::from_str(&config.to_string().replace(":8099", "")).unwrap()
}

pub(crate) fn event_meaning(event: &Value) -> Value {
    let mut event = event.clone();
    for key in ["resource", "old"] {
        let Some(text) = event["result"]["event"].get(key).and_then(Value::as_str) else {
            continue;
        };
        let mut resource: Value = serde_json::from_str(text).unwrap();
        let metadata = resource["metadata"].as_object_mut().unwrap();
        metadata.remove("created");
        metadata.remove("updated");
        event["result"]["event"][key] = resource;
    }
    event
}

pub(crate) fn compare(number: u32, ours: &Value, recorded: &Value) -> Result<(), String> {
    if number == 37 {
        // The words are those of Go's YAML reader.
        let prefix =
            "failed to validate: 1 error occurred:\n\t* decode error: go-yaml load error in parser";
        let both = [ours, recorded]
            .iter()
            .all(|body| text(body, "message").starts_with(prefix));
        return if both {
            Ok(())
        } else {
            Err(format!("{ours} for {recorded}"))
        };
    }
    if number == 147 {
        // Nobody else could draw the same token.
        let long = |body: &Value| text(body, "id").len() == 44;
        return if long(ours) && long(recorded) {
            Ok(())
        } else {
            Err(format!("{ours} for {recorded}"))
        };
    }
    if ours == recorded {
        Ok(())
    } else {
        Err(format!("\n  ours     {ours}\n  recorded {recorded}"))
    }
}
