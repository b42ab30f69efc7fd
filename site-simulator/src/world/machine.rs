//! What runs inside the VMs: Talos, as far as Omni and the gateway see it.
//!
//! A guest boots, asks for an address, resolves Omni's name through the gateway (and does not join without an
//! answer), joins in maintenance, is given a configuration, installs, reboots with a new DHCP exchange, and runs.

use std::net::Ipv4Addr;
use std::time::Duration;

use unifi_client::Mac;

use super::proxmox::VmEvent;
use super::{Due, State, draws, omni};
use crate::log::Fact;

/// Provider id and VMID.
pub type Key = (String, u32);

/// A guest.
#[derive(Debug, Clone)]
pub struct Machine {
    /// SMBIOS UUID: the Omni machine id.
    pub uuid: String,
    /// Machine request it was made for; the VM's name.
    pub request: String,
    /// NICs.
    pub nics: Vec<Nic>,
    /// Devices QEMU holds.
    pub devices: Vec<String>,
    /// Whether QEMU runs.
    pub on: bool,
    /// Whether Talos is on the disk.
    pub installed: bool,
    /// Whether Omni has ever seen it.
    pub joined: bool,
    /// Whether it talks to Omni now.
    pub connected: bool,
    /// Whether Omni removed it for good.
    pub evicted: bool,
    /// What it is doing.
    pub stage: Stage,
    /// Talos version on its disk, without v; empty before it is installed.
    pub talos: String,
    /// The version it comes back with.
    upgrading_to: Option<String>,
    boot: u64,
}

/// A network interface.
#[derive(Debug, Clone)]
pub struct Nic {
    /// Hardware address.
    pub mac: Mac,
    /// Bridge.
    pub bridge: String,
    /// Lease.
    pub address: Option<Ipv4Addr>,
}

/// What a guest is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not in touch with Omni yet, or in maintenance.
    Maintenance,
    /// Writing Talos to the disk.
    Installing,
    /// Getting another Talos version.
    Upgrading,
    /// Between two boots.
    Rebooting,
    /// The installed system is starting.
    Booting,
    /// Its services are starting.
    Configuring,
    /// All is up.
    Running,
}

/// What a guest does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Asks for addresses.
    Dhcp,
    /// Asks for Omni's name.
    Resolve,
    /// Reaches Omni.
    Join,
    /// Starts the installer.
    Install,
    /// The installer is done.
    Installed,
    /// Another version is on the disk.
    Upgraded,
    /// The kernel was left.
    Reboot,
    /// Services are configured.
    Configured,
    /// Looks whether everything it needs is there.
    Settled,
    /// Powers off.
    PowerOff,
}

impl Stage {
    /// The number in `ClusterMachineStatuses`.
    pub fn number(self) -> u8 {
        match self {
            Self::Maintenance => 0,
            Self::Booting => 1,
            Self::Installing => 2,
            Self::Configuring => 3,
            Self::Running => 4,
            Self::Upgrading => 6,
            Self::Rebooting => 7,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Maintenance => "MAINTENANCE",
            Self::Booting => "BOOTING",
            Self::Installing => "INSTALLING",
            Self::Configuring => "CONFIGURING",
            Self::Running => "RUNNING",
            Self::Upgrading => "UPGRADING",
            Self::Rebooting => "REBOOTING",
        }
    }
}

/// A VM changed.
pub fn vm_event(state: &mut State, now: Duration, provider: &str, event: &VmEvent) {
    match event {
        VmEvent::Started { vmid, devices } => {
            started(state, now, &(provider.to_owned(), *vmid), devices);
        }
        VmEvent::Stopped { vmid } => stopped(state, now, &(provider.to_owned(), *vmid)),
        VmEvent::Destroyed { vmid } => {
            let key = (provider.to_owned(), *vmid);
            stopped(state, now, &key);
            state.machines.remove(&key);
        }
        VmEvent::ShutdownRequested { vmid } => {
            let key = (provider.to_owned(), *vmid);
            let takes = draws::power_off(&mut state.rng);
            plan(state, now + takes, &key, Step::PowerOff);
        }
        VmEvent::Unlocked { .. } | VmEvent::StartFailed { .. } => {}
    }
}

