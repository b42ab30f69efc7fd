//! Keys and signatures against the OpenPGP library itself, and GnuPG where it is installed.
#![cfg(feature = "openpgp")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)] // a test may

mod fake;

use std::process::Command;
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
use pgp::packet::SignatureType;
use pgp::types::KeyVersion;
use serde_json::{Value, json};

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
    gnupg_agrees(&public, payload.as_bytes(), &packet);
}

fn gnupg_agrees(public: &SignedPublicKey, payload: &[u8], signature: &[u8]) {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    std::fs::write(
        path("key.asc"),
        public.to_armored_string(ArmorOptions::default()).unwrap(),
    )
    .unwrap();
    std::fs::write(path("payload"), payload).unwrap();
    std::fs::write(path("signature"), signature).unwrap();
    let gpg = |arguments: &[&str]| {
        Command::new("gpg")
            .args([
                "--homedir",
                home.path().to_str().unwrap(),
                "--batch",
                "--no-tty",
                "--ignore-time-conflict",
            ])
            .args(arguments)
            .current_dir(home.path())
            .output()
    };
    let Ok(imported) = gpg(&["--import", "key.asc"]) else {
        println!("skipped: GnuPG is not installed");
        return;
    };
    assert!(imported.status.success(), "{imported:?}");
    let verified = gpg(&["--verify", "signature", "payload"]).unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    std::fs::write(path("payload"), b"another text").unwrap();
    assert!(
        !gpg(&["--verify", "signature", "payload"])
            .unwrap()
            .status
            .success()
    );
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
fn an_end_in_the_self_signature_is_kept_to() {
    // Made by GnuPG, where it is: its keys carry an end and work with Omni as well.
    let home = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str]| {
        Command::new("gpg")
            .args([
                "--homedir",
                home.path().to_str().unwrap(),
                "--batch",
                "--no-tty",
                "--pinentry-mode",
                "loopback",
            ])
            .args(["--passphrase", ""])
            .args(arguments)
            .output()
    };
    match gpg(&[
        "--quick-gen-key",
        "ci <ci@example.com>",
        "ed25519",
        "sign",
        "1d",
    ]) {
        Ok(made) if made.status.success() => {}
        other => {
            println!(
                "skipped: GnuPG cannot make keys here: {:?}",
                other.map(|made| made.status)
            );
            return;
        }
    }
    let armored =
        String::from_utf8(gpg(&["--armor", "--export-secret-keys"]).unwrap().stdout).unwrap();
    let _ = Command::new("gpgconf")
        .args(["--homedir", home.path().to_str().unwrap(), "--kill", "all"])
        .output();
    let text = STANDARD.encode(json!({"name": "ci", "pgp_key": armored}).to_string());
    let now = SystemTime::now();
    let end = signer(&text, now).unwrap().expires().expect("an end");
    let left = end.duration_since(now).unwrap();
    assert!(
        left <= Duration::from_hours(24) && left > Duration::from_hours(23),
        "{left:?}"
    );
    let late = signer(&text, now + Duration::from_hours(25)).unwrap_err();
    assert!(matches!(late, KeyError::Expired(at) if at == end), "{late}");
    assert!(SignedSecretKey::from_string(&armored).is_ok());
}
