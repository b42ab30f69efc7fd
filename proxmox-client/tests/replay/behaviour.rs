//! Several endpoints, waiting for tasks, and what must not leak or be sent.

use std::sync::Arc;
use std::time::Duration;

use proxmox_client::{Cause, Clash, Client, Error, HostPci, PciMapping, Upid};
use secrecy::SecretString;

use crate::recording::{Answer, Leaping, Scripted};
use crate::{TOKEN, client};

const UPID: &str = "UPID:pve1:00000259:00032DF2:6B03EBB8:qmstart:101:toolkit@pve!boot:";
const DIGEST: &str = "360330b899b134f257dfd32b46fdc76fe9976048";

fn ok(data: &str) -> Answer {
    Answer::new(200, "OK", &format!("{{\"data\":{data}}}"))
}

fn two_nodes(exchange: &Arc<Scripted>) -> Client {
    Client::builder("https://a.example:8006")
        .endpoint("https://b.example:8006/api2/json/")
        .api_token(TOKEN.to_owned().into())
        .clock(Arc::new(Leaping::default()))
        .exchange(Arc::clone(exchange) as _)
        .build()
        .unwrap()
}

fn hosts(exchange: &Scripted) -> String {
    exchange
        .seen()
        .iter()
        .map(|request| request.uri().host().unwrap().replace(".example", ""))
        .collect()
}

#[tokio::test]
async fn a_node_that_is_down_is_left_for_the_next() {
    let exchange = Scripted::new(|request, _| match request.uri().host() {
        Some("a.example") => None,
        _ => Some(ok("[]")),
    });
    let client = two_nodes(&exchange);
    client.vms().await.unwrap();
    assert_eq!(hosts(&exchange), "ab");
    assert_eq!(client.endpoint(), "https://b.example:8006");
    client.vms().await.unwrap();
    client
        .set_config("pve1", 100, "hostpci0", "mapping=h100", DIGEST)
        .await
        .unwrap();
    assert_eq!(hosts(&exchange), "abbb", "the one that answers stays first");
    let paths: Vec<_> = exchange
        .seen()
        .iter()
        .map(|request| request.uri().path().to_owned())
        .collect();
    assert!(
        paths
            .iter()
            .all(|path| path.starts_with("/api2/json/") && !path.contains("json/api2"))
    );
}

#[tokio::test]
async fn a_node_that_cannot_reach_another_is_passed_over_once() {
    let exchange = Scripted::new(|request, _| match request.uri().host() {
        Some("a.example") => Some(Answer::new(595, "No route to host", "")),
        _ => Some(ok("{\"digest\":\"x\"}")),
    });
    let client = two_nodes(&exchange);
    client.vm_config("pve2", 100).await.unwrap();
    client.vm_config("pve2", 100).await.unwrap();
    assert_eq!(hosts(&exchange), "abab");

    let exchange = Scripted::new(|_, _| Some(Answer::new(595, "No route to host", "")));
    let error = two_nodes(&exchange)
        .vm_config("pve2", 100)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Server {
                status: 595,
                cause: Cause::NodeUnreachable,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_retryable() && !error.is_not_found());
    assert_eq!(hosts(&exchange), "ab");
}

