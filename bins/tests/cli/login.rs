//! Contexts as `omnictl` keeps them, and logging in, as a person does it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use omni_client::ServiceAccountKey;
use secrecy::ExposeSecret as _;
use site_simulator::Faults;
use site_simulator::world::omni::access::Role;
use site_simulator::world::omni::accounts::PublicKey;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::harness::{Finished, Loopback, omni_bootstrap, run};

const ADA: &str = "ada@home.example";

/// A person's home, and an Omni that knows her.
struct Home {
    site: Loopback,
    directory: TempDir,
}

impl Home {
    async fn new(seed: u64) -> Self {
        let site = Loopback::open(seed, 20.0, Faults::default(), |_, _| {}).await;
        site.world
            .act(|state, _| state.omni.accounts.add_user(ADA, Role::Operator));
        Self {
            site,
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    fn at_home(&self, command: &mut Command) {
        self.site.set_clock();
        let pin = self.site.doors.fingerprints["omni"].to_string();
        command
            .env_clear()
            .env("HOME", self.directory.path())
            .env("OMNI_TLS_SHA256", pin)
            .kill_on_drop(true);
    }

    /// `omni-resource ARGUMENTS` without any key but those at home.
    async fn resource(&self, arguments: &str) -> Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_omni-resource"));
        command.args(arguments.split_whitespace());
        self.at_home(&mut command);
        run(command).await
    }

    /// `omni-bootstrap key login ARGUMENTS`; `confirms`: whether she does so in the browser.
    async fn login(&self, arguments: &str, confirms: bool) -> Finished {
        let mut command = omni_bootstrap();
        command
            .args(["key", "login"])
            .args(arguments.split_whitespace());
        self.at_home(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let page = lines.next_line().await.expect("it can be read");
        if let Some((_, id)) = page.as_deref().and_then(|page| page.split_once("key-id="))
            && confirms
        {
            let known = self
                .site
                .world
                .act(|state, _| state.omni.accounts.confirm(id));
            assert!(known, "{page:?}");
        }
        let mut stderr = String::new();
        let mut told = child.stderr.take().expect("a pipe");
        told.read_to_string(&mut stderr).await.expect("it is text");
        let status = child.wait().await.expect("it ends");
        Finished {
            code: status.code(),
            stdout: page.unwrap_or_default(),
            stderr,
        }
    }
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("it is there");
    metadata.permissions().mode() & 0o777
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_works_until_the_key_ends() {
    let home = Home::new(91).await;
    let endpoint = home.site.doors.omni.clone();
    let nobody = home.resource("get clusters").await;
    assert_eq!(nobody.code, Some(5));
    has(&nobody.stderr, &["no Omni is named"]);

    let arguments = format!("--context home --endpoint {endpoint} --identity {ADA}");
    let finished = home.login(&arguments, true).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    has(&finished.stdout, &["open this page to log in: https://"]);
    has(
        &finished.stderr,
        &[
            "logged in as ada@home.example with the role Operator until 20",
            "the key is kept in",
        ],
    );
    let key = home.path(".talos/keys/home-ada@home.example.p256");
    let config = home.path(".talos/omni/config");
    assert_eq!((mode(&key), mode(&config)), (0o600, 0o600));
    assert_eq!(mode(&home.path(".talos/keys")), 0o700);
    let text = std::fs::read_to_string(&config).expect("it is there");
    has(
        &text,
        &["context: home", &endpoint, "identity: ada@home.example"],
    );
    let private = std::fs::read_to_string(&key).expect("it is there");
    assert!(
        !finished
            .printed()
            .contains(private.lines().nth(2).expect("a line"))
    );

    let finished = home.resource("get clusters -vvv").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    // A key that lives for hours is no news.
    assert!(
        !finished.stderr.contains("warning: the key"),
        "{}",
        finished.stderr
    );
    // Again: the context says it all.
    let finished = home.login("-q", true).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""));
    assert_eq!(
        home.resource("get clusters --context home").await.code,
        Some(0)
    );

    let ended = private.replacen("not-after: 2", "not-after: 1", 1);
    home.write(".talos/keys/home-ada@home.example.p256", &ended);
    let finished = home.resource("get clusters").await;
    assert_eq!(finished.code, Some(5));
    has(
        &finished.stderr,
        &[
            "the login of ada@home.example in the context `home` has ended",
            "omni-bootstrap key login --context home",
        ],
    );
    let finished = home.resource("get clusters --compat").await;
    assert_eq!(finished.code, Some(1));
    has(&finished.stderr, &["Error: the login of"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn contexts_are_those_of_omnictl_and_its_keys_work() {
    let home = Home::new(92).await;
    let config = format!(
        "context: empty\ncontexts:\n  empty:\n    url: <placeholder_url>\n  work:\n    url: {}\n    newer: 1\n    auth:\n      siderov1: {{identity: {ADA}}}\nnewer: x\n",
        home.site.doors.omni
    );
    home.write(".talos/omni/config", &config);
    for (arguments, part) in [
        (
            "get clusters",
            "the context `empty` does not say who you are",
        ),
        (
            "get clusters --context no",
            "has no context `no`; it has empty, work",
        ),
        (
            "get clusters --context work",
            "nobody is logged in as ada@home.example in the context `work`",
        ),
        (
            "get clusters --omniconfig /no/such",
            "there is no omniconfig /no/such",
        ),
    ] {
        let finished = home.resource(arguments).await;
        assert_eq!(finished.code, Some(5), "{arguments}");
        has(&finished.stderr, &[part]);
    }
    assert_eq!(
        home.resource("get clusters --context work --site x.yaml")
            .await
            .code,
        Some(64)
    );

    // As omnictl keeps a person's key.
    let now = SystemTime::now();
    let new = ServiceAccountKey::generate("ada", Duration::from_hours(4), now).expect("a key");
    home.site.world.act(|state, _| {
        let public = PublicKey::pgp(&new.public, Duration::from_hours(8), now);
        let user = state
            .omni
            .accounts
            .users
            .get_mut(ADA)
            .expect("she is known");
        user.keys.push(public.expect("it is one"));
    });
    let armored = new.account.armored().expose_secret();
    home.write(".talos/keys/work-ada@home.example.pgp", armored);
    let finished = home.resource("get clusters --context work").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    // A service account's key wins, where no context is asked for.
    let mut command = Command::new(env!("CARGO_BIN_EXE_omni-resource"));
    command.args(["get", "clusters"]);
    home.at_home(&mut command);
    command.env("OMNI_SERVICE_ACCOUNT_KEY", "x");
    has(&run(command).await.stderr, &["no Omni is named"]);

    // What it cannot say of the file stays in it.
    home.write(".talos/keys/work-ada@home.example.pgp", "damaged");
    let finished = home.resource("get clusters --context work").await;
    has(
        &finished.stderr,
        &["work-ada@home.example.pgp", "key login --context work"],
    );
    let finished = home
        .login("--context other --identity ada@home.example", true)
        .await;
    assert_eq!(finished.code, Some(5));
    has(&finished.stderr, &["has no URL yet", "--endpoint URL"]);
    let arguments = format!(
        "--context other --identity {ADA} --endpoint {}",
        home.site.doors.omni
    );
    let finished = home.login(&arguments, true).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let text = std::fs::read_to_string(home.path(".talos/omni/config")).expect("it is there");
    has(&text, &["context: empty", "newer: 1", "newer: x", "other:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_nobody_confirms_leaves_nothing() {
    let home = Home::new(93).await;
    let arguments = format!(
        "--context home --endpoint {} --identity eve@home.example --timeout 2s",
        home.site.doors.omni
    );
    let finished = home.login(&arguments, false).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    has(&finished.stderr, &["nobody confirmed the key in time"]);
    assert!(!home.path(".talos").exists());
}
