//! Starting and stopping, with the checks a start makes and the texts it fails with.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::access::{Caller, Refusal};
use super::grammar::{self, Properties};
use super::tasks::Job;
use super::{Cluster, Due, LOCK_PATIENCE, VmEvent, mapping, no_such_vm};
use crate::blueprint::Faults;
use crate::log::{Fact, Log};

const POWERDOWN_TIMEOUT: &str = "VM quit/powerdown failed - got timeout";
const Q35_MISSING: &str = "q35 machine model is not enabled at /usr/share/perl5/PVE/QemuServer/PCI.pm line 510.";

/// A device picked for a start.
struct Pick {
    label: String,
    addresses: Vec<String>,
}

/// Why a start failed: exit status and the lines logged before it.
struct Failed {
    exit: String,
    lines: Vec<String>,
}

impl From<String> for Failed {
    fn from(exit: String) -> Self {
        Self { exit, lines: Vec::new() }
    }
}

impl Cluster {
    /// Starts a VM; the task says how it went.
    pub fn start_vm(
        &mut self,
        now: Duration,
        vmid: u32,
        takes: Duration,
        by_provider: bool,
    ) -> Result<String, String> {
        self.power(now, "qmstart", vmid, "root@pam", Job::Start { takes, by_provider })
    }

    /// Ends QEMU at once; a stopped VM is fine.
    pub fn stop_vm(&mut self, now: Duration, vmid: u32, takes: Duration) -> Result<String, String> {
        self.power(now, "qmstop", vmid, "root@pam", Job::Stop { takes })
    }

    fn power(&mut self, now: Duration, kind: &str, vmid: u32, owner: &str, job: Job) -> Result<String, String> {
        let vm = self.vms.get(&vmid).ok_or_else(|| no_such_vm("", vmid).message)?;
        let node = vm.node.clone();
        Ok(self.open(now, &node, kind, &vmid.to_string(), owner, job))
    }

    /// Starts, for an API caller. `start` takes 0.3-1 s and up to 4.9 s with PCI devices, as recorded.
    pub fn start_for(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        caller: &Caller,
        node: &str,
        vmid: u32,
    ) -> Result<String, Refusal> {
        let job = Job::Start { takes: self.start_takes(rng, vmid), by_provider: false };
        self.power_for(now, caller, node, vmid, "start", job)
    }

    /// Stops, for an API caller.
    pub fn stop_for(&mut self, now: Duration, caller: &Caller, node: &str, vmid: u32) -> Result<String, Refusal> {
        let job = Job::Stop { takes: Duration::from_millis(300) };
        self.power_for(now, caller, node, vmid, "stop", job)
    }

    /// Asks the guest to power off, for an API caller; `force` ends QEMU at the timeout.
    pub fn shutdown_for(
        &mut self,
        now: Duration,
        caller: &Caller,
        (node, vmid): (&str, u32),
        timeout: Duration,
        force: bool,
    ) -> Result<String, Refusal> {
        let job = Job::Shutdown { timeout, force, restart: None };
        self.power_for(now, caller, node, vmid, "shutdown", job)
    }

    /// Shuts down and starts again, for an API caller.
    pub fn reboot_for(
        &mut self,
        now: Duration,
        rng: &mut StdRng,
        caller: &Caller,
        (node, vmid): (&str, u32),
        timeout: Duration,
    ) -> Result<String, Refusal> {
        caller.require(&format!("/vms/{vmid}"), &["VM.PowerMgmt"])?;
        if !self.vm_on(node, vmid)?.running {
            return Err(Refusal::new(500, format!("VM {vmid} not running")));
        }
        let restart = Some(self.start_takes(rng, vmid));
        let job = Job::Shutdown { timeout, force: false, restart };
        self.power_for(now, caller, node, vmid, "reboot", job)
    }

    /// Resets, for an API caller. QEMU goes on, so nothing pending is applied.
    pub fn reset_for(&mut self, now: Duration, caller: &Caller, node: &str, vmid: u32) -> Result<String, Refusal> {
        caller.require(&format!("/vms/{vmid}"), &["VM.PowerMgmt"])?;
        if !self.vm_on(node, vmid)?.running {
            return Err(Refusal::new(500, format!("VM {vmid} not running")));
        }
        let job = Job::Note { takes: Duration::from_millis(100) };
        self.power_for(now, caller, node, vmid, "reset", job)
    }

