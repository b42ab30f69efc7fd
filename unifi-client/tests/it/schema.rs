//! What is sent fits the vendor's own documents, where they are at hand.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value, json};
use unifi_client::{ClientPatch, Filter, NewClient, NewDnsRecord, RecordType};

use crate::dns::new;
use crate::fake::{Fake, MAC};
use crate::recorded::{directory, read};

const SITE: &str = "88f7af54-98f8-306a-a1c7-c9349722b1f6";
const POLICY: &str = "11111111-2222-4333-8444-555555555555";

fn json_file(directory: &Path, file: &str) -> Value {
    serde_json::from_str(&read(directory, file)).unwrap()
}

fn dns_requests() -> Vec<NewDnsRecord> {
    vec![
        new("omni.home.example.", RecordType::A, "172.16.8.5", 0),
        new("omni.home.example", RecordType::A, "172.16.8.5", 86_400),
        new("omni.home.example", RecordType::Aaaa, "2001:db8::5", 86_400),
        new(
            &"a.".repeat(64),
            RecordType::Cname,
            "omni.home.example",
            604_800,
        ),
        new("t.home.example", RecordType::Txt, &"x,".repeat(511), 0),
    ]
}

/// Method, path and body of every write that one record causes, by the integration API.
async fn policy_writes(record: &NewDnsRecord) -> Vec<(String, Value)> {
    let collection = format!("/integration/v1/sites/{SITE}/dns/policies");
    let row = json!({"id": POLICY, "type": "A_RECORD", "enabled": true, "domain": "other", "ipv4Address": "10.0.0.1", "ttlSeconds": 0});
    let page = |row: Value| {
        json!({"offset": 0, "limit": 200, "count": 1, "totalCount": 1, "data": [row]}).to_string()
    };
    let fake = Fake::new()
        .on(
            "GET /integration/v1/info",
            200,
            r#"{"applicationVersion":"10.5.66"}"#,
        )
        .on(
            "GET /integration/v1/sites?offset=0&limit=200",
            200,
            page(json!({"id": SITE, "internalReference": "default"})),
        )
        .on(
            &format!("GET {collection}?offset=0&limit=200"),
            200,
            page(row.clone()),
        )
        .on(&format!("POST {collection}"), 201, row.to_string())
        .on(&format!("PUT {collection}/{POLICY}"), 200, row.to_string())
        .on(&format!("DELETE {collection}/{POLICY}"), 200, "");
    let client = fake.client();
    client.create_dns_record(record).await.unwrap();
    client.update_dns_record(POLICY, record).await.unwrap();
    client.delete_dns_record(POLICY).await.unwrap();
    fake.seen()
        .into_iter()
        .map(|seen| (seen.call, seen.body))
        .collect()
}

/// The schema of a request body: its own properties and those of the schemas it extends.
fn flatten(
    document: &Value,
    schema: &Value,
    properties: &mut Map<String, Value>,
    required: &mut BTreeSet<String>,
) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("reference"),
        None => schema,
    };
    for part in schema["allOf"].as_array().into_iter().flatten() {
        flatten(document, part, properties, required);
    }
    properties.extend(
        schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    required.extend(
        schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(String::from),
    );
}

fn complaints(document: &Value, schema: &Value, body: &Value) -> Vec<String> {
    let target = match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("reference"),
        None => schema,
    };
    let tag = target["discriminator"]["propertyName"]
        .as_str()
        .expect("tagged");
    let kind = body[tag].as_str().expect("tag");
    let Some(variant) = target["discriminator"]["mapping"][kind].as_str() else {
        return vec![format!("unknown {kind}")];
    };
    let (mut properties, mut required) = (Map::new(), BTreeSet::new());
    flatten(
        document,
        &json!({"$ref": variant}),
        &mut properties,
        &mut required,
    );
    let body = body.as_object().expect("object");
    let mut found: Vec<_> = required
        .into_iter()
        .filter(|name| !body.contains_key(name))
        .map(|name| format!("{name} is missing"))
        .collect();
    for (name, value) in body {
        let Some(rule) = properties.get(name) else {
            found.push(format!("{name} is unknown"));
            continue;
        };
        let fits = match rule["type"].as_str() {
            Some("string") => value.as_str().is_some_and(|text| {
                let length = text.chars().count() as u64;
                length >= rule["minLength"].as_u64().unwrap_or(0)
                    && length <= rule["maxLength"].as_u64().unwrap_or(u64::MAX)
            }),
            Some("integer") => value.as_i64().is_some_and(|number| {
                number >= rule["minimum"].as_i64().unwrap_or(i64::MIN)
                    && number <= rule["maximum"].as_i64().unwrap_or(i64::MAX)
            }),
            Some("boolean") => value.is_boolean(),
            other => panic!("no rule for {other:?}"),
        };
        if !fits {
            found.push(format!("{name} = {value} breaks {rule}"));
        }
    }
    found
}

