//! Login of a person: the key, how it signs, and how it is registered and waited for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a test may

mod fake;
mod record;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use fake::{Answer, Hasty, Server, simple};
use omni_client::{
    Client, ClientBuilder, Error, KeyError, Login, Signer as _, UserKey, UserPublicKey,
};
use record::records;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

const ADA: &str = "ada@home.example";

fn client(server: &Arc<Server>, key: UserKey, clock: &Arc<Hasty>) -> Client {
    ClientBuilder::new("https://omni.example")
        .signer(Arc::new(key))
        .clock(clock.clone())
        .exchange(server.clone())
        .build()
        .unwrap()
}

fn point(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()[26..].to_vec()
}

#[test]
fn a_key_signs_as_omni_verifies() {
    let now = SystemTime::now();
    let key = UserKey::generate(ADA, now).unwrap();
    assert_eq!(key.expires(), Some(now + UserKey::LIFE));
    let signature = key.sign(b"payload", now).unwrap();
    assert_eq!(signature.len(), 64, "r and s, no more");
    let pem = key.public_pem();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"));
    let point = point(&pem);
    assert_eq!((point.len(), point[0]), (65, 4), "uncompressed");
    let hash = ring::digest::digest(&ring::digest::SHA256, &point);
    assert_eq!(key.key_id(), URL_SAFE.encode(hash));
    let public =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, &point);
    public.verify(b"payload", &signature).unwrap();
    public.verify(b"another", &signature).unwrap_err();
    openssl_agrees(&pem, &signature);
}

/// The same by other hands, where they are.
fn openssl_agrees(pem: &str, signature: &[u8]) {
    // A number in DER is signed and as short as can be.
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(31);
        let mut number = bytes[start..].to_vec();
        if number[0] >= 0x80 {
            number.insert(0, 0);
        }
        [vec![2, u8::try_from(number.len()).unwrap()], number].concat()
    };
    let numbers = [integer(&signature[..32]), integer(&signature[32..])].concat();
    let der = [vec![0x30, u8::try_from(numbers.len()).unwrap()], numbers].concat();
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("key.pem", pem.as_bytes()),
        ("sig", &der),
        ("text", b"payload"),
    ] {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let arguments = [
        "dgst",
        "-sha256",
        "-verify",
        "key.pem",
        "-signature",
        "sig",
        "text",
    ];
    let ran = Command::new("openssl")
        .args(arguments)
        .current_dir(directory.path())
        .output();
    match ran {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => println!("skipped: openssl is not installed"),
    }
}

#[test]
fn a_kept_key_is_read_until_it_ends() {
    let now = SystemTime::now();
    let key = UserKey::generate(ADA, now).unwrap();
    let text = key.to_file();
    let read = UserKey::from_file(ADA, &text, now).unwrap();
    assert_eq!((read.key_id(), read.identity()), (key.key_id(), ADA));
    let left = read.expires().unwrap().duration_since(now).unwrap();
    assert!(left + Duration::from_secs(1) >= UserKey::LIFE, "{left:?}");
    let late = UserKey::from_file(ADA, &text, now + Duration::from_hours(8)).unwrap_err();
    assert!(matches!(late, KeyError::Expired(_)), "{late}");

    let whole = text.expose_secret();
    for cut in 0..whole.len() - 30 {
        let error = UserKey::from_file(ADA, &whole[..cut].into(), now).unwrap_err();
        assert!(matches!(error, KeyError::Damaged(_)), "{cut}: {error}");
    }
    let shown = format!("{key:?} {text:?}");
    let body = whole.lines().nth(2).unwrap();
    assert!(!shown.contains(&body[..20]), "{shown}");
    for identity in ["", "a b", "ü@x"] {
        assert!(UserKey::generate(identity, now).is_err(), "{identity:?}");
    }
}

#[tokio::test]
async fn a_key_is_registered_unsigned_and_waited_for() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_420_000);
    let key = UserKey::generate(ADA, now).unwrap();
    let (id, pem) = (key.key_id().to_owned(), key.public_pem());
    let answer = json!({"login_url": "https://omni.example/authenticate?x", "public_key_id": id});
    let server = Server::new([
        Answer::json(200, &answer),
        Answer::refusal(504, 4, "context deadline exceeded"),
        Answer::Reset,
        Answer::ok(),
    ]);
    let clock = Hasty::at(now);
    let registering = client(
        &server,
        UserKey::from_file(ADA, &key.to_file(), now).unwrap(),
        &clock,
    );
    let login = registering.register_user_key(&key).await.unwrap();
    assert_eq!(login.key_id, id);
    registering
        .await_confirmation(&login, Duration::from_mins(10))
        .await
        .unwrap();
    assert_eq!(
        server.body(0),
        json!({
            "identity": {"email": ADA},
            "public_key": {"plain_key": {
                "key_pem": pem,
                "not_before": "2026-11-23T07:46:40Z",
                "not_after": "2026-11-23T15:36:40Z",
            }},
        })
    );
    for call in 1..4 {
        assert_eq!(server.body(call), json!({"public_key_id": id}));
    }
    assert_eq!(server.calls()[0], "RegisterPublicKey");
    for request in server.seen.lock().unwrap().iter() {
        let signed = request
            .headers()
            .keys()
            .any(|name| name.as_str().starts_with("grpc-"));
        assert!(!signed, "nobody is logged in yet");
    }
}

#[tokio::test]
async fn waiting_ends_when_nobody_comes_or_the_server_refuses() {
    let login = Login {
        url: String::new(),
        key_id: "k".to_owned(),
    };
    let late = || Answer::refusal(504, 4, "context deadline exceeded");
    let server = Server::new([late(), late(), late(), late(), late()]);
    let client = simple(&server);
    let waiting = client.await_confirmation(&login, Duration::from_secs(50));
    let error = waiting.await.unwrap_err();
    assert!(
        matches!(error, Error::Unavailable { deadline: true, .. }),
        "{error}"
    );
    assert!(
        (2..5).contains(&server.calls().len()),
        "{:?}",
        server.calls()
    );

    let server = Server::new([Answer::refusal(404, 5, "no such key")]);
    let client = simple(&server);
    let waiting = client.await_confirmation(&login, Duration::from_mins(1));
    assert!(waiting.await.unwrap_err().is_not_found());
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn the_recorded_registration_is_made_and_refused() {
    let records = records("auth.AuthService");
    assert_eq!(records.len(), 1);
    for record in records {
        let server = Server::new([record.answer()]);
        let key = record.request["body"]["public_key"]["pgp_data"]
            .as_str()
            .unwrap();
        let armored = String::from_utf8(STANDARD.decode(key).unwrap()).unwrap();
        let email = record.request["body"]["identity"]["email"]
            .as_str()
            .unwrap();
        let error = simple(&server)
            .register_public_key(email, &UserPublicKey::OpenPgp(armored))
            .await
            .unwrap_err();
        let mut recorded = record.request["body"].clone();
        // Of no effect without `skip_user_role`, which was not sent.
        recorded.as_object_mut().unwrap().remove("role");
        assert_eq!(server.body(0), recorded, "{}", record.name);
        let said: Value = serde_json::from_str(record.answered()).unwrap();
        assert_eq!(error.status(), Some(500));
        assert!(
            matches!(&error, Error::Unexpected { message, .. } if *message == said["message"]),
            "{error:?}"
        );
    }
}