    fn power_for(
        &mut self,
        now: Duration,
        caller: &Caller,
        node: &str,
        vmid: u32,
        verb: &str,
        job: Job,
    ) -> Result<String, Refusal> {
        caller.require(&format!("/vms/{vmid}"), &["VM.PowerMgmt"])?;
        let vm = self.vm_on(node, vmid)?;
        // The HA manager owns the state of its guests: the task only writes the wish.
        if vm.ha_state.is_some() && matches!(verb, "start" | "stop" | "shutdown") {
            let kind = if verb == "start" { "hastart" } else { "hastop" };
            let wish = if verb == "start" { "started" } else { "stopped" };
            let job = Job::Note { takes: Duration::from_millis(100) };
            let upid = self.open(now, node, kind, &vmid.to_string(), &caller.id(), job);
            self.say(&upid, format!("Requesting HA {} for VM {vmid}", kind.trim_start_matches("ha")));
            if let Some(vm) = self.vms.get_mut(&vmid) {
                vm.ha_state = Some(wish.to_owned());
            }
            return Ok(upid);
        }
        Ok(self.open(now, node, &format!("qm{verb}"), &vmid.to_string(), &caller.id(), job))
    }

    fn start_takes(&self, rng: &mut StdRng, vmid: u32) -> Duration {
        let devices = self.vms.get(&vmid).is_some_and(|vm| {
            vm.intended().keys().any(|key| grammar::family(key).is_some_and(|(name, _)| name == "hostpci"))
        });
        let range = if devices { 1000..4900 } else { 300..1000 };
        Duration::from_millis(rng.random_range(range))
    }

    /// The guest powered itself off: QEMU ends, and with it a shutdown that waited for this.
    pub fn guest_powers_off(&mut self, now: Duration, vmid: u32) {
        self.broadcast(now);
        let Some(vm) = self.vms.get_mut(&vmid).filter(|vm| vm.running) else { return };
        vm.went_off();
        let waiting = vm.held_by.clone();
        let (event, fact) = self.stopped(vmid);
        self.at(now, Due::Tell(event, fact));
        let Some(upid) = waiting else { return };
        match self.task_of(&upid).map(|task| task.job.clone()) {
            Some(Job::Shutdown { restart: Some(takes), .. }) => {
                let job = Job::Start { takes, by_provider: false };
                if let Some(task) = self.tasks.iter_mut().rev().find(|task| task.upid == upid) {
                    task.job = job;
                }
                self.at(now + takes, Due::End(upid));
            }
            Some(Job::Shutdown { .. }) => self.close(now, &upid, "OK"),
            _ => {}
        }
    }

    fn request(&self, vmid: u32) -> String {
        self.vms.get(&vmid).map(|vm| vm.name.clone()).unwrap_or_default()
    }

    fn stopped(&self, vmid: u32) -> (VmEvent, Fact) {
        let fact = Fact::VmStopped { provider: self.provider.clone(), vmid, request: self.request(vmid) };
        (VmEvent::Stopped { vmid }, fact)
    }

    /// A task's first step: take the lock file, or come again shortly.
    pub(super) fn begin(&mut self, now: Duration, upid: &str, log: &mut Log, events: &mut Vec<VmEvent>) {
        let Some(task) = self.task_of(upid).filter(|task| task.exit.is_none()) else { return };
        let (job, asked) = (task.job.clone(), task.asked);
        let vmid = task.id.parse().unwrap_or(0);
        let takes = match &job {
            Job::Note { takes } => {
                let ends = now + *takes;
                return self.at(ends, Due::End(upid.to_owned()));
            }
            Job::Create { takes, .. } => {
                let (provider, request) = (self.provider.clone(), self.request(vmid));
                let node = self.vms.get(&vmid).map(|vm| vm.node.clone()).unwrap_or_default();
                log.note(now, Fact::VmCreated { provider, node, vmid, request });
                let ends = now + *takes;
                return self.at(ends, Due::End(upid.to_owned()));
            }
            Job::Start { takes, .. } | Job::Stop { takes } | Job::Destroy { takes } => *takes,
            Job::Shutdown { timeout, .. } => *timeout,
        };
        let Some(vm) = self.vms.get_mut(&vmid) else {
            let node = upid.split(':').nth(1).unwrap_or_default();
            return self.close(now, upid, &no_such_vm(node, vmid).message);
        };
        if vm.held_by.as_deref().is_some_and(|holder| holder != upid) {
            if now >= asked + LOCK_PATIENCE {
                let text = format!("can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout");
                return self.close(now, upid, &text);
            }
            return self.at(now + Duration::from_millis(100), Due::Begin(upid.to_owned()));
        }
        if let Some(lock) = vm.lock.as_deref().filter(|lock| !matches!((&job, *lock), (Job::Stop { .. }, "backup"))) {
            let text = format!("VM is locked ({lock})");
            return self.close(now, upid, &text);
        }
        if matches!(job, Job::Shutdown { .. }) && !vm.running {
            return self.close(now, upid, "OK");
        }
        vm.held_by = Some(upid.to_owned());
        if matches!(job, Job::Shutdown { .. }) {
            events.push(VmEvent::ShutdownRequested { vmid });
        }
        self.at(now + takes, Due::End(upid.to_owned()));
    }

