//! Every recorded exchange with a real Omni is sent to the HTTPS door, after the state it needs was put in place
//! from the records themselves. Statuses and bodies are compared by meaning.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::{Clock, HeaderName, HeaderValue, Method, Request, Streamed, Transport, Trust};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use omni_client::{OpenPgpSigner, Phase, Resource, ServiceAccountKey, Signer as _};
use secrecy::SecretString;
use serde_json::{Value, json};
use site_simulator::blueprint::ProviderBlueprint;
use site_simulator::world::omni::access::{Caller, Role};
use site_simulator::world::omni::api::{self, Incoming};
use site_simulator::{Blueprint, Credentials, Doors, Faults, World};

/// Exchanges that are not replayed, by number, with the reason.
const LEFT_OUT: &[(std::ops::RangeInclusive<u32>, &str)] = &[
    (121..=121, "making accounts is not part of the job: the world brings its own"),
    (123..=131, "accounts and their keys are not managed here"),
    (133..=135, "accounts and their keys are not managed here"),
    (139..=139, "users are not simulated"),
    (142..=148, "image factory, boot media, join tokens and the audit log are not simulated"),
    (151..=153, "talosconfig, interactive login and OIDC are not simulated"),
    (161..=165, "accounts and their keys are not managed here"),
    (404..=412, "Talos, OIDC grants and break-glass access are not simulated"),
    (390..=391, "platform lists and label completion are not simulated"),
    (393..=393, "the vendor's office hours are not simulated"),
    (413..=415, "the Talos and Kubernetes runtimes are not simulated"),
    (439..=440, "the image factory is not simulated"),
];

/// How many are replayed at least; may only grow.
const AT_LEAST: usize = 268;

/// A clock that stands still, so that nothing happens but what the exchange itself does.
#[derive(Debug)]
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Duration {
        Duration::from_secs(60)
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_420_000)
    }
    fn random(&self) -> f64 {
        0.5
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Record {
    number: u32,
    name: String,
    request: Value,
    response: Value,
}

fn records(directory: &Path) -> Vec<Record> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut records: Vec<Record> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let number = name.split('-').next()?.parse().ok()?;
            let mut record: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            let (request, response) = (record["request"].take(), record["response"].take());
            Some(Record { number, name, request, response })
        })
        .collect();
    records.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    records
}

struct Bench {
    world: Arc<World>,
    doors: Doors,
    transport: Transport,
    credentials: Credentials,
    donors: BTreeMap<String, Vec<Resource>>,
}

impl Bench {
    async fn new(records: &[Record]) -> Self {
        let blueprint = Blueprint {
            omni_name: "127.0.0.1".to_owned(),
            omni_address: Ipv4Addr::LOCALHOST,
            talos_versions: Vec::new(),
            extensions: Vec::new(),
            providers: vec![ProviderBlueprint { id: "proxmox".into(), schema: json!({}), nodes: Vec::new() }],
            networks: Vec::new(),
            dns_records: Vec::new(),
            upstream: Vec::new(),
            strangers: Vec::new(),
        };
        let world = World::new(blueprint, 1, Faults::default(), Arc::new(StillClock));
        // What the provider says at once is not part of the records.
        world.act(|state, _| state.omni.store = Default::default());
        let doors = world.serve().await.unwrap();
        let transport = Transport::builder(&doors.omni)
            .unwrap()
            .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
            .build()
            .unwrap();
        let credentials = world.credentials();
        let mut donors = BTreeMap::new();
        for record in records.iter().filter(|r| matches!(r.number, 301..=395)) {
            if let Some(kind) = record.request["body"]["type"].as_str() {
                donors.insert(kind.to_owned(), shown(&record.response["body"]));
            }
        }
        Self { world, doors, transport, credentials, donors }
    }

    /// Puts exactly these resources in the place of all of their types.
    fn seed(&self, resources: impl IntoIterator<Item = Resource>) {
        self.world.act(|state, _| {
            for mut resource in resources {
                let meta = &resource.metadata;
                let (kind, namespace, id) = (meta.kind.clone(), meta.namespace.clone(), meta.id.clone());
                // A resource may stand in the way from an earlier exchange.
                let finalizers = std::mem::take(&mut resource.metadata.finalizers);
                remove(state, &kind, &namespace, &id);
                resource.metadata.finalizers = finalizers;
                state.omni.store.create(resource).unwrap();
            }
        });
    }

