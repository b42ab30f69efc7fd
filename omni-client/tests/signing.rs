//! Keys and signatures against the OpenPGP library itself, and GnuPG where it is installed.
#![cfg(feature = "openpgp")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)] // a test may

mod fake;
mod record;

use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake::{Answer, Hasty, Server};
use omni_client::{ClientBuilder, Error, KeyError, OpenPgpSigner, ServiceAccountKey, Signer as _};
use pgp::composed::{
    ArmorOptions, Deserializable as _, DetachedSignature, KeyType, SecretKeyParamsBuilder,
    SignedPublicKey, SignedSecretKey,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::SignatureType;
use pgp::types::{KeyDetails as _, KeyVersion};
use record::records;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

fn key(kind: KeyType, version: KeyVersion, passphrase: Option<&str>) -> SignedSecretKey {
    SecretKeyParamsBuilder::default()
        .version(version)
        .key_type(kind)
        .can_sign(true)
        .primary_user_id("ci <ci@serviceaccount.omni.sidero.dev>".into())
        .passphrase(passphrase.map(str::to_owned))
        .build()
        .unwrap()
        .generate(rand08::thread_rng())
        .unwrap()
}

fn printed(key: &SignedSecretKey) -> String {
    let armored = key.to_armored_string(ArmorOptions::default()).unwrap();
    STANDARD.encode(json!({"name": "ci", "pgp_key": armored}).to_string())
}

fn signer(text: &str, now: SystemTime) -> Result<OpenPgpSigner, KeyError> {
    OpenPgpSigner::new(&ServiceAccountKey::parse(&text.to_owned().into())?, now)
}

#[tokio::test]
async fn a_call_carries_a_signature_that_verifies() {
    let key = key(KeyType::Ed25519Legacy, KeyVersion::V4, None);
    let now = SystemTime::now() + Duration::from_secs(100);
    let server = Server::new([Answer::ok()]);
    let client = ClientBuilder::new("https://omni.example")
        .service_account_key(format!("OMNI_SERVICE_ACCOUNT_KEY={}\n", printed(&key)))
        .clock(Hasty::at(now))
        .exchange(server.clone())
        .build()
        .unwrap();
    let _ = client.current_user().await;

    let seen = server.seen.lock().unwrap();
    let header = |name: &str| seen[0].headers()[name].to_str().unwrap().to_owned();
    let payload = header("grpc-metadata-x-sidero-payload");
    let seconds = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .to_string();
    assert_eq!(
        serde_json::from_str::<Value>(&payload).unwrap(),
        json!({
            "headers": {"x-sidero-timestamp": [seconds], "runtime": ["Omni"]},
            "method": "/omni.resources.ResourceService/Get"
        })
    );
    let signature = header("grpc-metadata-x-sidero-signature");
    let parts: Vec<&str> = signature.split(' ').collect();
    let fingerprint = client.signer().key_id().to_owned();
    assert_eq!(parts[..3], ["siderov1", "ci", fingerprint.as_str()]);
    assert!(
        fingerprint.len() == 40 && !fingerprint.contains(char::is_uppercase),
        "{fingerprint}"
    );
    assert!(
        !format!("{:?} {client:?}", seen[0].headers()).contains(parts[3]),
        "the signature is good for five minutes"
    );

    let packet = STANDARD.decode(parts[3]).unwrap();
    let detached = DetachedSignature::from_bytes(&packet[..]).unwrap();
    let public = SignedPublicKey::from(key);
    detached.verify(&public, payload.as_bytes()).unwrap();
    detached.verify(&public, b"another text").unwrap_err();
    let made = &detached.signature;
    assert_eq!(made.typ(), Some(SignatureType::Binary));
    assert_eq!(
        SystemTime::from(made.created().unwrap())
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            .to_string(),
        seconds
    );
    assert_eq!(made.issuer_fingerprint().len(), 1);
    let public = public.to_armored_string(ArmorOptions::default()).unwrap();
    gnupg_agrees(&public, payload.as_bytes(), &packet);
}

/// GnuPG with a home of its own; none where it is not installed.
struct Gnupg {
    home: TempDir,
}

impl Gnupg {
    fn find() -> Option<Self> {
        let found = Command::new("gpg").arg("--version").output().is_ok();
        if !found {
            println!("skipped: GnuPG is not installed");
        }
        found.then(|| Self {
            home: tempfile::tempdir().unwrap(),
        })
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.home.path().join(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--batch", "--no-tty", "--ignore-time-conflict"])
            .args(["--pinentry-mode", "loopback"])
            .args(arguments)
            .current_dir(self.home.path())
            .output()
            .unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// A private key made by GnuPG, as the value of OMNI_SERVICE_ACCOUNT_KEY.
    fn key(&self, kind: &str, passphrase: &str) -> String {
        let user = format!("{kind}{passphrase} <{kind}{passphrase}@example.com>");
        let unlock = ["--passphrase", passphrase];
        self.succeed(&[&unlock[..], &["--quick-gen-key", &user, kind, "sign", "1d"]].concat());
        let export = ["--armor", "--export-secret-keys", &user];
        let armored = self.succeed(&[&unlock[..], &export].concat());
        STANDARD.encode(json!({"name": "ci", "pgp_key": armored}).to_string())
    }

    /// Whether it finds the signature good.
    fn verifies(&self, payload: &[u8], signature: &[u8]) -> bool {
        self.write("payload", payload);
        self.write("signature", signature);
        self.run(&["--verify", "signature", "payload"])
            .status
            .success()
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        // Its agent would outlive the test.
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "all"])
            .output();
    }
}

fn gnupg_agrees(public: &str, payload: &[u8], signature: &[u8]) {
    let Some(gnupg) = Gnupg::find() else {
        return;
    };
    gnupg.write("key.asc", public);
    gnupg.succeed(&["--import", "key.asc"]);
    assert!(gnupg.verifies(payload, signature));
    assert!(!gnupg.verifies(b"another text", signature));
}

#[test]
fn keys_that_cannot_work_are_told_apart() {
    let now = SystemTime::now();
    let good = key(KeyType::Ed25519Legacy, KeyVersion::V4, None);
    for (text, expected) in [
        (
            printed(&key(
                KeyType::Ed25519Legacy,
                KeyVersion::V4,
                Some("hunter2"),
            )),
            "locked with a passphrase",
        ),
        (
            printed(&key(KeyType::Ed25519, KeyVersion::V6, None)),
            "version 6",
        ),
        (
            printed(&key(KeyType::ECDSA(ECCCurve::P256), KeyVersion::V4, None)),
            "ECDSA",
        ),
        (
            STANDARD.encode(json!({"name": "ci", "pgp_key": "-----BEGIN PGP hunter2"}).to_string()),
            "damaged",
        ),
        (String::new(), "empty"),
    ] {
        let error = signer(&text, now).unwrap_err().to_string();
        assert!(
            error.contains(expected) && !error.contains("hunter2"),
            "{error}"
        );
    }
    assert!(
        signer(&printed(&good), now).unwrap().expires().is_none(),
        "made without an end"
    );
    let built = ClientBuilder::new("https://omni.example").build();
    assert!(
        matches!(built, Err(Error::Key(KeyError::Format(_)))),
        "{built:?}"
    );
}

#[test]
fn keys_made_by_gnupg_sign_and_end_when_they_say() {
    let Some(gnupg) = Gnupg::find() else {
        return;
    };
    let text = gnupg.key("ed25519", "");
    let now = SystemTime::now();
    let made = signer(&text, now).unwrap();
    let signature = made.sign(b"payload", now).unwrap();
    assert!(gnupg.verifies(b"payload", &signature));
    assert!(!gnupg.verifies(b"another text", &signature));

    let end = made.expires().expect("an end");
    let left = end.duration_since(now).unwrap();
    assert!(
        left <= Duration::from_hours(24) && left > Duration::from_hours(23),
        "{left:?}"
    );
    let late = signer(&text, now + Duration::from_hours(25)).unwrap_err();
    assert!(matches!(late, KeyError::Expired(at) if at == end), "{late}");
    assert!(late.hint().unwrap().contains("omni-service-account renew"));

    for (kind, passphrase, expected) in [
        ("rsa2048", "", "RSA"),
        ("nistp256", "", "ECDSA"),
        ("ed25519", "hunter2", "locked with a passphrase"),
    ] {
        let error = signer(&gnupg.key(kind, passphrase), now).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(expected), "{told}");
        assert!(
            error.hint().unwrap().contains("omni-service-account renew"),
            "{kind}"
        );
    }
}

