//! The Omni door through the client crate, over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests may panic as tests do

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api_transport::{TokioClock, Trust};
use futures_util::StreamExt as _;
use omni_client::{
    Client, ClientBuilder, Event, KeyError, Kind, ListOptions, OpenPgpSigner, Resource,
    ServiceAccountKey, UserKey, UserPublicKey,
};
use secrecy::SecretString;
use serde_json::json;
use site_simulator::world::omni::access::Role;
use site_simulator::{Blueprint, Doors, Faults, World};

fn blueprint() -> Blueprint {
    Blueprint {
        omni_name: "omni.home.example".to_owned(),
        omni_address: Ipv4Addr::new(172, 16, 8, 5),
        talos_versions: vec![("1.13.7".to_owned(), vec!["1.36.2".to_owned()])],
        extensions: vec!["siderolabs/xe".to_owned()],
        providers: Vec::new(),
        networks: Vec::new(),
        dns_records: Vec::new(),
        upstream: Vec::new(),
        strangers: Vec::new(),
    }
}

async fn open(faults: Faults) -> (Arc<World>, Doors) {
    let world = World::new(blueprint(), 1, faults, Arc::new(TokioClock::real()));
    let doors = world.serve().await.unwrap();
    (world, doors)
}

fn client(doors: &Doors, key: &SecretString) -> Client {
    ClientBuilder::new(doors.omni.as_str())
        .service_account_key(key.clone())
        .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
        .build()
        .unwrap()
}

fn classes() -> Kind {
    Kind {
        namespace: "default".into(),
        name: "MachineClasses.omni.sidero.dev".into(),
    }
}

fn class(id: &str) -> Resource {
    let mut class = Resource::new(&classes(), id);
    class.spec = json!({"match_labels": ["a = b"]});
    class
}

#[tokio::test]
async fn a_client_reads_writes_and_watches() {
    let (world, doors) = open(Faults::default()).await;
    let credentials = world.credentials();
    let client = client(&doors, &credentials.omni_key);
    let me = client.current_user().await.unwrap();
    assert_eq!(me.role, "Operator");
    let mut events = client.watch(&classes());
    assert!(matches!(
        events.next().await.unwrap().unwrap(),
        Event::Bootstrapped
    ));
    client.create(&class("one")).await.unwrap();
    match events.next().await.unwrap().unwrap() {
        Event::Created(created) => assert_eq!(created.metadata.id, "one"),
        other => panic!("{other:?}"),
    }
    assert!(
        client
            .create(&class("one"))
            .await
            .unwrap_err()
            .is_already_exists()
    );
    let listed = client.list(&classes(), &ListOptions::all()).await.unwrap();
    assert_eq!(listed.len(), 1);
    client.delete(&classes(), "one").await.unwrap();
    assert!(matches!(
        events.next().await.unwrap().unwrap(),
        Event::Updated { old: Some(_), .. }
    ));
    assert!(matches!(
        events.next().await.unwrap().unwrap(),
        Event::Destroyed(_)
    ));
    assert!(doors.request_counts()["omni"] >= 6);
}

#[tokio::test]
async fn keys_decide() {
    let (world, doors) = open(Faults::default()).await;
    let credentials = world.credentials();
    let reader = client(&doors, &credentials.omni_reader_key);
    assert_eq!(
        reader.list(&classes(), &ListOptions::all()).await.unwrap(),
        []
    );
    assert_eq!(
        reader.create(&class("x")).await.unwrap_err().status(),
        Some(403)
    );
    // A key of another world is unknown here.
    let (other, _doors) = open(Faults::default()).await;
    let key = other.credentials().omni_key;
    let error = client(&doors, &key)
        .list(&classes(), &ListOptions::all())
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(401), "{error:?}");
    // An expired key says so itself.
    let expired = ServiceAccountKey::parse(&credentials.omni_expired_key).unwrap();
    let refused = OpenPgpSigner::new(&expired, SystemTime::now()).unwrap_err();
    assert!(matches!(refused, KeyError::Expired(_)), "{refused:?}");
    assert!(!format!("{:?}", world.credentials()).contains("ey"));
}

#[tokio::test]
async fn faults_hit_requests() {
    for (faults, works) in [
        (
            Faults {
                server_error: 1.0,
                ..Faults::default()
            },
            false,
        ),
        (
            Faults {
                lost_answer: 1.0,
                ..Faults::default()
            },
            true,
        ),
        (
            Faults {
                reset: 1.0,
                ..Faults::default()
            },
            false,
        ),
    ] {
        let (world, doors) = open(faults.clone()).await;
        let key = world.credentials().omni_key;
        let outcome = tokio::time::timeout(
            Duration::from_secs(20),
            client(&doors, &key).create(&class("x")),
        )
        .await;
        assert!(outcome.is_ok_and(|created| created.is_err()), "{faults:?}");
        let there = world.look(|state| {
            state
                .omni
                .store
                .get("default", "MachineClasses.omni.sidero.dev", "x")
                .is_some()
        });
        assert_eq!(there, works, "{faults:?}");
    }
}

#[tokio::test]
async fn a_person_logs_in_with_a_key_confirmed_in_a_browser() {
    const ADA: &str = "ada@home.example";
    let (world, doors) = open(Faults::default()).await;
    world.act(|state, _| state.omni.accounts.add_user(ADA, Role::Operator));
    let now = SystemTime::now();
    let key = UserKey::generate(ADA, now).unwrap();
    let kept = key.to_file();
    let client = ClientBuilder::new(doors.omni.as_str())
        .signer(Arc::new(UserKey::from_file(ADA, &kept, now).unwrap()))
        .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
        .build()
        .unwrap();
    let login = client.register_user_key(&key).await.unwrap();
    assert!(login.url.ends_with(&login.key_id), "{login:?}");
    let early = client.current_user().await.unwrap_err();
    assert_eq!(early.status(), Some(401), "not confirmed yet");

    let (confirmed, waited) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            world.act(|state, _| state.omni.accounts.confirm(&login.key_id))
        },
        client.await_confirmation(&login, Duration::from_mins(1)),
    );
    assert!(confirmed);
    waited.unwrap();
    let user = client.current_user().await.unwrap();
    assert_eq!((&*user.identity, &*user.role), (ADA, "Operator"));
    client.create(&class("mine")).await.unwrap();

    // An OpenPGP key for hours will do as well, one for a year will not, and a stranger hears nothing.
    for (hours, works) in [(4, true), (9, false)] {
        let life = Duration::from_hours(hours);
        let new = ServiceAccountKey::generate("ada", life, now).unwrap();
        let key = UserPublicKey::OpenPgp(new.public);
        let registered = client.register_public_key(ADA, &key).await;
        assert_eq!(registered.is_ok(), works, "{registered:?}");
    }
    let strange = UserKey::generate("eve@home.example", now).unwrap();
    let login = client.register_user_key(&strange).await.unwrap();
    assert!(!world.act(|state, _| state.omni.accounts.confirm(&login.key_id)));
    let waiting = client.await_confirmation(&login, Duration::from_secs(1));
    assert_eq!(waiting.await.unwrap_err().status(), Some(504));
}
