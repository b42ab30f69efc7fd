//! Making and removing VMs, and the writes of the infra provider, as it was recorded to make them.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::access::{Caller, Refusal};
use super::grammar;
use super::tasks::Job;
use super::vm::{self, Vm};
use super::{Cluster, generated_mac, no_such_vm};

/// Who the provider is to the cluster.
const PROVIDER: &str = "root@pam";

/// What the provider sends to make a VM.
#[derive(Debug, Clone, Default)]
pub struct CreateVm {
    /// Node.
    pub node: String,
    /// Id.
    pub vmid: u32,
    /// Name: the machine request id.
    pub name: String,
    /// SMBIOS UUID.
    pub uuid: String,
    /// Tags.
    pub tags: Vec<String>,
    /// `q35` or absent.
    pub machine: Option<String>,
    /// Bridges of `net0`… with their VLAN tags.
    pub bridges: Vec<(String, Option<u16>)>,
    /// Values of `hostpci0`…
    pub hostpci: Vec<String>,
    /// Cores a socket.
    pub cores: u32,
    /// Sockets.
    pub sockets: u32,
    /// Memory.
    pub memory_mib: u64,
    /// Disk.
    pub disk_gb: u64,
    /// Storage of the disk.
    pub storage: String,
    /// Volume id of the ISO.
    pub iso: String,
    /// CPU type, `x86-64-v2-AES` when absent.
    pub cpu: Option<String>,
    /// NUMA.
    pub numa: bool,
}

impl CreateVm {
    fn options(self) -> Vec<(String, String)> {
        let mut options = vec![
            ("name", self.name),
            ("smbios1", format!("uuid={}", self.uuid)),
            ("cdrom", self.iso),
            (
                "cpu",
                self.cpu.unwrap_or_else(|| "x86-64-v2-AES".to_owned()),
            ),
            ("cores", self.cores.to_string()),
            ("sockets", self.sockets.to_string()),
            ("memory", self.memory_mib.to_string()),
            ("scsi0", format!("{}:{}", self.storage, self.disk_gb)),
            ("scsihw", "virtio-scsi-single".to_owned()),
            ("onboot", "1".to_owned()),
            ("agent", "enabled=true".to_owned()),
        ];
        options.extend(self.machine.map(|machine| ("machine", machine)));
        options.extend(self.numa.then(|| ("numa", "1".to_owned())));
        options.extend((!self.tags.is_empty()).then(|| ("tags", self.tags.join(";"))));
        let mut options: Vec<(String, String)> = options
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        for (n, (bridge, vlan)) in self.bridges.into_iter().enumerate() {
            let tag = vlan.map(|tag| format!(",tag={tag}")).unwrap_or_default();
            options.push((
                format!("net{n}"),
                format!("virtio,bridge={bridge},firewall=1{tag}"),
            ));
        }
        let devices = self.hostpci.into_iter().enumerate();
        options.extend(devices.map(|(n, value)| (format!("hostpci{n}"), value)));
        options
    }
}

impl Cluster {
    /// Creates a VM as the provider does; it is locked for `create_takes`. Returns the task's UPID, or why the
    /// API refused.
    pub fn create_vm(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        vm: CreateVm,
        create_takes: Duration,
    ) -> Result<String, String> {
        let (node, vmid) = (vm.node.clone(), vm.vmid);
        self.create(now, rng, PROVIDER, &node, vmid, vm.options(), create_takes)
            .map_err(|refusal| refusal.message)
    }

    /// Creates a VM for an API caller.
    pub fn create_for(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        caller: &Caller,
        node: &str,
        vmid: u32,
        options: Vec<(String, String)>,
    ) -> Result<String, Refusal> {
        if !caller.may(&format!("/vms/{vmid}"), &["VM.Allocate"]) {
            return Err(Refusal::new(403, "Permission check failed"));
        }
        let takes = Duration::from_millis(rng.random_range(200..600));
        self.create(now, rng, &caller.id(), node, vmid, options, takes)
    }

