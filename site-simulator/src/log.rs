//! What happened in the world, as the world saw it.

use std::net::Ipv4Addr;
use std::time::Duration;

/// A timed fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Since the world began.
    pub at: Duration,
    /// What.
    pub fact: Fact,
}

/// What can happen that a report is made from.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A VM was created (locked). `request` is its name.
    VmCreated {
        provider: String,
        node: String,
        vmid: u32,
        request: String,
    },
    /// The create lock went.
    VmUnlocked {
        provider: String,
        vmid: u32,
        request: String,
    },
    /// The provider asked for the start of a VM: the end of its cold window.
    ProviderStarts {
        provider: String,
        vmid: u32,
        request: String,
    },
    /// A VM was started; the mappings of the devices it got, and whether anyone but the provider asked for it.
    VmStarted {
        provider: String,
        vmid: u32,
        request: String,
        devices: Vec<String>,
        by_provider: bool,
    },
    /// A start failed.
    StartFailed {
        provider: String,
        vmid: u32,
        request: String,
        error: String,
    },
    /// A VM stopped.
    VmStopped {
        provider: String,
        vmid: u32,
        request: String,
    },
    /// A VM is gone.
    VmDestroyed {
        provider: String,
        vmid: u32,
        request: String,
    },
    /// A configuration write by an API user, not the provider.
    ConfigWritten {
        provider: String,
        vmid: u32,
        key: String,
    },
    /// A DHCP exchange ended with this lease.
    Leased {
        mac: unifi_client::Mac,
        ip: Ipv4Addr,
        reserved: bool,
    },
    /// A reservation was written by an API user.
    Reserved {
        mac: unifi_client::Mac,
        ip: Ipv4Addr,
    },
    /// A DNS record was written by an API user.
    DnsWritten { name: String },
    /// A machine joined Omni.
    Joined { request: String, uuid: String },
    /// A machine reached a stage (INSTALLING, RUNNING, …).
    Stage { request: String, stage: String },
}

/// The log.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Log {
    /// Entries in order.
    pub entries: Vec<Entry>,
}

impl Log {
    /// Notes a fact.
    pub fn note(&mut self, at: Duration, fact: Fact) {
        self.entries.push(Entry { at, fact });
    }
}
