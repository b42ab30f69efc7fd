//! Reads against answers of our own writing.

use futures_util::future::join_all;
use serde_json::{Value, json};
use unifi_client::{Client, ClientPatch, Error, Filter};

use crate::fake::{Fake, KEY, MAC, brief};

pub(crate) const NETWORK: &str = "65aa00000000000000000001";
pub(crate) const ID: &str = "65bb00000000000000000001";

pub(crate) fn rows(rows: &Value) -> String {
    json!({"meta": {"rc": "ok"}, "data": rows}).to_string()
}

#[tokio::test]
async fn every_request_carries_the_key_marked_as_secret_and_nothing_shows_it() {
    let fake = Fake::new().on(
        "GET /api/self/sites",
        401,
        r#"{"error":{"code":401,"message":"Unauthorized"}}"#,
    );
    let client = fake.client();
    let error = client.sites().await.unwrap_err();
    let seen = fake.seen().remove(0);
    let key = &seen.headers["x-api-key"];
    assert_eq!(key.to_str().unwrap(), KEY);
    assert!(key.is_sensitive());
    assert_eq!(seen.headers["accept"], "application/json");
    assert!(
        !seen.headers.contains_key("content-type"),
        "a GET has no content"
    );
    assert_eq!(fake.seen().len(), 1, "a refused key is never tried again");
    let builder = Client::builder("https://192.0.2.1").api_key(KEY.to_owned().into());
    for shown in [
        format!("{client:?}"),
        format!("{builder:?}"),
        format!("{error:?}"),
        error.to_string(),
    ] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    let built = |endpoint: &str, key: &str, site: &str| {
        Client::builder(endpoint)
            .api_key(key.to_owned().into())
            .site(site)
            .exchange(Fake::new())
            .build()
    };
    for (endpoint, key, site, expected) in [
        ("https://192.0.2.1", " key\n", "default", None),
        ("https://192.0.2.1/proxy/network/", "key", "abcd1234", None),
        (
            "https://192.0.2.1",
            "  ",
            "default",
            Some("Invalid 0 - [api_key]"),
        ),
        (
            "https://192.0.2.1",
            "a\u{1}b",
            "default",
            Some("Invalid 0 - [api_key]"),
        ),
        (
            "https://192.0.2.1",
            "key",
            "../../etc",
            Some("Invalid 0 - [site]"),
        ),
        ("https://192.0.2.1", "key", "", Some("Invalid 0 - [site]")),
        (
            "ftp://192.0.2.1",
            "key",
            "default",
            Some("Transport 0 - []"),
        ),
    ] {
        let outcome = built(endpoint, key, site).err();
        assert_eq!(
            outcome.as_ref().map(brief).as_deref(),
            expected,
            "{endpoint} {key:?} {site}"
        );
    }
}

#[tokio::test]
async fn the_site_is_told_with_its_role_or_the_visible_ones_are_named() {
    let sites = rows(&json!([
        {"name": "default", "desc": "Home", "role": "readonly", "external_id": "88f7"},
        {"name": "x1y2z3aa", "desc": "Cabin"},
    ]));
    let fake = Fake::new().on("GET /api/self/sites", 200, sites);
    let site = fake.client().site().await.unwrap();
    assert_eq!(
        (
            site.description.as_str(),
            site.role.as_deref(),
            site.uuid.as_deref()
        ),
        ("Home", Some("readonly"), Some("88f7"))
    );
    let elsewhere = Client::builder("https://192.0.2.1")
        .api_key(KEY.to_owned().into())
        .site("gone")
        .exchange(fake)
        .build();
    let error = elsewhere.unwrap().site().await.unwrap_err();
    assert!(error.is_not_found());
    assert!(
        error
            .to_string()
            .contains("default (Home), x1y2z3aa (Cabin)"),
        "{error}"
    );
}

