//! Answers that are cut, damaged, of other types, none at all or without end: an error of the right kind or a
//! value, and never a panic.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_transport::{BODY_LIMIT, Bytes};
use proxmox_client::{Client, ConfigChange, Error, PciMapping, TaskQuery, Upid};
use serde_json::{Value, json};

use crate::client;
use crate::recording::{Answer, Recording, Scripted, load};

const UPID: &str = "UPID:pve1:00000259:00032DF2:6B03EBB8:qmstart:101:toolkit@pve!boot:";

/// Makes the call of a method and a path; what it returns is looked at by nobody.
async fn call(client: &Client, method: &str, path: &[&str]) -> Option<Result<(), Error>> {
    let upid = Upid::parse(UPID).unwrap();
    let (node, vmid) = ("pve1", 101);
    let mapping = PciMapping {
        id: "h100".into(),
        digest: Some("x".into()),
        ..PciMapping::default()
    };
    let change = ConfigChange::new().set("description", "x");
    Some(match (method, path) {
        ("GET", ["version"]) => client.version().await.map(drop),
        ("GET", ["nodes"]) => client.nodes().await.map(drop),
        ("GET", ["cluster", "status"]) => client.cluster_status().await.map(drop),
        ("GET", ["cluster", "options"]) => client.cluster_options().await.map(drop),
        ("GET", ["cluster", "tasks"]) => client.cluster_tasks().await.map(drop),
        ("GET", ["cluster", "resources"]) => {
            let all = client.resources().await.map(drop);
            client.vms().await.map(drop).and(all)
        }
        ("GET", ["access", "permissions"]) => client.all_permissions().await.map(drop),
        ("GET", ["cluster", "ha", "resources"]) => client.ha_resources().await.map(drop),
        ("GET", ["cluster", "ha", "status", ..]) => client.ha_status().await.map(drop),
        ("POST", ["cluster", "ha", ..]) => client.ha_add(vmid, None).await,
        ("DELETE", ["cluster", "ha", ..]) => client.ha_remove(vmid).await,
        ("GET", ["cluster", "mapping", "pci"]) => client.pci_mappings(None).await.map(drop),
        ("GET", ["cluster", "mapping", "pci", _]) => client.pci_mapping("h100").await.map(drop),
        ("POST", ["cluster", "mapping", ..]) => client.create_pci_mapping(&mapping).await,
        ("PUT", ["cluster", "mapping", ..]) => client.update_pci_mapping(&mapping).await,
        ("DELETE", ["cluster", "mapping", ..]) => client.delete_pci_mapping("h100").await,
        ("GET", ["nodes", _, "status"]) => client.node_status(node).await.map(drop),
        ("GET", ["nodes", _, "network"]) => client.bridges(node).await.map(drop),
        ("GET", ["nodes", _, "capabilities", ..]) => client.machine_types(node).await.map(drop),
        ("GET", ["nodes", _, "storage"]) => client.storages(node).await.map(drop),
        ("GET", ["nodes", _, "storage", ..]) => client.volumes(node, "local", None).await.map(drop),
        ("GET", ["nodes", _, "hardware", "pci"]) => client.pci_devices(node).await.map(drop),
        ("GET", ["nodes", _, "hardware", ..]) => client.mdev_types(node, "x").await.map(drop),
        ("GET", ["nodes", _, "tasks"]) => client.tasks(node, &TaskQuery::default()).await.map(drop),
        ("GET", ["nodes", _, "tasks", _, "status"]) => client.task(&upid).await.map(drop),
        ("GET", ["nodes", _, "tasks", ..]) => client.task_log(&upid, 0, 500).await.map(drop),
        ("DELETE", ["nodes", _, "tasks", ..]) => client.stop_task(&upid).await,
        ("GET", ["nodes", _, "qemu"]) => client.vms_on(node).await.map(drop),
        ("GET", ["nodes", _, "qemu", _, "config"]) => {
            client.vm_config(node, vmid).await.map(|config| {
                // What is read from it must not panic either.
                let _ = (
                    config.uuid(),
                    config.mac("net0"),
                    config.hostpci(),
                    config.machine(),
                );
                let _ = (config.free_hostpci(), config.tags(), config.bridge("net0"));
            })
        }
        ("GET", ["nodes", _, "qemu", _, "pending"]) => client.pending(node, vmid).await.map(drop),
        ("GET", ["nodes", _, "qemu", _, "status", ..]) => {
            client.vm_status(node, vmid).await.map(drop)
        }
        ("GET", ["nodes", _, "qemu", _, "agent", ..]) => {
            client.agent_interfaces(node, vmid).await.map(drop)
        }
        ("POST", ["nodes", _, "qemu", _, "agent", ..]) => client.agent_ping(node, vmid).await,
        ("POST", ["nodes", _, "qemu", _, "status", ..]) => client.start(node, vmid).await.map(drop),
        ("PUT", ["nodes", _, "qemu", _, "config"]) => {
            client.update_config(node, vmid, &change, "x").await
        }
        ("POST", ["nodes", _, "qemu", _, "config"]) => {
            let task = client.update_config_task(node, vmid, &change, "x").await;
            task.map(drop)
        }
        _ => return None,
    })
}