    #[allow(clippy::too_many_arguments)] // one call of the API with who, where and what
    fn create(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        owner: &str,
        node: &str,
        vmid: u32,
        options: Vec<(String, String)>,
        takes: Duration,
    ) -> Result<String, Refusal> {
        self.reach(node)?;
        for (key, value) in &options {
            if !grammar::is_known(key) {
                let text = "property is not defined in schema and the schema does not allow additional properties";
                return Err(Refusal::parameter(key, text));
            }
            grammar::check(key, value).map_err(|text| Refusal::parameter(key, text))?;
        }
        if let Some(taken) = self.vms.get(&vmid) {
            let cause = format!("VM {vmid} already exists on node '{}'", taken.node);
            return Err(Refusal::new(
                500,
                format!("unable to create VM {vmid} - {cause}"),
            ));
        }
        let named = |key: &str| {
            options
                .iter()
                .find(|(k, _)| k == key)
                .map(|(_, v)| v.clone())
        };
        let mut stub = Vm {
            vmid,
            node: node.to_owned(),
            created: now,
            ..Vm::default()
        };
        stub.name = named("name").unwrap_or_default();
        stub.lock = Some("create".to_owned());
        let config = self.finished(rng, vmid, options, now);
        let job = Job::Create { config, takes };
        let upid = self.open(now, node, "qmcreate", &vmid.to_string(), owner, job);
        stub.held_by = Some(upid.clone());
        self.vms.insert(vmid, stub);
        Ok(upid)
    }

    /// What the configuration says once the disks are there.
    fn finished(
        &self,
        rng: &mut StdRng,
        vmid: u32,
        options: Vec<(String, String)>,
        now: Duration,
    ) -> Vec<(String, String)> {
        let mut config = BTreeMap::new();
        let mut disk = 0;
        // Sorted: the EFI disk is allocated before the others.
        let options: BTreeMap<String, String> = options.into_iter().collect();
        for (key, value) in options {
            let name = grammar::family(&key).map_or(key.as_str(), |(name, _)| name);
            let (key, value) = match name {
                "cdrom" => ("ide2".to_owned(), format!("{value},media=cdrom,size=1M")),
                "net" => (key, with_mac(&value, rng)),
                "tags" => (key, grammar::normal_tags(&value).unwrap_or(value)),
                "efidisk" | "scsi" | "virtio" | "sata" => {
                    disk += 1;
                    let value = allocated(&value, vmid, disk - 1, name == "efidisk");
                    (key, value)
                }
                _ => (key, value),
            };
            config.insert(key, value);
        }
        config
            .entry("boot".to_owned())
            .or_insert_with(|| "order=scsi0;ide2;net0".to_owned());
        let ctime = self.epoch + now.as_secs();
        config.insert(
            "meta".to_owned(),
            format!("creation-qemu=10.0.13,ctime={ctime}"),
        );
        let id = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        config.insert("vmgenid".to_owned(), id.to_string());
        config.into_iter().collect()
    }

    /// Adds the tag of the cloud-init step, from tags the provider read earlier.
    pub fn provider_writes_tags(&mut self, vmid: u32, now: Duration) {
        self.provider_task_on(vmid, now, "qmconfig", |vm| {
            let tags = vm.config.get("tags").cloned().unwrap_or_default();
            let tags = format!("{tags};go-proxmox+cloud-init");
            let tags = grammar::normal_tags(&tags).unwrap_or(tags);
            vm.config.insert("tags".to_owned(), tags);
        });
    }

    /// Attaches the cloud-init ISO and appends it to the boot order.
    pub fn provider_writes_cloud_init(&mut self, vmid: u32, now: Duration) {
        self.provider_task_on(vmid, now, "qmconfig", |vm| {
            let iso = format!("local:iso/user-data-{vmid}.iso,media=cdrom,size=50K");
            vm.config.insert("ide0".to_owned(), iso);
            let boot = vm.config.entry("boot".to_owned()).or_default();
            if !boot.contains("ide0") {
                boot.push_str(";ide0");
            }
        });
    }