    fn clear(&self, namespace: &str, kind: &str) {
        self.world.act(|state, _| {
            let ids: Vec<String> =
                state.omni.store.list(namespace, kind).map(|r| r.metadata.id.clone()).collect();
            for id in ids {
                remove(state, kind, namespace, &id);
            }
        });
    }

    /// The state before an exchange, taken from its own request and answer.
    fn prepare(&self, record: &Record) {
        for name in ["TalosVersions", "KubernetesVersions", "TalosExtensions", "InfraProviderStatuses"] {
            let kind = format!("{name}.omni.sidero.dev");
            self.seed(self.donors.get(&kind).cloned().unwrap_or_default());
        }
        let (body, answer) = (&record.request["body"], &record.response["body"]);
        let status = record.response["status"].as_u64().unwrap();
        let (namespace, kind) = (text(body, "namespace"), text(body, "type"));
        match method(record) {
            "List" if status == 200 && namespace != "virtual" => {
                self.clear(namespace, kind);
                let total = answer["total"].as_u64().unwrap_or(0);
                let items = shown(answer);
                let known = self.donors.get(kind).cloned().unwrap_or_default();
                let pages = total as usize > items.len();
                self.seed(if pages { known } else { items });
            }
            "List" if kind.starts_with("MachineStatuses") => {
                self.seed(self.donors.get(kind).cloned().unwrap_or_default());
            }
            "Get" if status == 200 => self.seed(shown(answer)),
            "Get" | "Delete" | "Teardown"
                if status == 404 && !text(answer, "message").starts_with("failed to destroy") =>
            {
                let id = text(body, "id");
                self.world.act(|state, _| remove(state, kind, namespace, id));
            }
            "Delete" | "Teardown" => self.prepare_removal(record.number, namespace, kind, text(body, "id")),
            "Create" | "Update" => self.prepare_write(record, status),
            "Watch" => {
                self.clear(namespace, kind);
                self.seed(first_items(record));
                if record.number == 84 {
                    self.seed(self.donors.get(kind).cloned().unwrap_or_default());
                }
            }
            "Kubeconfig" => self.seed(self.donors["ClusterUUIDs.omni.sidero.dev"].clone()),
            _ => {}
        }
    }

    fn prepare_removal(&self, number: u32, namespace: &str, kind: &str, id: &str) {
        let mut resource = bare(namespace, kind, id);
        if number == 180 {
            let mut set = bare("default", "MachineSets.omni.sidero.dev", "enc-c-control-planes");
            set.spec = json!({"machine_allocation": {"name": id, "machine_count": 3}});
            self.seed([set]);
        } else {
            self.clear("default", "MachineSets.omni.sidero.dev");
        }
        resource.spec = json!({"match_labels": ["a = b"]});
        self.seed([resource]);
    }

    fn prepare_write(&self, record: &Record, status: u64) {
        let sent = &record.request["body"]["resource"];
        let metadata = &sent["metadata"];
        let (namespace, kind, id) = (text(metadata, "namespace"), text(metadata, "type"), text(metadata, "id"));
        let mut present = bare(namespace, kind, id);
        let spec: Value = serde_json::from_str(text(sent, "spec")).unwrap_or(json!({}));
        present.spec = spec;
        let message = text(&record.response["body"], "message");
        let version = message.split('@').nth(1).and_then(|rest| rest.split(')').next()?.parse().ok());
        match (method(record), status) {
            ("Create", 409) => {
                present.metadata.version = version.unwrap_or(1);
                self.seed([present]);
            }
            ("Create", _) => {
                self.world.act(|state, _| remove(state, kind, namespace, id));
                self.prepare_neighbours(record.number);
            }
            (_, 404) => self.world.act(|state, _| remove(state, kind, namespace, id)),
            _ => {
                let sent = text(metadata, "version").parse().unwrap_or(1);
                present.metadata.version = version.unwrap_or(sent);
                if record.number == 101 {
                    present.spec = json!({"match_labels": ["a = b"]});
                }
                if record.number == 442 {
                    present.metadata.phase = Phase::TearingDown;
                }
                present.metadata.labels = labels(metadata);
                self.seed([present]);
            }
        }
    }

