//! Every recorded exchange of the management service goes through the client: the request it builds means the recorded
//! one, and the answer becomes the right value or kind of error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines
)] // a test may, and the calls stand in one table

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

mod fake;
mod record;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fake::{Answer, Hasty, Server, client, simple};
use omni_client::{
    AccountRole, BootAsset, BootAssetKind, Client, Error, GrantType, JoinOptions,
    KubeconfigOptions, OidcOptions, SchematicOptions,
};
use record::{Record, records};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

/// Recorded exchanges that this client cannot make, and why. Their answers go through it all the same.
const NOT_OURS: &[(&str, &str)] = &[
    ("149", "without a cluster: refused before it is sent"),
    ("402", "without a user: refused before it is sent"),
    (
        "407",
        "a raw talosconfig, which only debug builds of the server give",
    ),
];

/// What came back, in the form of the answer.
async fn call(client: &Client, record: &Record) -> Result<Value, Error> {
    let text = |field: &str| record.text(field).to_owned();
    let flag = |field: &str| record.request["body"][field] == true;
    let cluster = record.header("grpc-metadata-context");
    let of_cluster = cluster.unwrap_or_default();
    let list = |field: &str| -> Vec<String> {
        serde_json::from_value(record.request["body"][field].clone()).unwrap_or_default()
    };
    let key = text("armored_pgp_public_key");
    Ok(match record.method() {
        "Kubeconfig" if flag("service_account") => {
            let ttl = text("service_account_ttl");
            let options = KubeconfigOptions {
                user: text("service_account_user"),
                ttl: Duration::from_secs(ttl.trim_end_matches('s').parse().unwrap()),
                groups: list("service_account_groups"),
            };
            config(
                "kubeconfig",
                &client.kubeconfig(of_cluster, &options).await?,
            )
        }
        "Kubeconfig" if flag("break_glass") => {
            let made = client.break_glass_kubeconfig(of_cluster).await?;
            config("kubeconfig", &made)
        }
        "Kubeconfig" => {
            let options = OidcOptions {
                grant_type: match record.text("grant_type") {
                    "" => GrantType::Auto,
                    "authcode-keyboard" => GrantType::AuthCodeKeyboard,
                    other => panic!("{other}"),
                },
                ..OidcOptions::default()
            };
            let made = client.oidc_kubeconfig(of_cluster, &options).await?;
            config("kubeconfig", &made)
        }
        "Talosconfig" if flag("break_glass") => {
            let made = client.break_glass_talosconfig(of_cluster).await?;
            config("talosconfig", &made)
        }
        "Talosconfig" => config("talosconfig", &client.talosconfig(cluster).await?),
        "Omniconfig" => config("omniconfig", &client.omniconfig().await?),
        "CreateServiceAccount" => {
            let role = if flag("use_user_role") {
                AccountRole::Creator
            } else {
                AccountRole::Named(text("role"))
            };
            let name = record.text("name");
            json!({"public_key_id": client.create_service_account(name, &role, &key).await?})
        }
        "RenewServiceAccount" => {
            json!({"public_key_id": client.renew_service_account(record.text("name"), &key).await?})
        }
        "ListServiceAccounts" => json!({"service_accounts": client.service_accounts().await?}),
        "DestroyServiceAccount" => {
            let there = client.destroy_service_account(record.text("name")).await?;
            assert_eq!(there, record.status() == 200, "{}", record.name);
            json!({})
        }
        "ListUsers" => json!({"users": client.users().await?}),
        "ValidateConfig" => client
            .validate_config(record.text("config"))
            .await
            .map(|()| json!({}))?,
        "ValidateJSONSchema" => {
            let found = client
                .validate_json_schema(record.text("data"), record.text("schema"))
                .await?;
            json!({"errors": found})
        }
        "CreateSchematic" => {
            let options = SchematicOptions {
                extensions: list("extensions"),
                extra_kernel_args: list("extra_kernel_args"),
                meta_values: serde_json::from_value(record.request["body"]["meta_values"].clone())
                    .unwrap(),
                talos_version: text("talos_version"),
                ..SchematicOptions::default()
            };
            let made = client.create_schematic(&options).await?;
            assert!(!format!("{made:?}").contains("jointoken"));
            json!({"schematic_id": made.id, "schematic_yml": made.text().expose_secret()})
        }
        "CreateSchematicFromRaw" => {
            let raw = STANDARD.decode(record.text("raw_schematic")).unwrap();
            let raw = String::from_utf8(raw).unwrap();
            let made = client
                .create_schematic_from_raw(&raw, record.text("talos_version"))
                .await?;
            json!({"schematic_id": made.id})
        }
        "GetBootAssetURL" => {
            let asset = BootAsset {
                kind: match &record.request["body"]["boot_asset_kind"] {
                    number if *number == 2 => BootAssetKind::Iso,
                    _ => BootAssetKind::Disk,
                },
                talos_version: text("talos_version"),
                schematic_id: text("schematic_id"),
                platform: text("platform"),
                architecture: text("architecture"),
                format: text("format"),
                secure_boot: false,
                standalone_url: false,
            };
            let place = client.boot_asset_url(&asset).await?;
            assert!(place.headers.is_empty());
            json!({"url": place.url, "image_factory_host": place.image_factory_host, "storage_key": place.storage_key})
        }
        "GetMachineJoinConfig" => {
            let join = client.machine_join_config(&JoinOptions::default()).await?;
            assert!(!format!("{join:?}").contains("siderolink"));
            let arguments: Vec<&str> = join
                .kernel_args
                .iter()
                .map(SecretString::expose_secret)
                .collect();
            json!({"kernel_args": arguments, "config": join.config.expose_secret()})
        }
        "CreateJoinToken" => {
            let end: jiff::Timestamp = record.text("expiration_time").parse().unwrap();
            let end = SystemTime::try_from(end).unwrap();
            let made = client
                .create_join_token(record.text("name"), Some(end))
                .await?;
            json!({"id": made.expose_secret()})
        }
        "KubernetesUpgradePreChecks" => {
            let in_the_way = client
                .kubernetes_upgrade_pre_checks(of_cluster, record.text("new_version"))
                .await?;
            json!({"ok": in_the_way.is_none()})
        }
        "KubernetesSyncManifests" => {
            assert!(
                client
                    .preview_kubernetes_manifests(of_cluster)
                    .await?
                    .is_empty()
            );
            Value::Null
        }
        "MachineLogs" => {
            let lines = record.request["body"]["tail_lines"].as_u64().unwrap();
            let lines = client
                .machine_logs(record.text("machine_id"), u16::try_from(lines).unwrap())
                .await?;
            assert!(lines.iter().all(|line| line.starts_with(b"{")));
            streamed(&lines, "bytes")
        }
        "ReadAuditLog" => {
            let events = client
                .audit_log(record.text("start_time"), record.text("end_time"))
                .await?;
            assert!(events.iter().all(|event| event.contains_key("event_type")));
            let recorded: String = stream(record)
                .iter()
                .map(|line| line["result"]["audit_log"].as_str().unwrap())
                .map(|text| String::from_utf8(STANDARD.decode(text).unwrap()).unwrap())
                .collect();
            let recorded: Vec<BTreeMap<String, Value>> = recorded
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(events, recorded);
            Value::Array(stream(record))
        }
        other => panic!("{other} is a call that this client does not know"),
    })
}