/// A client that is given one answer after the other.
struct Bench {
    client: Client,
    next: Arc<Mutex<Answer>>,
}

impl Bench {
    fn new() -> Self {
        let next = Arc::new(Mutex::new(Answer::new(200, "OK", "")));
        let given = Arc::clone(&next);
        let exchange = Scripted::new(move |_, _| Some(given.lock().unwrap().clone()));
        Self {
            client: client(exchange, None),
            next,
        }
    }
}

/// Gives the answer to the call and judges what became of it.
async fn check(
    bench: &Bench,
    recording: &Recording,
    answer: Answer,
    what: &str,
) -> Option<Result<(), Error>> {
    let status = answer.status;
    *bench.next.lock().unwrap() = answer;
    let client = &bench.client;
    let path: Vec<&str> = recording.path.iter().skip(2).map(String::as_str).collect();
    let outcome = call(client, &recording.method, &path).await?;
    let name = format!("{}-{} {what}", recording.number, recording.name);
    match &outcome {
        Ok(()) => {
            // One mapping that is not there is an answer, too.
            let absent = recording.path.len() == 6 && recording.method == "GET";
            assert!(status == 200 || absent, "{name}: taken for a success");
        }
        Err(Error::Decode { .. }) => assert_eq!(status, 200, "{name}"),
        Err(error) => assert_eq!(error.status(), Some(status), "{name}: {error}"),
    }
    if let Err(error) = &outcome {
        let _ = (error.to_string(), format!("{error:?}"), error.hint());
        let _ = (error.is_retryable(), error.is_outcome_unknown());
    }
    Some(outcome)
}

/// Recordings of calls that are made here; `true` for the first of its shape, which is damaged everywhere.
fn recordings() -> Vec<(Recording, bool)> {
    let mut seen = BTreeSet::new();
    let shape = |recording: &Recording| {
        let words = recording.path.iter().map(|word| {
            let is_name = word.bytes().any(|b| b.is_ascii_digit() || b == b':');
            if is_name { "*" } else { word }
        });
        let words: Vec<&str> = words.collect();
        format!(
            "{} {} {}",
            recording.method,
            words.join("/"),
            recording.status
        )
    };
    let known = |recording: &Recording| recording.path.starts_with(&["api2".into(), "json".into()]);
    let mut all: Vec<Recording> = load().into_iter().filter(known).collect();
    // The fullest of each shape comes first.
    all.sort_by_key(|recording| std::cmp::Reverse(recording.body.len().min(4000)));
    let mut first = |recording: &Recording| seen.insert(shape(recording));
    all.into_iter()
        .map(|recording| {
            let first = first(&recording);
            (recording, first)
        })
        .collect()
}

fn raw(recording: &Recording, body: impl Into<Bytes>) -> Answer {
    Answer::raw(recording.status, &recording.reason, body)
}

#[tokio::test]
async fn cut_anywhere() {
    let bench = Bench::new();
    let mut cuts = 0_u32;
    for (recording, _) in recordings() {
        let body = Bytes::from(recording.body.clone());
        // The answers of writes are not read, but for the task they name.
        let is_read = recording.method == "GET" && recording.status == 200;
        for end in 0..body.len() {
            let answer = raw(&recording, body.slice(..end));
            let Some(outcome) = check(&bench, &recording, answer, &format!("cut at {end}")).await
            else {
                break;
            };
            assert!(
                !is_read || matches!(outcome, Err(Error::Decode { .. })),
                "{} cut at {end} is taken for whole",
                recording.name
            );
            cuts += 1;
        }
    }
    assert!(cuts > 80_000, "{cuts}");
}

