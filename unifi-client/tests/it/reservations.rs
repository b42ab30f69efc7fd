//! Client records and their reservations, against answers of our own writing.

use serde_json::{Value, json};
use unifi_client::{ClientPatch, ClientRecord, Error, Mac, NewClient};

use crate::calls::{ID, NETWORK, rows};
use crate::fake::{Fake, MAC, brief};

fn refused(code: &str) -> String {
    json!({"meta": {"rc": "error", "msg": code}, "data": []}).to_string()
}

fn user() -> Value {
    json!({
        "_id": ID, "mac": "bc:24:11:00:00:01", "name": "node-1", "hostname": "talos", "note": "rack 2",
        "use_fixedip": "true", "fixed_ip": "172.16.8.11", "network_id": NETWORK, "last_seen": "1700000000",
        "local_dns_record_enabled": false, "local_dns_record": "stale.home.example", "last_ip": "",
        "x_surprise": {"deep": [1]},
    })
}

fn record() -> ClientRecord {
    ClientRecord {
        id: ID.into(),
        mac: MAC,
        name: Some("node-1".into()),
        hostname: Some("talos".into()),
        note: Some("rack 2".into()),
        use_fixed_ip: true,
        fixed_ip: Some([172, 16, 8, 11].into()),
        network_id: Some(NETWORK.into()),
        local_dns: None,
        last_seen: Some(1_700_000_000),
        last_ip: None,
    }
}

