//! `omni-service-account` and `omni-bootstrap key` as a user runs them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::ExposeSecret as _;
use site_simulator::Faults;
use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::{Finished, Loopback, omni_bootstrap, run};

mod keys;

const SECRET: &str = "OMNI_SERVICE_ACCOUNT_KEY";

struct Bench {
    site: Loopback,
    files: TempDir,
}

impl Bench {
    async fn new(seed: u64) -> Self {
        Self {
            site: Loopback::open(seed, 20.0, Faults::default(), |_, _| {}).await,
            files: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn with(&self, mut command: Command, key: &str) -> Command {
        self.site.set_clock();
        let pin = self.site.doors.fingerprints["omni"].to_string();
        command
            .current_dir(self.files.path())
            .env_clear()
            .env("OMNI_ENDPOINT", &self.site.doors.omni)
            .env("OMNI_TLS_SHA256", pin)
            .env(SECRET, key)
            .kill_on_drop(true);
        command
    }

    /// `omni-service-account ARGUMENTS` with an Admin's key.
    async fn run(&self, arguments: &str) -> Finished {
        let credentials = self.site.world.credentials();
        self.run_with(arguments, credentials.omni_admin_key.expose_secret())
            .await
    }

    async fn run_with(&self, arguments: &str, key: &str) -> Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omni-service-account"));
        command.args(arguments.split_whitespace());
        run(self.with(command, key)).await
    }

    /// `omni-resource ARGUMENTS`.
    async fn resource(&self, arguments: &str, key: &str) -> Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omni-resource"));
        command.args(arguments.split_whitespace());
        run(self.with(command, key)).await
    }

    /// `omni-bootstrap key renew ARGUMENTS` of the site file, with this key in the environment.
    async fn renew(&self, arguments: &str, key: &str) -> Finished {
        self.site.set_clock();
        let mut command = omni_bootstrap();
        command
            .args(["key", "renew", "-f"])
            .arg(self.site.directory.path().join("bootstrap.yaml"))
            .args(arguments.split_whitespace())
            .current_dir(self.files.path())
            .env(SECRET, key);
        run(command).await
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.files.path().join(name)).expect("the file is there")
    }

    fn write_private(&self, name: &str, text: &str) {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).expect("the file can be written");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("it is ours");
    }

    fn keys(&self, name: &str) -> usize {
        self.site.world.look(|state| {
            let service = &state.omni.accounts.service;
            service.get(name).map_or(0, |account| account.keys.len())
        })
    }
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("the file is there");
    metadata.permissions().mode() & 0o777
}

