//! DNS records by either API, against answers of our own writing.

use serde_json::{Value, json};
use unifi_client::{Family, NewDnsRecord, RecordType};

use crate::fake::{Fake, brief};

const INFO: &str = "GET /integration/v1/info";
const SITES: &str = "GET /integration/v1/sites?offset=0&limit=200";
const POLICIES: &str = "/integration/v1/sites/88f7af54-0000-4000-8000-000000000001/dns/policies";
const STATIC: &str = "/v2/api/site/default/static-dns";
const UUID: &str = "11111111-2222-4333-8444-555555555555";
const OBJECT: &str = "65cc00000000000000000001";

fn page(rows: &Value, offset: usize, total: usize) -> String {
    let count = rows.as_array().unwrap().len();
    json!({"offset": offset, "limit": 200, "count": count, "totalCount": total, "data": rows})
        .to_string()
}

fn list(offset: usize) -> String {
    format!("GET {POLICIES}?offset={offset}&limit=200")
}

fn current(version: &str) -> std::sync::Arc<Fake> {
    let sites = json!([{"id": "99999999-0000-4000-8000-000000000009", "internalReference": "other", "name": "default"},
        {"id": "88f7af54-0000-4000-8000-000000000001", "internalReference": "default", "name": "Home"}]);
    Fake::new()
        .on(
            INFO,
            200,
            json!({"applicationVersion": version}).to_string(),
        )
        .on(SITES, 200, page(&sites, 0, 2))
}

fn policies(rows: &Value) -> std::sync::Arc<Fake> {
    let total = rows.as_array().unwrap().len();
    current("10.1.68").on(&list(0), 200, page(rows, 0, total))
}