#[tokio::test]
async fn networks_are_read_leniently_and_without_their_secrets() {
    let canaries = json!({"x_wan_password": "canary-1", "wan_username": "canary-2", "x_ipsec_pre_shared_key": "canary-3"});
    let mut answer = json!([
        {"_id": "n1", "name": "infra", "purpose": "corporate", "ip_subnet": "172.16.8.1/24", "vlan_enabled": "true",
         "vlan": "8", "dhcpd_enabled": true, "dhcpd_start": "172.16.8.100", "dhcpd_stop": "172.16.8.199",
         "dhcpd_leasetime": "86400", "dhcpd_dns_enabled": true, "dhcpd_dns_1": "172.16.8.1", "dhcpd_dns_2": ""},
        {"_id": "n2", "name": "old", "purpose": "corporate", "ip_subnet": "10.0.0.1/16", "enabled": false,
         "vlan_enabled": false, "vlan": 9, "dhcpd_enabled": true, "dhcpd_dns_enabled": false, "dhcpd_dns_1": "9.9.9.9"},
        {"_id": "n3", "name": "trunk", "purpose": "vlan-only", "vlan": 30},
        {"_id": "n4", "name": "guests", "purpose": "guest", "ip_subnet": "bogus", "gateway_type": "switch"},
        {"_id": "n5", "name": "WAN", "purpose": "wan"}, {"_id": "n6", "purpose": "remote-user-vpn", "ip_subnet": "10.9.0.1/24"},
        {"purpose": "corporate", "name": "without id"},
    ]);
    for row in answer.as_array_mut().unwrap() {
        row.as_object_mut()
            .unwrap()
            .extend(canaries.as_object().unwrap().clone());
    }
    let fake = Fake::new().on("GET /api/s/default/rest/networkconf", 200, rows(&answer));
    let networks = fake.client().networks().await.unwrap();
    let shown: Vec<_> = networks
        .iter()
        .map(|n| {
            format!(
                "{} {:?} {:?} dhcp={} {:?} {}",
                n.name,
                n.subnet.map(|s| s.to_string()),
                n.vlan,
                n.dhcp.enabled,
                n.dhcp.dns,
                n.dhcp_elsewhere
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"infra Some("172.16.8.1/24") Some(8) dhcp=true [172.16.8.1] false"#,
            r#"old Some("10.0.0.1/16") None dhcp=false [] false"#,
            "trunk None Some(30) dhcp=false [] false",
            "guests None None dhcp=false [] true",
        ]
    );
    assert!(!format!("{networks:?}").contains("canary"));
    let infra = &networks[0];
    assert_eq!(infra.gateway(), Some([172, 16, 8, 1].into()));
    for (last, assignable, dynamic) in [
        (0, false, false),
        (1, false, false),
        (11, true, false),
        (150, true, true),
        (255, false, false),
    ] {
        let address = [172, 16, 8, last].into();
        assert_eq!(
            (infra.is_assignable(address), infra.dhcp.is_dynamic(address)),
            (assignable, dynamic),
            "{address}"
        );
    }
}

#[tokio::test]
async fn upstream_gathers_what_enabled_wans_forward_to() {
    let wan = |priority: u32, fields: Value| {
        let mut row = json!({"_id": "w", "purpose": "wan", "wan_failover_priority": priority});
        row.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        row
    };
    let second = wan(
        2,
        json!({"wan_dns_preference": "manual", "wan_dns1": "9.9.9.9", "wan_dns2": "1.1.1.1"}),
    );
    let first = wan(
        1,
        json!({"wan_dns_preference": "manual", "wan_dns1": "1.1.1.1", "wan_dns2": "", "wan_ipv6_dns1": "2001:db8::stale"}),
    );
    let off = wan(
        1,
        json!({"enabled": false, "wan_dns_preference": "manual", "wan_dns1": "8.8.8.8"}),
    );
    let automatic = wan(
        1,
        json!({"wan_dns_preference": "auto", "wan_dns1": "10.0.0.1"}),
    );
    for (wans, servers, is_automatic) in [
        (
            json!([second, first, off]),
            vec!["1.1.1.1", "9.9.9.9"],
            false,
        ),
        (json!([automatic, off]), vec![], true),
        (json!([]), vec![], true),
    ] {
        let fake = Fake::new()
            .on("GET /api/s/default/rest/networkconf", 200, rows(&wans))
            .on(
                "GET /api/s/default/get/setting",
                200,
                rows(&json!([{"key": "mgmt", "state": "x"}, {"key": "doh", "state": "off"}])),
            );
        let upstream = fake.client().upstream().await.unwrap();
        assert_eq!(
            (upstream.servers, upstream.automatic),
            (
                servers.into_iter().map(String::from).collect(),
                is_automatic
            )
        );
        assert_eq!(upstream.encrypted.as_deref(), Some("off"));
    }
}

#[tokio::test]
async fn presence_is_read_from_three_lists() {
    let fake = Fake::new()
        .on("GET /api/s/default/stat/sta", 200, rows(&json!([
            {"mac": "BC-24-11-00-00-01", "ip": "172.16.8.50", "name": "", "hostname": "talos", "network_id": NETWORK},
            {"mac": "no mac", "ip": "172.16.8.51"},
        ])))
        .on("GET /api/s/default/stat/device", 200, rows(&json!([{"mac": "f4:e2:c6:00:00:02", "ip": "172.16.8.2", "name": "Switch", "adopted": true}])))
        .on("GET /v2/api/site/default/active-leases", 200, json!({"dhcp_lease_info": [
            {"mac": "bc:24:11:00:00:01", "ip": "172.16.8.50", "lease_expiration_time": 1_800_000_000_u64, "display_name": "talos"},
            {"mac": "bc:24:11:00:00:03", "ip": "172.16.8.53", "lease_expiration_time": "1800000000000"},
            {"mac": "bc:24:11:00:00:04", "ip": "", "lease_expiration_time": -1},
        ]}).to_string())
        .on("GET /v2/api/site/default/active-leases", 200, r#"{"dhcp_lease_info": null}"#)
        .on("GET /v2/api/site/default/active-leases", 404, r#"{"code":"api.err.NotFound","message":"none","errorCode":404}"#)
        .on("GET /v2/api/site/default/active-leases", 403, r#"{"code":"api.err.NoPermission","errorCode":403}"#)
        .on("GET /v2/api/site/default/clients/history?onlyNonBlocked=false&includeUnifiDevices=true&withinHours=0", 200,
            json!([{"mac": "bc:24:11:00:00:05", "last_ip": "172.16.8.55", "last_seen": 1_700_000_000, "user_id": ID}, {}]).to_string());
    let client = fake.client();
    let active = client.active_clients().await.unwrap();
    let shown: Vec<_> = active
        .iter()
        .map(|c| format!("{} {:?} {:?} {}", c.mac, c.ip, c.name, c.device))
        .collect();
    assert_eq!(
        shown,
        [
            r#"bc:24:11:00:00:01 Some(172.16.8.50) Some("talos") false"#,
            r#"f4:e2:c6:00:00:02 Some(172.16.8.2) Some("Switch") true"#,
        ]
    );
    let leases = client.leases().await.unwrap();
    assert_eq!(
        leases
            .iter()
            .map(|l| (l.ip.octets()[3], l.expires))
            .collect::<Vec<_>>(),
        [(50, Some(1_800_000_000)), (53, Some(1_800_000_000))]
    );
    assert_eq!(leases[0].name.as_deref(), Some("talos"));
    assert_eq!(client.leases().await.unwrap(), [], "null");
    assert_eq!(client.leases().await.unwrap(), [], "404");
    assert!(
        matches!(client.leases().await, Err(Error::Forbidden(_))),
        "only an absent list is empty"
    );
    let past = client.past_clients().await.unwrap();
    assert_eq!(
        (past.len(), past[0].record_id.as_deref(), past[0].last_seen),
        (1, Some(ID), Some(1_700_000_000))
    );
}

#[tokio::test]
async fn the_version_comes_from_either_api() {
    let (info, system) = (
        "GET /integration/v1/info",
        "GET /api/s/default/stat/sysinfo",
    );
    for (first, second, expected) in [
        (
            (200, r#"{"applicationVersion":"10.5.66"}"#),
            None,
            Ok("10.5.66"),
        ),
        (
            (
                404,
                r#"{"meta":{"rc":"error","msg":"api.err.NotFound"},"data":[]}"#,
            ),
            Some(r#"{"meta":{"rc":"ok"},"data":[{"version":"8.6.9"}]}"#),
            Ok("8.6.9"),
        ),
        (
            (404, "<html>nothing here</html>"),
            Some(r#"{"meta":{"rc":"ok"},"data":[{"version":"x"}]}"#),
            Err("Unsupported 0 - []"),
        ),
        ((503, "<html>starting</html>"), None, Err("Busy 503 - []")),
    ] {
        let mut fake = Fake::new().on(info, first.0, first.1);
        if let Some(body) = second {
            fake = fake.on(system, 200, body);
        }
        let version = fake.client().version().await;
        assert_eq!(
            version.map(|v| v.to_string()).map_err(|e| brief(&e)),
            expected.map(String::from).map_err(String::from)
        );
    }
}

#[tokio::test]
async fn writes_go_one_after_the_other_and_reads_four_at_a_time() {
    let fake = Fake::always(200, rows(&json!([])));
    let client = fake.client();
    let patch = ClientPatch {
        name: Some("n".into()),
        ..ClientPatch::default()
    };
    let reads = join_all((0..9).map(|_| client.client_records()));
    let writes = join_all((0..5).map(|_| client.update_client(ID, MAC, &patch)));
    let (read, written) = tokio::join!(reads, writes);
    assert!(read.iter().all(Result::is_ok) && written.iter().all(Result::is_ok));
    assert_eq!(fake.most(), (4, 1));
}

#[tokio::test]
async fn filters_are_escaped_and_go_with_every_page() {
    let site = "88f7af54-0000-4000-8000-000000000001";
    let row = |at: usize| json!({"id": format!("c{at}"), "type": "WIRED", "name": "n"});
    let page = |offset: usize, count: usize| {
        let data: Vec<_> = (offset..offset + count).map(row).collect();
        json!({"offset": offset, "limit": 200, "count": count, "totalCount": 201, "data": data})
            .to_string()
    };
    let sites = json!({"offset": 0, "limit": 200, "count": 1, "totalCount": 1,
        "data": [{"id": site, "internalReference": "default"}]});
    let clients = format!("GET /integration/v1/sites/{site}/clients?offset=");
    let filter = "filter=and%28name.eq%28%27Ann%27%27s+%26+Bob%27%29%2Cnot%28name.like%28%27*%5C.lan%27%29%29%29";
    let fake = Fake::new()
        .on(
            "GET /integration/v1/sites?offset=0&limit=200",
            200,
            sites.to_string(),
        )
        .on(&format!("{clients}0&limit=200&{filter}"), 200, page(0, 200))
        .on(
            &format!("{clients}200&limit=200&{filter}"),
            200,
            page(200, 1),
        );
    let wanted = Filter::equal("name", "Ann's & Bob")
        .unwrap()
        .and(&Filter::like("name", "*.lan").unwrap().negate());
    let found = fake.client().connected_clients(Some(&wanted)).await;
    let found = found.unwrap();
    assert_eq!((found.len(), found[200].id.as_str()), (201, "c200"));

    let either = Filter::absent("a").map(|a| a.or(&Filter::absent("b").unwrap()));
    for (shown, expected) in [
        (Filter::equal("a", true), Some("a.eq(true)")),
        (Filter::equal("a.b", -3), Some("a.b.eq(-3)")),
        (Filter::any_of("a", ["x", "y'"]), Some("a.in('x','y''')")),
        (either, Some("or(a.isNull(),b.isNull())")),
        (Filter::any_of::<&str>("a", []), None),
        (Filter::equal("a')", "x"), None),
        (Filter::equal("a..b", "x"), None),
        (Filter::equal("", "x"), None),
    ] {
        let shown = shown.ok().map(|filter| filter.to_string());
        assert_eq!(shown.as_deref(), expected);
    }
}

#[test]
fn a_client_may_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>() {}
    fn goes<T: Send>(_: T) {}
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    anywhere::<Client>();
    is_error::<Error>();
    let client = Fake::new().client();
    goes(client.version());
    goes(client.dns_records());
    goes(client.platform());
    goes(client.update_client(ID, MAC, &ClientPatch::default()));
}