/// A planned step of a guest is due. Steps of an earlier boot are void.
pub fn happen(state: &mut State, now: Duration, key: &Key, boot: u64, step: Step) {
    if state
        .machines
        .get(key)
        .is_none_or(|machine| machine.boot != boot || !machine.on)
    {
        return;
    }
    match step {
        Step::Dhcp => dhcp(state, now, key),
        Step::Resolve => resolve(state, now, key),
        Step::Join => join(state, now, key),
        Step::Install => {
            enter(state, now, key, Stage::Installing);
            then(state, now, key, draws::install, Step::Installed);
        }
        Step::Installed => {
            let version = omni::controllers::upgrades::wanted_talos(state, key);
            set(state, key, |machine| {
                machine.installed = true;
                machine.talos = version;
            });
            enter(state, now, key, Stage::Rebooting);
            then(state, now, key, draws::leave_kernel, Step::Reboot);
        }
        Step::Upgraded => {
            enter(state, now, key, Stage::Rebooting);
            then(state, now, key, draws::leave_kernel, Step::Reboot);
        }
        Step::Reboot => {
            boot_again(state, key);
            then(state, now, key, draws::boot_to_dhcp, Step::Dhcp);
            state.wake_controllers(now);
        }
        Step::Configured => {
            enter(state, now, key, Stage::Configuring);
            then(state, now, key, draws::settle, Step::Settled);
        }
        Step::Settled => {
            if omni::controllers::may_run(state, key) {
                enter(state, now, key, Stage::Running);
            } else {
                then(state, now, key, draws::control_plane_poll, Step::Settled);
            }
        }
        Step::PowerOff => {
            if let Some(cluster) = state.proxmox.get_mut(&key.0) {
                cluster.guest_powers_off(now, key.1);
            }
        }
    }
}

/// Omni has a configuration for a machine in maintenance: it will install.
pub fn configure(state: &mut State, now: Duration, key: &Key) {
    let waiting = state.machines.get(key).is_some_and(|machine| {
        machine.on && machine.connected && !machine.installed && machine.stage == Stage::Maintenance
    });
    if waiting && !state.omni.configured.contains(key) {
        state.omni.configured.insert(key.clone());
        then(state, now, key, draws::accept_config, Step::Install);
    }
}

/// Gives an installed machine another Talos version.
pub fn upgrade(state: &mut State, now: Duration, key: &Key, version: &str) {
    set(state, key, |machine| {
        machine.upgrading_to = Some(version.to_owned());
    });
    enter(state, now, key, Stage::Upgrading);
    then(state, now, key, draws::talos_upgrade, Step::Upgraded);
}

fn started(state: &mut State, now: Duration, key: &Key, devices: &[String]) {
    let Some(vm) = state
        .proxmox
        .get(&key.0)
        .and_then(|cluster| cluster.vm(key.1))
    else {
        return;
    };
    let nics: Vec<Nic> = vm
        .macs
        .iter()
        .map(|(_, mac, bridge)| Nic {
            mac: *mac,
            bridge: bridge.clone(),
            address: None,
        })
        .collect();
    let (uuid, request) = (vm.uuid.clone(), vm.name.clone());
    let known = state
        .machines
        .get(key)
        .filter(|machine| machine.uuid == uuid)
        .cloned();
    let mut machine = known.unwrap_or_else(|| Machine {
        uuid,
        request,
        nics: Vec::new(),
        devices: Vec::new(),
        on: false,
        installed: false,
        joined: false,
        connected: false,
        evicted: false,
        stage: Stage::Maintenance,
        talos: String::new(),
        upgrading_to: None,
        boot: 0,
    });
    machine.nics = nics;
    machine.devices = devices.to_vec();
    machine.on = true;
    machine.boot += 1;
    state.machines.insert(key.clone(), machine);
    state.omni.configured.remove(key);
    then(state, now, key, draws::boot_to_dhcp, Step::Dhcp);
}

