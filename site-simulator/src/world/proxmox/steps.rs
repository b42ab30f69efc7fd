//! The first and the last step of a task.

use std::time::Duration;

use super::tasks::Job;
use super::{Cluster, Due, LOCK_PATIENCE, VmEvent, no_such_vm};
use crate::blueprint::Faults;
use crate::log::{Fact, Log};

const POWERDOWN_TIMEOUT: &str = "VM quit/powerdown failed - got timeout";

impl Cluster {
    /// A task's first step: take the lock file, or come again shortly.
    pub(super) fn begin(
        &mut self,
        now: Duration,
        upid: &str,
        log: &mut Log,
        events: &mut Vec<VmEvent>,
    ) {
        let Some(task) = self.task_of(upid).filter(|task| task.exit.is_none()) else {
            return;
        };
        let (job, asked) = (task.job.clone(), task.asked);
        let vmid = task.id.parse().unwrap_or(0);
        let takes = match &job {
            Job::Note { takes } => {
                let ends = now + *takes;
                return self.at(ends, Due::End(upid.to_owned()));
            }
            Job::Create { takes, .. } => {
                let (provider, request) = (self.provider.clone(), self.request(vmid));
                let node = self
                    .vms
                    .get(&vmid)
                    .map(|vm| vm.node.clone())
                    .unwrap_or_default();
                log.note(
                    now,
                    Fact::VmCreated {
                        provider,
                        node,
                        vmid,
                        request,
                    },
                );
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
                let text = format!(
                    "can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout"
                );
                return self.close(now, upid, &text);
            }
            return self.at(
                now + Duration::from_millis(100),
                Due::Begin(upid.to_owned()),
            );
        }
        if let Some(lock) = vm
            .lock
            .as_deref()
            .filter(|lock| !matches!((&job, *lock), (Job::Stop { .. }, "backup")))
        {
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
        let Some(task) = self.task_of(upid).filter(|task| task.exit.is_none()) else {
            return;
        };
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
                    log.note(
                        now,
                        Fact::VmUnlocked {
                            provider,
                            vmid,
                            request: vm.name.clone(),
                        },
                    );
                    events.push(VmEvent::Unlocked { vmid });
                }
                self.close(now, upid, "OK");
            }
            Job::Start { by_provider, .. } => {
                self.end_start(now, upid, (vmid, by_provider), log, faults, events);
            }
            Job::Stop { .. } => {
                self.pull_plug(now, vmid, log, events);
                self.close(now, upid, "OK");
            }
            Job::Shutdown { force, .. } => {
                let quiet = "QEMU Guest Agent is not running";
                self.say(
                    upid,
                    format!("{quiet} - VM {vmid} qga command 'guest-ping' failed - got timeout"),
                );
                if force {
                    self.say(upid, "VM still running - terminating now with SIGTERM");
                    self.pull_plug(now, vmid, log, events);
                }
                self.close(now, upid, if force { "OK" } else { POWERDOWN_TIMEOUT });
            }
            Job::Destroy { .. } => {
                let request = self.request(vmid);
                self.vms.remove(&vmid);
                log.note(
                    now,
                    Fact::VmDestroyed {
                        provider,
                        vmid,
                        request,
                    },
                );
                events.push(VmEvent::Destroyed { vmid });
                self.close(now, upid, "OK");
            }
        }
    }

    fn pull_plug(&mut self, now: Duration, vmid: u32, log: &mut Log, events: &mut Vec<VmEvent>) {
        let Some(vm) = self.vms.get_mut(&vmid).filter(|vm| vm.running) else {
            return;
        };
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
                    self.say(
                        upid,
                        "WARN: no efidisk configured! Using temporary efivars disk.",
                    );
                }
                let fact = Fact::VmStarted {
                    provider,
                    vmid,
                    request,
                    devices: devices.clone(),
                    by_provider,
                };
                log.note(now, fact);
                events.push(VmEvent::Started { vmid, devices });
                self.close(now, upid, if warned { "WARNINGS: 1" } else { "OK" });
            }
            Err(failed) => {
                for line in failed.lines {
                    self.say(upid, line);
                }
                let error = failed.exit;
                log.note(
                    now,
                    Fact::StartFailed {
                        provider,
                        vmid,
                        request,
                        error: error.clone(),
                    },
                );
                events.push(VmEvent::StartFailed {
                    vmid,
                    error: error.clone(),
                });
                self.close(now, upid, &error);
            }
        }
    }
}