    /// What else must exist for a create to go as recorded.
    fn prepare_neighbours(&self, number: u32) {
        let mut cluster = bare("default", "Clusters.omni.sidero.dev", "enc-c");
        cluster.spec = json!({"talos_version": "1.13.7", "kubernetes_version": "1.36.2"});
        let mut class = bare("default", "MachineClasses.omni.sidero.dev", "enc1");
        class.spec = json!({"match_labels": ["a = b"]});
        let mut set = bare("default", "MachineSets.omni.sidero.dev", "enc-c-control-planes");
        set.spec = json!({"machine_allocation": {"name": "enc1", "machine_count": 3}});
        match number {
            176 => self.seed([cluster, class]),
            178..=183 => self.seed([cluster, class, set]),
            _ => {}
        }
    }

    fn key(&self, record: &Record) -> &SecretString {
        match record.number {
            132 => &self.credentials.omni_expired_key,
            69..=73 | 452 => &self.credentials.omni_reader_key,
            74..=78 | 122 => &self.credentials.omni_key,
            421..=442 if identity(record).starts_with("proxmox@") => {
                &self.credentials.omni_provider_keys["proxmox"]
            }
            _ => &self.credentials.omni_admin_key,
        }
    }

    /// The recorded request, its time moved to the world's and signed with a key of the world.
    fn request(&self, record: &Record) -> Request {
        let text = |key: &str| record.request[key].as_str().unwrap_or_default();
        let verb: Method = text("method").parse().unwrap();
        let mut request = Request::new(verb, text("path"));
        request = request.body("application/json", text("body_text").to_owned());
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_420_000);
        let date = headers_of(&record.response).remove("date").unwrap();
        let answered = httpdate::parse_http_date(&date).unwrap();
        let recorded = answered.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let headers = record.request["headers"].as_object().cloned().unwrap_or_default();
        let stamp = headers.iter().find(|(name, _)| name.to_lowercase().ends_with("x-sidero-timestamp"));
        let (old, new) = stamp.map_or((String::new(), String::new()), |(_, stamp)| {
            let old = stamp.as_str().unwrap().to_owned();
            let offset = i128::from(old.parse::<u64>().unwrap()) - i128::from(recorded);
            // A request was under way for a moment; more than that was meant.
            let offset = if offset.abs() < 30 { 0 } else { offset };
            (old, (1_795_420_000_i128 + offset).to_string())
        });
        let account = ServiceAccountKey::parse(self.key(record)).unwrap();
        // The signer itself would refuse a key that has ended.
        let signer = OpenPgpSigner::new(&account, wall - Duration::from_secs(7200)).unwrap();
        let mut payload = String::new();
        for (name, value) in &headers {
            // Recorded as it was meant to be sent; it was sent without a signature.
            if record.number == 453 && name.contains("sidero") {
                continue;
            }
            let mut value = value.as_str().unwrap().to_owned();
            let lower = name.to_lowercase();
            if lower.ends_with("x-sidero-timestamp") || lower.ends_with("x-sidero-payload") {
                value = value.replace(&old, &new);
            }
            if lower.ends_with("x-sidero-payload") {
                payload.clone_from(&value);
            }
            if lower.ends_with("x-sidero-signature") && record.number != 59 {
                let identity = value.split(' ').nth(1).unwrap().to_owned();
                let signature = STANDARD.encode(signer.sign(payload.as_bytes(), wall).unwrap());
                value = format!("siderov1 {identity} {} {signature}", signer.key_id());
            }
            let name: HeaderName = lower.parse().unwrap();
            request = request.header(name, HeaderValue::from_str(&value).unwrap());
        }
        request
    }

    async fn replay(&self, record: &Record) -> Result<(), String> {
        self.prepare(record);
        let request = self.request(record);
        let status = record.response["status"].as_u64().unwrap();
        if method(record) == "Watch" {
            return self.replay_watch(record, request, status).await;
        }
        let answer = tokio::time::timeout(Duration::from_secs(10), self.transport.send(request))
            .await
            .map_err(|_| "no answer within 10 s".to_owned())?
            .map_err(|error| format!("{error:?}"))?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        let recorded = &record.response["body"];
        if (record.number, answer.status) == (76, 200) || (record.number, answer.status) == (189, 200) {
            // A controller may or may not be faster than the deletion; both are a deletion that worked.
            return Ok(());
        }
        if u64::from(answer.status) != status {
            return Err(format!("status {} for {status}: {body} for {recorded}", answer.status));
        }
        for name in ["content-type", "grpc-metadata-content-type", "vary", "www-authenticate"] {
            let recorded = headers_of(&record.response).remove(name);
            let ours = answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            if recorded != ours {
                return Err(format!("header {name}: {ours:?} for {recorded:?}"));
            }
        }
        compare(record.number, &meaning(&body), &meaning(recorded))
    }

    async fn replay_watch(&self, record: &Record, request: Request, status: u64) -> Result<(), String> {
        let lines = match self.transport.lines(request, Duration::from_secs(5)).await {
            Ok(Streamed::Lines(lines)) if status == 200 => lines,
            Ok(Streamed::Refused(answer)) if u64::from(answer.status) == status => {
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                return compare(record.number, &body, &record.response["body"]);
            }
            _ => return Err("the watch was opened or refused otherwise".to_owned()),
        };
        let mut lines = lines;
        for expected in events(record) {
            self.cause(&expected);
            let line = tokio::time::timeout(Duration::from_secs(5), lines.next())
                .await
                .map_err(|_| format!("no line for {expected}"))?
                .ok_or("the stream ended")?
                .map_err(|error| format!("{error:?}"))?;
            let line: Value = serde_json::from_slice(&line).unwrap_or(Value::Null);
            compare(record.number, &event_meaning(&line), &event_meaning(&expected))?;
        }
        Ok(())
    }

    /// Makes happen what a live event reports; events of the bootstrap report what is there already.
    fn cause(&self, event: &Value) {
        let Some(resource) = event["result"]["event"]["resource"].as_str() else { return };
        let resource: Resource = serde_json::from_str(resource).unwrap();
        let number = event["result"]["event"]["event_type"].as_u64().unwrap();
        let admin = Caller { role: Role::Admin, ..Caller::operator() };
        self.world.act(|state, now| {
            let meta = resource.metadata.clone();
            let there = state.omni.store.get(&meta.namespace, &meta.kind, &meta.id).cloned();
            let incoming = |version: u64| Incoming {
                resource: resource.clone(),
                version: version.to_string(),
                spec: resource.spec.to_string(),
            };
            match (number, there) {
                (1, None) => api::create(state, now, &admin, incoming(1)).unwrap(),
                (2, Some(old)) if meta.phase == Phase::TearingDown && old.metadata.phase == Phase::Running => {
                    api::teardown(state, now, &admin, &meta.namespace, &meta.kind, &meta.id).unwrap();
                }
                (2, Some(old)) if old.metadata.owner.is_empty() => {
                    api::update(state, now, &admin, incoming(old.metadata.version)).unwrap();
                }
                (2, Some(old)) => {
                    let mut new = resource.clone();
                    new.metadata.version = old.metadata.version;
                    state.omni.store.replace(&meta.updated, old, new);
                }
                (3, Some(_)) => assert!(api::destroyed(state, now, &meta.namespace, &meta.kind, &meta.id)),
                _ => {}
            }
        });
    }
}