fn stopped(state: &mut State, now: Duration, key: &Key) {
    let Some(machine) = state.machines.get_mut(key) else {
        return;
    };
    machine.on = false;
    machine.connected = false;
    machine.boot += 1;
    machine.devices.clear();
    if machine.installed {
        machine.stage = Stage::Rebooting;
    } else {
        machine.stage = Stage::Maintenance;
    }
    for nic in &machine.nics {
        state.gateway.goes_offline(nic.mac);
    }
    state.wake_controllers(now);
}

/// The guest reboots; QEMU stays.
fn boot_again(state: &mut State, key: &Key) {
    if let Some(machine) = state.machines.get_mut(key) {
        machine.boot += 1;
        machine.connected = false;
        for nic in &mut machine.nics {
            nic.address = None;
        }
    }
}

fn dhcp(state: &mut State, now: Duration, key: &Key) {
    let Some(machine) = state.machines.get_mut(key) else {
        return;
    };
    for nic in &mut machine.nics {
        nic.address = state.gateway.dhcp_exchange(
            now,
            &mut state.log,
            nic.mac,
            &nic.bridge,
            &machine.request,
        );
    }
    if machine
        .nics
        .first()
        .is_some_and(|nic| nic.address.is_some())
    {
        then(state, now, key, draws::dhcp_to_resolve, Step::Resolve);
    } else {
        then(state, now, key, draws::dhcp_retry, Step::Dhcp);
    }
}

fn resolve(state: &mut State, now: Duration, key: &Key) {
    let answer = state
        .gateway
        .resolve(now, &state.faults, &state.blueprint.omni_name);
    if answer.contains(&state.blueprint.omni_address) {
        then(state, now, key, draws::resolve_to_join, Step::Join);
    } else {
        then(state, now, key, draws::resolve_retry, Step::Resolve);
    }
}

fn join(state: &mut State, now: Duration, key: &Key) {
    let Some(machine) = state.machines.get_mut(key) else {
        return;
    };
    machine.connected = true;
    if !machine.joined {
        machine.joined = true;
        let fact = Fact::Joined {
            request: machine.request.clone(),
            uuid: machine.uuid.clone(),
        };
        state.log.note(now, fact);
    }
    if let Some(version) = machine.upgrading_to.take() {
        machine.talos = version;
    }
    if machine.installed {
        enter(state, now, key, Stage::Booting);
        then(state, now, key, draws::configure, Step::Configured);
    } else {
        machine.stage = Stage::Maintenance;
    }
    state.wake_controllers(now);
}

fn enter(state: &mut State, now: Duration, key: &Key, reached: Stage) {
    let Some(machine) = state.machines.get_mut(key) else {
        return;
    };
    machine.stage = reached;
    let fact = Fact::Stage {
        request: machine.request.clone(),
        stage: reached.name().to_owned(),
    };
    state.log.note(now, fact);
    state.wake_controllers(now);
}

fn set(state: &mut State, key: &Key, change: impl FnOnce(&mut Machine)) {
    if let Some(machine) = state.machines.get_mut(key) {
        change(machine);
    }
}

fn plan(state: &mut State, at: Duration, key: &Key, step: Step) {
    if let Some(machine) = state.machines.get(key) {
        state.queue.push(
            at,
            Due::Machine {
                key: key.clone(),
                boot: machine.boot,
                step,
            },
        );
    }
}

fn then(
    state: &mut State,
    now: Duration,
    key: &Key,
    draw: fn(&mut rand::rngs::StdRng) -> Duration,
    step: Step,
) {
    let takes = draw(&mut state.rng);
    plan(state, now + takes, key, step);
}