#[tokio::test]
async fn writes_are_sent_once_and_refusals_are_final() {
    // What was never sent may be sent to another node.
    let exchange = Scripted::new(|_, _| None);
    let error = two_nodes(&exchange).start("pve1", 101).await.unwrap_err();
    assert!(
        matches!(&error, Error::Transport { endpoint, .. } if endpoint == "https://b.example:8006")
    );
    assert!(error.is_retryable() && error.status().is_none() && !error.is_outcome_unknown());
    assert_eq!(hosts(&exchange), "ab");
    let unreached = Scripted::new(|request, _| match request.uri().host() {
        Some("a.example") => Some(Answer::new(595, "No route to host", "")),
        _ => Some(ok(&format!("\"{UPID}\""))),
    });
    two_nodes(&unreached).start("pve1", 101).await.unwrap();
    assert_eq!(hosts(&unreached), "ab");

    // What may have been done is not.
    for status in [502, 504, 596, 599] {
        let exchange = Scripted::new(move |_, _| Some(Answer::new(status, "Broken pipe", "")));
        let error = two_nodes(&exchange).start("pve1", 101).await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{error}");
        assert_eq!(hosts(&exchange), "a", "{status}");
    }

    let exchange = Scripted::new(|_, _| Some(Answer::new(401, "Authentication failed!", "")));
    let error = two_nodes(&exchange).nodes().await.unwrap_err();
    assert!(error.is_unauthorized() && !error.is_retryable());
    assert!(error.to_string().contains("test@pve!replay") && error.hint().is_some());
    assert_eq!(hosts(&exchange), "a", "each 401 costs three seconds");
}

#[tokio::test]
async fn reads_survive_a_closed_connection() {
    let exchange = Scripted::new(|_, earlier| (earlier > 0).then(|| ok("[]")));
    client(Arc::clone(&exchange), None).nodes().await.unwrap();
    assert_eq!(exchange.seen().len(), 2);
}

#[tokio::test]
async fn nothing_unguarded_or_malformed_is_sent() {
    let exchange = Scripted::new(|_, _| Some(ok("null")));
    let client = client(Arc::clone(&exchange), None);
    let mapping = PciMapping {
        id: "h100".into(),
        ..PciMapping::default()
    };
    let refused = [
        client
            .set_config("pve1", 100, "hostpci0", "mapping=h100", "")
            .await,
        client
            .set_config("pve1", 100, "delete", "hostpci0", DIGEST)
            .await,
        client
            .set_config("..", 100, "hostpci0", "mapping=h100", DIGEST)
            .await,
        client
            .delete_config("pve1", 100, "hostpci0,hostpci1", DIGEST)
            .await,
        client.revert_config("", 100, "hostpci0").await,
        client.update_pci_mapping(&mapping).await,
    ];
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::Invalid { status: None, .. }),
            "{error}"
        );
    }
    assert!(exchange.seen().is_empty());
    let device = HostPci {
        pcie: true,
        ..HostPci::mapped("h100")
    };
    client
        .set_config("pve1", 100, "hostpci0", &device.to_string(), DIGEST)
        .await
        .unwrap();
    let body = format!("hostpci0=mapping%3Dh100%2Cpcie%3D1&digest={DIGEST}");
    assert_eq!(exchange.seen()[0].body(), body.as_bytes());
}

async fn wait(answers: &'static [&'static str], within: u64) -> (Result<(), Error>, usize) {
    let exchange = Scripted::new(|_, earlier| {
        Some(match answers[earlier.min(answers.len() - 1)] {
            "down" => Answer::new(595, "Connection refused", ""),
            "running" => ok(&format!("{{\"upid\":\"{UPID}\",\"status\":\"running\"}}")),
            exit => ok(&format!(
                "{{\"upid\":\"{UPID}\",\"status\":\"stopped\",\"exitstatus\":\"{exit}\"}}"
            )),
        })
    });
    let client = client(Arc::clone(&exchange), None);
    let upid = Upid::parse(UPID).unwrap();
    let outcome = client.wait_task(&upid, Duration::from_secs(within)).await;
    (outcome.map(drop), exchange.seen().len())
}

