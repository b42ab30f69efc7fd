//! Writing a VM's configuration: checks in the API's order, digest, locks, the pending section.

use std::time::Duration;

use rand::rngs::StdRng;

use super::access::{Caller, Refusal};
use super::create::with_mac;
use super::grammar::{self, Need};
use super::tasks::Job;
use super::vm::Change;
use super::{Cluster, LOCK_PATIENCE};
use crate::blueprint::Faults;
use crate::log::{Fact, Log};

/// A write of `PUT` or `POST …/config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Write {
    /// Options and their values.
    pub set: Vec<(String, String)>,
    /// Options to remove.
    pub delete: Vec<String>,
    /// Options whose pending change is dropped.
    pub revert: Vec<String>,
    /// What the configuration must still be; empty is no condition.
    pub digest: Option<String>,
    /// Ask for the lock to be ignored.
    pub skiplock: bool,
}

/// What came of trying to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It was written, or refused.
    Done(Result<(), Refusal>),
    /// Something else holds the file: try again at this time.
    Wait(Duration),
}

impl Cluster {
    /// Until when writes to a VM stall, by fault.
    pub fn writes_stall_until(
        &self,
        now: Duration,
        vmid: u32,
        faults: &Faults,
    ) -> Option<Duration> {
        let stall = Duration::try_from_secs_f64(faults.config_writes_stall_seconds).ok()?;
        let until = self.vms.get(&vmid)?.created + stall;
        (now < until).then_some(until)
    }

    /// Tries a write that was first tried at `since`. A refused write of several options may have left some of
    /// them in the pending section, as the real thing does.
    #[allow(clippy::too_many_arguments)] // one call of the API with the world around it
    pub fn write_config(
        &mut self,
        now: Duration,
        since: Duration,
        rng: &mut StdRng,
        log: &mut Log,
        caller: &Caller,
        (node, vmid): (&str, u32),
        write: &Write,
    ) -> Attempt {
        if let Err(refusal) = self.may_write(caller, node, vmid, write) {
            return Attempt::Done(Err(refusal));
        }
        let Some(vm) = self.vms.get(&vmid) else {
            return Attempt::Done(Err(super::no_such_vm(node, vmid)));
        };
        if vm.held_by.is_some() && vm.lock.is_none() {
            if now >= since + LOCK_PATIENCE {
                let text = format!(
                    "can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout"
                );
                return Attempt::Done(Err(Refusal::new(500, text)));
            }
            return Attempt::Wait(now + Duration::from_millis(50));
        }
        let digest = write.digest.as_deref().filter(|digest| !digest.is_empty());
        if digest.is_some_and(|digest| digest != vm.digest()) {
            return Attempt::Done(Err(Refusal::new(
                500,
                "checksum mismatch (file change by other user?)",
            )));
        }
        if let Some(lock) = vm.lock.as_deref().filter(|_| !write.skiplock) {
            return Attempt::Done(Err(Refusal::new(500, format!("VM is locked ({lock})"))));
        }
        let written = self.write_pending(caller, vmid, write, rng);
        if written.is_ok() {
            self.settle(vmid);
            for key in write.set.iter().map(|(key, _)| key).chain(&write.delete) {
                let provider = self.provider.clone();
                log.note(
                    now,
                    Fact::ConfigWritten {
                        provider,
                        vmid,
                        key: key.clone(),
                    },
                );
            }
        }
        Attempt::Done(written)
    }

    /// Notes a finished asynchronous write as the task it was.
    pub fn config_task(
        &mut self,
        now: Duration,
        caller: &Caller,
        node: &str,
        vmid: u32,
        write: &Write,
    ) -> String {
        let set = write
            .set
            .iter()
            .map(|(key, value)| format!(" -{key} {value}"));
        let delete = write.delete.iter().map(|key| format!(" -delete {key}"));
        let line = format!("update VM {vmid}:{}", set.chain(delete).collect::<String>());
        let job = Job::Note {
            takes: Duration::from_millis(100),
        };
        let upid = self.open(now, node, "qmconfig", &vmid.to_string(), &caller.id(), job);
        self.say(&upid, line);
        upid
    }

    /// A person at the node's shell sets an option, also one the API refuses to everybody else; empty removes it.
    pub fn set_by_hand(&mut self, vmid: u32, key: &str, value: &str) {
        let change = if value.is_empty() {
            Change::Delete
        } else {
            Change::Set(value.to_owned())
        };
        if let Some(vm) = self.vms.get_mut(&vmid) {
            vm.pending.insert(key.to_owned(), change);
        }
        self.settle(vmid);
    }

    /// A person locks or unlocks a VM.
    pub fn lock_by_hand(&mut self, vmid: u32, lock: Option<&str>) {
        if let Some(vm) = self.vms.get_mut(&vmid) {
            vm.lock = lock.map(str::to_owned);
        }
    }

