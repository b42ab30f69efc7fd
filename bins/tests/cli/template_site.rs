//! A site whose time goes on only when a test says so, and the clusters of recorded cases in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use api_transport::Clock;
use bootstrap_core::machine_class::load_machine_classes;
use bootstrap_core::ports::Omni as _;
use bootstrap_core::template;
use futures_util::future::BoxFuture;
use omni_client::{Resource, kinds};
use serde_json::json;
use site_simulator::Faults;
use site_simulator::in_memory::omni::Omni;

use crate::harness::{Finished, Loopback, example, run};

/// Shows the time a test sets.
#[derive(Debug)]
pub(crate) struct Held {
    nanoseconds: AtomicU64,
    began: SystemTime,
}

impl Clock for Held {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }

    fn wall(&self) -> SystemTime {
        self.began + self.now()
    }

    fn random(&self) -> f64 {
        0.5
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(10)))
    }
}

/// The site, its time, and what makes resources in it.
pub(crate) struct Site {
    pub(crate) loopback: Loopback,
    pub(crate) omni: Omni,
    clock: Arc<Held>,
}

pub(crate) fn golden(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/golden")
        .join(case)
}

impl Site {
    pub(crate) async fn open() -> Self {
        let clock = Arc::new(Held {
            nanoseconds: AtomicU64::new(0),
            began: SystemTime::now(),
        });
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let loopback = Loopback::open_at(7, 1.0, Faults::default(), shared, |_, blueprint| {
            let recorded = ("1.13.7".to_owned(), vec!["1.36.2".to_owned()]);
            blueprint.talos_versions.push(recorded);
            // Machines find Omni by it.
            let record = (blueprint.omni_name.clone(), blueprint.omni_address);
            blueprint.dns_records.push(record);
            let extension = "siderolabs/hello-world-service".to_owned();
            blueprint.extensions.push(extension);
        })
        .await;
        let omni = Omni::new(Arc::clone(&loopback.world));
        Self {
            loopback,
            omni,
            clock,
        }
    }

    /// Lets time pass, and all that happens in it. The site's wall clock stays right, so its past gets longer.
    pub(crate) fn pass(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).expect("some hours");
        self.loopback.world.act(|state, _| {
            state.wall_zero = state.wall_zero.checked_sub(time).expect("after 1970");
            self.clock
                .nanoseconds
                .fetch_add(nanoseconds, Ordering::SeqCst);
        });
        self.loopback.world.act(|_, _| ());
    }

    /// Makes a class that provides machines as the example's workers are.
    pub(crate) async fn class(&self, id: &str) {
        let file = example().join("machine-classes/worker.yaml");
        let mut class = load_machine_classes(&file)
            .expect("it loads")
            .remove(0)
            .resource;
        id.clone_into(&mut class.metadata.id);
        self.omni.create(&class).await.expect("the class is made");
    }

    /// Makes a class that no machine is of.
    pub(crate) async fn empty_class(&self) {
        let mut class = Resource::new(&kinds::MACHINE_CLASS, "empty");
        class.spec = json!({"match_labels": ["nosuchlabel = none"]});
        self.omni.create(&class).await.expect("the class is made");
    }

    /// Copies a recorded case's files and makes what its template stands for.
    pub(crate) async fn sync(&self, case: &str) {
        self.files(case);
        let template = template::load(&golden(case).join("input/t.yaml")).expect("it loads");
        let mut resources = template.translate().expect("it is valid");
        let order = |kind: &str| {
            let kinds = bootstrap_core::observe::TEMPLATE_KINDS.iter();
            kinds
                .map(|known| known.name.to_string())
                .position(|known| known == kind)
        };
        resources.sort_by_key(|resource| order(&resource.metadata.kind));
        for resource in &resources {
            let made = self.omni.create(resource).await;
            made.unwrap_or_else(|error| panic!("{resource:?}: {error}"));
        }
        self.pass(Duration::from_secs(1));
    }

    /// Copies a recorded case's files.
    pub(crate) fn files(&self, case: &str) {
        let file = golden(case).join("input/t.yaml");
        let target = self.loopback.directory.path().join("t.yaml");
        fs::copy(file, target).expect("the file can be copied");
    }

    /// Tears a cluster down and waits until it is gone.
    pub(crate) async fn remove(&self, cluster: &str) {
        let torn = self.omni.teardown(&kinds::CLUSTER, cluster).await;
        torn.expect("the cluster goes");
        self.pass(Duration::from_mins(10));
        let left = self.omni.get(&kinds::CLUSTER, cluster).await;
        assert_eq!(left.expect("it can be read"), None);
    }

    /// `omni-cluster-template` with these arguments.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        run(self.loopback.template_command(arguments)).await
    }

    /// The command of a recorded case, as ours, compared with what the real omnictl printed.
    pub(crate) async fn check(&self, case: &str) -> Finished {
        let read = |name: &str| fs::read_to_string(golden(case).join(name)).expect("a file");
        let command = read("cmd");
        let rest = command.trim().strip_prefix("omnictl cluster template ");
        let mut arguments: Vec<&str> = rest.expect("a template command").split(' ').collect();
        arguments.push("--compat");
        let ours = self.run(&arguments).await;
        assert_eq!(ours.stderr, read("stderr"), "{case}");
        assert_eq!(ours.code, read("exit").trim().parse().ok(), "{case}");
        assert_eq!(
            names_out(&ours.stdout),
            names_out(&read("stdout")),
            "{case}"
        );
        ours
    }
}

/// Machine ids and node names are another's each time.
pub(crate) fn names_out(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(without_names).collect();
    lines.push(String::new());
    lines.join("\n")
}

fn without_names(line: &str) -> String {
    match line.split_once("Machine \"") {
        Some((before, rest)) => {
            let state = rest.split_once(") ").map_or(rest, |(_, state)| state);
            format!("{before}Machine \"UUID\"(NAME) {state}")
        }
        None => line.to_owned(),
    }
}
