//! Recorded and documented answers of UniFi gateways, compared with those of the simulated one.
//!
//! They come from many installations, so each has its own small site here. Where a record lists somebody's clients
//! or hardware only the form is compared: the same fields have the same kind of value.
#![allow(clippy::unwrap_used)] // helpers of tests stop like tests

// Counts are written past the test harness, which hides what passing tests print.
use std::io::Write as _;

mod replay;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use replay::{Pairs, Rules, Stepped, differences, recordings};
use serde_json::{Value, json};
use site_simulator::World;
use site_simulator::blueprint::{Blueprint, Faults, NetworkBlueprint};
use site_simulator::door::http::Request;
use site_simulator::door::unifi::answer;
use site_simulator::world::gateway::{Account, Kind};

/// How many records are replayed. May only grow.
const AT_LEAST: usize = 39;
const LEGACY: &str = "/proxy/network/api/s/default";
const V2: &str = "/proxy/network/v2/api/site/default";
const SITE: &str = "/proxy/network/integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6";

/// Records that are not replayed, with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    (
        "71-",
        "statements about writes, not an exchange; the tests of the gateway make them",
    ),
    ("90-", "a schema"),
    ("91-", "a schema"),
    ("92-", "a schema"),
    ("93-", "a schema"),
    ("94-", "a schema"),
    ("95-", "a schema"),
    ("96-", "a schema"),
];

const RULES: Rules = Rules {
    volatile: &[
        "timestamp",
        "requestId",
        "site_id",
        "requestPath",
        "device_count",
    ],
    optional: &["anonymous_id"],
    more_keys: true,
    chosen: is_id,
};

/// ObjectIds and UUIDs.
fn is_id(text: &str) -> bool {
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    (text.len() == 24 && hex(text)) || (text.len() == 36 && hex(&text.replace('-', "")))
}

/// A gateway with these networks, made by calls before the one that counts.
struct Scene {
    world: Arc<World>,
}

impl Scene {
    fn new(networks: &[(&str, &str, Option<u16>)]) -> Self {
        let network = |(name, subnet, vlan): &(&str, &str, Option<u16>)| {
            let subnet: ipnet::Ipv4Net = subnet.parse().unwrap();
            let base = u32::from(subnet.network());
            NetworkBlueprint {
                name: (*name).to_owned(),
                subnet,
                vlan: *vlan,
                dhcp: (Ipv4Addr::from(base + 6), Ipv4Addr::from(base + 254)),
                bridges: vec!["vmbr0".to_owned()],
            }
        };
        let blueprint = Blueprint {
            omni_name: "omni.home.example".to_owned(),
            omni_address: [192, 0, 2, 5].into(),
            talos_versions: Vec::new(),
            extensions: Vec::new(),
            providers: Vec::new(),
            networks: networks.iter().map(network).collect(),
            dns_records: Vec::new(),
            upstream: Vec::new(),
            strangers: Vec::new(),
        };
        let world = World::new(
            blueprint,
            7,
            Faults::default(),
            Arc::new(Stepped::default()),
        );
        world.act(|state, _| {
            state.gateway.accept_key("key", "admin");
            for (name, second_factor) in [("admin", false), ("sso", true)] {
                let account = Account {
                    password: "right".to_owned(),
                    role: "admin".to_owned(),
                    second_factor,
                };
                state.gateway.console.accept(name, account);
            }
        });
        Self { world }
    }

    /// The application without UniFi OS, of the recorded version.
    fn classic() -> Self {
        let scene = Self::new(&[("Default", "192.168.1.1/24", None)]);
        scene.world.act(|state, _| {
            state.gateway.console.kind = Kind::Classic;
            state.gateway.set_version("10.0.162");
        });
        scene
    }

    async fn login(&self, path: &str, name: &str, password: &str) -> (u16, Value) {
        let body = json!({ "username": name, "password": password, "rememberMe": false });
        let (status, body, _) = self.raw("POST", path, HeaderMap::new(), &body).await;
        (status, body)
    }

    async fn send(&self, key: &str, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let headers = HeaderMap::from_iter([(
            "x-api-key".parse().unwrap(),
            HeaderValue::from_str(key).unwrap(),
        )]);
        let (status, body, _) = self.raw(method, target, headers, body).await;
        (status, body)
    }