    /// Checks that need no lock: options, formats, privileges.
    fn may_write(
        &self,
        caller: &Caller,
        node: &str,
        vmid: u32,
        write: &Write,
    ) -> Result<(), Refusal> {
        for (key, value) in &write.set {
            if !grammar::is_known(key) {
                let text = "property is not defined in schema and the schema does not allow additional properties";
                return Err(Refusal::parameter(key, text));
            }
            grammar::check(key, value).map_err(|text| Refusal::parameter(key, text))?;
            let romfile = is_hostpci(key)
                && grammar::properties(value, "host")
                    .is_ok_and(|p| grammar::property(&p, "romfile").is_some());
            if romfile && !caller.is_root_ticket() {
                return Err(Refusal::parameter(
                    key,
                    "only root@pam can set 'romfile' option",
                ));
            }
        }
        if write.skiplock && !caller.is_root_ticket() {
            return Err(Refusal::parameter(
                "skiplock",
                "Only root may use this option.",
            ));
        }
        if write.set.is_empty() && write.delete.is_empty() && write.revert.is_empty() {
            return Err(Refusal::new(500, "no options specified"));
        }
        for key in &write.delete {
            if !grammar::is_known(key) {
                return Err(Refusal::parameter(
                    "delete",
                    format!("unknown option '{key}'"),
                ));
            }
            if write.set.iter().any(|(set, _)| set == key) {
                let text = format!("you can't use '-{key}' and -delete {key}' at the same time");
                return Err(Refusal::parameter("delete", text));
            }
        }
        let revert = write.revert.iter().find(|key| !grammar::is_known(key));
        if let Some(key) = revert {
            return Err(Refusal::parameter(
                "revert",
                format!("unknown option '{key}'"),
            ));
        }
        for key in write
            .set
            .iter()
            .map(|(key, _)| key)
            .chain(&write.delete)
            .chain(&write.revert)
        {
            match grammar::need(key) {
                Need::Privilege(name) => caller.require(&format!("/vms/{vmid}"), &[name])?,
                Need::RootOnly if caller.is_root_ticket() => {}
                Need::RootOnly => {
                    return Err(Refusal::new(
                        500,
                        format!("only root can set '{key}' config"),
                    ));
                }
            }
        }
        self.vm_on(node, vmid).map(drop)
    }

    /// One option after the other goes to the pending section; the first refusal ends it.
    fn write_pending(
        &mut self,
        caller: &Caller,
        vmid: u32,
        write: &Write,
        rng: &mut StdRng,
    ) -> Result<(), Refusal> {
        let Some(vm) = self.vms.get_mut(&vmid) else {
            return Ok(());
        };
        for key in &write.revert {
            vm.pending.remove(key);
        }
        let known = vm.intended();
        for key in &write.delete {
            if is_hostpci(key)
                && let Some(old) = known.get(key)
            {
                may_touch_device(caller, key, old)?;
            }
            vm.pending.insert(key.clone(), Change::Delete);
        }
        for (key, value) in &write.set {
            if is_hostpci(key) {
                if let Some(old) = known.get(key) {
                    may_touch_device(caller, key, old)?;
                }
                may_touch_device(caller, key, value)?;
            }
            let value = match grammar::family(key).map_or(key.as_str(), |(name, _)| name) {
                "tags" => grammar::normal_tags(value).unwrap_or_else(|_| value.clone()),
                "net" => with_mac(value, rng),
                _ => value.clone(),
            };
            vm.pending.insert(key.clone(), Change::Set(value));
        }
        Ok(())
    }

    /// Drops what changes nothing and applies what can be applied now.
    fn settle(&mut self, vmid: u32) {
        let Some(vm) = self.vms.get_mut(&vmid) else {
            return;
        };
        let config = vm.config.clone();
        vm.pending.retain(|key, change| match change {
            Change::Set(value) => config.get(key) != Some(value),
            Change::Delete => config.contains_key(key),
        });
        if !vm.running {
            return vm.apply_pending();
        }
        let now: Vec<String> = vm
            .pending
            .keys()
            .filter(|key| grammar::applies_while_running(key))
            .cloned()
            .collect();
        for key in now {
            match vm.pending.remove(&key) {
                Some(Change::Set(value)) => vm.config.insert(key, value),
                Some(Change::Delete) => vm.config.remove(&key),
                None => None,
            };
        }
        vm.refresh();
    }
}

fn is_hostpci(key: &str) -> bool {
    grammar::family(key).is_some_and(|(name, _)| name == "hostpci")
}

/// Raw addresses are for `root@pam` with a ticket; mappings need `Mapping.Use`.
fn may_touch_device(caller: &Caller, key: &str, value: &str) -> Result<(), Refusal> {
    if caller.is_root_ticket() {
        return Ok(());
    }
    let found = grammar::properties(value, "host").unwrap_or_default();
    if grammar::property(&found, "host").is_some() {
        return Err(Refusal::new(
            500,
            format!("only root can set '{key}' config for non-mapped devices"),
        ));
    }
    let Some(id) = grammar::property(&found, "mapping") else {
        return Err(Refusal::new(500, "either 'host' or 'mapping' must be set."));
    };
    caller.require(&format!("/mapping/pci/{id}"), &["Mapping.Use"])
}