/// Path template of the document for a path of ours.
fn operation<'a>(document: &'a Value, call: &str) -> &'a Value {
    let (method, path) = call.split_once(' ').unwrap();
    let path = path
        .split('?')
        .next()
        .unwrap()
        .strip_prefix("/integration")
        .unwrap();
    let template = path
        .replace(SITE, "{siteId}")
        .replace(POLICY, "{dnsPolicyId}");
    &document["paths"][template][method.to_lowercase()]
}

#[tokio::test]
async fn policies_are_written_as_the_vendors_schema_wants() {
    let Some(directory) = directory() else { return };
    let mut checked = 0;
    for file in ["90", "91"] {
        let document = json_file(&directory, file);
        for record in dns_requests() {
            for (call, body) in policy_writes(&record).await {
                let operation = operation(&document, &call);
                assert!(operation.is_object(), "{file}: {call} is not in the schema");
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                assert_eq!(
                    schema.is_null(),
                    body.is_null(),
                    "{file}: {call} and its body"
                );
                if !body.is_null() {
                    assert_eq!(
                        complaints(&document, schema, &body),
                        [""; 0],
                        "{file}: {call} {body}"
                    );
                    checked += 1;
                }
            }
        }
        // The check itself must see what the gateway refuses.
        let schema = json!({"$ref": "#/components/schemas/Create or update DNS policy"});
        let wrong = json!({"type": "TXT_RECORD", "enabled": true, "domain": "", "text": "x", "ttlSeconds": 1, "id": POLICY});
        assert_eq!(complaints(&document, &schema, &wrong).len(), 3);
        let wrong = json!({"type": "A_RECORD", "enabled": "true", "domain": "n", "ipv4Address": "10.0.0.1", "ttlSeconds": 604_801});
        assert_eq!(complaints(&document, &schema, &wrong).len(), 2);
        assert_eq!(
            complaints(
                &document,
                &schema,
                &json!({"type": "A_RECORD", "domain": "n"})
            )
            .len(),
            3
        );
    }
    println!("{checked} DNS policy bodies fit the schemas of Network 10.5.66 and 10.1.68");
    for file in ["92", "93"] {
        let document = json_file(&directory, file);
        let call = format!("GET /integration/v1/sites/{SITE}/dns/policies");
        assert!(
            operation(&document, &call).is_null(),
            "{file}: no DNS before 10.1"
        );
        assert!(operation(&document, "GET /integration/v1/info").is_object());
        assert!(operation(&document, "GET /integration/v1/sites").is_object());
    }
}

/// Bodies of every kind of change to a client record, with the method.
async fn user_writes() -> Vec<(String, Value)> {
    let id = "65bb00000000000000000001";
    let ok = r#"{"meta":{"rc":"ok"},"data":[]}"#;
    let fake = Fake::new().on("POST /api/s/default/rest/user", 200, ok).on(
        &format!("PUT /api/s/default/rest/user/{id}"),
        200,
        ok,
    );
    let client = fake.client();
    let reservation = NewClient {
        mac: MAC,
        name: Some("n".into()),
        note: Some("n".into()),
        fixed_ip: [10, 0, 0, 9].into(),
        network_id: "65aa00000000000000000001".into(),
        local_dns: Some("n.home.example".into()),
    };
    client.create_client(&reservation).await.unwrap();
    let set = ClientPatch {
        fixed_ip: Some(Some([10, 0, 0, 9].into())),
        network_id: Some("65aa00000000000000000001".into()),
        ..ClientPatch::default()
    };
    let clear = ClientPatch {
        fixed_ip: Some(None),
        note: Some(String::new()),
        name: Some(String::new()),
        local_dns: Some(None),
        ..ClientPatch::default()
    };
    client.update_client(id, MAC, &set).await.unwrap();
    client.update_client(id, MAC, &clear).await.unwrap();
    fake.seen()
        .into_iter()
        .map(|seen| (seen.call, seen.body))
        .collect()
}

/// Every value matches the vendor's expression for its field; the vendor matches anywhere unless it says otherwise.
fn assert_fields(rules: &Value, body: &Value, own: &[&str]) {
    for (name, value) in body.as_object().expect("object") {
        if own.contains(&name.as_str()) {
            continue;
        }
        let rule = rules[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} is no field of the vendor's"));
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), String::from);
        assert!(
            Regex::new(&format!("^(?:{rule})")).unwrap().is_match(&text),
            "{name} = {text} breaks {rule}"
        );
    }
}