    async fn raw(
        &self,
        method: &str,
        target: &str,
        headers: HeaderMap,
        body: &Value,
    ) -> (u16, Value, HeaderMap) {
        let method: Method = method.parse().unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request {
            method,
            target: target.to_owned(),
            headers,
            body: body.into(),
        };
        let response = answer(&self.world, request).await;
        (
            response.status,
            serde_json::from_slice(&response.body).unwrap_or_default(),
            response.headers,
        )
    }

    async fn call(&self, method: &str, target: &str, body: Value) -> (u16, Value) {
        self.send("key", method, target, &body).await
    }

    /// A client that got an address by DHCP.
    fn client(&self, mac: [u8; 6], hostname: &str) {
        self.world.act(|state, now| {
            let mac = unifi_client::Mac(mac);
            state
                .gateway
                .dhcp_exchange(
                    now + Duration::from_secs(1),
                    &mut state.log,
                    mac,
                    "vmbr0",
                    hostname,
                )
                .unwrap();
        });
    }
}

#[allow(clippy::too_many_lines)] // a table
/// What is sent for a record, what must come back, and how closely it is looked at.
async fn exchange(name: &str) -> Option<(u16, (u16, Value), bool)> {
    let home = || Scene::new(&[("Default", "192.168.1.1/24", None)]);
    let wide = || Scene::new(&[("Default", "192.168.2.1/24", None)]);
    let none = Value::Null;
    let record = |key: &str, kind: &str, value: &str| json!({ "key": key, "record_type": kind, "value": value, "enabled": true });
    let policy = |extra: &[(&str, Value)]| {
        let mut body = json!({
            "type": "A_RECORD", "enabled": true, "domain": "a.example", "ipv4Address": "192.168.1.9", "ttlSeconds": 0,
        });
        for (key, value) in extra {
            body[*key] = value.clone();
        }
        body
    };
    let dns = format!("{V2}/static-dns");
    let policies = format!("{SITE}/dns/policies");
    let scene = home();
    let (exact, form) = (true, false);
    let number = name.split('-').next().unwrap_or_default();
    Some(match number {
        "01" => {
            let scene = Scene::classic();
            let (status, body, _) = scene.raw("GET", "/status", HeaderMap::new(), &none).await;
            (200, (status, body), exact)
        }
        "03" => {
            let scene = Scene::classic();
            let login = json!({ "username": "admin", "password": "right" });
            let (_, _, set) = scene
                .raw("POST", "/api/login", HeaderMap::new(), &login)
                .await;
            let cookie = set["set-cookie"]
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap();
            let cookie =
                HeaderMap::from_iter([("cookie".parse().unwrap(), cookie.parse().unwrap())]);
            let (status, body, _) = scene.raw("GET", "/api/self", cookie, &none).await;
            (200, (status, body), form)
        }
        "12" => {
            scene
                .world
                .act(|state, _| state.gateway.set_encrypted_dns("custom"));
            let path = format!("{LEGACY}/get/setting");
            let (status, mut body) = scene.call("GET", &path, none).await;
            // The recording has this section alone.
            body["data"].as_array_mut().unwrap().truncate(1);
            (200, (status, body), form)
        }
        "13" => (
            200,
            scene
                .call("GET", &format!("{V2}/wan/enriched-configuration"), none)
                .await,
            form,
        ),
        "22" => (
            200,
            scene.login("/api/auth/login", "admin", "right").await,
            form,
        ),
        "24" => (
            200,
            Scene::classic().login("/api/login", "admin", "right").await,
            exact,
        ),
        "25" => (
            400,
            Scene::classic().login("/api/login", "sso", "right").await,
            exact,
        ),
        "41" => {
            scene.client([0xaa, 0xbb, 0xcc, 0x14, 0x01, 0x56], "client-1");
            scene.client([0xaa, 0xbb, 0xcc, 0x9c, 0x58, 0x6f], "client-2");
            (
                200,
                scene.call("GET", &format!("{SITE}/clients"), none).await,
                form,
            )
        }
        "50" => {
            scene.world.act(|state, _| state.gateway.console.limit = 1);
            scene.login("/api/auth/login", "admin", "right").await;
            (
                429,
                scene.login("/api/auth/login", "admin", "right").await,
                exact,
            )
        }
        "51" => (
            403,
            scene.login("/api/auth/login", "admin", "wrong").await,
            exact,
        ),
        "52" => (
            499,
            scene.login("/api/auth/login", "sso", "right").await,
            form,
        ),
        "02" | "21" => (
            200,
            scene
                .call("GET", "/proxy/network/api/self/sites", none)
                .await,
            exact,
        ),
        "04" => (
            200,
            scene.call("GET", &format!("{LEGACY}/stat/sta"), none).await,
            exact,
        ),
        "05" => (
            200,
            scene
                .call("GET", &format!("{LEGACY}/rest/user"), none)
                .await,
            exact,
        ),
        "06" | "11" => (
            200,
            scene
                .call("GET", &format!("{LEGACY}/rest/networkconf"), none)
                .await,
            form,
        ),
        "07" | "10" | "23" => (
            200,
            scene
                .call("GET", &format!("{LEGACY}/stat/sysinfo"), none)
                .await,
            form,
        ),
        "08" => (
            200,
            scene
                .call("GET", &format!("{LEGACY}/rest/usergroup"), none)
                .await,
            form,
        ),
        "20" => {
            scene.client([0xac, 0xcc, 0xde, 0x12, 0x34, 0x56], "camera-acccde123456");
            (
                200,
                scene.call("GET", &format!("{LEGACY}/stat/sta"), none).await,
                form,
            )
        }
        "26" => {
            scene.client([0x58, 0x29, 0x43, 0xc4, 0x2a, 0xef], "UnifiDevice1");
            let path = format!(
                "{V2}/clients/history?onlyNonBlocked=false&includeUnifiDevices=true&withinHours=0"
            );
            (200, scene.call("GET", &path, none).await, form)
        }
        "30" => {
            for host in 1..=3 {
                let value = format!("192.168.100.{host}");
                scene
                    .call(
                        "POST",
                        &dns,
                        record(&format!("testhost{host}.local"), "A", &value),
                    )
                    .await;
            }
            (200, scene.call("GET", &dns, none).await, exact)
        }
        "31" => (
            200,
            scene
                .call(
                    "POST",
                    &dns,
                    record("testhost1.local", "A", "192.168.100.1"),
                )
                .await,
            exact,
        ),
        "32" => (200, scene.call("GET", &dns, none).await, exact),
        "40" => (
            200,
            scene
                .call("GET", "/proxy/network/integration/v1/sites", none)
                .await,
            exact,
        ),
        "42" => {
            scene.client([0xaa, 0xbb, 0xcc, 0x14, 0x01, 0x56], "client-1");
            let (status, page) = scene.call("GET", &format!("{SITE}/clients"), none).await;
            (200, (status, page["data"][0].clone()), form)
        }
        "43" => {
            let scene = Scene::new(&[
                ("Default", "192.168.1.1/24", None),
                ("IoT", "192.168.100.1/24", Some(100)),
            ]);
            (
                200,
                scene.call("GET", &format!("{SITE}/networks"), none).await,
                exact,
            )
        }
        "53" => {
            let (_, made) = scene
                .call(
                    "POST",
                    &format!("{LEGACY}/rest/user"),
                    json!({ "mac": "02:00:00:00:00:01" }),
                )
                .await;
            let id = made["data"][0]["_id"].as_str().unwrap();
            (
                400,
                scene
                    .call(
                        "PUT",
                        &format!("{LEGACY}/rest/user/{id}"),
                        json!({ "network_id": "" }),
                    )
                    .await,
                exact,
            )
        }
        "54" => (
            400,
            scene
                .call(
                    "GET",
                    &format!("{LEGACY}/stat/sta/ca%3Af8%3Af4%3A50%3A33%3A6f"),
                    none,
                )
                .await,
            exact,
        ),
        "55" => {
            let body = json!({ "mac": "02:00:00:00:00:01", "local_dns_record": "", "local_dns_record_enabled": true });
            (
                400,
                scene
                    .call("POST", &format!("{LEGACY}/rest/user"), body)
                    .await,
                exact,
            )
        }
        "56" => (
            400,
            scene
                .call("POST", &dns, record("*.a.example", "CNAME", "b.example"))
                .await,
            exact,
        ),
        "57" => {
            scene
                .call("POST", &dns, record("a.example", "A", "192.168.1.9"))
                .await;
            (
                400,
                scene
                    .call("POST", &dns, record("a.example", "A", "192.168.1.9"))
                    .await,
                exact,
            )
        }
        "58" => {
            let body = json!({
                "mac": "02:00:00:00:00:01", "use_fixedip": true, "fixed_ip": "192.168.1.9",
                "local_dns_record": "a.example", "local_dns_record_enabled": true,
            });
            scene
                .call("POST", &format!("{LEGACY}/rest/user"), body)
                .await;
            (
                400,
                scene
                    .call("POST", &dns, record("a.example", "A", "192.168.1.9"))
                    .await,
                exact,
            )
        }
        "60" => (
            400,
            scene
                .call("POST", &policies, policy(&[("metadata", json!({}))]))
                .await,
            exact,
        ),
        "61" => {
            scene.call("POST", &policies, policy(&[])).await;
            (400, scene.call("POST", &policies, policy(&[])).await, exact)
        }
        "62" => (
            401,
            scene.send("no key", "GET", &policies, &none).await,
            exact,
        ),
        "70" => {
            let body = json!({
                "mac": "b4:75:ab:6e:7b:21", "name": "Random Device", "use_fixedip": true, "fixed_ip": "192.168.2.234",
                "local_dns_record_enabled": true, "local_dns_record": "random.my.net",
            });
            (
                200,
                wide()
                    .call("POST", &format!("{LEGACY}/rest/user"), body)
                    .await,
                exact,
            )
        }
        _ => return None,
    })
}