fn remove(state: &mut site_simulator::world::State, kind: &str, namespace: &str, id: &str) {
    drop(state.omni.store.modify("", kind, namespace, id, |r| r.metadata.finalizers.clear()));
    drop(state.omni.store.destroy(kind, namespace, id));
}

fn bare(namespace: &str, kind: &str, id: &str) -> Resource {
    let mut resource = Resource::default();
    resource.metadata.namespace = namespace.to_owned();
    resource.metadata.kind = kind.to_owned();
    resource.metadata.id = id.to_owned();
    resource
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn labels(metadata: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(metadata["labels"].clone()).unwrap_or_default()
}

fn method(record: &Record) -> &str {
    text(&record.request, "path").rsplit('/').next().unwrap()
}

fn identity(record: &Record) -> &str {
    text(&record.request["headers"], "Grpc-Metadata-x-sidero-signature").split(' ').nth(1).unwrap_or_default()
}

fn headers_of(response: &Value) -> BTreeMap<String, String> {
    let pairs = response["headers"].as_array().into_iter().flatten();
    pairs
        .map(|pair| (pair[0].as_str().unwrap().to_lowercase(), pair[1].as_str().unwrap().to_owned()))
        .collect()
}

/// Resources that a Get or List answered with.
fn shown(answer: &Value) -> Vec<Resource> {
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    let body = answer.get("body").cloned();
    items
        .iter()
        .chain(body.iter())
        .filter_map(|item| serde_json::from_str(item.as_str()?).ok())
        .collect()
}

fn events(record: &Record) -> Vec<Value> {
    let body = record.response["body_text"].as_str().unwrap_or_default();
    body.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn first_items(record: &Record) -> Vec<Resource> {
    events(record)
        .iter()
        .take_while(|event| event["result"]["event"]["event_type"] != 4)
        .filter_map(|event| serde_json::from_str(event["result"]["event"]["resource"].as_str()?).ok())
        .collect()
}

/// Resource texts parsed, kubeconfigs decoded, what the world draws itself left out.
fn meaning(body: &Value) -> Value {
    let mut body = body.clone();
    for key in ["body", "kubeconfig", "omniconfig"] {
        let Some(text) = body.get(key).and_then(Value::as_str).map(str::to_owned) else { continue };
        body[key] = match key {
            "body" => resource_meaning(&text),
            _ => {
                let yaml = STANDARD.decode(&text).unwrap();
                config_meaning(serde_yaml::from_slice(&yaml).unwrap())
            }
        };
    }
    if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            *item = resource_meaning(&item.as_str().unwrap_or_default().to_owned());
        }
    }
    body
}

