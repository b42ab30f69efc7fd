//! The HA manager's list of guests. Nobody acts on it here: a request is written, and that is all.

use super::Cluster;
use super::access::{Caller, Refusal};
use super::vm::sha1;

impl Cluster {
    /// Puts a VM under the HA manager.
    pub fn ha_add(&mut self, caller: &Caller, vmid: u32, state: &str) -> Result<(), Refusal> {
        caller.require("/", &["Sys.Console"])?;
        let Some(vm) = self.vms.get_mut(&vmid) else {
            return Err(Refusal::new(
                500,
                format!("unable to add resource: VM {vmid} does not exist"),
            ));
        };
        if vm.ha_state.is_some() {
            return Err(Refusal::new(
                500,
                format!("resource ID 'vm:{vmid}' already defined"),
            ));
        }
        vm.ha_state = Some(state.to_owned());
        Ok(())
    }

    /// Takes a VM away from the HA manager.
    pub fn ha_remove(&mut self, caller: &Caller, vmid: u32) -> Result<(), Refusal> {
        caller.require("/", &["Sys.Console"])?;
        if let Some(vm) = self.vms.get_mut(&vmid) {
            vm.ha_state = None;
        }
        Ok(())
    }

    /// Guests under the HA manager with the state asked for, and the digest of the list.
    pub fn ha_resources(&self, caller: &Caller) -> Result<(Vec<(u32, String)>, String), Refusal> {
        caller.require("/", &["Sys.Audit"])?;
        let rows: Vec<(u32, String)> = self
            .vms
            .values()
            .filter_map(|vm| Some((vm.vmid, vm.ha_state.clone()?)))
            .collect();
        let digest = sha1(&format!("{rows:?}"));
        Ok((rows, digest))
    }
}
