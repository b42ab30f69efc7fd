//! How long the template commands take, and how much memory: `cargo bench -p bins`.
//!
//! Alone it starts a simulated site on loopback and prints absolute figures. Where `OMNICTL` holds the path of an
//! omnictl, that is measured too and ratios are printed; for what needs a server, `OMNI_ENDPOINT`,
//! `OMNI_SERVICE_ACCOUNT_KEY` and `OMNI_CA_FILE` must name a real Omni then, as omnictl does not speak what the
//! simulated one does. Clusters named `bench-…` are made there and deleted.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints what it measures and stops where it cannot"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api_transport::{Clock, TokioClock};
use bootstrap_core::site;
use secrecy::ExposeSecret as _;
use site_simulator::{Doors, Faults, World, derive};

/// Talos and Kubernetes versions that the server under test knows.
const VERSIONS: (&str, &str) = ("v1.13.7", "v1.36.2");

fn main() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Server::open();
    let ours = Tool::ours(&server);
    let theirs =
        std::env::var_os("OMNICTL").map(|path| Tool::omnictl(PathBuf::from(path), &server));
    let bench = Bench {
        directory: directory.path(),
        ours,
        theirs_offline: theirs.clone(),
        theirs_online: theirs.filter(|_| server.is_real),
    };
    println!("{:44} {:>10} {:>9}", "", "median", "memory");
    bench.offline();
    for machines in [3, 50, 300] {
        bench.online(machines);
    }
}

/// The Omni that is talked to.
struct Server {
    is_real: bool,
    environment: Vec<(String, String)>,
    _site: Option<(tokio::runtime::Runtime, Arc<World>, Doors)>,
}

impl Server {
    fn open() -> Self {
        let names = ["OMNI_ENDPOINT", "OMNI_SERVICE_ACCOUNT_KEY", "OMNI_CA_FILE"];
        let given: Vec<(String, String)> = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect();
        if given.len() == names.len() {
            return Self {
                is_real: true,
                environment: given,
                _site: None,
            };
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/homelab/bootstrap.yaml");
        let mut blueprint = derive::blueprint(&site::load(&example).expect("the example loads"));
        let bare = |version: &str| version.trim_start_matches('v').to_owned();
        blueprint
            .talos_versions
            .push((bare(VERSIONS.0), vec![bare(VERSIONS.1)]));
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::real());
        let world = World::new(blueprint, 1, Faults::default(), clock);
        let doors = runtime.block_on(world.serve()).expect("the doors open");
        let key = world.credentials().omni_key.expose_secret().to_owned();
        let environment = vec![
            ("OMNI_ENDPOINT".to_owned(), doors.omni.clone()),
            ("OMNI_SERVICE_ACCOUNT_KEY".to_owned(), key),
            (
                "OMNI_TLS_SHA256".to_owned(),
                doors.fingerprints["omni"].to_string(),
            ),
        ];
        Self {
            is_real: false,
            environment,
            _site: Some((runtime, world, doors)),
        }
    }
}

/// A program that knows `cluster template`.
#[derive(Clone)]
struct Tool {
    program: PathBuf,
    before: Vec<&'static str>,
    environment: Vec<(String, String)>,
}

impl Tool {
    fn ours(server: &Server) -> Self {
        Self {
            program: PathBuf::from(env!("CARGO_BIN_EXE_omni-cluster-template")),
            before: Vec::new(),
            environment: server.environment.clone(),
        }
    }

    fn omnictl(program: PathBuf, server: &Server) -> Self {
        let mut environment = server.environment.clone();
        if let Ok(file) = std::env::var("OMNI_CA_FILE") {
            environment.push(("SSL_CERT_FILE".to_owned(), file));
        }
        Self {
            program,
            before: vec!["cluster", "template"],
            environment,
        }
    }

    fn run(&self, arguments: &[&str]) -> Measured {
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .args(if arguments == ["--version"] {
                &[]
            } else {
                &self.before[..]
            })
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("HOME", "/nonexistent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut memory = 0;
        // The kernel keeps the high-water mark; the last look before the end is close to it.
        while child.try_wait().expect("it can be waited for").is_none() {
            memory = memory.max(peak_kib(child.id()));
            std::thread::sleep(Duration::from_micros(500));
        }
        Measured {
            time: began.elapsed(),
            memory,
        }
    }
}

fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

#[derive(Clone, Copy)]
struct Measured {
    time: Duration,
    /// KiB.
    memory: u64,
}

fn median(mut all: Vec<Measured>) -> Measured {
    let memory = all.iter().map(|one| one.memory).max().unwrap_or_default();
    all.sort_by_key(|one| one.time);
    Measured {
        time: all[all.len() / 2].time,
        memory,
    }
}

struct Bench<'a> {
    directory: &'a Path,
    ours: Tool,
    theirs_offline: Option<Tool>,
    theirs_online: Option<Tool>,
}