fn config(name: &str, text: &SecretString) -> Value {
    json!({name: STANDARD.encode(text.expose_secret())})
}

fn streamed(lines: &[Vec<u8>], field: &str) -> Value {
    let lines = lines
        .iter()
        .map(|line| json!({"result": {field: STANDARD.encode(line)}}));
    Value::Array(lines.collect())
}

fn stream(record: &Record) -> Vec<Value> {
    let lines = record.answered().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn every_recorded_call_is_made_and_its_answer_understood() {
    let records = records("management.ManagementService");
    assert!(records.len() >= 48, "{}", records.len());
    let mut made = BTreeMap::<String, usize>::new();
    let mut left_out = Vec::new();
    for record in &records {
        if let Some((_, reason)) = NOT_OURS.iter().find(|(number, _)| *number == record.number) {
            left_out.push(format!("{}: {reason}", record.name));
            if record.status() != 200 {
                let client = simple(&Server::new([record.answer()]));
                check_error(record, &client.omniconfig().await.unwrap_err());
            }
            continue;
        }
        let server = Server::new([record.answer()]);
        let (wall, paper) = record.maker().unwrap();
        let client = client(&server, paper, Hasty::at(wall));
        match call(&client, record).await {
            Ok(value) => check_value(record, &value),
            Err(error) => check_error(record, &error),
        }
        record.check_request(&server);
        *made.entry(record.method().to_owned()).or_default() += 1;
    }
    let count: usize = made.values().sum();
    let _ = writeln!(
        std::io::stderr(),
        "management: {count} of {} records made and understood: {made:?}",
        records.len()
    );
    println!("not as recorded:\n  {}", left_out.join("\n  "));
    assert_eq!(
        left_out.len(),
        NOT_OURS.len(),
        "an entry of the list fits no record"
    );
    assert!(count >= 45, "fewer than before");
}

fn check_value(record: &Record, value: &Value) {
    let name = &record.name;
    if record.method() == "DestroyServiceAccount" {
        return;
    }
    assert_eq!(record.status(), 200, "{name}");
    let recorded = match stream(record).as_slice() {
        [] => Value::Null,
        [one] if !value.is_array() => one.clone(),
        lines => Value::Array(lines.to_vec()),
    };
    assert_eq!(*value, recorded, "{name}");
}

fn check_error(record: &Record, error: &Error) {
    let name = &record.name;
    assert_eq!(error.status(), Some(record.status()), "{name}: {error}");
    let body: Value = serde_json::from_str(record.answered()).unwrap();
    let expected = match body["code"].as_i64().unwrap() {
        3 => "Invalid",
        5 => "NotFound",
        6 => "AlreadyExists",
        7 => "Denied",
        2 => "Unexpected",
        other => panic!("{name}: {other}"),
    };
    assert!(
        format!("{error:?}").starts_with(expected),
        "{name}: {error:?}"
    );
    assert!(!error.is_retryable(), "{name}");
}

/// A call by its name in the API, with valid arguments.
async fn any(client: &Client, method: &str) -> Result<(), Error> {
    let asset = BootAsset {
        kind: BootAssetKind::Iso,
        talos_version: "1.13.7".to_owned(),
        schematic_id: "a".to_owned(),
        platform: "nocloud".to_owned(),
        architecture: "amd64".to_owned(),
        format: String::new(),
        secure_boot: false,
        standalone_url: false,
    };
    let creator = AccountRole::Creator;
    match method {
        "Kubeconfig" => client
            .kubeconfig("c", &KubeconfigOptions::default())
            .await
            .map(drop),
        "Talosconfig" => client.talosconfig(Some("c")).await.map(drop),
        "Omniconfig" => client.omniconfig().await.map(drop),
        "CreateServiceAccount" => client
            .create_service_account("a", &creator, "k")
            .await
            .map(drop),
        "RenewServiceAccount" => client.renew_service_account("a", "k").await.map(drop),
        "ListServiceAccounts" => client.service_accounts().await.map(drop),
        "ListUsers" => client.users().await.map(drop),
        "ValidateJSONSchema" => client.validate_json_schema("a", "{}").await.map(drop),
        "CreateSchematic" => client
            .create_schematic(&SchematicOptions::default())
            .await
            .map(drop),
        "GetBootAssetURL" => client.boot_asset_url(&asset).await.map(drop),
        "GetMachineJoinConfig" => client
            .machine_join_config(&JoinOptions::default())
            .await
            .map(drop),
        "CreateJoinToken" => client.create_join_token("t", None).await.map(drop),
        "KubernetesUpgradePreChecks" => client
            .kubernetes_upgrade_pre_checks("c", "1.36.3")
            .await
            .map(drop),
        "KubernetesSyncManifests" => client.preview_kubernetes_manifests("c").await.map(drop),
        "MachineLogs" => client.machine_logs("m", 3).await.map(drop),
        "ReadAuditLog" => client.audit_log("2026-11-01", "2026-11-02").await.map(drop),
        _ => client.validate_config("a: 1").await,
    }
}

#[tokio::test]
async fn no_answer_makes_it_panic_and_no_error_quotes_one() {
    let secrets = ["jointoken=ff", "eyJhbGci", "YXBpVmVy"];
    for record in records("management.ManagementService") {
        let whole = record.answered().as_bytes();
        if record.status() != 200 || whole.is_empty() {
            continue;
        }
        let cuts = (0..whole.len()).step_by(1 + whole.len() / 20);
        let flips = cuts.clone().map(|at| {
            let mut flipped = whole.to_vec();
            flipped[at] ^= 1 << (at % 7);
            flipped
        });
        let other = [
            &b""[..],
            b"null",
            b"[]",
            b"7",
            b"<html>",
            br#"{"kubeconfig":7,"id":{},"errors":7,"result":7}"#,
            br#"{"result":{"bytes":"%","audit_log":"%"}}"#,
        ];
        let broken = cuts
            .clone()
            .map(|at| whole[..at].to_vec())
            .chain(flips)
            .chain(other.map(<[u8]>::to_vec));
        for body in broken {
            let answer = Answer::Whole {
                status: 200,
                headers: api_transport::HeaderMap::new(),
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            let client = simple(&Server::new([answer]));
            if let Err(error) = any(&client, record.method()).await {
                let told = format!("{error} {error:?}");
                assert!(
                    !secrets.iter().any(|secret| told.contains(secret)),
                    "{}: {told}",
                    record.name
                );
            }
        }
    }
}

#[tokio::test]
async fn what_makes_something_new_is_sent_once_and_the_rest_again() {
    for (method, sent) in [
        ("CreateServiceAccount", 1),
        ("RenewServiceAccount", 1),
        ("CreateJoinToken", 1),
        ("ListServiceAccounts", 2),
        ("CreateSchematic", 2),
        ("Talosconfig", 2),
    ] {
        let server = Server::new([Answer::Reset, Answer::refusal(403, 7, "not allowed")]);
        let error = any(&simple(&server), method).await.unwrap_err();
        assert_eq!(server.calls().len(), sent, "{method}: {error}");
    }
}

#[tokio::test]
async fn a_stream_may_fail_in_its_last_line() {
    let chunks = vec![
        r#"{"result":{"bytes":"YQ=="}}"#.to_owned() + "\n",
        r#"{"error":{"code":5,"message":"machine is gone"}}"#.to_owned() + "\n",
    ];
    let server = Server::new([Answer::Stream { chunks, cut: false }]);
    let error = simple(&server).machine_logs("m", 3).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let server = Server::new([Answer::Stream {
        chunks: vec![r#"{"result":{"bytes":"YQ=="}}"#.to_owned() + "\n"],
        cut: true,
    }]);
    let error = simple(&server).machine_logs("m", 3).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error}");
}