    /// A task's last step.
    pub(super) fn end(
        &mut self,
        now: Duration,
        upid: &str,
        log: &mut Log,
        faults: &Faults,
        events: &mut Vec<VmEvent>,
    ) {
        let Some(task) = self.task_of(upid).filter(|task| task.exit.is_none()) else { return };
        let job = task.job.clone();
        let vmid: u32 = task.id.parse().unwrap_or(0);
        let provider = self.provider.clone();
        match job {
            Job::Note { .. } => self.close(now, upid, "OK"),
            Job::Create { config, .. } => {
                if let Some(vm) = self.vms.get_mut(&vmid) {
                    vm.config = config.into_iter().collect();
                    vm.lock = None;
                    vm.refresh();
                    log.note(now, Fact::VmUnlocked { provider, vmid, request: vm.name.clone() });
                    events.push(VmEvent::Unlocked { vmid });
                }
                self.close(now, upid, "OK");
            }
            Job::Start { by_provider, .. } => self.end_start(now, upid, (vmid, by_provider), log, faults, events),
            Job::Stop { .. } => {
                self.pull_plug(now, vmid, log, events);
                self.close(now, upid, "OK");
            }
            Job::Shutdown { force, .. } => {
                let quiet = "QEMU Guest Agent is not running";
                self.say(upid, format!("{quiet} - VM {vmid} qga command 'guest-ping' failed - got timeout"));
                if force {
                    self.say(upid, "VM still running - terminating now with SIGTERM");
                    self.pull_plug(now, vmid, log, events);
                }
                self.close(now, upid, if force { "OK" } else { POWERDOWN_TIMEOUT });
            }
            Job::Destroy { .. } => {
                let request = self.request(vmid);
                self.vms.remove(&vmid);
                log.note(now, Fact::VmDestroyed { provider, vmid, request });
                events.push(VmEvent::Destroyed { vmid });
                self.close(now, upid, "OK");
            }
        }
    }

    fn pull_plug(&mut self, now: Duration, vmid: u32, log: &mut Log, events: &mut Vec<VmEvent>) {
        let Some(vm) = self.vms.get_mut(&vmid).filter(|vm| vm.running) else { return };
        vm.went_off();
        // Cleaning up after a stop applies what waited for it.
        vm.apply_pending();
        let (event, fact) = self.stopped(vmid);
        log.note(now, fact);
        events.push(event);
    }

    fn end_start(
        &mut self,
        now: Duration,
        upid: &str,
        (vmid, by_provider): (u32, bool),
        log: &mut Log,
        faults: &Faults,
        events: &mut Vec<VmEvent>,
    ) {
        let (provider, request) = (self.provider.clone(), self.request(vmid));
        if let Some(vm) = self.vms.get_mut(&vmid)
            && vm.running
        {
            return self.close(now, upid, &format!("VM {vmid} already running"));
        }
        if let Some(vm) = self.vms.get_mut(&vmid) {
            vm.apply_pending();
        }
        match self.pick_devices(vmid, faults) {
            Ok(picks) => {
                let devices: Vec<String> = picks.iter().map(|pick| pick.label.clone()).collect();
                let mut warned = false;
                if let Some(vm) = self.vms.get_mut(&vmid) {
                    vm.running = true;
                    vm.started = Some(now);
                    vm.running_devices.clone_from(&devices);
                    vm.held_addresses = picks.into_iter().flat_map(|pick| pick.addresses).collect();
                    warned = vm.config.get("bios").is_some_and(|bios| bios == "ovmf")
                        && !vm.config.contains_key("efidisk0");
                }
                if warned {
                    self.say(upid, "WARN: no efidisk configured! Using temporary efivars disk.");
                }
                let fact = Fact::VmStarted { provider, vmid, request, devices: devices.clone(), by_provider };
                log.note(now, fact);
                events.push(VmEvent::Started { vmid, devices });
                self.close(now, upid, if warned { "WARNINGS: 1" } else { "OK" });
            }
            Err(failed) => {
                for line in failed.lines {
                    self.say(upid, line);
                }
                let error = failed.exit;
                log.note(now, Fact::StartFailed { provider, vmid, request, error: error.clone() });
                events.push(VmEvent::StartFailed { vmid, error: error.clone() });
                self.close(now, upid, &error);
            }
        }
    }