#[tokio::test]
async fn a_record_is_found_by_mac_in_two_places() {
    let (by_filter, by_mac) = (
        "GET /api/s/default/rest/user?mac=bc:24:11:00:00:01",
        "GET /api/s/default/stat/user/bc:24:11:00:00:01",
    );
    let stranger = json!([{"_id": "65bb00000000000000000009", "mac": "bc:24:11:00:00:09"}]);
    let found = rows(&json!([user()]));
    for (first, second, expected) in [
        ((200, found.clone()), None, Ok(Some(record()))),
        (
            (200, rows(&json!([]))),
            Some((200, found.clone())),
            Ok(Some(record())),
        ),
        // A gateway that does not filter must not hand out a stranger's record.
        (
            (200, rows(&stranger)),
            Some((400, refused("api.err.UnknownUser"))),
            Ok(None),
        ),
        (
            (400, refused("api.err.IdRequired")),
            None,
            Err("AlreadyExists 400 api.err.IdRequired []"),
        ),
        (
            (200, rows(&json!([]))),
            Some((400, r#"{"meta":{"rc":"error"},"data":[]}"#.into())),
            Ok(None),
        ),
        (
            (200, rows(&json!([]))),
            Some((404, refused("api.err.NoSiteContext"))),
            Err("NotFound 404 api.err.NoSiteContext []"),
        ),
        (
            (200, refused("api.err.LoginRequired")),
            None,
            Err("Unauthorized 200 api.err.LoginRequired []"),
        ),
    ] {
        let mut fake = Fake::new().on(by_filter, first.0, first.1);
        if let Some((status, body)) = second {
            fake = fake.on(by_mac, status, body);
        }
        let outcome = fake.client().client_record(MAC).await;
        assert_eq!(
            outcome.map_err(|error| brief(&error)),
            expected.map_err(String::from)
        );
    }
}

#[tokio::test]
async fn a_cut_list_is_completed_with_all_reservations() {
    let filler = |n: u32| {
        let [.., high, low] = n.to_be_bytes();
        json!({"_id": format!("{n:024x}"), "mac": Mac([2, 0, 0, 0, high, low]).to_string()})
    };
    for (listed, calls) in [(2_999, 1), (3_000, 2)] {
        let fake = Fake::new()
            .on(
                "GET /api/s/default/rest/user",
                200,
                rows(&(0..listed).map(filler).collect()),
            )
            .on(
                "GET /api/s/default/rest/user?use_fixedip=true",
                200,
                rows(&json!([user(), filler(1)])),
            );
        let records = fake.client().client_records().await.unwrap();
        assert_eq!(fake.seen().len(), calls);
        assert_eq!(
            records
                .iter()
                .any(|r| r.reserved() == Some([172, 16, 8, 11].into())),
            calls == 2
        );
        assert_eq!(records.len(), listed as usize + calls - 1);
    }
}

#[tokio::test]
async fn a_reservation_is_made_with_switch_address_and_network() {
    let post = "POST /api/s/default/rest/user";
    let mut client = NewClient {
        mac: MAC,
        name: Some("node-1".into()),
        note: Some("ours".into()),
        fixed_ip: [172, 16, 8, 11].into(),
        network_id: NETWORK.into(),
        local_dns: None,
    };
    let fake = Fake::new().on(post, 200, rows(&json!([user()])));
    fake.client().create_client(&client).await.unwrap();
    let sent = json!({"mac": "bc:24:11:00:00:01", "name": "node-1", "note": "ours", "noted": true,
        "use_fixedip": true, "fixed_ip": "172.16.8.11", "network_id": NETWORK});
    assert_eq!(fake.written(), sent);
    (client.name, client.note) = (None, None);
    fake.client().create_client(&client).await.unwrap();
    assert_eq!(
        fake.written(),
        json!({"mac": "bc:24:11:00:00:01", "use_fixedip": true, "fixed_ip": "172.16.8.11", "network_id": NETWORK})
    );

    for (status, body, expected) in [
        (
            400,
            refused("api.err.MacUsed"),
            "AlreadyExists 400 api.err.MacUsed []",
        ),
        (
            400,
            refused("api.err.MacAlreadyRegistered"),
            "AlreadyExists 400 api.err.MacAlreadyRegistered []",
        ),
        (
            400,
            refused("api.err.DuplicateFixedIP"),
            "AddressTaken 400 api.err.DuplicateFixedIP []",
        ),
        (
            200,
            refused("api.err.FixedIpAlreadyUsedByDevice"),
            "AddressTaken 200 api.err.FixedIpAlreadyUsedByDevice []",
        ),
        (502, "bad gateway".into(), "Busy 502 - []"),
        (429, "{}".into(), "Busy 429 - []"),
        (200, "<!doctype html>starting".into(), "Busy 200 - []"),
    ] {
        let fake = Fake::new().on(post, status, body);
        let error = fake.client().create_client(&client).await.unwrap_err();
        assert_eq!(brief(&error), expected);
        assert_eq!(fake.seen().len(), 1, "a POST is sent once: {expected}");
    }
    client.network_id = String::new();
    let fake = Fake::new();
    assert_eq!(
        brief(&fake.client().create_client(&client).await.unwrap_err()),
        "Invalid 0 - [network_id]"
    );
    assert_eq!(fake.calls(), [""; 0]);
}

#[tokio::test]
async fn a_patch_sends_only_what_it_names() {
    let put = format!("PUT /api/s/default/rest/user/{ID}");
    let address = |address: Option<[u8; 4]>| Some(address.map(Into::into));
    for (patch, sent) in [
        (
            ClientPatch {
                fixed_ip: address(Some([172, 16, 8, 12])),
                network_id: Some(NETWORK.into()),
                ..ClientPatch::default()
            },
            json!({"use_fixedip": true, "fixed_ip": "172.16.8.12", "network_id": NETWORK}),
        ),
        (
            ClientPatch {
                fixed_ip: address(None),
                ..ClientPatch::default()
            },
            json!({"use_fixedip": false, "fixed_ip": ""}),
        ),
        (
            ClientPatch {
                note: Some("mine".into()),
                ..ClientPatch::default()
            },
            json!({"note": "mine", "noted": true}),
        ),
        (
            ClientPatch {
                note: Some(String::new()),
                name: Some(String::new()),
                ..ClientPatch::default()
            },
            json!({"note": "", "name": ""}),
        ),
    ] {
        // No rows is how the gateway answers a change that changed nothing.
        for answer in [json!([]), json!([user()])] {
            let fake = Fake::new().on(&put, 200, rows(&answer));
            fake.client().update_client(ID, MAC, &patch).await.unwrap();
            assert_eq!(
                (fake.calls(), fake.written()),
                (vec![put.clone()], sent.clone())
            );
        }
    }
    let fake = Fake::new();
    fake.client()
        .update_client(ID, MAC, &ClientPatch::default())
        .await
        .unwrap();
    assert_eq!(fake.calls(), [""; 0], "an empty patch is not sent");
    let stale = ClientPatch {
        network_id: Some(String::new()),
        ..ClientPatch::default()
    };
    assert_eq!(
        brief(
            &fake
                .client()
                .update_client(ID, MAC, &stale)
                .await
                .unwrap_err()
        ),
        "Invalid 0 - [network_id]"
    );
    assert_eq!(
        brief(
            &fake
                .client()
                .update_client("a/../b", MAC, &stale)
                .await
                .unwrap_err()
        ),
        "Invalid 0 - [id]"
    );
}

#[tokio::test]
async fn a_record_that_was_made_anew_is_changed_under_its_new_id() {
    let patch = ClientPatch {
        fixed_ip: Some(Some([172, 16, 8, 12].into())),
        ..ClientPatch::default()
    };
    let old = "PUT /api/s/default/rest/user/65bb000000000000000000ff";
    let new = format!("PUT /api/s/default/rest/user/{ID}");
    let filter = "GET /api/s/default/rest/user?mac=bc:24:11:00:00:01";
    let fake = Fake::new()
        .on(old, 400, refused("api.err.IdInvalid"))
        .on(filter, 200, rows(&json!([user()])))
        .on(&new, 200, rows(&json!([])));
    fake.client()
        .update_client("65bb000000000000000000ff", MAC, &patch)
        .await
        .unwrap();
    assert_eq!(fake.calls(), [old, filter, new.as_str()]);
    assert_eq!(
        fake.written(),
        json!({"mac": "bc:24:11:00:00:01", "use_fixedip": true, "fixed_ip": "172.16.8.12"})
    );

    let stranger = rows(&json!([{"_id": ID, "mac": "bc:24:11:00:00:09"}]));
    let fake = Fake::new().on(&new, 200, stranger);
    let error = fake
        .client()
        .update_client(ID, MAC, &patch)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Conflict(_)), "{error}");
}
