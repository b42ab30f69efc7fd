//! Whatever comes back, there is a result and no panic.

use proptest::prelude::*;
use serde_json::{Value, json};
use unifi_client::{ClientPatch, Mac, NewClient, RecordType, dns_name};

use crate::dns::new;
use crate::fake::{Fake, MAC};

/// JSON whose keys are those the client reads, with values of any type.
fn answer() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "meta",
        "data",
        "rc",
        "msg",
        "_id",
        "id",
        "mac",
        "ip",
        "name",
        "key",
        "value",
        "ttl",
        "enabled",
        "purpose",
        "vlan",
        "ip_subnet",
        "fixed_ip",
        "use_fixedip",
        "last_seen",
        "dhcp_lease_info",
        "totalCount",
        "offset",
        "count",
        "type",
        "domain",
        "ttlSeconds",
        "applicationVersion",
        "code",
        "message",
        "details",
        "invalid_fields",
        "error",
        "record_type",
        "internalReference",
        "wan_dns_preference",
        "lease_expiration_time",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "ok",
            "error",
            "default",
            "wan",
            "A_RECORD",
            "10.5.66",
            "bc:24:11:00:00:01",
            "1.2.3.4/33",
            ""
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|pairs| pairs
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

/// Makes every call; each is answered by `body`.
async fn call_all(status: u16, body: &str) {
    let fake = Fake::always(status, body.to_owned());
    let client = fake.client();
    let record = new("n.example", RecordType::A, "10.0.0.1", 0);
    let reservation = NewClient {
        mac: MAC,
        name: None,
        note: None,
        fixed_ip: [10, 0, 0, 1].into(),
        network_id: "1".into(),
        local_dns: None,
    };
    let patch = ClientPatch {
        fixed_ip: Some(None),
        ..ClientPatch::default()
    };
    let outcomes = [
        client.version().await.map(drop),
        client.sites().await.map(drop),
        client.networks().await.map(drop),
        client.upstream().await.map(drop),
        client.active_clients().await.map(drop),
        client.leases().await.map(drop),
        client.past_clients().await.map(drop),
        client.dns_records().await.map(drop),
        client.client_records().await.map(drop),
        client.client_record(MAC).await.map(drop),
        client.create_client(&reservation).await,
        client.update_client("1", MAC, &patch).await,
        client.create_dns_record(&record).await,
        client.update_dns_record("1", &record).await,
        client.delete_dns_record("1").await,
    ];
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(!error.to_string().is_empty());
        let _ = (
            error.hint(),
            error.status(),
            error.is_retryable(),
            error.is_conflict(),
        );
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_gives_a_result(status in prop::sample::select(vec![200_u16, 201, 204, 400, 401, 404, 418, 500]), body in answer(), wrap in any::<bool>()) {
        let body = if wrap { json!({"meta": {"rc": "ok"}, "data": [body]}) } else { body };
        block_on(call_all(status, &body.to_string()));
    }

    #[test]
    fn any_bytes_give_a_result(status in 200_u16..600, body in ".{0,64}") {
        block_on(call_all(status, &body));
    }

    #[test]
    fn every_form_of_a_mac_is_the_same(mut octets in any::<[u8; 6]>(), upper in any::<bool>()) {
        octets[0] &= 0xfe;
        prop_assume!(octets != [0; 6]);
        let mac = Mac(octets);
        let colons = mac.to_string();
        let plain = colons.replace(':', "");
        let dotted = format!("{}.{}.{}", &plain[..4], &plain[4..8], &plain[8..]);
        for form in [colons.clone(), colons.replace(':', "-"), plain, dotted] {
            let form = if upper { form.to_uppercase() } else { form };
            prop_assert_eq!(form.parse::<Mac>().unwrap(), mac);
        }
        prop_assert_eq!(serde_json::from_value::<Mac>(serde_json::to_value(mac).unwrap()).unwrap(), mac);
    }

    #[test]
    fn no_text_breaks_a_parser(text in ".{0,40}") {
        let _ = text.parse::<unifi_client::Version>();
        if let Ok(mac) = text.parse::<Mac>() {
            prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
        }
        if let Ok(name) = dns_name(&text) {
            prop_assert_eq!(dns_name(&name).unwrap(), name);
        }
    }
}

#[test]
fn what_is_no_station_and_no_name_is_refused() {
    for text in [
        "",
        "ff:ff:ff:ff:ff:ff",
        "01:00:5e:00:00:01",
        "00:00:00:00:00:00",
        "bc:24:11:00:00",
        "bc:24-11:00:00:01",
        "bc24.1100.00011",
        "bc24:1100:0001",
        "gc:24:11:00:00:01",
        "bc:24:11:00:00:1",
        " bc:24:11:00:00:01",
        "bc24110000é",
    ] {
        assert!(text.parse::<Mac>().is_err(), "{text}");
    }
    for (text, expected) in [
        ("Omni.Home.Example.", Some("omni.home.example")),
        ("nas", Some("nas")),
        ("*.lab.example", Some("*.lab.example")),
        ("_ldap._tcp.example", Some("_ldap._tcp.example")),
        ("", None),
        (".", None),
        ("a..b", None),
        ("-a.b", None),
        ("a-.b", None),
        ("a b", None),
        ("*", None),
        ("a.*.b", None),
        ("ümlaut.example", None),
    ] {
        assert_eq!(dns_name(text).ok().as_deref(), expected, "{text}");
    }
    assert!(dns_name(&"a.".repeat(64)).is_ok() && dns_name(&"a.".repeat(65)).is_err());
    assert!(dns_name(&"a".repeat(63)).is_ok() && dns_name(&"a".repeat(64)).is_err());
}
