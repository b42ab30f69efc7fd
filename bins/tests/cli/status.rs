//! `omni-cluster-template status`: recorded cases, machines on their way, waiting.

use std::time::{Duration, Instant};

use bootstrap_core::ports::Omni as _;
use omni_client::kinds;
use serde_json::Value;

use crate::harness::Finished;
use crate::template_site::Site;

/// Takes out what is another each time: machine ids and the node's name behind them, ages.
fn shown(finished: &Finished) -> String {
    let text = format!(
        "exit {}\n{}{}",
        finished.code.unwrap_or(-1),
        finished.stdout,
        finished.stderr
    );
    let lines = text.lines().map(|line| {
        let words: Vec<String> = line.split(' ').map(without_id).collect();
        words.join(" ") + "\n"
    });
    lines.collect()
}

fn without_id(word: &str) -> String {
    let is_age = word.ends_with('s') && word.starts_with(|first: char| first.is_ascii_digit());
    let digits = word.chars().filter(char::is_ascii_hexdigit).count();
    if is_age {
        "AGE".to_owned()
    } else if word.matches('-').count() >= 4 && digits >= 32 {
        "UUID".to_owned() + if word.contains('(') { "(NODE)" } else { "" }
    } else {
        word.to_owned()
    }
}

async fn growing() -> Site {
    let site = Site::open().await;
    site.class("lab-cp").await;
    site.class("lab-worker").await;
    site.sync("91-ready-status").await;
    site
}

