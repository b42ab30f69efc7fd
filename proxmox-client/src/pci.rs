//! PCI devices of a node and the cluster's PCI resource mappings.

use crate::client::Client;
use crate::error::{Error, Missing};
use crate::model::{MapEntry, PciDevice, PciMapping};
use crate::request::{Call, node_path, segment};
use crate::wire;

const MAPPINGS: &str = "/cluster/mapping/pci";

/// A type of mediated device that a device can be shared as (`…/hardware/pci/ID/mdev`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MdevType {
    /// `nvidia-256`, `i915-GVTg_V5_4`: the `mdev` key of a `hostpciN` option.
    pub kind: String,
    /// The vendor's name for it.
    pub name: Option<String>,
    /// What it gives, over several lines.
    pub description: Option<String>,
    /// How many more can be had.
    pub available: u64,
}

impl Client {
    /// Types of mediated devices of a device, named by its address or by a mapping. Needs Sys.Audit on `/`.
    ///
    /// `GET /nodes/N/hardware/pci/ID/mdev`.
    pub async fn mdev_types(
        &self,
        node: &str,
        device_or_mapping: &str,
    ) -> Result<Vec<MdevType>, Error> {
        let path = format!("/hardware/pci/{}/mdev", segment(device_or_mapping)?);
        let rows: Vec<wire::MdevType> = self.list(Call::get(node_path(node, &path)?)).await?;
        let mdev = |row: wire::MdevType| MdevType {
            kind: row.kind,
            name: row.name,
            description: row.description,
            available: row.available.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(mdev).collect())
    }

    /// PCI devices of a node, without memory controllers, bridges and processors. Needs Sys.Audit on `/`.
    /// Says nothing about who uses a device: that is in the configurations of the node's VMs.
    ///
    /// `GET /nodes/N/hardware/pci`.
    ///
    /// # Errors
    /// [`Error::Denied`] naming `/`: Sys.Audit on the node alone is not enough.
    pub async fn pci_devices(&self, node: &str) -> Result<Vec<PciDevice>, Error> {
        self.devices(Call::get(node_path(node, "/hardware/pci")?))
            .await
    }

    /// PCI devices of all classes.
    /// Bridges tell who shares an IOMMU group with whom. As [`pci_devices`](Self::pci_devices) otherwise.
    pub async fn pci_devices_of_all_classes(&self, node: &str) -> Result<Vec<PciDevice>, Error> {
        let call = Call::get(node_path(node, "/hardware/pci")?).query("pci-class-blacklist", "");
        self.devices(call).await
    }

    async fn devices(&self, call: Call) -> Result<Vec<PciDevice>, Error> {
        let rows: Vec<wire::Device> = self.list(call).await?;
        Ok(rows.into_iter().map(device).collect())
    }

    /// PCI resource mappings that the token has Mapping.Audit, Use or Modify on. With `check_node` each is
    /// compared with that node's hardware (asked over the network: the node may be unreachable).
    ///
    /// `GET /cluster/mapping/pci`, with `?check-node=N`. What the check finds is in [`PciMapping::checks`]: an
    /// error there is an error of every start on that node.
    ///
    /// # Errors
    /// A node that is down is [`Error::Server`] when it is to check; without the privilege the list is empty.
    pub async fn pci_mappings(&self, check_node: Option<&str>) -> Result<Vec<PciMapping>, Error> {
        let call = Call::get(MAPPINGS).query_opt("check-node", check_node);
        let rows: Vec<wire::Mapping> = self.list(call).await?;
        Ok(rows.into_iter().map(|row| mapping(row, "")).collect())
    }