#[tokio::test]
async fn tasks_are_followed_to_their_end() {
    let (outcome, asked) = wait(&["running", "running", "OK"], 60).await;
    assert!(outcome.is_ok() && asked == 3);
    let (outcome, _) = wait(&["running", "down", "WARNINGS: 1"], 60).await;
    assert!(
        outcome.is_ok(),
        "a node that is down for a moment is waited for"
    );
    let (outcome, _) = wait(&["running", "PCI device mapping not found for 'x'"], 60).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "task qmstart of 101: PCI device mapping not found for 'x'"
    );
    assert!(!error.is_retryable());
    let (outcome, asked) = wait(&["running"], 10).await;
    assert!(matches!(
        outcome.unwrap_err(),
        Error::Task { exit: None, .. }
    ));
    assert!((5..=10).contains(&asked), "{asked}");
    let (outcome, _) = wait(&["down"], 10).await;
    assert!(matches!(
        outcome.unwrap_err(),
        Error::Server {
            cause: Cause::NodeUnreachable,
            ..
        }
    ));
}

#[tokio::test]
async fn errors_are_told_apart() {
    let failing = |status: u16, text: &str| {
        let answer = Answer::new(status, text, "");
        client(Scripted::new(move |_, _| Some(answer.clone())), None)
    };
    let locked = failing(500, "VM is locked (create)")
        .set_config("a", 1, "k", "v", DIGEST)
        .await
        .unwrap_err();
    assert!(locked.is_locked() && locked.is_retryable() && locked.status() == Some(500));
    let moved = failing(500, "checksum mismatch (file change by other user?)");
    let moved = moved
        .set_config("a", 1, "k", "v", DIGEST)
        .await
        .unwrap_err();
    assert!(moved.is_conflict() && !moved.is_retryable());
    assert!(matches!(
        moved,
        Error::Conflict {
            what: Clash::Digest,
            ..
        }
    ));
    let none = failing(500, "mapping 'x' not found")
        .pci_mapping("x")
        .await
        .unwrap();
    assert!(none.is_none());
    let broken = client(
        Scripted::new(|_, _| Some(Answer::new(200, "OK", "<html>"))),
        None,
    );
    assert!(matches!(
        broken.nodes().await.unwrap_err(),
        Error::Decode { .. }
    ));
}

#[tokio::test]
async fn the_secret_is_nowhere_to_be_seen() {
    let secret = "ca11a21e-0000-4000-8000-5ec2e7000000";
    let token = SecretString::from(format!("test@pve!replay={secret}"));
    let builder = Client::builder("https://pve1.example:8006").api_token(token);
    assert!(!format!("{builder:?}").contains(secret));
    let echo = format!("{{\"message\":\"bad token test@pve!replay={secret}\"}}");
    let exchange = Scripted::new(move |_, _| Some(Answer::new(500, "x", &echo)));
    let client = builder
        .exchange(Arc::clone(&exchange) as _)
        .build()
        .unwrap();
    let error = client.nodes().await.unwrap_err();
    let shown = format!("{client:?} {error} {error:?} {:?}", exchange.seen());
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn unusable_settings_are_told() {
    let build = |endpoint: &str, token: &str| {
        Client::builder(endpoint)
            .api_token(token.to_owned().into())
            .build()
            .map(drop)
            .unwrap_err()
            .to_string()
    };
    assert!(
        build("https://pve1.example", "root@pam").contains("expected `user@realm!tokenid=uuid`")
    );
    assert!(build("http://pve1.example:8006", TOKEN).contains("https"));
    assert!(build("", TOKEN).contains("endpoint"));
    let with_password = build("https://root:canary@pve1.example", TOKEN);
    assert!(!with_password.contains("canary"), "{with_password}");
}

/// Callers run calls side by side on several threads.
#[test]
fn calls_can_move_between_threads() {
    fn movable<T: Send>(_: T) {}
    fn shared<T: Send + Sync + 'static>() {}
    let client = client(Scripted::new(|_, _| None), None);
    let upid = Upid::parse(UPID).unwrap();
    movable(client.vms());
    movable(client.set_config("a", 1, "k", "v", DIGEST));
    movable(client.wait_task(&upid, Duration::from_secs(1)));
    movable(client.pci_mapping("x"));
    shared::<Client>();
    shared::<proxmox_client::ClientBuilder>();
    shared::<Error>();
    shared::<proxmox_client::ConfigChange>();
}
