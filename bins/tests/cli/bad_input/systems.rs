//! Systems that refuse, are not there, or are not as they should be.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api_transport::{Clock, TokioClock};
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret as _;
use site_simulator::blueprint::Stranger;
use site_simulator::log::Fact;
use site_simulator::{Faults, World, derive};

use super::{SPEED, edit, open, refused, settled, told};
use crate::harness::{Loopback, run};

const UNKNOWN_TOKEN: &str = "root@pam!x=00000000-0000-0000-0000-000000000000";

/// The key of an Omni that is not this one.
fn foreign_key(site: &Loopback) -> String {
    let blueprint = site.world.look(|state| state.blueprint.clone());
    let other = World::new(
        blueprint,
        9,
        Faults::default(),
        Arc::new(TokioClock::real()),
    );
    other.credentials().omni_key.expose_secret().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn omni_keys() {
    let (_settled, site) = (settled(), open().await);
    let (known, foreign) = (site.world.credentials(), foreign_key(&site));
    // Not a key at all.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("OMNI_SERVICE_ACCOUNT_KEY", "hunter2"); }).await, @r"
    exit 5
    error: omni: the service-account key is not what omnictl prints: it is not base64; was it cut off?
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: use the value that `omnictl serviceaccount create` prints after OMNI_SERVICE_ACCOUNT_KEY=, all of it
    nothing was written
    ");
    // Of another Omni.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("OMNI_SERVICE_ACCOUNT_KEY", &foreign); }).await, @r"
    exit 5
    error: omni: Omni refuses the signature: the key KEY-ID of bootstrap is unknown to this server: destroyed, expired, or made by another Omni (the clocks agree)
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: take the key of this Omni, or make a new one: `omnictl serviceaccount create NAME --role Operator --use-user-role=false`
    nothing was written
    ");
    // Past its end.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("OMNI_SERVICE_ACCOUNT_KEY", known.omni_expired_key.expose_secret()); }).await, @r"
    exit 5
    error: omni: the service-account key expired on TIME
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: an Admin's key gives the account a new one: `omni-service-account renew NAME`, or `omnictl serviceaccount renew NAME`
    nothing was written
    ");
    // Of a reader.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("OMNI_SERVICE_ACCOUNT_KEY", known.omni_reader_key.expose_secret()); }).await, @r"
    exit 5
    error: omni: the key has the role Reader, which cannot create clusters
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: make a service account with the role Operator: `omnictl serviceaccount create NAME --role Operator --use-user-role=false`
    nothing was written
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_the_others() {
    let (_settled, site) = (settled(), open().await);
    let (known, foreign) = (site.world.credentials(), foreign_key(&site));
    // Not a token.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("PROXMOX_VE_API_TOKEN", "hunter2"); }).await, @r"
    exit 5
    error: proxmox (proxmox): API token: no `=` in it; expected `user@realm!tokenid=uuid`
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
    nothing was written
    ");
    // Unknown.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("PROXMOX_VE_API_TOKEN", UNKNOWN_TOKEN); }).await, @r"
    exit 5
    error: proxmox (proxmox): API token root@pam!x was not accepted: Authentication failed!
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
      |
      = hint: check that the token exists, is not expired, that its user is enabled, and that the secret is complete; Proxmox gives one answer for all of these
    nothing was written
    ");
    // Of an auditor.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("PROXMOX_VE_API_TOKEN", &known.proxmox_readonly_token); }).await, @r"
    exit 5
    error: proxmox (proxmox): the token lacks Mapping.Modify on /mapping/pci (to make intel-arc-a310)
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
      |
      = hint: grant a role with these privileges to the user and, with privilege separation, to the token as well
    nothing was written
    ");
    // Unknown to the gateway.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("UNIFI_API_KEY", "hunter2"); }).await, @r"
    exit 5
    error: unifi: the gateway does not accept the credential: GET /api/self/sites: status 401: Unauthorized
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: use an API key made on this gateway itself (Network > Integrations); keys of the cloud Site Manager are different ones
    nothing was written
    ");
    // Of a viewer: every read succeeds.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| { apply.env("UNIFI_API_KEY", &known.unifi_readonly_key); }).await, @r"
    exit 5
    error: unifi: the API key may only read the site default (role readonly)
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: a key has the role of the admin who made it: Site Admin is enough
    nothing was written
    ");
    // All that fail are told together.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| {
        apply.env("OMNI_SERVICE_ACCOUNT_KEY", &foreign);
        apply.env("PROXMOX_VE_API_TOKEN", UNKNOWN_TOKEN).env("UNIFI_API_KEY", "hunter2");
    }).await, @r"
    exit 5
    error: omni: Omni refuses the signature: the key KEY-ID of bootstrap is unknown to this server: destroyed, expired, or made by another Omni (the clocks agree)
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: take the key of this Omni, or make a new one: `omnictl serviceaccount create NAME --role Operator --use-user-role=false`

    error: unifi: the gateway does not accept the credential: GET /api/self/sites: status 401: Unauthorized
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: use an API key made on this gateway itself (Network > Integrations); keys of the cloud Site Manager are different ones

    error: proxmox (proxmox): API token root@pam!x was not accepted: Authentication failed!
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
      |
      = hint: check that the token exists, is not expired, that its user is enabled, and that the secret is complete; Proxmox gives one answer for all of these
    nothing was written
    ");
    // Nothing given.
    insta::assert_snapshot!(refused(&site, |_| (), |apply| {
        apply.env_remove("OMNI_SERVICE_ACCOUNT_KEY").env_remove("PROXMOX_VE_API_TOKEN").env("UNIFI_API_KEY", "");
    }).await, @r"
    exit 5
    error: omni: environment variable `OMNI_SERVICE_ACCOUNT_KEY` is not set
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: export OMNI_SERVICE_ACCOUNT_KEY, or name a file or a command in the site file

    error: proxmox (proxmox): environment variable `PROXMOX_VE_API_TOKEN` is not set
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
      |
      = hint: export PROXMOX_VE_API_TOKEN, or name a file or a command in the site file

    error: unifi: environment variable `UNIFI_API_KEY` is empty
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: one line with the key and nothing else is expected
    nothing was written
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_not_there_or_not_themselves() {
    let (_settled, site) = (settled(), open().await);
    let pin = |door: &str| site.doors.fingerprints[door].to_string();
    let tls = format!("  tls: {{sha256: \"{}\"}}\n", pin("omni"));
    // Another certificate than the pinned one.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &pin("omni"), &pin("unifi")), |_| ()).await, @r"
    exit 5
    error: omni: https://127.0.0.1:PORT shows the certificate <pin of omni>, pinned is <pin of unifi>; nothing was sent
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: if the certificate was renewed on purpose, compare the new fingerprint on the server itself and put it in place of the pin; otherwise somebody may be in between
    nothing was written
    ");
    // The same of Proxmox.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &pin("proxmox:proxmox"), &pin("unifi")), |_| ()).await, @r"
    exit 5
    error: proxmox (proxmox): https://127.0.0.1:PORT shows the certificate <pin of proxmox:proxmox>, pinned is <pin of unifi>; nothing was sent
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
      |
      = hint: if the certificate was renewed on purpose, compare the new fingerprint on the server itself and put it in place of the pin; otherwise somebody may be in between
    nothing was written
    ");
    // The same of the gateway.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &pin("unifi"), &pin("omni")), |_| ()).await, @r"
    exit 5
    error: unifi: https://127.0.0.1:PORT shows the certificate <pin of unifi>, pinned is <pin of omni>; nothing was sent
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:PORT
       |   ^^^^^^^^
       |
       = hint: if the certificate was renewed on purpose, compare the new fingerprint on the server itself and put it in place of the pin; otherwise somebody may be in between
    nothing was written
    ");
    // Signed by nobody known.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &tls, ""), |_| ()).await, @r"
    exit 5
    error: omni: the TLS connection to https://127.0.0.1:PORT was refused: its certificate is signed by nobody who is trusted here
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: for a private CA name the CA's file, for a self-signed certificate pin its SHA-256 fingerprint: `openssl x509 -noout -fingerprint -sha256` prints it on the server
    nothing was written
    ");
    // A closed port.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &site.doors.omni, "https://127.0.0.1:1"), |_| ()).await, @r"
    exit 5
    error: omni: cannot connect to https://127.0.0.1:1: connection refused
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:1
      |   ^^^^^^^^
      |
      = hint: check the address and that the server is up
    nothing was written
    ");
    // The same of Proxmox.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &site.doors.proxmox["proxmox"], "https://127.0.0.1:1"), |_| ()).await, @r"
    exit 5
    error: proxmox (proxmox): cannot connect to https://127.0.0.1:1: connection refused
     --> bootstrap.yaml:8:5
      |
    8 |   - provider: proxmox
      |     ^^^^^^^^
      |
      = hint: check the address and that the server is up
    nothing was written
    ");
    // The same of the gateway.
    insta::assert_snapshot!(refused(&site, |files| edit(files, "bootstrap.yaml", &site.doors.unifi, "https://127.0.0.1:1"), |_| ()).await, @r"
    exit 5
    error: unifi: cannot connect to https://127.0.0.1:1: connection refused
      --> bootstrap.yaml:13:3
       |
    13 |   endpoint: https://127.0.0.1:1
       |   ^^^^^^^^
       |
       = hint: check the address and that the server is up
    nothing was written
    ");
}

/// A clock whose hands stand wrong.
#[derive(Debug)]
struct Skewed {
    clock: TokioClock,
    ahead: bool,
}

const SKEW: Duration = Duration::from_hours(80);

impl Clock for Skewed {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn wall(&self) -> SystemTime {
        if self.ahead {
            self.clock.wall() + SKEW
        } else {
            self.clock.wall() - SKEW
        }
    }

    fn random(&self) -> f64 {
        self.clock.random()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(duration)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ() {
    let _settled = settled();
    let skewed = async |ahead| {
        let clock = Arc::new(Skewed {
            clock: TokioClock::scaled(SPEED),
            ahead,
        });
        Loopback::open_at(3, SPEED, Faults::default(), clock, |_, _| ()).await
    };
    let site = skewed(false).await;
    // The server's stands behind ours.
    insta::assert_snapshot!(refused(&site, |_| (), |_| ()).await, @r"
    exit 5
    error: omni: Omni refuses the signature: this machine's clock is 3 days ahead of the server's, and 5 min is all it allows
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: set the clock that is wrong, by NTP for instance
    nothing was written
    ");
    let site = skewed(true).await;
    // And ahead of it.
    insta::assert_snapshot!(refused(&site, |_| (), |_| ()).await, @r"
    exit 5
    error: omni: Omni refuses the signature: this machine's clock is 3 days behind the server's, and 5 min is all it allows
     --> bootstrap.yaml:4:3
      |
    4 |   endpoint: https://127.0.0.1:PORT
      |   ^^^^^^^^
      |
      = hint: set the clock that is wrong, by NTP for instance
    nothing was written
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_addresses_that_others_have() {
    let _settled = settled();
    let elsewhere = "172.16.8.77".parse().expect("an address");
    let site = Loopback::open(3, SPEED, Faults::default(), |_, blueprint| {
        blueprint.dns_records = vec![("omni.home.example".to_owned(), elsewhere)];
    })
    .await;
    // The name is declared with another value.
    insta::assert_snapshot!(refused(&site, |_| (), |_| ()).await, @r"
    exit 3
    error: unifi: the record omni.home.example A already has the value 172.16.8.77 (ttl 0), not 172.16.8.5
      --> bootstrap.yaml:21:7
       |
    21 |     - {name: omni.home.example, type: A, value: 172.16.8.5}
       |       ^
       |
       = hint: change or remove that in the gateway, or change `dns.records`; nothing is taken over unasked
    nothing was written
    ");
    let site = Loopback::open(3, SPEED, Faults::default(), derive::lease_first_pool).await;
    // Every address of a pool is leased.
    insta::assert_snapshot!(refused(&site, |_| (), |_| ()).await, @r"
    exit 3
    error: unifi: no address of control-planes is free; the next lease to end is that of 3c:22:fb:30:40:00 on 172.16.8.11, at TIME
      --> bootstrap.yaml:39:20
       |
    39 |         addresses: [172.16.8.11-172.16.8.14]
       |                    ^
       |
       = hint: wait until then, or give the pool more addresses
    nothing was written
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_passed_over() {
    let site = Loopback::open(3, SPEED, Faults::default(), |_, blueprint| {
        blueprint.strangers.push(Stranger {
            mac: "02:00:00:00:00:09".parse().expect("a MAC"),
            ip: "172.16.8.11".parse().expect("an address"),
            live: false,
            reserved: true,
        });
    })
    .await;
    let mut apply = site.apply();
    apply.args(["--wait", "none"]);
    let finished = run(apply).await;
    assert_eq!(finished.code, Some(0), "{}", finished.printed());
    let mut reserved = Vec::new();
    for entry in site.world.log().entries {
        if let Fact::Reserved { ip, .. } = entry.fact {
            reserved.push(ip.octets()[3]);
        }
    }
    reserved.sort_unstable();
    assert_eq!(reserved, [12, 13, 14, 21, 22, 31], "{}", finished.printed());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_run_holds_the_lock() {
    let _settled = settled();
    let site = open().await;
    let files = site.files();
    let path = files.path().join("omni-bootstrap-home.lock");
    std::fs::write(&path, "4711\n").expect("the lock can be written");
    let lock = std::fs::File::open(&path).expect("the lock is there");
    lock.try_lock().expect("nobody holds it");
    let before = site.written();
    let finished = run(site.command_in(files.path(), "apply")).await;
    insta::assert_snapshot!(told(&site, files.path(), &finished), @r"
    exit 4
    error: another run (process 4711) works on the site home; wait for it to end
    ");
    assert_eq!(site.written(), before);
}
