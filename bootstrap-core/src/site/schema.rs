//! The site file's JSON schema, for editors. The reader is written by hand, because it must know where each value
//! stands; a test keeps the two in step.

#![expect(dead_code, reason = "these shapes only describe the file")]

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// A site: its systems and the clusters on it.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "camelCase",
    deny_unknown_fields,
    title = "bootstrap.yaml"
)]
struct SiteFile {
    /// Version of this format.
    #[schemars(extend("const" = 1))]
    version: u32,
    /// The site's name: marks on what is made, and reports, carry it.
    #[schemars(
        default = "default_name",
        length(max = 63),
        regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    )]
    name: String,
    omni: Omni,
    /// Proxmox clusters, one entry a provider. Without them no VM is configured.
    #[serde(default)]
    proxmox: Vec<Proxmox>,
    unifi: Option<Unifi>,
    dns: Option<Dns>,
    /// Files of machine classes, as `omnictl apply` takes them; patterns are allowed.
    machine_classes: Option<OneOrMany<String>>,
    /// PCI resource mappings, made when absent and about to be used. One without this tool's mark is used, never edited.
    #[serde(default)]
    gpu_mappings: BTreeMap<String, GpuMapping>,
    #[serde(default)]
    clusters: Vec<Cluster>,
}

fn default_name() -> String {
    "default".to_owned()
}

/// The Omni server.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Omni {
    endpoint: HttpsUrl,
    /// The key of a service account. Environment variable OMNI_SERVICE_ACCOUNT_KEY where absent.
    service_account_key: Option<Secret>,
    tls: Option<Tls>,
}

/// A Proxmox cluster and the infra provider that uses it.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Proxmox {
    /// The provider's id in Omni.
    provider: String,
    /// URL of a node, or several, tried in turn.
    endpoint: OneOrMany<HttpsUrl>,
    /// API token, `user@realm!id=secret`. Environment variable PROXMOX_VE_API_TOKEN where absent.
    api_token: Option<Secret>,
    tls: Option<Tls>,
}

/// The UniFi gateway. Without it there is no DNS and DHCP work.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Unifi {
    endpoint: HttpsUrl,
    /// Site name in its URL; `default` where absent.
    site: Option<String>,
    /// API key. Environment variable UNIFI_API_KEY where absent.
    api_key: Option<Secret>,
    tls: Option<Tls>,
}

/// An https URL without user info, query and fragment.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct HttpsUrl(
    #[schemars(regex(pattern = "^https://"))]
    String,
);

/// How a server's certificate is judged. The system's authorities where absent; the keys exclude each other.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Tls {
    /// SHA-256 fingerprints of certificates to accept.
    sha256: Option<OneOrMany<String>>,
    /// A file of PEM certificates.
    ca_file: Option<String>,
    /// No check at all.
    #[serde(default)]
    insecure: bool,
}

/// The place of a secret.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
enum Secret {
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(String),
    /// A program and its arguments, run without a shell; the first line it prints.
    Command(Vec<String>),
}

/// One value or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// Names the site needs.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Dns {
    /// Records the gateway must serve.
    #[serde(default)]
    records: Vec<Record>,
    /// What the gateway forwards to: checked and reported, never changed.
    upstream: Option<OneOrMany<String>>,
    /// The resolvers that each machine set's patches must set.
    node_resolvers: Option<OneOrMany<String>>,
    /// The server that is asked whether records are served; the gateway where absent.
    resolver: Option<String>,
}

/// A DNS record.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    name: String,
    r#type: RecordKind,
    value: String,
    /// Seconds; 0 lets the gateway choose.
    #[schemars(range(max = 86400))]
    #[serde(default)]
    ttl: u32,
}

#[derive(JsonSchema)]
enum RecordKind {
    A,
    #[schemars(rename = "AAAA")]
    Aaaa,
    #[schemars(rename = "CNAME")]
    Cname,
}

/// A PCI resource mapping.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct GpuMapping {
    /// Provider whose cluster has it.
    provider: String,
    #[schemars(length(min = 1))]
    devices: Vec<Device>,
}

/// A device, selected by its address and id. Every field that is written comes from the node's own hardware listing.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Device {
    /// Proxmox node.
    node: String,
    /// PCI address, `0000:03:00` or `0000:03:00.0`.
    #[schemars(regex(
        pattern = r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(\.[0-9a-fA-F])?$"
    ))]
    path: String,
    /// Vendor and device, `8086:56a6`.
    id: String,
}

/// A Talos cluster.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Cluster {
    /// The cluster template, as `omnictl cluster template` takes it.
    template: String,
    /// The UniFi network its machines are on, by name.
    network: Option<String>,
    /// By `control-planes` or the name of the template's Workers.
    #[serde(default)]
    machine_sets: BTreeMap<String, MachineSet>,
}

/// What a machine set needs beside its template.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct MachineSet {
    /// IPv4 addresses and ranges, `172.16.8.11-172.16.8.14`, in the order they are given out.
    addresses: Option<OneOrMany<String>>,
    /// Addresses of machines that exist, by machine UUID or MAC.
    #[serde(default)]
    pins: BTreeMap<String, String>,
    /// UniFi network, where it is not the cluster's.
    network: Option<String>,
    /// The NIC whose address is reserved; `net0` where absent.
    #[schemars(regex(pattern = r"^net([0-9]|[12][0-9]|3[01])$"))]
    nic: Option<String>,
    /// GPUs that each machine of the set has.
    #[serde(default)]
    gpu: Vec<Gpu>,
}

/// A GPU for each machine of a set.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase", deny_unknown_fields)]
struct Gpu {
    /// Name of a mapping: of `gpuMappings`, or one that exists in Proxmox.
    mapping: String,
    /// As a PCIe device; needs machine type q35.
    #[serde(default)]
    pcie: bool,
    /// As the primary display.
    #[serde(default)]
    primary: bool,
    attach: Option<super::Attach>,
}

/// The JSON schema of the site file.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(SiteFile).to_value()
}

#[cfg(test)]
mod tests {
    use super::super::{clusters, dns, endpoints, load, mappings};
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let schema = json_schema();
        for (shape, known) in [
            ("", load::SITE),
            ("Omni", endpoints::OMNI),
            ("Proxmox", endpoints::PROXMOX),
            ("Unifi", endpoints::UNIFI),
            ("Tls", endpoints::TLS),
            ("Dns", dns::DNS),
            ("Record", dns::RECORD),
            ("GpuMapping", mappings::MAPPING),
            ("Device", mappings::DEVICE),
            ("Cluster", clusters::CLUSTER),
            ("MachineSet", clusters::MACHINE_SET),
            ("Gpu", clusters::GPU),
        ] {
            let properties = if shape.is_empty() {
                &schema["properties"]
            } else {
                &schema["$defs"][shape]["properties"]
            };
            let described: BTreeSet<&str> = properties
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            assert_eq!(described, known.iter().copied().collect(), "{shape}");
        }
        let secrets = schema["$defs"]["Secret"]["oneOf"]
            .as_array()
            .unwrap()
            .iter();
        let secrets: BTreeSet<&str> = secrets
            .filter_map(|way| way["required"][0].as_str())
            .collect();
        assert_eq!(secrets, endpoints::SECRET.iter().copied().collect());
        assert_eq!(
            schema["$defs"]["RecordKind"]["enum"],
            serde_json::json!(dns::TYPES)
        );
    }
}