/// A minute is enough for any machine to be made, joined, installed and run; an hour is sure to be.
fn grow_up(site: &Site) {
    site.pass(Duration::from_hours(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_cases_without_machines() {
    let site = Site::open().await;
    site.empty_class().await;
    site.files("76-tmpl-status-missing-cluster");
    site.check("76-tmpl-status-missing-cluster").await;
    site.sync("75-tmpl-status-not-ready").await;
    site.check("75-tmpl-status-not-ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_case_of_a_ready_cluster() {
    let site = growing().await;
    grow_up(&site);
    site.check("91-ready-status").await;
    let ours = site.run(&["status", "--cluster", "demo"]).await;
    insta::assert_snapshot!(shown(&ours), @r#"
    exit 0
    Cluster "demo" RUNNING Ready (2/2) (healthy/total)
    ├── Kubernetes Upgrade Done
    ├── Talos Upgrade Done
    ├── Control Plane "demo-control-planes" Running Ready (1/1)
    │   ├── Load Balancer Ready
    │   ├── Status Checks OK
    │   └── Machine UUID(NODE) RUNNING Ready
    └── Workers "demo-workers" Running Ready (1/1)
        └── Machine UUID(NODE) RUNNING Ready
    "#);
    let quiet = site.run(&["status", "-c", "demo", "-q"]).await;
    assert_eq!((quiet.code, quiet.printed().as_str()), (Some(0), "\n"));
    let json = site.run(&["status", "-c", "demo", "-o", "json"]).await;
    let report: Value = serde_json::from_str(&json.stdout).expect("one document");
    assert_eq!(report["healthy"], true);
    assert_eq!(report["machine_sets"][0]["phase"], "Running");
    assert_eq!(report["talos_upgrade"]["phase"], "Done");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_on_their_way_are_shown() {
    let site = growing().await;
    loop {
        let requests = site.omni.list(&kinds::CLUSTER_MACHINE_REQUEST_STATUS, None);
        let requests = requests.await.expect("they can be listed");
        if requests
            .iter()
            .any(|request| request.spec.get("machine_uuid").is_some())
        {
            break;
        }
        site.pass(Duration::from_millis(100));
    }
    let finished = site.run(&["status", "-f", "t.yaml", "--wait", "0"]).await;
    insta::assert_snapshot!(shown(&finished), @r#"
    exit 1
    Cluster "demo" SCALING_UP Not Ready (0/0) (healthy/total)
    ├── Talos Upgrade Done
    ├── Control Plane "demo-control-planes" ScalingUp Not Ready (0/0)
    │   ├── Load Balancer Not Ready
    │   └── Machine Request "demo-control-planes-cfwsvk" PROVISIONING, AGE old
    └── Workers "demo-workers" ScalingUp Not Ready (0/0)
        └── Machine Request "demo-workers-z8vg2j" PROVISIONING Running Step: "syncVM" (4/5), AGE old, machine UUID
    Waiting for demo-control-planes-cfwsvk; demo-workers-z8vg2j (Running Step: "syncVM" (4/5)); the Kubernetes API
    error: cluster demo is not healthy
     |
     = hint: --wait 5m waits for it
    "#);
    // omnictl shows nothing of them.
    let compat = ["status", "-f", "t.yaml", "--wait", "0", "--compat"];
    insta::assert_snapshot!(shown(&site.run(&compat).await), @r#"
    exit 1
    Cluster "demo" SCALING_UP Not Ready (0/0) (healthy/total)
    ├── Control Plane "demo-control-planes" ScalingUp Not Ready (0/0)
    │   └── Load Balancer Not Ready
    └── Workers "demo-workers" ScalingUp Not Ready (0/0)
    Error: cluster is not healthy
    "#);
    let quiet = site.run(&["status", "-f", "t.yaml", "-w", "0", "-q"]).await;
    assert_eq!(quiet.code, Some(1));
    assert_eq!(quiet.stdout, "");
    assert!(
        quiet.stderr.contains("is not healthy, waiting for demo-"),
        "{}",
        quiet.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_runs_out_says_for_what() {
    let site = growing().await;
    let began = Instant::now();
    let finished = site.run(&["status", "-c", "demo", "-w", "2s"]).await;
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .stderr
            .contains("after 2s cluster demo is still not healthy, waiting for"),
        "{}",
        finished.stderr
    );
    let missing = site.run(&["status", "-c", "nowhere", "-w", "1500ms"]).await;
    insta::assert_snapshot!(shown(&missing), @r#"
    exit 1
    Cluster "nowhere" does not exist
    Waiting for its creation
    error: after AGE cluster nowhere is still not healthy, waiting for its creation
     |
     = hint: --wait waits longer
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_wait_ends_when_the_cluster_is_healthy() {
    let site = growing().await;
    let mut command = site
        .loopback
        .template_command(&["status", "-f", "t.yaml", "-q", "--wait", "1m"]);
    let waiting = tokio::spawn(async move { command.output().await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    grow_up(&site);
    let ended = waiting.await.expect("it ends").expect("it ran");
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(
        (ended.stdout.len(), ended.stderr.len()),
        (0, 0),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_lines_where_there_is_no_terminal() {
    let site = growing().await;
    let mut command = site
        .loopback
        .template_command(&["status", "-f", "t.yaml", "--wait", "1m"]);
    let waiting = tokio::spawn(async move { command.output().await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    grow_up(&site);
    let ended = waiting.await.expect("it ends").expect("it ran");
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{text}");
    assert!(
        text.starts_with("Cluster \"demo\" SCALING_UP Not Ready"),
        "{text}"
    );
    let line = text
        .lines()
        .find(|line| line.contains("Cluster \"demo\" RUNNING Ready"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.starts_with("   0:"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_reason() {
    let site = Site::open().await;
    for (arguments, code, says) in [
        (&["status"][..], 64, "--file"),
        (&["status", "-c", "a,b"], 64, "letters, digits"),
        (&["status", "-c", "a", "-w", "5"], 64, "30s, 5m or 1h30m"),
        (
            &["status", "-c", "a", "-f", "t.yaml"],
            64,
            "cannot be used with",
        ),
        (&["status", "-f", "none.yaml"], 5, "none.yaml"),
    ] {
        let finished = site.run(arguments).await;
        assert_eq!(finished.code, Some(code), "{}", finished.printed());
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
    }
    let mut nowhere = site
        .loopback
        .template_command(&["status", "-c", "a", "-w", "1m"]);
    nowhere.env("OMNI_ENDPOINT", "https://127.0.0.1:9");
    let finished = crate::harness::run(nowhere).await;
    assert_eq!(finished.code, Some(1), "{}", finished.printed());
    assert!(
        finished.stderr.contains("error: omni: "),
        "{}",
        finished.stderr
    );
}