#[test]
fn keys_made_here_are_what_omni_and_gnupg_take() {
    let now = SystemTime::now();
    let life = Duration::from_hours(90 * 24);
    let new = ServiceAccountKey::generate("infra-provider:proxmox", life, now).unwrap();
    let off = now.duration_since(new.expires - life).unwrap();
    assert!(off < Duration::from_secs(1), "{off:?}");

    let printed = new.account.encode();
    assert!(!format!("{new:?}").contains("PRIVATE"));
    let read = ServiceAccountKey::parse(&printed).unwrap();
    assert_eq!(read.name(), "infra-provider:proxmox");
    let made = OpenPgpSigner::new(&read, now).unwrap();
    assert_eq!(
        (made.identity(), made.key_id(), made.expires()),
        ("infra-provider:proxmox", &*new.id, Some(new.expires))
    );

    let (public, _) = SignedPublicKey::from_string(&new.public).unwrap();
    public.verify_bindings().unwrap();
    let [user] = &public.details.users[..] else {
        panic!("{:?}", public.details.users);
    };
    assert_eq!(
        user.id.as_str().unwrap(),
        "proxmox <proxmox@infra-provider.serviceaccount.omni.sidero.dev>"
    );
    // The server wants both ends.
    let signature = &user.signatures[0];
    for end in [
        signature.key_expiration_time(),
        signature.signature_expiration_time(),
    ] {
        assert_eq!(end.map(Duration::from), Some(life));
    }

    let packet = made.sign(b"payload", now).unwrap();
    gnupg_agrees(&new.public, b"payload", &packet);
    let Some(gnupg) = Gnupg::find() else {
        return;
    };
    gnupg.write("key.asc", &new.public);
    gnupg.succeed(&["--import", "key.asc"]);
    let listed = gnupg.succeed(&["--with-colons", "--list-keys"]);
    let end = new
        .expires
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(
        listed.contains(&new.id.to_uppercase()) && listed.contains(&format!(":{end}:")),
        "{listed}"
    );
    // GnuPG takes the private part as well.
    gnupg.write("private.asc", read.armored().expose_secret());
    gnupg.succeed(&["--import", "private.asc"]);
}