    /// What a start does about `hostpciN`: look the mapping up, compare it with the hardware, want q35 for PCIe,
    /// take the first free alternative, bind it.
    fn pick_devices(&self, vmid: u32, faults: &Faults) -> Result<Vec<Pick>, Failed> {
        let Some(vm) = self.vms.get(&vmid) else {
            return Err(no_such_vm("", vmid).message.into());
        };
        let q35 = vm.config.get("machine").is_some_and(|m| m.starts_with("q35") || m.starts_with("pc-q35"));
        let hostpci = |key: &String| grammar::family(key).is_some_and(|(name, _)| name == "hostpci");
        let mut picks: Vec<Pick> = Vec::new();
        for (key, value) in vm.config.iter().filter(|(key, _)| hostpci(key)) {
            let wanted = grammar::properties(value, "host").map_err(Failed::from)?;
            let alternatives = self.alternatives(&vm.node, &wanted)?;
            if grammar::is_on(&wanted, "pcie") && !q35 {
                return Err(Q35_MISSING.to_owned().into());
            }
            let pick = self.choose(vmid, &vm.node, key, alternatives, &picks)?;
            let taken = |address: &&String| picks.iter().any(|pick| pick.addresses.contains(address));
            if let Some(address) = pick.addresses.iter().find(taken) {
                return Err(format!("device '{address}' assigned more than once").into());
            }
            picks.push(pick);
        }
        if let Some(address) = picks.iter().find_map(|pick| pick.addresses.first())
            && faults.vfio_bind_fails
        {
            return Err(format!("Cannot bind {address} to vfio").into());
        }
        Ok(picks)
    }

    fn alternatives(&self, node: &str, wanted: &Properties) -> Result<Vec<Pick>, Failed> {
        let devices = self.devices_of(node);
        let Some(id) = grammar::property(wanted, "mapping") else {
            let host = grammar::property(wanted, "host").unwrap_or_default();
            let addresses = host.split(';').flat_map(|path| raw_addresses(path, devices)).collect();
            return Ok(vec![Pick { label: format!("host={host}"), addresses }]);
        };
        let mapping = self.mappings.get(id);
        let entries = mapping.map(|mapping| mapping::entries_of(mapping, node)).unwrap_or_default();
        if entries.is_empty() {
            let exit = format!("PCI device mapping not found for '{id}'");
            return Err(Failed { lines: vec![exit.clone()], exit });
        }
        let mdev = mapping.is_some_and(|mapping| mapping.mdev);
        for entry in &entries {
            mapping::validate(id, entry, mdev, devices).map_err(|text| {
                let exit = format!("PCI device mapping invalid (hardware probably changed): {text}");
                Failed { lines: vec![exit.clone(), String::new()], exit: format!("{exit} ") }
            })?;
        }
        let pick = |entry: &Properties| Pick {
            label: id.to_owned(),
            addresses: mapping::addresses_of(entry, devices),
        };
        Ok(entries.iter().map(pick).collect())
    }

    fn choose(
        &self,
        vmid: u32,
        node: &str,
        key: &str,
        alternatives: Vec<Pick>,
        picks: &[Pick],
    ) -> Result<Pick, Failed> {
        let holder = |address: &String| {
            let others = self.vms.values().filter(|vm| vm.node == node && vm.vmid != vmid && vm.running);
            others.filter(|vm| vm.held_addresses.contains(address)).map(|vm| vm.vmid).next()
        };
        let several = alternatives.len() > 1;
        for pick in alternatives {
            let busy = pick.addresses.iter().find_map(|address| Some((address.clone(), holder(address)?)));
            match busy {
                None if several && pick.addresses.iter().any(|a| picks.iter().any(|p| p.addresses.contains(a))) => {}
                None => return Ok(pick),
                Some((address, holder)) if !several => {
                    let text = format!("PCI device '{address}' already in use by VMID '{holder}'");
                    return Err(text.into());
                }
                Some(_) => {}
            }
        }
        Err(format!("could not find a free device for '{key}'").into())
    }
}

/// A raw `host=` path, with or without domain and function.
fn raw_addresses(path: &str, devices: &[proxmox_client::PciDevice]) -> Vec<String> {
    let full = if path.matches(':').count() == 1 { format!("0000:{path}") } else { path.to_owned() };
    mapping::addresses_of(&vec![("path".to_owned(), full)], devices)
}