/// The key among what was printed.
fn printed_key(stdout: &str) -> String {
    let line = stdout
        .lines()
        .find_map(|line| line.strip_prefix("OMNI_SERVICE_ACCOUNT_KEY="));
    line.expect("a key").to_owned()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_used_renewed_and_destroyed() {
    let bench = Bench::new(81).await;
    let finished = bench.run("create ci --role Operator --dry-run").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    has(
        &finished.stdout,
        &["+ service account ci would be made with the role Operator, its key would end on 20"],
    );
    let finished = bench.run("create ci --role Operator -d -o json").await;
    has(&finished.stdout, &["\"dry_run\": true", "\"name\": \"ci\""]);
    assert_eq!(bench.keys("ci"), 0);

    let finished = bench.run("create ci --role Operator -vvv").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let endpoint = format!("OMNI_ENDPOINT={}", bench.site.doors.omni);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(
        matches!(lines[..], [first, second] if first == endpoint && second.starts_with("OMNI_SERVICE_ACCOUNT_KEY=")),
        "{}",
        finished.stdout
    );
    has(
        &finished.stderr,
        &[
            "Created service account \"ci\" with public key ID \"",
            "Set the following environment variables to use the service account:",
            "Store the service account key securely, it will not be displayed again",
        ],
    );
    let key = printed_key(&finished.stdout);
    for part in key.as_bytes().chunks(40) {
        let part = String::from_utf8_lossy(part);
        assert!(!finished.stderr.contains(&*part), "the key is on stderr");
    }
    let used = bench.resource("get clusters", &key).await;
    assert_eq!(used.code, Some(0), "{}", used.stderr);

    let finished = bench.run("create ci --role Operator").await;
    assert_eq!((finished.code, &*finished.stdout), (Some(5), ""));
    has(
        &finished.stderr,
        &[
            "the service account ci is there already",
            "omni-service-account renew ci",
        ],
    );

    let finished = bench.run("renew ci --ttl 12d --out new.key").await;
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), ""),
        "{}",
        finished.stderr
    );
    has(
        &finished.stderr,
        &["Renewed service account \"ci\"", "written to new.key"],
    );
    assert_eq!(mode(&bench.files.path().join("new.key")), 0o600);
    assert_eq!(bench.keys("ci"), 2);
    for key in [&key, bench.file("new.key").trim()] {
        assert_eq!(bench.resource("get clusters", key).await.code, Some(0));
    }
    let by_file = bench.resource("get clusters --key-file new.key", "").await;
    assert_eq!(by_file.code, Some(0), "{}", by_file.stderr);

    let finished = bench.run("list").await;
    let head: Vec<&str> = finished
        .stdout
        .lines()
        .next()
        .expect("a head")
        .split("  ")
        .filter(|column| !column.is_empty())
        .map(str::trim)
        .collect();
    assert_eq!(
        head,
        [
            "NAME",
            "ROLE",
            "LAST ACTIVE",
            "PUBLIC KEY ID",
            "KEY CREATED",
            "KEY LAST ACTIVE",
            "EXPIRATION"
        ]
    );
    // A further key stands alone in its line.
    let mut lines = finished.stdout.lines();
    assert!(lines.any(|line| line.starts_with("ci ")));
    assert!(lines.next().is_some_and(|line| line.starts_with("    ")));
    has(&finished.stderr, &["former: its last key has ended"]);
    let finished = bench.run("list -o json").await;
    let listed: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let accounts = listed["service_accounts"].as_array().expect("a list");
    let ci = accounts.iter().find(|one| one["name"] == "ci").expect("ci");
    assert_eq!(ci["keys"].as_array().map(Vec::len), Some(2));
    assert!(!finished.stdout.contains("BEGIN PGP"));

    for (form, part) in [
        ("table", "- service account ci would be destroyed"),
        ("json", "\"would_destroy\": [\n    \"ci\"\n  ]"),
    ] {
        let finished = bench.run(&format!("destroy ci gone -d -o {form}")).await;
        has(&finished.stdout, &[part]);
    }
    let finished = bench.run("destroy ci gone").await;
    assert_eq!(
        (finished.code, &*finished.stdout, &*finished.stderr),
        (
            Some(0),
            "destroyed service account: ci\n",
            "there is no service account gone\n"
        )
    );
    let finished = bench.run("destroy ci -o json").await;
    assert_eq!(finished.code, Some(0));
    has(
        &finished.stdout,
        &["\"destroyed\": []", "\"missing\": [\n    \"ci\"\n  ]"],
    );
    assert_eq!(bench.resource("get clusters", &key).await.code, Some(1));
    let finished = bench.run("renew ci").await;
    assert_eq!(finished.code, Some(5));
    has(&finished.stderr, &["there is no service account ci"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_before_anything_is_made() {
    let bench = Bench::new(82).await;
    bench.write_private("old.key", "another");
    let credentials = bench.site.world.credentials();
    for (arguments, code, part) in [
        ("create ci --role Emperor", 64, "invalid value 'Emperor'"),
        (
            "create ci --role Reader --use-user-role=true",
            64,
            "name two roles",
        ),
        ("create ci --use-user-role=false", 64, "needs --role"),
        (
            "create ci --role InfraProvider",
            64,
            "accounts named infra-provider:ID",
        ),
        (
            "create infra-provider:x --role Admin",
            64,
            "accounts named infra-provider:ID",
        ),
        (
            "create infra-provider:x -u",
            64,
            "infra-provider:x's role is InfraProvider",
        ),
        ("create ci --ttl 8761h", 64, "at most 8760h"),
        ("create ci --ttl 366d", 64, "at most 8760h"),
        (
            "create a@b --role Reader",
            64,
            "`a@b` cannot be an account's name",
        ),
        (
            "create ci --role Reader --out old.key",
            5,
            "old.key is there already",
        ),
        (
            "create ci --role Reader --out no/such.key",
            5,
            "no/such.key cannot be written",
        ),
        (
            "destroy automation",
            5,
            "is the account whose key is in use",
        ),
        ("destroy", 64, "NAME"),
        ("create", 64, "NAME"),
    ] {
        let finished = bench.run(arguments).await;
        assert_eq!(
            finished.code,
            Some(code),
            "{arguments}: {}",
            finished.stderr
        );
        has(&finished.stderr, &[part]);
        assert_eq!(finished.stdout, "", "{arguments}");
    }
    assert_eq!(bench.keys("ci"), 0);
    assert_eq!(bench.file("old.key"), "another");
    for (arguments, code) in [
        ("list", 1),
        ("create ci --role Reader", 5),
        ("renew ci", 5),
        ("destroy reader", 5),
    ] {
        let operator = credentials.omni_key.expose_secret();
        let finished = bench.run_with(arguments, operator).await;
        assert_eq!(
            finished.code,
            Some(code),
            "{arguments}: {}",
            finished.stderr
        );
        has(
            &finished.stderr,
            &["insufficient role", "an account of the role Admin"],
        );
    }
    let expired = credentials.omni_expired_key.expose_secret();
    let finished = bench.run_with("list", expired).await;
    assert_eq!(finished.code, Some(5));
    has(
        &finished.stderr,
        &["expired on", "omni-service-account renew NAME"],
    );
    let finished = bench.run_with("list -q", expired).await;
    has(&finished.stderr, &["expired on"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_a_provider_brings_the_provider() {
    let bench = Bench::new(83).await;
    let finished = bench
        .run("create infra-provider:second -o json --out p.key")
        .await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    has(&finished.stderr, &["Created infra provider \"second\""]);
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(told["name"], "infra-provider:second");
    assert_eq!(told["file"], "p.key");
    assert!(told.get("service_account_key").is_none(), "{told}");
    let admin = bench.site.world.credentials().omni_admin_key;
    let seen = bench
        .resource("get infraprovider second", admin.expose_secret())
        .await;
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    // Its own key may what a provider may, and no more.
    let key = bench.file("p.key");
    assert_eq!(
        bench.resource("get talosversions", key.trim()).await.code,
        Some(0)
    );
    assert_eq!(
        bench.resource("get clusters", key.trim()).await.code,
        Some(1)
    );
    let finished = bench.run("destroy infra-provider:second").await;
    has(
        &finished.stderr,
        &["omni-resource delete infraprovider second"],
    );
    // Made again: the provider is known already.
    let finished = bench.run("create infra-provider:second -o json").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert!(told["service_account_key"].is_string(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_site_file_names_omni_here_too() {
    let bench = Bench::new(86).await;
    let file = bench.site.directory.path().join("bootstrap.yaml");
    let admin = bench.site.world.credentials().omni_admin_key;
    let mut command = Command::new(env!("CARGO_BIN_EXE_omni-service-account"));
    command
        .args(["list", "-f"])
        .arg(&file)
        .env_clear()
        .env(SECRET, admin.expose_secret());
    let finished = run(command).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    has(
        &finished.stdout,
        &["automation", "bootstrap", "infra-provider:proxmox"],
    );
}