fn statics(rows: &Value) -> std::sync::Arc<Fake> {
    Fake::new()
        .on(INFO, 200, r#"{"applicationVersion":"10.0.162"}"#)
        .on(&format!("GET {STATIC}"), 200, rows.to_string())
}

pub(crate) fn new(name: &str, record_type: RecordType, value: &str, ttl: u32) -> NewDnsRecord {
    NewDnsRecord {
        name: name.into(),
        record_type,
        value: value.into(),
        ttl,
    }
}

#[tokio::test]
async fn both_apis_list_the_same_records() {
    let by_policies = policies(&json!([
        {"id": UUID, "type": "A_RECORD", "enabled": true, "domain": "Omni.Home.Example.", "ipv4Address": "172.16.8.5", "ttlSeconds": 60, "metadata": {"origin": "USER_DEFINED"}},
        {"id": "b", "type": "CNAME_RECORD", "enabled": false, "domain": "www.home.example", "targetDomain": "Omni.home.example.", "ttlSeconds": 0},
        {"id": null, "type": "TXT_RECORD", "enabled": true, "domain": "t.home.example", "text": "\"a, b\""},
        {"id": "d", "type": "MX_RECORD", "enabled": true, "domain": "home.example", "mailServerDomain": "mx.home.example", "priority": 10},
    ]));
    let by_static = statics(&json!([
        {"_id": OBJECT, "record_type": "A", "enabled": true, "key": "Omni.Home.Example.", "value": "172.16.8.5", "ttl": "60", "port": 0},
        {"_id": "b", "record_type": "CNAME", "enabled": false, "key": "www.home.example", "value": "Omni.home.example.", "ttl": 0},
        {"record_type": "TXT", "enabled": true, "key": "t.home.example", "value": "a, b"},
        {"_id": "d", "record_type": "MX", "enabled": true, "key": "home.example", "value": "mx.home.example", "priority": 10},
    ]));
    for (fake, first_id, family) in [
        (by_policies, UUID, Family::Integration),
        (by_static, OBJECT, Family::V2),
    ] {
        let client = fake.client();
        assert_eq!(client.dns_family(), None);
        let records = client.dns_records().await.unwrap();
        assert_eq!(client.dns_family(), Some(family));
        assert_eq!(records[0].id, first_id);
        assert_eq!(
            records[2].id, "",
            "a record without id is listed, and foreign"
        );
        let shown: Vec<_> = records
            .iter()
            .map(|r| {
                format!(
                    "{} {} {} {} {}",
                    r.name, r.record_type, r.value, r.ttl, r.enabled
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "omni.home.example A 172.16.8.5 60 true",
                "www.home.example CNAME omni.home.example 0 false",
                "t.home.example TXT a, b 0 true",
                "home.example MX mx.home.example 0 true",
            ]
        );
    }
}

#[tokio::test]
async fn only_a_found_integration_api_is_remembered() {
    let fake = policies(&json!([]));
    let client = fake.client();
    client.dns_records().await.unwrap();
    client.clone().dns_records().await.unwrap();
    assert_eq!(fake.calls(), [INFO, SITES, &list(0), &list(0)]);

    // Updated from 10.0 to 10.1 while the client lives.
    let fake = Fake::new()
        .on(INFO, 200, r#"{"applicationVersion":"10.0.162"}"#)
        .on(INFO, 404, "<html>restarting proxy</html>")
        .on(INFO, 200, r#"{"applicationVersion":"10.1.68"}"#)
        .on(&format!("GET {STATIC}"), 200, "[]")
        .on(SITES, 200, page(&json!([{"id": "88f7af54-0000-4000-8000-000000000001", "internalReference": "default"}]), 0, 1))
        .on(&list(0), 200, page(&json!([]), 0, 0));
    let client = fake.client();
    for family in [Family::V2, Family::V2, Family::Integration] {
        client.dns_records().await.unwrap();
        assert_eq!(client.dns_family(), Some(family));
    }

    // It says it is new enough and has no such path: served by v2, and asked again next time.
    let missing = r#"{"statusCode":404,"code":"api.not-found","message":"no such endpoint"}"#;
    let fake = current("10.1.0")
        .on(&list(0), 404, missing)
        .on(&format!("GET {STATIC}"), 200, "[]");
    let client = fake.client();
    client.dns_records().await.unwrap();
    client.dns_records().await.unwrap();
    assert_eq!(client.dns_family(), Some(Family::V2));
    assert_eq!(fake.calls().iter().filter(|call| *call == INFO).count(), 2);

    let neither = Fake::new()
        .on(INFO, 404, "{}")
        .on(&format!("GET {STATIC}"), 404, "{}");
    assert_eq!(
        brief(&neither.client().dns_records().await.unwrap_err()),
        "Unsupported 404 - []"
    );
    let locked = Fake::new().on(INFO, 403, "{}");
    assert_eq!(
        brief(&locked.client().dns_records().await.unwrap_err()),
        "Forbidden 403 - []",
        "no fallback on a refusal"
    );
}

#[tokio::test]
async fn pages_are_followed_and_a_moving_list_is_read_again() {
    let row = |n: usize| json!({"id": format!("{n}"), "type": "A_RECORD", "enabled": true, "domain": format!("n{n}.example"), "ipv4Address": "10.0.0.1", "ttlSeconds": 0});
    let rows = |range: std::ops::Range<usize>| Value::from(range.map(row).collect::<Vec<_>>());
    let fake = current("11.0.1")
        .on(&list(0), 200, page(&rows(0..200), 0, 250))
        .on(&list(200), 200, page(&rows(200..249), 200, 249))
        .on(&list(0), 200, page(&rows(0..200), 0, 249))
        .on(&list(200), 200, page(&rows(200..249), 200, 249));
    let records = fake.client().dns_records().await.unwrap();
    assert_eq!(
        (records.len(), records[248].name.as_str()),
        (249, "n248.example")
    );

    let fake = current("10.5.66").on(&list(0), 200, page(&json!([]), 0, 5));
    let error = fake.client().dns_records().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(
        fake.calls().len(),
        2 + 4,
        "the list is read four times at most"
    );
}

#[tokio::test]
async fn a_record_is_written_as_each_api_wants_it() {
    let cases = [
        (
            new("Omni.Home.Example.", RecordType::A, "172.16.8.5", 300),
            json!({"type": "A_RECORD", "enabled": true, "domain": "omni.home.example", "ipv4Address": "172.16.8.5", "ttlSeconds": 300}),
            json!({"key": "omni.home.example", "record_type": "A", "value": "172.16.8.5", "enabled": true, "ttl": 300}),
        ),
        (
            new("*.home.example", RecordType::Aaaa, "2001:DB8::0:5", 0),
            json!({"type": "AAAA_RECORD", "enabled": true, "domain": "*.home.example", "ipv6Address": "2001:db8::5", "ttlSeconds": 0}),
            json!({"key": "*.home.example", "record_type": "AAAA", "value": "2001:db8::5", "enabled": true, "ttl": 0}),
        ),
        (
            new(
                "www.home.example",
                RecordType::Cname,
                "Omni.home.example.",
                604_800,
            ),
            json!({"type": "CNAME_RECORD", "enabled": true, "domain": "www.home.example", "targetDomain": "omni.home.example", "ttlSeconds": 604_800}),
            json!({"key": "www.home.example", "record_type": "CNAME", "value": "omni.home.example", "enabled": true, "ttl": 604_800}),
        ),
        (
            new("_owner.home.example", RecordType::Txt, "a=1, b=2", 0),
            json!({"type": "TXT_RECORD", "enabled": true, "domain": "_owner.home.example", "text": "\"a=1, b=2\""}),
            json!({"key": "_owner.home.example", "record_type": "TXT", "value": "a=1, b=2", "enabled": true}),
        ),
    ];
    for (record, policy, mut fixed) in cases {
        // Another value of the same name and type is round robin, and allowed.
        let other = json!([{"id": UUID, "type": "A_RECORD", "enabled": true, "domain": "omni.home.example", "ipv4Address": "172.16.8.6", "ttlSeconds": 0}]);
        let fake = policies(&other)
            .on(&format!("POST {POLICIES}"), 201, policy.to_string())
            .on(&format!("PUT {POLICIES}/{UUID}"), 200, policy.to_string());
        fake.client().create_dns_record(&record).await.unwrap();
        assert_eq!(fake.written(), policy);
        fake.client()
            .update_dns_record(UUID, &record)
            .await
            .unwrap();
        assert_eq!(
            (fake.written(), fake.calls().pop().unwrap()),
            (policy, format!("PUT {POLICIES}/{UUID}"))
        );

        let other = json!([{"_id": OBJECT, "record_type": "A", "enabled": true, "key": "omni.home.example", "value": "172.16.8.6"}]);
        let fake = statics(&other)
            .on(&format!("POST {STATIC}"), 200, fixed.to_string())
            .on(&format!("PUT {STATIC}/{OBJECT}"), 200, fixed.to_string());
        fake.client().create_dns_record(&record).await.unwrap();
        assert_eq!(fake.written(), fixed);
        fake.client()
            .update_dns_record(OBJECT, &record)
            .await
            .unwrap();
        fixed["_id"] = OBJECT.into();
        assert_eq!(
            fake.written(),
            fixed,
            "a replacement without its id would be a new record"
        );
        assert_eq!(
            brief(
                &fake
                    .client()
                    .update_dns_record(UUID, &record)
                    .await
                    .unwrap_err()
            ),
            "NotFound 0 - []"
        );
    }
}

#[tokio::test]
async fn what_would_harm_is_refused_before_it_is_sent() {
    let existing = json!([
        {"id": "a", "type": "A_RECORD", "enabled": true, "domain": "omni.home.example", "ipv4Address": "172.16.8.5", "ttlSeconds": 0},
        {"id": "b", "type": "CNAME_RECORD", "enabled": false, "domain": "www.home.example", "targetDomain": "omni.home.example", "ttlSeconds": 0},
    ]);
    let long = "x".repeat(1023);
    for (record, expected) in [
        (
            new("OMNI.home.example", RecordType::A, "172.16.8.5", 60),
            "AlreadyExists 0 - []",
        ),
        (
            new("omni.home.example", RecordType::Cname, "x.example", 0),
            "Conflict 0 - []",
        ),
        (
            new("www.home.example", RecordType::A, "172.16.8.5", 0),
            "Conflict 0 - []",
        ),
        (
            new("www.home.example", RecordType::Cname, "other.example", 0),
            "Conflict 0 - []",
        ),
        (
            new(
                "www.home.example",
                RecordType::Cname,
                "omni.home.example.",
                0,
            ),
            "AlreadyExists 0 - []",
        ),
        (
            new("*.home.example", RecordType::Cname, "omni.home.example", 0),
            "Invalid 0 - [name]",
        ),
        (
            new("a..b", RecordType::A, "172.16.8.5", 0),
            "Invalid 0 - [name]",
        ),
        (
            new("n", RecordType::A, "172.16.8.005", 0),
            "Invalid 0 - [value]",
        ),
        (
            new("n", RecordType::A, "172.16.8.5/24", 0),
            "Invalid 0 - [value]",
        ),
        (
            new("n", RecordType::Aaaa, "172.16.8.5", 0),
            "Invalid 0 - [value]",
        ),
        (
            new("n", RecordType::A, "172.16.8.5", 86_401),
            "Invalid 0 - [ttl]",
        ),
        (
            new("n", RecordType::Txt, "say \"hi\"", 0),
            "Invalid 0 - [value]",
        ),
        (new("n", RecordType::Txt, &long, 0), "Invalid 0 - [value]"),
        (new("n", RecordType::Txt, "text", 60), "Invalid 0 - [ttl]"),
        (
            new("n", RecordType::Other("MX".into()), "mx.example", 0),
            "Invalid 0 - [type]",
        ),
    ] {
        let fake = policies(&existing);
        let error = fake.client().create_dns_record(&record).await.unwrap_err();
        assert_eq!(brief(&error), expected, "{record:?}");
        assert!(
            fake.calls().iter().all(|call| call.starts_with("GET")),
            "{record:?}"
        );
    }
    let long = new("n", RecordType::Txt, &long[..257], 0);
    assert_eq!(
        brief(
            &statics(&json!([]))
                .client()
                .create_dns_record(&long)
                .await
                .unwrap_err()
        ),
        "Invalid 0 - [value]"
    );
}

#[tokio::test]
async fn deleting_goes_to_the_api_the_id_came_from_and_gone_is_success() {
    let (policy, fixed) = (
        format!("DELETE {POLICIES}/{UUID}"),
        format!("DELETE {STATIC}/{OBJECT}"),
    );
    let gone = r#"{"code":"api.err.StaticDnsRecordNotFound","errorCode":404}"#;
    for (id, call, status, body) in [
        (UUID, &policy, 200, ""),
        (UUID, &policy, 404, "{}"),
        (OBJECT, &fixed, 200, ""),
        (OBJECT, &fixed, 404, gone),
    ] {
        let fake = policies(&json!([])).on(call, status, body);
        fake.client().delete_dns_record(id).await.unwrap();
        assert_eq!(fake.calls().pop().as_ref(), Some(call));
    }
    let fake = policies(&json!([])).on(&policy, 403, "{}");
    assert_eq!(
        brief(&fake.client().delete_dns_record(UUID).await.unwrap_err()),
        "Forbidden 403 - []"
    );
    assert_eq!(
        brief(&fake.client().delete_dns_record("").await.unwrap_err()),
        "Invalid 0 - [id]"
    );
}