#[tokio::test]
async fn bits_flipped() {
    let bench = Bench::new();
    let mut flips = 0_u32;
    for (recording, _) in recordings() {
        for at in 0..recording.body.len() {
            let mut body = recording.body.clone().into_bytes();
            // Another bit at each place, so that all of them come about.
            body[at] ^= 1 << ((at + recording.number as usize) % 8);
            let answer = raw(&recording, body);
            if check(&bench, &recording, answer, &format!("flipped at {at}"))
                .await
                .is_none()
            {
                break;
            }
            flips += 1;
        }
    }
    assert!(flips > 8_000, "{flips}");
}

/// Pointers to every value inside a JSON value, itself included.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                pointers(value, &format!("{at}/{}", escape(key)), found);
            }
        }
        // The rows of a list are alike.
        Value::Array(rows) => {
            for (index, value) in rows.iter().enumerate().take(2) {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn other_types() {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("UPID:\u{0}\u{202e}ü"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({ "": [null] }),
    ];
    let bench = Bench::new();
    let mut tried = 0_u32;
    for (recording, first) in recordings() {
        let Ok(body) = serde_json::from_str::<Value>(&recording.body) else {
            continue;
        };
        let mut found = Vec::new();
        pointers(&body, "", &mut found);
        for pointer in found.iter().filter(|_| first) {
            for other in &others {
                let mut body = body.clone();
                *body.pointer_mut(pointer).unwrap() = other.clone();
                let what = format!("{pointer} is {other}");
                let answer = raw(&recording, body.to_string());
                tried += u32::from(check(&bench, &recording, answer, &what).await.is_some());
            }
        }
    }
    assert!(tried > 3_000, "{tried}");
}

#[tokio::test]
async fn no_answer_of_the_api_at_all() {
    let html = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
    let bench = Bench::new();
    let deep = "[".repeat(100_000);
    for (recording, first) in recordings() {
        if !first {
            continue;
        }
        let is_read = recording.method == "GET" && recording.status == 200;
        for body in [
            "",
            " ",
            "null",
            "[]",
            "{}",
            "\u{feff}{}",
            html,
            &deep,
            "{\"data\":",
        ] {
            let what: String = body.chars().take(20).collect();
            let Some(outcome) =
                check(&bench, &recording, raw(&recording, body.to_owned()), &what).await
            else {
                break;
            };
            let taken = outcome.is_ok() && is_read;
            assert!(!taken, "{}: {what} is taken for an answer", recording.name);
        }
    }
}

/// Without end, and as long as may be: blanks are no answer, and one byte more is not even read.
#[tokio::test]
async fn more_than_is_read() {
    let most = Bytes::from(vec![b' '; BODY_LIMIT + 1]);
    let mut seen = 0;
    for (recording, first) in recordings() {
        if !first {
            continue;
        }
        for status in [200, 500] {
            let answer = Answer::raw(status, "x", most.clone());
            let client = client(Scripted::new(move |_, _| Some(answer.clone())), None);
            let path: Vec<&str> = recording.path.iter().skip(2).map(String::as_str).collect();
            let Some(outcome) = call(&client, &recording.method, &path).await else {
                break;
            };
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::Transport { .. }), "{error}");
            assert!(!error.is_retryable() && error.is_outcome_unknown());
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
    let answer = Answer::raw(200, "OK", most.slice(1..));
    let client = client(Scripted::new(move |_, _| Some(answer.clone())), None);
    assert!(matches!(
        client.nodes().await.unwrap_err(),
        Error::Decode { .. }
    ));
}

/// A login's answer decides what is sent from then on.
#[tokio::test]
async fn damaged_logins() {
    let recording = load()
        .into_iter()
        .find(|recording| recording.number == 8)
        .unwrap();
    let body = recording.body.clone().into_bytes();
    for at in 0..body.len() {
        let mut flipped = body.clone();
        flipped[at] ^= 1 << (at % 8);
        for login in [body[..at].to_vec(), flipped] {
            let exchange = Scripted::new(move |_, earlier| {
                let login = Answer::raw(200, "OK", login.clone());
                Some(if earlier == 0 {
                    login
                } else {
                    Answer::new(200, "OK", r#"{"data":[]}"#)
                })
            });
            let client = Client::builder("https://pve1.example:8006")
                .password("toolkit@pve", "x".to_owned().into())
                .exchange(Arc::clone(&exchange) as _)
                .build()
                .unwrap();
            let outcome = tokio::time::timeout(Duration::from_secs(5), client.nodes()).await;
            match outcome.unwrap() {
                Ok(_) => assert_eq!(exchange.seen().len(), 2),
                Err(Error::Decode { .. } | Error::Unauthorized { .. }) => {
                    assert_eq!(exchange.seen().len(), 1);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
