//! Starting and stopping: what is asked for.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::access::{Caller, Refusal};
use super::tasks::Job;
use super::{Cluster, Due, VmEvent, grammar, no_such_vm};
use crate::log::Fact;

impl Cluster {
    /// Starts a VM; the task says how it went.
    pub fn start_vm(
        &mut self,
        now: Duration,
        vmid: u32,
        takes: Duration,
        by_provider: bool,
    ) -> Result<String, String> {
        self.power(
            now,
            "qmstart",
            vmid,
            "root@pam",
            Job::Start { takes, by_provider },
        )
    }

    /// Ends QEMU at once; a stopped VM is fine.
    pub fn stop_vm(&mut self, now: Duration, vmid: u32, takes: Duration) -> Result<String, String> {
        self.power(now, "qmstop", vmid, "root@pam", Job::Stop { takes })
    }

    fn power(
        &mut self,
        now: Duration,
        kind: &str,
        vmid: u32,
        owner: &str,
        job: Job,
    ) -> Result<String, String> {
        let vm = self
            .vms
            .get(&vmid)
            .ok_or_else(|| no_such_vm("", vmid).message)?;
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
        let job = Job::Start {
            takes: self.start_takes(rng, vmid),
            by_provider: false,
        };
        self.power_for(now, caller, node, vmid, "start", job)
    }

    /// Stops, for an API caller.
    pub fn stop_for(
        &mut self,
        now: Duration,
        caller: &Caller,
        node: &str,
        vmid: u32,
    ) -> Result<String, Refusal> {
        let job = Job::Stop {
            takes: Duration::from_millis(300),
        };
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
        let job = Job::Shutdown {
            timeout,
            force,
            restart: None,
        };
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
        let job = Job::Shutdown {
            timeout,
            force: false,
            restart,
        };
        self.power_for(now, caller, node, vmid, "reboot", job)
    }

    /// Resets, for an API caller. QEMU goes on, so nothing pending is applied.
    pub fn reset_for(
        &mut self,
        now: Duration,
        caller: &Caller,
        node: &str,
        vmid: u32,
    ) -> Result<String, Refusal> {
        caller.require(&format!("/vms/{vmid}"), &["VM.PowerMgmt"])?;
        if !self.vm_on(node, vmid)?.running {
            return Err(Refusal::new(500, format!("VM {vmid} not running")));
        }
        let job = Job::Note {
            takes: Duration::from_millis(100),
        };
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
            let wish = if verb == "start" {
                "started"
            } else {
                "stopped"
            };
            let job = Job::Note {
                takes: Duration::from_millis(100),
            };
            let upid = self.open(now, node, kind, &vmid.to_string(), &caller.id(), job);
            self.say(
                &upid,
                format!(
                    "Requesting HA {} for VM {vmid}",
                    kind.trim_start_matches("ha")
                ),
            );
            if let Some(vm) = self.vms.get_mut(&vmid) {
                vm.ha_state = Some(wish.to_owned());
            }
            return Ok(upid);
        }
        Ok(self.open(
            now,
            node,
            &format!("qm{verb}"),
            &vmid.to_string(),
            &caller.id(),
            job,
        ))
    }

    fn start_takes(&self, rng: &mut StdRng, vmid: u32) -> Duration {
        let devices = self.vms.get(&vmid).is_some_and(|vm| {
            vm.intended()
                .keys()
                .any(|key| grammar::family(key).is_some_and(|(name, _)| name == "hostpci"))
        });
        let range = if devices { 1000..4900 } else { 300..1000 };
        Duration::from_millis(rng.random_range(range))
    }

    /// The guest powered itself off: QEMU ends, and with it a shutdown that waited for this.
    pub fn guest_powers_off(&mut self, now: Duration, vmid: u32) {
        self.broadcast(now);
        let Some(vm) = self.vms.get_mut(&vmid).filter(|vm| vm.running) else {
            return;
        };
        vm.went_off();
        let waiting = vm.held_by.clone();
        let (event, fact) = self.stopped(vmid);
        self.at(now, Due::Tell(event, fact));
        let Some(upid) = waiting else { return };
        match self.task_of(&upid).map(|task| task.job.clone()) {
            Some(Job::Shutdown {
                restart: Some(takes),
                ..
            }) => {
                let job = Job::Start {
                    takes,
                    by_provider: false,
                };
                if let Some(task) = self.tasks.iter_mut().rev().find(|task| task.upid == upid) {
                    task.job = job;
                }
                self.at(now + takes, Due::End(upid));
            }
            Some(Job::Shutdown { .. }) => self.close(now, &upid, "OK"),
            _ => {}
        }
    }

    pub(super) fn request(&self, vmid: u32) -> String {
        self.vms
            .get(&vmid)
            .map(|vm| vm.name.clone())
            .unwrap_or_default()
    }

    pub(super) fn stopped(&self, vmid: u32) -> (VmEvent, Fact) {
        let fact = Fact::VmStopped {
            provider: self.provider.clone(),
            vmid,
            request: self.request(vmid),
        };
        (VmEvent::Stopped { vmid }, fact)
    }
}
