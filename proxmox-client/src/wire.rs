//! Answers as Proxmox sends them.
#![allow(clippy::struct_field_names)] // fields are called what Proxmox calls them

use serde::Deserialize;
use serde_json::{Map, Value};

mod lenient;

pub(crate) use lenient::*;

/// What every JSON answer is wrapped in. `data: null` is a success; an answer without `data` is none of
/// Proxmox's, and must not be taken for an empty list.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct Envelope<T> {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) data: Option<T>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) total: Option<u64>,
}

/// The answer to a login.
#[derive(Deserialize)]
pub(crate) struct Login {
    #[serde(default, deserialize_with = "text")]
    pub(crate) ticket: Option<String>,
    #[serde(rename = "CSRFPreventionToken", default, deserialize_with = "text")]
    pub(crate) csrf: Option<String>,
    #[serde(rename = "NeedTFA", default, deserialize_with = "flag")]
    pub(crate) need_tfa: bool,
}

#[derive(Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) release: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) repoid: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) node: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) status: Option<String>,
}

/// A row of `/cluster/status`: the cluster itself or a node.
#[derive(Deserialize)]
pub(crate) struct Member {
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) ip: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) online: bool,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) local: bool,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) quorate: bool,
}

/// A row of `/cluster/resources`.
#[derive(Deserialize)]
pub(crate) struct Guest {
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) vmid: Option<u64>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) node: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) template: bool,
    #[serde(default, deserialize_with = "text")]
    pub(crate) tags: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) lock: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) hastate: Option<String>,
}

/// A VM's options: flat, of any scalar type, open-ended.
pub(crate) type Config = Map<String, Value>;

#[derive(Deserialize)]
pub(crate) struct Pending {
    pub(crate) key: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) value: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) pending: Option<String>,
    /// 1, or 2 when forced.
    #[serde(default, deserialize_with = "flag")]
    pub(crate) delete: bool,
}

#[derive(Deserialize)]
pub(crate) struct Status {
    pub(crate) status: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) lock: Option<String>,
    #[serde(default)]
    pub(crate) ha: Value,
    #[serde(default, deserialize_with = "int")]
    pub(crate) uptime: Option<u64>,
}

impl Status {
    pub(crate) fn ha_managed(&self) -> bool {
        self.ha.get("managed").is_some_and(truth)
    }
}

/// `/tasks/UPID/status`, and a row of `/tasks`, where `status` is the exit status.
#[derive(Deserialize)]
pub(crate) struct Task {
    pub(crate) upid: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) starttime: Option<u64>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) exitstatus: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct LogLine {
    #[serde(default, deserialize_with = "text")]
    pub(crate) t: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Device {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) class: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) vendor: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) device: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) subsystem_vendor: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) subsystem_device: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) vendor_name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) device_name: Option<String>,
    /// -1 without an IOMMU.
    #[serde(default, deserialize_with = "signed")]
    pub(crate) iommugroup: Option<i64>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) mdev: bool,
}

#[derive(Deserialize)]
pub(crate) struct Mapping {
    /// Absent where the id is in the path.
    #[serde(default, deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "texts")]
    pub(crate) map: Vec<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) description: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) digest: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) mdev: bool,
    #[serde(default)]
    pub(crate) checks: Option<Vec<Check>>,
}

#[derive(Deserialize)]
pub(crate) struct Check {
    #[serde(default, deserialize_with = "text")]
    pub(crate) severity: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) message: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Storage {
    pub(crate) storage: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) content: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) active: bool,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) enabled: bool,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) shared: bool,
    #[serde(default, deserialize_with = "int")]
    pub(crate) total: Option<u64>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) avail: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Volume {
    pub(crate) volid: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) content: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) format: Option<String>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) size: Option<u64>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) ctime: Option<u64>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) vmid: Option<u64>,
}

/// What a guest agent says is wrapped once more.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct Agent<T> {
    #[serde(default = "Option::default")]
    pub(crate) result: Option<T>,
}