    /// One PCI resource mapping, `None` when there is none of that id.
    ///
    /// `GET /cluster/mapping/pci/ID`; the hardware is not compared.
    pub async fn pci_mapping(&self, id: &str) -> Result<Option<PciMapping>, Error> {
        let call = Call::get(format!("{MAPPINGS}/{}", segment(id)?));
        match self.fetch(call).await {
            Ok(row) => Ok(Some(mapping(row, id))),
            Err(Error::NotFound {
                what: Missing::Mapping,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a PCI resource mapping. Proxmox does not compare it with the hardware: take every field
    /// from the node's listing. Needs Mapping.Modify on `/mapping/pci`.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the id exists.
    pub async fn create_pci_mapping(&self, mapping: &PciMapping) -> Result<(), Error> {
        let call = Call::post(MAPPINGS).param("id", &mapping.id);
        self.execute(with_content(call, mapping)?).await
    }

    /// Replaces entries and description of a mapping, guarded by the digest that was read.
    ///
    /// # Errors
    /// [`Error::Conflict`] when any mapping changed since, [`Error::NotFound`] when this one is gone.
    pub async fn update_pci_mapping(&self, mapping: &PciMapping) -> Result<(), Error> {
        let digest = mapping
            .digest
            .as_deref()
            .filter(|digest| !digest.is_empty());
        let digest =
            digest.ok_or_else(|| Error::input("a write needs the digest that was read"))?;
        let call =
            Call::put(format!("{MAPPINGS}/{}", segment(&mapping.id)?)).param("digest", digest);
        self.execute(with_content(call, mapping)?).await
    }

    /// Removes a PCI resource mapping; absent is a success. VMs that name it will no longer start.
    ///
    /// `DELETE /cluster/mapping/pci/ID`, Mapping.Modify on `/mapping/pci`. Not guarded by the digest: Proxmox
    /// takes none here.
    pub async fn delete_pci_mapping(&self, id: &str) -> Result<(), Error> {
        self.execute(Call::delete(format!("{MAPPINGS}/{}", segment(id)?)))
            .await
    }
}

fn with_content(mut call: Call, mapping: &PciMapping) -> Result<Call, Error> {
    for entry in &mapping.map {
        check_entry(entry)?;
        call = call.param("map", entry.to_string());
    }
    Ok(call
        .param_opt("description", mapping.description.as_deref())
        .param_opt("mdev", mapping.mdev.then_some("1")))
}

/// Refuses values that would read back as several.
fn check_entry(entry: &MapEntry) -> Result<(), Error> {
    let fields = [&entry.node, &entry.path, &entry.id]
        .into_iter()
        .chain(&entry.subsystem_id);
    let other = entry.other.iter().map(|(_, value)| value);
    if fields.chain(other).any(|value| value.contains([',', '\n'])) {
        return Err(Error::input(
            "a mapping entry has a comma or a line break in a value",
        ));
    }
    Ok(())
}

/// Hardware listings write `0x10de`, mappings `10de`.
fn hex(text: Option<String>) -> String {
    let text = text.unwrap_or_default().to_ascii_lowercase();
    text.strip_prefix("0x").unwrap_or(&text).to_owned()
}

fn device(row: wire::Device) -> PciDevice {
    let subsystem = match (row.subsystem_vendor, row.subsystem_device) {
        (Some(vendor), Some(device)) => {
            Some(format!("{}:{}", hex(Some(vendor)), hex(Some(device))))
        }
        _ => None,
    };
    PciDevice {
        address: row.id,
        class: hex(row.class),
        id: format!("{}:{}", hex(row.vendor), hex(row.device)),
        subsystem_id: subsystem,
        iommu_group: row.iommugroup.and_then(|group| u32::try_from(group).ok()),
        vendor_name: row.vendor_name,
        device_name: row.device_name,
        mdev: row.mdev,
    }
}

fn mapping(row: wire::Mapping, id: &str) -> PciMapping {
    let checks = row.checks.unwrap_or_default().into_iter().map(|check| {
        let message = check.message.unwrap_or_default();
        let severity = check.severity.unwrap_or_else(|| "error".to_owned());
        (severity, wire::one_line(&message))
    });
    PciMapping {
        id: row.id.unwrap_or_else(|| id.to_owned()),
        map: row.map.iter().map(|entry| MapEntry::parse(entry)).collect(),
        description: row.description,
        digest: row.digest,
        mdev: row.mdev,
        checks: checks.collect(),
    }
}