impl Bench<'_> {
    fn offline(&self) {
        let theirs = self.theirs_offline.as_ref();
        self.compare("start-up", 20, theirs, &|tool| tool.run(&["--version"]));
        for machines in [3, 500] {
            let file = self.template("offline", machines, "1024");
            for verb in ["render", "validate"] {
                self.compare(
                    &format!("{verb}, {machines} machines"),
                    10,
                    theirs,
                    &|tool| tool.run(&[verb, "-f", &file]),
                );
            }
        }
        // Not compared: omnictl takes minutes for some of them.
        for (what, patch) in large_patches() {
            let file = self.write(
                what,
                &format!("{}{patch}---\nkind: ControlPlane\n", head(what)),
            );
            let title = format!("validate, 2 MB: {what}");
            self.compare(&title, 3, None, &|tool| {
                tool.run(&["validate", "-f", &file])
            });
        }
    }

    fn online(&self, machines: usize) {
        let theirs = self.theirs_online.as_ref();
        let name = format!("bench-{machines}");
        let (file, changed) = (
            self.template(&name, machines, "1024"),
            self.template(&format!("{name}-changed"), machines, "2048"),
        );
        let rename = |text: String| text.replace(&format!("{name}-changed"), &name);
        let text = std::fs::read_to_string(&changed).expect("it was written");
        std::fs::write(&changed, rename(text)).expect("it can be written");
        let delete = |tool: &Tool| tool.run(&["delete", "-f", &file]);
        let title = |what: &str| format!("{what}, {machines} machines");
        self.compare(&title("diff of a new cluster"), 3, theirs, &|tool| {
            tool.run(&["diff", "-f", &file])
        });
        self.compare(&title("sync of a new cluster"), 3, theirs, &|tool| {
            let measured = tool.run(&["sync", "-f", &file]);
            delete(tool);
            measured
        });
        self.ours.run(&["sync", "-f", &file]);
        self.compare(&title("sync, unchanged"), 3, theirs, &|tool| {
            tool.run(&["sync", "-f", &file])
        });
        self.compare(&title("diff, unchanged"), 3, theirs, &|tool| {
            tool.run(&["diff", "-f", &file])
        });
        self.compare(&title("sync, one change"), 3, theirs, &|tool| {
            let measured = tool.run(&["sync", "-f", &changed]);
            tool.run(&["sync", "-f", &file]);
            measured
        });
        self.compare(&title("status"), 3, theirs, &|tool| {
            tool.run(&["status", "-f", &file, "--wait", "0s"])
        });
        self.compare(&title("delete"), 1, theirs, &|tool| {
            let measured = delete(tool);
            self.ours.run(&["sync", "-f", &file]);
            measured
        });
        delete(&self.ours);
    }

    fn compare(
        &self,
        title: &str,
        runs: usize,
        theirs: Option<&Tool>,
        run: &dyn Fn(&Tool) -> Measured,
    ) {
        let all = |tool: &Tool| median((0..runs).map(|_| run(tool)).collect());
        let ours = all(&self.ours);
        let mut line = format!("{title:44} {}", shown(ours));
        if let Some(theirs) = theirs {
            let theirs = all(theirs);
            // Writing to a string cannot fail.
            let _ = write!(
                line,
                "   omnictl {}   {:.1} times the time, {:.1} times the memory",
                shown(theirs),
                theirs.time.as_secs_f64() / ours.time.as_secs_f64(),
                ratio(theirs.memory, ours.memory)
            );
        }
        println!("{line}");
    }

    /// A template with a patch for the cluster and one for each machine.
    fn template(&self, name: &str, machines: usize, value: &str) -> String {
        let id = |number: usize| format!("{machines:08x}-0000-4000-8000-{number:012}");
        let mut text = format!(
            "{}patches:\n  - name: sys\n    inline: {{machine: {{sysctls: {{net.core.somaxconn: \"{value}\"}}}}}}\n\
             ---\nkind: ControlPlane\nmachines: [{}]\n---\nkind: Workers\nmachines:\n",
            head(name),
            id(0)
        );
        for number in 1..machines {
            let _ = writeln!(text, "  - {}", id(number));
        }
        for number in 0..machines {
            let _ = write!(
                text,
                "---\nkind: Machine\nname: {}\npatches:\n  - name: host\n    inline: {{machine: {{network: {{hostname: node-{number}}}}}}}\n",
                id(number)
            );
        }
        self.write(name, &text)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.directory.join(format!("{name}.yaml"));
        std::fs::write(&file, text).expect("it can be written");
        file.display().to_string()
    }
}

fn head(name: &str) -> String {
    let (talos, kubernetes) = VERSIONS;
    format!(
        "kind: Cluster\nname: {name}\nkubernetes: {{version: {kubernetes}}}\ntalos: {{version: {talos}}}\n"
    )
}

/// Patches, right and wrong, of about 2 MB.
fn large_patches() -> [(&'static str, String); 5] {
    let lines = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect();
    let patch = |kind: &str, body: String| {
        format!("patches:\n  - name: p\n    inline: {kind}\n      machine:\n{body}")
    };
    let keys: String = lines(60_000, &|at| format!("          key.{at}: value {at}\n"));
    let same: String = lines(80_000, &|_| "          key: a value\n".to_owned());
    let unknown: String = lines(80_000, &|at| format!("        key{at}: value\n"));
    let nested: String = lines(150, &|at| format!("{:1$}k{at}: &a{at}\n", "", 8 + at));
    let leaves: String = lines(12_000, &|at| format!("{:160}k{at}: v\n", ""));
    [
        ("keys", patch("", format!("        sysctls:\n{keys}"))),
        ("one key", patch("|", format!("        sysctls:\n{same}"))),
        ("unknown keys", patch("|", unknown)),
        ("anchors", patch("", nested + &leaves)),
        ("many patches", {
            let one = |at| format!("  - name: p{at}\n    inline: {{machine: {{odd: {{a: b}}}}}}\n");
            format!("patches:\n{}", lines(35_000, &one))
        }),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of a process")]
fn ratio(theirs: u64, ours: u64) -> f64 {
    theirs as f64 / ours.max(1) as f64
}

fn shown(measured: Measured) -> String {
    format!(
        "{:>7.1} ms {:>6.1} MB",
        measured.time.as_secs_f64() * 1000.0,
        ratio(measured.memory, 1024)
    )
}