#[test]
fn recorded_keys_and_signatures_are_of_the_same_form() {
    let listed = records("ListServiceAccounts");
    let listed: Value = serde_json::from_str(listed[0].answered()).unwrap();
    let mut keys = std::collections::BTreeMap::new();
    for account in listed["service_accounts"].as_array().unwrap() {
        for key in account["pgp_public_keys"].as_array().unwrap() {
            let armored = key["armored"].as_str().unwrap();
            let (public, _) = SignedPublicKey::from_string(armored).unwrap();
            public.verify_bindings().unwrap();
            assert_eq!(public.version(), KeyVersion::V4);
            assert_eq!(public.algorithm(), PublicKeyAlgorithm::EdDSALegacy);
            keys.insert(
                key["id"].as_str().unwrap().to_owned(),
                (public, armored.to_owned()),
            );
        }
    }
    assert!(keys.len() >= 5, "{}", keys.len());
    let mut verified = 0;
    let mut shown_to_gnupg = false;
    for record in records("/api/") {
        let Some((_, paper)) = record.maker() else {
            continue;
        };
        let Some((public, armored)) = keys.get(&paper.key_id) else {
            continue;
        };
        let payload = record.header("grpc-metadata-x-sidero-payload").unwrap();
        let Ok(detached) = DetachedSignature::from_bytes(&paper.signature[..]) else {
            continue;
        };
        // One was signed wrongly on purpose, one sent without a signature.
        if detached.verify(public, payload.as_bytes()).is_err() {
            assert!(matches!(&*record.number, "59" | "453"), "{}", record.name);
            continue;
        }
        verified += 1;
        if !shown_to_gnupg {
            gnupg_agrees(armored, payload.as_bytes(), &paper.signature);
            shown_to_gnupg = true;
        }
    }
    println!("{verified} recorded signatures verify with recorded keys");
    assert!(verified >= 100, "{verified}");
}
