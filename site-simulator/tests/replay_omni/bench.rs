//! A world that stands still behind its HTTPS door, and how an exchange is repeated there.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
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
use site_simulator::world::omni::accounts::Account;
use site_simulator::world::omni::api::{self, Incoming};
use site_simulator::world::omni::store::Store;
use site_simulator::{Blueprint, Credentials, Doors, Faults, World};

use crate::meaning::{compare, event_meaning, meaning};
use crate::record::{Record, events, headers_of, identity, method, shown};

/// A clock that stands still, so that nothing happens but what the exchange itself does.
#[derive(Debug)]
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Duration {
        Duration::from_mins(1)
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

pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    pub(crate) doors: Doors,
    pub(crate) transport: Transport,
    pub(crate) credentials: Credentials,
    pub(crate) recorded_lists: BTreeMap<String, Vec<Resource>>,
    /// The world's own service accounts, but for the one that most requests are signed with: it is the user's here, so
    /// that lists of service accounts can be those of the records.
    pub(crate) accounts: BTreeMap<String, Account>,
}

impl Bench {
    pub(crate) async fn new(records: &[Record]) -> Self {
        let blueprint = Blueprint {
            omni_name: "127.0.0.1".to_owned(),
            omni_address: Ipv4Addr::LOCALHOST,
            talos_versions: Vec::new(),
            extensions: Vec::new(),
            providers: vec![ProviderBlueprint {
                id: "proxmox".into(),
                schema: json!({}),
                nodes: Vec::new(),
            }],
            networks: Vec::new(),
            dns_records: Vec::new(),
            upstream: Vec::new(),
            strangers: Vec::new(),
        };
        let world = World::new(blueprint, 1, Faults::default(), Arc::new(StillClock));
        // What the provider says at once is not part of the records.
        world.act(|state, _| state.omni.store = Store::default());
        let doors = world.serve().await.unwrap();
        let transport = Transport::builder(&doors.omni)
            .unwrap()
            .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
            .build()
            .unwrap();
        let credentials = world.credentials();
        let mut recorded_lists = BTreeMap::new();
        for record in records.iter().filter(|r| matches!(r.number, 301..=395)) {
            if let Some(kind) = record.request["body"]["type"].as_str() {
                recorded_lists.insert(kind.to_owned(), shown(&record.response["body"]));
            }
        }
        let accounts = world.act(|state, _| {
            let accounts = &mut state.omni.accounts;
            let admin = accounts.service.remove("automation").unwrap();
            accounts.users.insert("admin@lab.test".to_owned(), admin);
            accounts.service.clone()
        });
        Self {
            world,
            doors,
            transport,
            credentials,
            recorded_lists,
            accounts,
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
        let recorded = answered
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let headers = record.request["headers"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let stamp = headers
            .iter()
            .find(|(name, _)| name.to_lowercase().ends_with("x-sidero-timestamp"));
        let (old, new) = stamp.map_or((String::new(), String::new()), |(_, stamp)| {
            let old = stamp.as_str().unwrap().to_owned();
            let offset = i128::from(old.parse::<u64>().unwrap()) - i128::from(recorded);
            // A request was under way for a moment; more than that was meant.
            let offset = if offset.abs() < 30 { 0 } else { offset };
            (old, (1_795_420_000_i128 + offset).to_string())
        });
        let account = ServiceAccountKey::parse(self.key(record)).unwrap();
        // The signer itself would refuse a key that has ended.
        let signer = OpenPgpSigner::new(&account, wall - Duration::from_hours(2)).unwrap();
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

    pub(crate) async fn replay(&self, record: &Record) -> Result<(), String> {
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
        if (record.number, answer.status) == (76, 200)
            || (record.number, answer.status) == (189, 200)
        {
            // A controller may or may not be faster than the deletion; both are a deletion that worked.
            return Ok(());
        }
        if u64::from(answer.status) != status {
            return Err(format!(
                "status {} for {status}: {body} for {recorded}",
                answer.status
            ));
        }
        for name in [
            "content-type",
            "grpc-metadata-content-type",
            "vary",
            "www-authenticate",
        ] {
            let recorded = headers_of(&record.response).remove(name);
            let ours = answer
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned());
            if recorded != ours {
                return Err(format!("header {name}: {ours:?} for {recorded:?}"));
            }
        }
        compare(record.number, &meaning(&body), &meaning(recorded))
    }

    async fn replay_watch(
        &self,
        record: &Record,
        request: Request,
        status: u64,
    ) -> Result<(), String> {
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
            compare(
                record.number,
                &event_meaning(&line),
                &event_meaning(&expected),
            )?;
        }
        Ok(())
    }

    /// Makes happen what a live event reports; events of the bootstrap report what is there already.
    fn cause(&self, event: &Value) {
        let Some(resource) = event["result"]["event"]["resource"].as_str() else {
            return;
        };
        let resource: Resource = serde_json::from_str(resource).unwrap();
        let number = event["result"]["event"]["event_type"].as_u64().unwrap();
        let admin = Caller {
            role: Role::Admin,
            ..Caller::operator()
        };
        self.world.act(|state, now| {
            let meta = resource.metadata.clone();
            let there = state
                .omni
                .store
                .get(&meta.namespace, &meta.kind, &meta.id)
                .cloned();
            let incoming = |version: u64| Incoming {
                resource: resource.clone(),
                version: version.to_string(),
                spec: resource.spec.to_string(),
            };
            match (number, there) {
                (1, None) => api::create(state, now, &admin, incoming(1)).unwrap(),
                (2, Some(old))
                    if meta.phase == Phase::TearingDown && old.metadata.phase == Phase::Running =>
                {
                    api::teardown(state, now, &admin, &meta.namespace, &meta.kind, &meta.id)
                        .unwrap();
                }
                (2, Some(old)) if old.metadata.owner.is_empty() => {
                    api::update(state, now, &admin, incoming(old.metadata.version)).unwrap();
                }
                (2, Some(old)) => {
                    let mut new = resource.clone();
                    new.metadata.version = old.metadata.version;
                    state.omni.store.replace(&meta.updated, old, new);
                }
                (3, Some(_)) => assert!(api::destroyed(
                    state,
                    now,
                    &meta.namespace,
                    &meta.kind,
                    &meta.id
                )),
                _ => {}
            }
        });
    }
}
