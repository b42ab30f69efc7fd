//! The lab that Proxmox was recorded in: one node, its hardware, its tokens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proxmox_client::PciDevice;
use serde_json::{Value, json};
use site_simulator::blueprint::{Blueprint, NetworkBlueprint, NodeBlueprint, ProviderBlueprint};
use site_simulator::door::http::{Request, Response};
use site_simulator::door::proxmox::answer;
use site_simulator::world::proxmox::{Cluster, Grants, OPERATOR, READER, everywhere};
use site_simulator::{Faults, World};

use crate::replay::{Pairs, Stepped};

const PROVIDER: &str = "lab";

pub(crate) struct Recorded {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) answer: Option<Value>,
    pub(crate) text: String,
}

pub(crate) fn read(path: &Path) -> Recorded {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (request, response) = (&file["request"], &file["response"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = request["headers"].as_object().into_iter().flatten();
    let status_line = text(&response["status_line"]);
    let mut words = status_line.splitn(3, ' ').skip(1);
    Recorded {
        number: name.split('-').next().unwrap().parse().unwrap(),
        method: text(&request["method"]).parse().unwrap(),
        target: text(&request["path"]),
        headers: headers
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        body: text(&request["body"]),
        status: words
            .next()
            .and_then(|status| status.parse().ok())
            .unwrap_or_default(),
        reason: words.next().unwrap_or_default().to_owned(),
        answer: Some(response["json"].clone()).filter(|value| !value.is_null()),
        text: text(&response["body"]),
        name,
    }
}

pub(crate) struct Lab {
    pub(crate) world: Arc<World>,
    pub(crate) clock: Arc<Stepped>,
    pub(crate) pairs: Pairs,
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Lab {
    pub(crate) fn new(records: &[Recorded]) -> Self {
        let clock = Arc::new(Stepped::default());
        let world = World::new(
            blueprint(records),
            7,
            Faults::default(),
            Arc::clone(&clock) as _,
        );
        let mut tokens = BTreeMap::new();
        for record in records.iter().filter(|record| record.status != 401) {
            let header = record
                .headers
                .iter()
                .find(|(key, _)| key == "Authorization");
            let token = header.and_then(|(_, value)| value.strip_prefix("PVEAPIToken="));
            if let Some((id, secret)) = token.and_then(|token| token.split_once('=')) {
                tokens.insert(id.to_owned(), secret.to_owned());
            }
        }
        world.act(|state, _| {
            let cluster = state.proxmox.get_mut(PROVIDER).unwrap();
            for (id, secret) in &tokens {
                cluster.accept_token_with(&format!("{id}={secret}"), grants_of(id));
            }
            for (user, password, grants, second_factor) in [
                (
                    "toolkit@pve",
                    "labpass-toolkit",
                    everywhere(OPERATOR),
                    false,
                ),
                ("root@pam", "labpass-root", Grants::new(), false),
                ("tfa@pve", "labpass-tfa", Grants::new(), true),
            ] {
                cluster.accept_user(user, password, grants, second_factor);
            }
        });
        Self {
            world,
            clock,
            pairs: Pairs::default(),
            tokens,
        }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Response {
        // The lab's guests had no operating system that could have heard of a shutdown.
        self.world.act(|state, _| state.machines.clear());
        let mut map = HeaderMap::new();
        for (key, value) in headers {
            map.insert(
                key.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let body = body.to_owned().into();
        answer(
            &self.world,
            PROVIDER,
            Request {
                method,
                target: target.to_owned(),
                headers: map,
                body,
            },
        )
        .await
    }

    pub(crate) fn cluster<T>(&self, f: impl FnOnce(&mut Cluster, Duration) -> T) -> T {
        self.world
            .act(|state, now| f(state.proxmox.get_mut(PROVIDER).unwrap(), now))
    }

    /// Pairs the task a recorded path is about with the one an answer names.
    pub(crate) fn meets(&mut self, record: &Recorded, answer: &Value) {
        let theirs = record.target.replace("%3A", ":").replace("%40", "@");
        let theirs = theirs
            .split('/')
            .find(|part| part.starts_with("UPID"))
            .unwrap()
            .to_owned();
        self.pairs.learn(&theirs, answer["data"].as_str().unwrap());
    }

    /// A login whose ticket stands in recorded headers, but which was not recorded itself.
    pub(crate) async fn log_in_as(&mut self, record: &Recorded, user: &str, password: &str) {
        let body = format!("username={user}&password={password}");
        let form = "application/x-www-form-urlencoded".to_owned();
        let headers = [("Content-Type".to_owned(), form)];
        let path = "/api2/json/access/ticket";
        let response = self.send(Method::POST, path, &headers, &body).await;
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        let header = |name: &str| {
            let found = record.headers.iter().find(|(key, _)| key == name);
            found.unwrap().1.clone()
        };
        let cookie = header("Cookie").replace('+', "%2B");
        let (_, theirs) = url::form_urlencoded::parse(cookie.as_bytes())
            .next()
            .unwrap();
        self.pairs
            .learn(&theirs, answer["data"]["ticket"].as_str().unwrap());
        let csrf = answer["data"]["CSRFPreventionToken"].as_str().unwrap();
        self.pairs.learn(&header("CSRFPreventionToken"), csrf);
    }

    /// A power action, followed to its end.
    pub(crate) async fn power(&self, vmid: u32, verb: &str, token: &str) {
        self.call(
            Method::POST,
            &format!("/nodes/pve1/qemu/{vmid}/status/{verb}"),
            "",
            token,
        )
        .await;
        self.settle();
    }

    /// A step of root's that whoever recorded made without recording it.
    pub(crate) async fn root(&self, method: Method, path: &str, body: &str) -> Value {
        let answer = self.call(method, path, body, "root@pam!lab").await;
        self.settle();
        answer
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: &str, token: &str) -> Value {
        let token = format!("PVEAPIToken={token}={}", self.tokens[token]);
        let kind = if body.starts_with('{') {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let headers = [
            ("Authorization".to_owned(), token),
            ("Content-Type".to_owned(), kind.to_owned()),
        ];
        let response = self
            .send(method, &format!("/api2/json{path}"), &headers, body)
            .await;
        assert_eq!(response.status, 200, "{path} {body}: {:?}", response.reason);
        serde_json::from_slice(&response.body).unwrap_or_default()
    }

    /// Lets all tasks end that end by themselves.
    pub(crate) fn settle(&self) {
        for _ in 0..400 {
            let busy = self
                .world
                .act(|state, _| state.proxmox[PROVIDER].next_due().is_some());
            if !busy {
                return;
            }
            self.clock.by(Duration::from_millis(100));
        }
    }
}

pub(crate) fn grants_of(token: &str) -> Grants {
    match token {
        "toolkit@pve!boot" => everywhere(OPERATOR),
        "reader@pve!ro" => everywhere(READER),
        "nomap@pve!hw" => everywhere(&["VM.Audit", "VM.Config.HWType", "VM.PowerMgmt"]),
        "min@pve!tk" => everywhere(&[
            "VM.Audit",
            "VM.Config.HWType",
            "VM.PowerMgmt",
            "VM.GuestAgent.Audit",
            "Mapping.Use",
            "Mapping.Audit",
            "Sys.Audit",
            "Datastore.Audit",
        ]),
        _ => Grants::new(),
    }
}

/// One node with the hardware that was recorded.
pub(crate) fn blueprint(records: &[Recorded]) -> Blueprint {
    let listing = records
        .iter()
        .find(|record| record.name.ends_with("hardware-pci-all-classes"))
        .unwrap();
    let rows = listing.answer.as_ref().unwrap()["data"].as_array().unwrap();
    let hex = |row: &Value, key: &str| {
        row[key]
            .as_str()
            .map(|text| text.trim_start_matches("0x").to_owned())
    };
    let name = |row: &Value, key: &str| row[key].as_str().map(str::to_owned);
    let device = |row: &Value| PciDevice {
        address: row["id"].as_str().unwrap().to_owned(),
        class: hex(row, "class").unwrap(),
        id: format!(
            "{}:{}",
            hex(row, "vendor").unwrap(),
            hex(row, "device").unwrap()
        ),
        subsystem_id: hex(row, "subsystem_vendor")
            .zip(hex(row, "subsystem_device"))
            .map(|(v, d)| format!("{v}:{d}")),
        iommu_group: row["iommugroup"]
            .as_i64()
            .and_then(|group| u32::try_from(group).ok()),
        vendor_name: name(row, "vendor_name"),
        device_name: name(row, "device_name"),
        mdev: row["mdev"].as_i64() == Some(1),
    };
    let node = NodeBlueprint {
        name: "pve1".to_owned(),
        storages: vec!["local".to_owned()],
        memory_mib: 24_105,
        pci: rows.iter().map(device).collect(),
    };
    Blueprint {
        omni_name: "omni.home.example".to_owned(),
        omni_address: [192, 0, 2, 5].into(),
        talos_versions: Vec::new(),
        extensions: Vec::new(),
        providers: vec![ProviderBlueprint {
            id: PROVIDER.to_owned(),
            schema: json!({}),
            nodes: vec![node],
        }],
        networks: vec![NetworkBlueprint {
            name: "lab".to_owned(),
            subnet: "192.0.2.1/24".parse().unwrap(),
            vlan: None,
            dhcp: ([192, 0, 2, 100].into(), [192, 0, 2, 200].into()),
            bridges: vec!["vmbr0".to_owned()],
        }],
        dns_records: Vec::new(),
        upstream: Vec::new(),
        strangers: Vec::new(),
    }
}