#[derive(Deserialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    #[serde(rename = "hardware-address", default, deserialize_with = "text")]
    pub(crate) mac: Option<String>,
    /// Absent for an interface without any.
    #[serde(rename = "ip-addresses", default)]
    pub(crate) addresses: Option<Vec<Address>>,
}

#[derive(Deserialize)]
pub(crate) struct Address {
    #[serde(rename = "ip-address", default, deserialize_with = "text")]
    pub(crate) address: Option<String>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) prefix: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct HaResource {
    pub(crate) sid: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) state: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) group: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) digest: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct HaStatus {
    pub(crate) id: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) node: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) state: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) quorate: bool,
}

/// A row of `/cluster/resources` that is no guest.
#[derive(Deserialize)]
pub(crate) struct Resource {
    pub(crate) id: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) node: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) status: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct NodeStatus {
    #[serde(default, deserialize_with = "text")]
    pub(crate) pveversion: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) kversion: Option<String>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) uptime: Option<u64>,
    #[serde(default)]
    pub(crate) memory: Value,
    #[serde(default)]
    pub(crate) cpuinfo: Value,
}

#[derive(Deserialize)]
pub(crate) struct Bridge {
    pub(crate) iface: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) active: bool,
}

#[derive(Deserialize)]
pub(crate) struct MachineType {
    pub(crate) id: String,
    #[serde(rename = "type", default, deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) version: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct MdevType {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "text")]
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) description: Option<String>,
    #[serde(default, deserialize_with = "int")]
    pub(crate) available: Option<u64>,
}

#[derive(Deserialize)]
pub(crate) struct Options {
    #[serde(default, deserialize_with = "text")]
    pub(crate) mac_prefix: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) description: Option<String>,
    #[serde(rename = "allowed-tags", default, deserialize_with = "texts")]
    pub(crate) allowed_tags: Vec<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_booleans_in_every_dress() {
        let guest = |json: &str| serde_json::from_str::<Guest>(json).unwrap();
        for (json, vmid, template) in [
            (r#"{"vmid":100,"template":1}"#, Some(100), true),
            (r#"{"vmid":"100","template":"1"}"#, Some(100), true),
            (
                r#"{"vmid":100,"template":true,"new_in_10":{}}"#,
                Some(100),
                true,
            ),
            (r#"{"vmid":null,"template":"0"}"#, None, false),
            (r#"{"vmid":[],"template":null}"#, None, false),
            ("{}", None, false),
        ] {
            let row = guest(json);
            assert_eq!((row.vmid, row.template), (vmid, template), "{json}");
        }
    }

    fn decode_all(bytes: &[u8]) {
        let _ = serde_json::from_slice::<Envelope<Vec<Guest>>>(bytes);
        let _ = serde_json::from_slice::<Envelope<Vec<Pending>>>(bytes);
        let _ = serde_json::from_slice::<Envelope<Vec<Mapping>>>(bytes);
        let _ = serde_json::from_slice::<Envelope<Vec<Device>>>(bytes);
        let _ = serde_json::from_slice::<Envelope<Task>>(bytes);
        let _ = serde_json::from_slice::<Envelope<Status>>(bytes);
        let _ = serde_json::from_slice::<Envelope<Config>>(bytes);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode_all(&bytes);
        }

        #[test]
        fn no_cut_or_odd_value_panics(
            value in prop_oneof!["null", "true", "-1", "1e99", "\"x\"", "[1]", "\\{\\}", "\"\""],
            cut in 0usize..400,
        ) {
            let keys = [
                "vmid", "node", "type", "template", "key", "value", "pending", "delete", "id", "map",
                "checks", "class", "vendor", "iommugroup", "upid", "status", "ha", "uptime", "digest",
            ];
            let fields: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{value}")).collect();
            for text in [
                format!("{{\"data\":[{{{}}}]}}", fields.join(",")),
                format!("{{\"data\":{{{}}}}}", fields.join(",")),
            ] {
                decode_all(text.as_bytes());
                decode_all(text.get(..cut.min(text.len())).unwrap_or_default().as_bytes());
            }
        }
    }
}
