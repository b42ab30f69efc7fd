//! A simulated site on loopback with a copy of the example's files that points at it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api_transport::{Clock, TokioClock};
use bootstrap_core::site::{self, Site};
use secrecy::ExposeSecret as _;
use site_simulator::{Blueprint, Doors, Faults, World, derive};
use tempfile::TempDir;
use tokio::process::Command;

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Everything printed.
    pub(crate) fn printed(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// A simulated site with its doors open, and files that describe it.
pub(crate) struct Loopback {
    pub(crate) world: Arc<World>,
    pub(crate) doors: Doors,
    pub(crate) directory: TempDir,
    speed: f64,
}

/// Kinds of Omni that users write, and what follows from them.
const WRITTEN_KINDS: [&str; 9] = [
    "MachineClasses",
    "Clusters",
    "ExtensionsConfigurations",
    "ConfigPatches",
    "MachineSets",
    "MachineSetNodes",
    "KernelArgs",
    "MachineRequestSets",
    "MachineRequests",
];

/// Where the example's files are.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homelab")
}

/// Runs one of this package's binaries.
pub(crate) async fn run(mut command: Command) -> Finished {
    let output = command
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the binary starts");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// `omni-bootstrap` with an empty environment.
pub(crate) fn omni_bootstrap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_omni-bootstrap"));
    command.env_clear().kill_on_drop(true);
    command
}

impl Loopback {
    /// Opens a site built from the example; `change` may alter the blueprint first.
    pub(crate) async fn open(
        seed: u64,
        speed: f64,
        faults: Faults,
        change: impl FnOnce(&Site, &mut Blueprint),
    ) -> Self {
        Self::open_at(
            seed,
            speed,
            faults,
            Arc::new(TokioClock::scaled(speed)),
            change,
        )
        .await
    }

    /// The same on a clock of the site's own.
    pub(crate) async fn open_at(
        seed: u64,
        speed: f64,
        faults: Faults,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&Site, &mut Blueprint),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        copy(&example(), directory.path());
        let site = site::load(&directory.path().join("bootstrap.yaml")).expect("the example loads");
        let mut blueprint = derive::blueprint(&site);
        change(&site, &mut blueprint);
        let world = World::new(blueprint, seed, faults, Arc::clone(&clock));
        let doors = world.serve().await.expect("the doors open");
        let loopback = Self {
            world,
            doors,
            directory,
            speed,
        };
        loopback.point_files_at_doors();
        // The provider's first sign of life has reached Omni.
        clock.sleep(Duration::from_secs(5)).await;
        loopback
    }

    /// Everything in the site that users write, in a form that can be compared.
    pub(crate) fn written(&self) -> String {
        self.world.look(|state| {
            let mut text = format!("{:?}\n", state.log.entries);
            for kind in WRITTEN_KINDS {
                let kind = format!("{kind}.omni.sidero.dev");
                for namespace in ["default", "infra-provider"] {
                    for resource in state.omni.store.list(namespace, &kind) {
                        text += &format!("{resource:?}\n");
                    }
                }
            }
            for cluster in state.proxmox.values() {
                text += &format!("{:?} {}\n", cluster.vms(), cluster.mapping_digest());
            }
            let records: Vec<_> = state.gateway.records().collect();
            text += &format!("{records:?}\n{:?}\n", state.gateway.entries());
            text
        })
    }

    /// The same site with files of their own, which may be changed.
    pub(crate) fn files(&self) -> TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        copy(self.directory.path(), directory.path());
        directory
    }

    /// Changes a file of the site.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.directory.path().join(file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        std::fs::write(&path, change(text)).expect("the file can be written");
    }

    /// `omni-bootstrap VERB -f FILE` with the site's keys in the environment.
    pub(crate) fn command(&self, verb: &str) -> Command {
        self.command_in(self.directory.path(), verb)
    }

    /// The same with the files of another directory.
    pub(crate) fn command_in(&self, directory: &Path, verb: &str) -> Command {
        self.set_clock();
        let credentials = self.world.credentials();
        let mut command = omni_bootstrap();
        command
            .arg(verb)
            .arg("-f")
            .arg(directory.join("bootstrap.yaml"))
            .env(
                "OMNI_SERVICE_ACCOUNT_KEY",
                credentials.omni_key.expose_secret(),
            )
            .env("PROXMOX_VE_API_TOKEN", &credentials.proxmox_token)
            .env("UNIFI_API_KEY", &credentials.unifi_key)
            // The run lock stands there: one site, one lock.
            .env("XDG_RUNTIME_DIR", directory);
        command
    }

    /// Sets the site's wall clock, which runs ahead, to that of a program that starts now, but for what was meant to
    /// differ.
    pub(crate) fn set_clock(&self) {
        let wall = SystemTime::now();
        self.world.act(|state, now| {
            let shown = state.wall_zero + now;
            let apart = shown
                .duration_since(wall)
                .unwrap_or_else(|behind| behind.duration());
            if apart < Duration::from_hours(24) {
                state.wall_zero = wall.checked_sub(now).unwrap_or(state.wall_zero);
            }
        });
    }

    /// `omni-bootstrap apply --yes` at the site's speed.
    pub(crate) fn apply(&self) -> Command {
        let mut command = self.command("apply");
        command
            .arg("--yes")
            .arg("--speed")
            .arg(self.speed.to_string());
        command
    }

    fn point_files_at_doors(&self) {
        let pin = |door: &str| self.doors.fingerprints[door].to_string();
        let mut text = format!(
            "version: 1\nname: home\nomni:\n  endpoint: {}\n  serviceAccountKey: {{env: OMNI_SERVICE_ACCOUNT_KEY}}\n  tls: {{sha256: \"{}\"}}\n",
            self.doors.omni,
            pin("omni"),
        );
        text.push_str("proxmox:\n");
        for (provider, door) in &self.doors.proxmox {
            text += &format!(
                "  - provider: {provider}\n    endpoint: {door}\n    apiToken: {{env: PROXMOX_VE_API_TOKEN}}\n    tls: {{sha256: \"{}\"}}\n",
                pin(&format!("proxmox:{provider}")),
            );
        }
        text += &format!(
            "unifi:\n  endpoint: {}\n  site: default\n  apiKey: {{env: UNIFI_API_KEY}}\n  tls: {{sha256: \"{}\"}}\n",
            self.doors.unifi,
            pin("unifi"),
        );
        self.edit("bootstrap.yaml", |example| {
            let rest = example
                .find("\ndns:")
                .expect("the example has a dns section");
            let rest = example[rest..].replacen(
                "\ndns:\n",
                &format!("\ndns:\n  resolver: {}\n", self.doors.dns),
                1,
            );
            format!("{text}{rest}")
        });
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the directory can be made");
    for entry in std::fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the entry can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("the type is known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the file can be copied");
        }
    }
}