    fn provider_task_on(
        &mut self,
        vmid: u32,
        now: Duration,
        kind: &str,
        change: impl FnOnce(&mut Vm),
    ) {
        let Some(vm) = self.vms.get_mut(&vmid) else {
            return;
        };
        change(vm);
        vm.refresh();
        let node = vm.node.clone();
        self.provider_task(
            now,
            &node,
            kind,
            &vmid.to_string(),
            Duration::from_millis(200),
        );
    }

    /// A task of the provider that only shows in the task list: `download`, `imgcopy`, `imgdel`.
    pub fn provider_task(
        &mut self,
        now: Duration,
        node: &str,
        kind: &str,
        id: &str,
        takes: Duration,
    ) -> String {
        self.open(now, node, kind, id, PROVIDER, Job::Note { takes })
    }

    /// Removes whatever has this vmid; the task fails while it runs.
    pub fn destroy_vm(
        &mut self,
        now: Duration,
        vmid: u32,
        takes: Duration,
    ) -> Result<String, String> {
        self.destroy(now, PROVIDER, vmid, takes)
            .map_err(|refusal| refusal.message)
    }

    /// Removes a VM for an API caller.
    pub fn destroy_for(
        &mut self,
        now: Duration,
        caller: &Caller,
        node: &str,
        vmid: u32,
    ) -> Result<String, Refusal> {
        caller.require(&format!("/vms/{vmid}"), &["VM.Allocate"])?;
        self.vm_on(node, vmid)?;
        self.destroy(now, &caller.id(), vmid, Duration::from_millis(500))
    }

    fn destroy(
        &mut self,
        now: Duration,
        owner: &str,
        vmid: u32,
        takes: Duration,
    ) -> Result<String, Refusal> {
        let vm = self.vms.get(&vmid).ok_or_else(|| no_such_vm("", vmid))?;
        if vm.config.get("protection").is_some_and(|v| v == "1") {
            return Err(Refusal::new(
                500,
                format!("can't remove VM {vmid} - protection mode enabled"),
            ));
        }
        if vm.running {
            return Err(Refusal::new(
                500,
                format!("VM {vmid} is running - destroy failed"),
            ));
        }
        let node = vm.node.clone();
        Ok(self.open(
            now,
            &node,
            "qmdestroy",
            &vmid.to_string(),
            owner,
            Job::Destroy { takes },
        ))
    }

    /// A VM if it is on that node.
    pub(super) fn vm_on(&self, node: &str, vmid: u32) -> Result<&Vm, Refusal> {
        self.reach(node)?;
        self.vms
            .get(&vmid)
            .filter(|vm| vm.node == node)
            .ok_or_else(|| no_such_vm(node, vmid))
    }
}

/// Gives a NIC an address where it has none.
pub(super) fn with_mac(value: &str, rng: &mut StdRng) -> String {
    let mut net = grammar::properties(value, "model").unwrap_or_default();
    if vm::net_mac(&net).is_some() {
        return value.to_owned();
    }
    let model = grammar::net_model(&net).unwrap_or("virtio").to_owned();
    if !net.is_empty() {
        net.remove(0);
    }
    let rest = net.iter().map(|(key, value)| format!(",{key}={value}"));
    format!("{model}={}{}", generated_mac(rng), rest.collect::<String>())
}

/// `local:1` becomes the volume it made.
fn allocated(value: &str, vmid: u32, disk: u32, efi: bool) -> String {
    let (volume, rest) = value
        .split_once(',')
        .map_or((value, ""), |(volume, rest)| (volume, rest));
    let Some((storage, size)) = volume.split_once(':') else {
        return value.to_owned();
    };
    let Ok(size) = size.parse::<u64>() else {
        return value.to_owned();
    };
    let size = if efi {
        "528K".to_owned()
    } else {
        format!("{size}G")
    };
    let comma = if rest.is_empty() { "" } else { "," };
    format!("{storage}:{vmid}/vm-{vmid}-disk-{disk}.raw{comma}{rest},size={size}")
}