fn resource_meaning(text: &str) -> Value {
    let mut resource: Value = serde_json::from_str(text).unwrap();
    let virtual_one = resource["metadata"]["namespace"] == "virtual";
    if virtual_one {
        for (part, key) in [("metadata", "created"), ("metadata", "updated"), ("spec", "user_id")] {
            resource[part].as_object_mut().unwrap().remove(key);
        }
        if resource["spec"].get("grpc_api_url").is_some() {
            resource["spec"]["grpc_api_url"] = json!("https://127.0.0.1");
        }
    }
    resource
}

fn config_meaning(mut config: Value) -> Value {
    // Ports of the recording, and a token that nobody else could make.
    if let Some(token) = config.pointer_mut("/users/0/user/token") {
        let parts: Vec<String> = token.as_str().unwrap().split('.').map(str::to_owned).collect();
        assert_eq!(parts.len(), 3);
        *token = json!("a token in three parts");
    }
    serde_json::from_str(&config.to_string().replace(":8099", "")).unwrap()
}

fn event_meaning(event: &Value) -> Value {
    let mut event = event.clone();
    for key in ["resource", "old"] {
        let Some(text) = event["result"]["event"].get(key).and_then(Value::as_str) else { continue };
        let mut resource: Value = serde_json::from_str(text).unwrap();
        let metadata = resource["metadata"].as_object_mut().unwrap();
        metadata.remove("created");
        metadata.remove("updated");
        event["result"]["event"][key] = resource;
    }
    event
}

fn compare(number: u32, ours: &Value, recorded: &Value) -> Result<(), String> {
    if number == 37 {
        // The words are those of Go's YAML reader.
        let prefix = "failed to validate: 1 error occurred:\n\t* decode error: go-yaml load error in parser";
        let both = [ours, recorded].iter().all(|body| text(body, "message").starts_with(prefix));
        return if both { Ok(()) } else { Err(format!("{ours} for {recorded}")) };
    }
    if ours == recorded { Ok(()) } else { Err(format!("\n  ours     {ours}\n  recorded {recorded}")) }
}

fn left_out(number: u32) -> Option<&'static str> {
    LEFT_OUT.iter().find(|(range, _)| range.contains(&number)).map(|(_, reason)| *reason)
}

async fn replay_all(directory: PathBuf, whose: &str) {
    let records = records(&directory);
    if records.is_empty() {
        println!("omni: no records in {whose}");
        return;
    }
    let bench = Bench::new(&records).await;
    let failures = Mutex::new(Vec::new());
    let (mut replayed, mut reasons) = (0, BTreeMap::<&str, usize>::new());
    for record in &records {
        if let Some(reason) = left_out(record.number) {
            *reasons.entry(reason).or_default() += 1;
            continue;
        }
        match bench.replay(record).await {
            Ok(()) => replayed += 1,
            Err(error) => failures.lock().unwrap().push(format!("{}: {error}", record.name)),
        }
    }
    println!("omni: replayed {replayed} of {} ({whose})", records.len());
    for (reason, count) in reasons {
        println!("  {count} not replayed: {reason}");
    }
    assert!(bench.doors.request_counts()["omni"] >= replayed);
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(usize::try_from(replayed).unwrap() >= AT_LEAST, "replayed {replayed}, at least {AT_LEAST} before");
}

#[tokio::test]
async fn recorded_exchanges() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    replay_all(base.join("../tests/fixtures/omni"), "fixtures").await;
    replay_all(base.join("../../shared/wire/omni"), "shared").await;
}