#[tokio::test]
async fn client_records_are_written_in_the_vendors_fields() {
    let Some(directory) = directory() else { return };
    let (rules, contract) = (json_file(&directory, "94"), json_file(&directory, "71"));
    let writes = user_writes().await;
    assert_eq!(writes.len(), 3);
    for (call, body) in &writes {
        // `noted` is no setting of the vendor's list: the controller keeps it and clients send it with a note.
        assert_fields(&rules, body, &["noted"]);
        let client = &contract["writes"]["Client"];
        let verb = call.split(' ').next().unwrap();
        let kind = if verb == "POST" { "create" } else { "update" };
        assert_eq!(client[format!("{kind}_verb")], verb);
        let path = client[format!("{kind}_path")]
            .as_str()
            .unwrap()
            .replace("{site}", "default")
            .replace("/{id}", "");
        assert!(
            call.split(' ')
                .nth(1)
                .unwrap()
                .starts_with(&format!("/{path}")),
            "{call}"
        );
        let fixed = client["required_on_create_when"]["use_fixedip=true"]
            .as_array()
            .unwrap();
        assert!(
            body["use_fixedip"] != true
                || fixed
                    .iter()
                    .all(|name| body.get(name.as_str().unwrap()).is_some()),
            "{body}"
        );
        assert!(
            verb != "POST"
                || client["required_on_create"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| body.get(name.as_str().unwrap()).is_some())
        );
    }
    for (field, cleared) in contract["empty"]["user"].as_object().unwrap() {
        assert_eq!(
            cleared,
            &json!({"empty": "EMPTY-CLEARS", "omit": "OMIT-KEEPS"}),
            "{field}: what a patch relies on"
        );
    }
}

#[tokio::test]
async fn static_records_are_written_whole() {
    let Some(directory) = directory() else { return };
    let (rules, contract) = (json_file(&directory, "96"), json_file(&directory, "71"));
    let id = "65cc00000000000000000001";
    let existing = json!([{"_id": id, "record_type": "A", "enabled": true, "key": "other", "value": "10.0.0.1"}]);
    for record in dns_requests()
        .into_iter()
        .filter(|record| record.value.len() <= 256)
    {
        let fake = Fake::new()
            .on("GET /integration/v1/info", 404, "{}")
            .on(
                "GET /v2/api/site/default/static-dns",
                200,
                existing.to_string(),
            )
            .on(
                "POST /v2/api/site/default/static-dns",
                200,
                existing[0].to_string(),
            )
            .on(
                &format!("PUT /v2/api/site/default/static-dns/{id}"),
                200,
                existing[0].to_string(),
            );
        let client = fake.client();
        client.create_dns_record(&record).await.unwrap();
        client.update_dns_record(id, &record).await.unwrap();
        for seen in fake.seen().into_iter().filter(|seen| !seen.body.is_null()) {
            // The expressions for numbers there allow two digits only, which recorded answers contradict.
            assert_fields(&rules, &seen.body, &["_id", "ttl"]);
            assert_eq!(seen.body["_id"] == id, seen.call.starts_with("PUT"));
            assert_eq!(seen.body["enabled"], true);
            for name in contract["writes"]["DNSRecord"]["required_on_create"]
                .as_array()
                .unwrap()
            {
                assert!(seen.body.get(name.as_str().unwrap()).is_some(), "{name}");
            }
        }
    }
}

/// Names of the fields that a struct of the client reads or writes, as they are on the wire.
fn fields_of(source: &str, name: &str) -> Vec<String> {
    let (_, rest) = source.split_once(&format!("struct {name}")).unwrap();
    let body = rest.split("\n}").next().unwrap();
    let field = Regex::new(r"(?m)^    (?:pub\(crate\) )?(\w+): ").unwrap();
    field
        .captures_iter(body)
        .map(|found| found[1].to_owned())
        .collect()
}

#[test]
fn what_is_read_of_networks_and_records_are_the_vendors_fields() {
    let Some(directory) = directory() else { return };
    let networks = include_str!("../../src/wire/network.rs");
    let records = include_str!("../../src/wire/legacy.rs");
    for (file, source, name, own, least) in [
        ("95", networks, "NetworkRow", &["id"][..], 25),
        // Read only, so no setting: what was seen of a client.
        (
            "94",
            records,
            "UserRow",
            &["id", "last_seen", "last_ip", "ip"],
            9,
        ),
    ] {
        let vendor = json_file(&directory, file);
        let fields = fields_of(source, name);
        assert!(fields.len() >= least, "{name}: {fields:?}");
        for field in fields {
            assert!(
                own.contains(&field.as_str()) || vendor.get(&field).is_some(),
                "{name}.{field} is no field of the vendor's"
            );
        }
    }
}

#[test]
fn filters_name_what_the_vendor_lets_be_filtered() {
    let Some(directory) = directory() else { return };
    let document = json_file(&directory, "90").to_string();
    for (property, filter) in [
        (
            "macAddress",
            Filter::equal("macAddress", "bc:24:11:00:00:01"),
        ),
        ("access.type", Filter::equal("access.type", "GUEST")),
        ("vlanId", Filter::any_of("vlanId", [20, 30])),
    ] {
        assert!(document.contains(property), "{property}");
        let shown = filter.unwrap().to_string();
        assert!(shown.starts_with(property), "{shown}");
    }
    // An example of the vendor's own.
    let guests = Filter::equal("access.type", "GUEST").unwrap().to_string();
    assert!(document.contains(&guests), "{guests}");
}
