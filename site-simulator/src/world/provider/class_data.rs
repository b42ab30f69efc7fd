//! `provider_data` of a machine class, as the provider reads it.

use serde_json::Value;

/// What the provider takes from a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassData {
    /// Pinned node.
    pub node: Option<String>,
    /// Cores a socket.
    pub cores: u32,
    /// Sockets.
    pub sockets: u32,
    /// Memory.
    pub memory_mib: u64,
    /// Disk.
    pub disk_gb: u64,
    /// Which storages will do (CEL).
    pub storage_selector: String,
    /// Bridges with VLAN tags, `net0` first.
    pub bridges: Vec<(String, Option<u16>)>,
    /// `q35`, …
    pub machine_type: Option<String>,
    /// CPU type.
    pub cpu_type: Option<String>,
    /// NUMA.
    pub numa: bool,
    /// Values of `hostpci0`…
    pub hostpci: Vec<String>,
}

impl ClassData {
    /// Reads the YAML text; what is missing or of another type keeps the provider's default.
    pub fn parse(text: &str) -> Self {
        let data: Value = serde_yaml::from_str(text).unwrap_or(Value::Null);
        let text_at = |key: &str| data.get(key).and_then(Value::as_str).map(str::to_owned);
        let number =
            |key: &str, default: u64| data.get(key).and_then(Value::as_u64).unwrap_or(default);
        let mut bridges = vec![bridge(&data, "network_bridge")];
        bridges.extend(list(&data, "additional_nics").map(|nic| bridge(nic, "bridge")));
        Self {
            node: text_at("node").filter(|node| !node.is_empty()),
            cores: u32::try_from(number("cores", 1)).unwrap_or(1),
            sockets: u32::try_from(number("sockets", 1)).unwrap_or(1),
            memory_mib: number("memory", 2048),
            disk_gb: number("disk_size", 10),
            storage_selector: text_at("storage_selector").unwrap_or_default(),
            bridges,
            machine_type: text_at("machine_type"),
            cpu_type: text_at("cpu_type"),
            numa: data.get("numa").and_then(Value::as_bool).unwrap_or(false),
            hostpci: list(&data, "pci_devices").map(hostpci).collect(),
        }
    }
}

fn list<'a>(data: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    data.get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn bridge(data: &Value, key: &str) -> (String, Option<u16>) {
    let name = data
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or("vmbr0")
        .to_owned();
    let vlan = data
        .get("vlan")
        .and_then(Value::as_u64)
        .and_then(|tag| u16::try_from(tag).ok());
    (name, vlan.filter(|tag| *tag != 0))
}

fn hostpci(device: &Value) -> String {
    let flag = |key: &str| device.get(key).and_then(Value::as_bool);
    let mapping = device
        .get("mapping")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut value = format!("mapping={mapping}");
    if flag("pcie") == Some(true) {
        value.push_str(",pcie=1");
    }
    if flag("primary_gpu") == Some(true) {
        value.push_str(",x-vga=1");
    }
    if flag("rombar") == Some(false) {
        value.push_str(",rombar=0");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_devices_and_nics() {
        let data = ClassData::parse(
            "node: proxmox\ncores: 4\nmemory: 32000\nnetwork_bridge: infra\nvlan: 0\nmachine_type: q35\n\
             additional_nics: [{bridge: storage, vlan: 30}]\n\
             pci_devices: [{mapping: gpu, pcie: true, primary_gpu: true, rombar: false}]\n",
        );
        assert_eq!(data.node.as_deref(), Some("proxmox"));
        assert_eq!(
            data.bridges,
            [("infra".into(), None), ("storage".into(), Some(30))]
        );
        assert_eq!(data.hostpci, ["mapping=gpu,pcie=1,x-vga=1,rombar=0"]);
        assert_eq!((data.cores, data.sockets, data.memory_mib), (4, 1, 32_000));
    }

    #[test]
    fn nonsense_keeps_defaults() {
        assert_eq!(ClassData::parse(": [").bridges, [("vmbr0".into(), None)]);
    }
}
