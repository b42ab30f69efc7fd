//! A simulated site of which only the gateway counts, and the two binaries that speak to it.

use std::time::Duration;

use serde_json::Value;
use site_simulator::Faults;
use site_simulator::world::gateway::Record;
use tokio::process::Command;
use unifi_client::Mac;

use crate::harness::{Finished, Loopback, run};

pub(crate) const DNS: &str = env!("CARGO_BIN_EXE_unifi-dns");
pub(crate) const RESERVATION: &str = env!("CARGO_BIN_EXE_unifi-reservation");

pub(crate) struct GatewaySite {
    pub(crate) site: Loopback,
}

impl GatewaySite {
    pub(crate) async fn open() -> Self {
        let site = Loopback::open(7, 50.0, Faults::default(), |_, _| ()).await;
        Self { site }
    }

    /// A binary with the gateway and its certificate in the environment, and nothing to prove who asks.
    pub(crate) fn bare(&self, binary: &str, arguments: &[&str]) -> Command {
        self.site.set_clock();
        let mut command = Command::new(binary);
        command
            .env_clear()
            .kill_on_drop(true)
            .current_dir(self.site.directory.path())
            .args(arguments)
            .env("UNIFI_API", &self.site.doors.unifi)
            .env(
                "UNIFI_TLS_SHA256",
                self.site.doors.fingerprints["unifi"].to_string(),
            );
        command
    }

    /// The same with the site's key.
    pub(crate) fn command(&self, binary: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(binary, arguments);
        command.env("UNIFI_API_KEY", self.site.world.credentials().unifi_key);
        command
    }

    pub(crate) async fn run(&self, binary: &str, arguments: &[&str]) -> Finished {
        run(self.command(binary, arguments)).await
    }

    /// Exit code, what was printed, and what was said.
    pub(crate) async fn told(&self, binary: &str, arguments: &[&str]) -> String {
        let finished = self.run(binary, arguments).await;
        format!(
            "exit {}\n{}{}",
            finished.code.unwrap_or(-1),
            finished.stdout,
            finished.stderr
        )
    }

    pub(crate) async fn json(&self, binary: &str, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let finished = self.run(binary, &all).await;
        serde_json::from_str(&finished.stdout).expect("one document")
    }

    /// Writes to the gateway so far, as its log has them, and its state.
    pub(crate) fn state(&self) -> String {
        self.site.world.look(|state| {
            let records: Vec<_> = state.gateway.records().collect();
            format!(
                "{records:?} {:?} {:?}",
                state.gateway.entries(),
                state.log.entries
            )
        })
    }

    pub(crate) fn record(&self, mac: Mac) -> Record {
        self.site
            .world
            .look(|state| state.gateway.record(mac).cloned())
            .expect("the record is there")
    }

    /// A client that got an address by DHCP.
    pub(crate) fn client(&self, mac: Mac, hostname: &str) -> String {
        self.site.world.act(|state, now| {
            let bridge = state.gateway.lans()[0].blueprint.bridges[0].clone();
            state
                .gateway
                .dhcp_exchange(
                    now + Duration::from_secs(1),
                    &mut state.log,
                    mac,
                    &bridge,
                    hostname,
                )
                .expect("an address is left")
                .to_string()
        })
    }
}
