//! `pci_devices` in a class's provider data, a text that stays as people wrote it where that is possible.

use serde_json::Value;
use serde_yaml::{Mapping, Value as Yaml};

use crate::plan::SlotGpu;

const KEY: &str = "pci_devices";

/// The devices as the provider's schema has them.
pub(super) fn listed(devices: &[SlotGpu]) -> Yaml {
    let one = |device: &SlotGpu| {
        let mut entry = Mapping::new();
        entry.insert("mapping".into(), device.mapping.as_str().into());
        if device.pcie {
            entry.insert("pcie".into(), true.into());
        }
        if device.primary {
            entry.insert("primary_gpu".into(), true.into());
        }
        Yaml::Mapping(entry)
    };
    Yaml::Sequence(devices.iter().map(one).collect())
}

/// The devices that a class's spec lists; `None` where it lists none.
pub(super) fn read(spec: &Value) -> Option<Yaml> {
    let text = spec.get("auto_provision")?.get("provider_data")?.as_str()?;
    let Yaml::Mapping(mut data) = serde_yaml::from_str(text).ok()? else {
        return None;
    };
    data.remove(KEY).filter(|devices| {
        devices
            .as_sequence()
            .is_some_and(|devices| !devices.is_empty())
    })
}

/// The lines that say it in provider data.
pub(super) fn text(devices: &Yaml) -> String {
    let mut data = Mapping::new();
    data.insert(KEY.into(), devices.clone());
    serde_yaml::to_string(&data).unwrap_or_default()
}

/// A class's spec with these devices; `None` where its provider data takes no keys.
pub(super) fn add(spec: &Value, devices: &Yaml) -> Option<Value> {
    let mut spec = spec.clone();
    let provision = spec.get_mut("auto_provision")?.as_object_mut()?;
    let before = provision
        .get("provider_data")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let after = add_to_text(before, devices)?;
    provision.insert("provider_data".to_owned(), Value::String(after));
    Some(spec)
}

fn add_to_text(before: &str, devices: &Yaml) -> Option<String> {
    let old = match serde_yaml::from_str(before).ok()? {
        Yaml::Null => Mapping::new(),
        Yaml::Mapping(old) => old,
        _ => return None,
    };
    let mut wanted = old.clone();
    wanted.insert(KEY.into(), devices.clone());
    let wanted = Yaml::Mapping(wanted);
    let line_end = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let appended = format!("{before}{line_end}{}", text(devices));
    // Indented, flow-style and JSON texts cannot be appended to; a key that is there would be twice.
    let is_sound = !old.contains_key(KEY)
        && serde_yaml::from_str::<Yaml>(&appended).is_ok_and(|found| found == wanted);
    if is_sound {
        Some(appended)
    } else {
        serde_yaml::to_string(&wanted).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gpu() -> Yaml {
        listed(&[SlotGpu {
            mapping: "intel-arc-a310".to_owned(),
            pcie: true,
            primary: false,
        }])
    }

    #[test]
    fn devices_are_added_to_any_text_that_holds_keys() {
        let added = "pci_devices:\n- mapping: intel-arc-a310\n  pcie: true\n";
        for (before, after) in [
            ("# a note\ncores: 2", format!("# a note\ncores: 2\n{added}")),
            ("", added.to_owned()),
            ("cores: 2\npci_devices: []\n", format!("cores: 2\n{added}")),
            (
                "  cores: 2\n  sockets: 1\n",
                format!("cores: 2\nsockets: 1\n{added}"),
            ),
            (
                "{cores: 2, node: pve-1}",
                format!("cores: 2\nnode: pve-1\n{added}"),
            ),
            ("{\"cores\": 2}\n", format!("cores: 2\n{added}")),
        ] {
            assert_eq!(add_to_text(before, &gpu()), Some(after), "{before}");
        }
        for before in ["- cores", "cores", "a: [", "a: 1\n---\nb: 2\n"] {
            assert_eq!(add_to_text(before, &gpu()), None, "{before}");
        }
    }

    #[test]
    fn specs_of_any_shape_are_taken() {
        for spec in [
            json!(null),
            json!([1]),
            json!("x"),
            json!({"match_labels": ["a"]}),
            json!({"auto_provision": 1}),
        ] {
            assert_eq!(add(&spec, &gpu()), None, "{spec}");
            assert_eq!(read(&spec), None, "{spec}");
        }
        let spec = add(&json!({"auto_provision": {"provider_id": "p"}}), &gpu()).unwrap();
        assert_eq!(read(&spec), Some(gpu()));
    }

    #[test]
    fn a_name_that_looks_like_a_number_stays_a_text() {
        let devices = listed(&[SlotGpu {
            mapping: "007".to_owned(),
            pcie: false,
            primary: true,
        }]);
        let text = add_to_text("cores: 2\n", &devices).unwrap();
        let data: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(
            data["pci_devices"],
            json!([{"mapping": "007", "primary_gpu": true}])
        );
    }
}