/// The kinds of value of all fields, lists merged into one.
fn kinds(value: &Value, at: &str, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| kinds(value, &format!("{at}.{key}"), found)),
        Value::Array(items) => items
            .iter()
            .for_each(|item| kinds(item, &format!("{at}[]"), found)),
        Value::Null => {}
        other => {
            let kind = if other.is_string() {
                "text"
            } else if other.is_number() {
                "number"
            } else {
                "flag"
            };
            found.insert(at.to_owned(), kind.to_owned());
        }
    }
}

/// Fields that both have must be of one kind, and there must be some.
fn form_differences(theirs: &Value, ours: &Value) -> Vec<String> {
    let (mut recorded, mut own) = (BTreeMap::new(), BTreeMap::new());
    kinds(theirs, "", &mut recorded);
    kinds(ours, "", &mut own);
    let shared: Vec<&String> = own
        .keys()
        .filter(|key| recorded.contains_key(*key))
        .collect();
    let mut found: Vec<String> = shared
        .iter()
        .filter(|key| own[**key] != recorded[**key])
        .map(|key| format!("{key}: {}, recorded {}", own[*key], recorded[*key]))
        .collect();
    if shared.len() < 4 {
        found.push(format!("only {} fields in common", shared.len()));
    }
    found
}

async fn check(path: &Path) -> Option<Vec<String>> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let (status, (got, ours), exact) = exchange(&name).await?;
    let mut found = if exact {
        differences(&recorded, &ours, &RULES, &mut Pairs::default())
    } else {
        form_differences(&recorded, &ours)
    };
    if got != status {
        found.push(format!("status {got}, expected {status}"));
    }
    Some(found)
}

#[tokio::test]
async fn recorded_answers_are_given() {
    for (place, files) in recordings("unifi") {
        let (mut replayed, mut wrong) = (0, Vec::new());
        for path in &files {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let left_out = LEFT_OUT.iter().any(|(prefix, _)| name.starts_with(prefix));
            match check(path).await {
                Some(found) if found.is_empty() => replayed += 1,
                Some(found) => wrong.push(format!("{name}\n    {}", found.join("\n    "))),
                None if left_out => {}
                None => wrong.push(format!(
                    "{name}: neither replayed nor left out with a reason"
                )),
            }
        }
        let _ = writeln!(
            std::io::stderr(),
            "unifi ({place}): replayed {replayed} of {}",
            files.len()
        );
        assert!(
            wrong.is_empty(),
            "{} differ:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        assert!(replayed >= AT_LEAST, "{replayed} of at least {AT_LEAST}");
    }
    for (prefix, reason) in LEFT_OUT {
        println!("unifi: not replayed {prefix}: {reason}");
    }
}
