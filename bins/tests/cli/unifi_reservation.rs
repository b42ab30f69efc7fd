//! `unifi-reservation` against a simulated gateway.

use serde_json::json;
use unifi_client::Mac;

use crate::gateway_site::{GatewaySite, RESERVATION};

const NODE: Mac = Mac([0xbc, 0x24, 0x11, 0, 0, 1]);
const MAC: &str = "bc:24:11:00:00:01";

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_made_once_and_given_back() {
    let site = GatewaySite::open().await;
    let told = async |arguments: &[&str]| site.told(RESERVATION, arguments).await;
    let dry = [
        "ensure",
        MAC,
        "172.16.8.60",
        "--name",
        "node 1",
        "--dry-run",
    ];
    let before = site.state();
    insta::assert_snapshot!(told(&dry).await, @r#"
    exit 0
    172.16.8.60 for bc:24:11:00:00:01: would be reserved
    "#);
    assert_eq!(site.state(), before);
    insta::assert_snapshot!(told(&["ensure", "BC-24-11-00-00-01", "172.16.8.60", "--name", "node 1"]).await, @r#"
    exit 0
    172.16.8.60 for bc:24:11:00:00:01: reserved
    "#);
    insta::assert_snapshot!(site.record(NODE).note.unwrap_or_default(), @r#"[omni-bootstrap site=unifi-reservation cluster=- set=- machine=node_1 record=made]"#);
    let written = site.state();
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.60", "--network", "infra"]).await, @r#"
    exit 0
    172.16.8.60 for bc:24:11:00:00:01: unchanged
    "#);
    assert_eq!(site.state(), written, "the second time writes nothing");
    insta::assert_snapshot!(told(&["list"]).await, @r#"
    exit 0
    MAC                NAME    NETWORK  ADDRESS       MARK                      ONLINE  NOW
    bc:24:11:00:00:01  node 1  infra    172.16.8.60   unifi-reservation/node_1  no      -
    3c:22:fb:10:20:02  -       infra    172.16.8.128  -                         yes     172.16.8.128
    "#);
    let listed = site.json(RESERVATION, &["list"]).await;
    assert_eq!(
        listed["reservations"][0],
        json!({"mac": MAC, "name": "node 1", "network": "infra", "address": "172.16.8.60", "active": true,
            "mark": {"site": "unifi-reservation", "cluster": null, "machine": "node_1", "before": null},
            "online": false, "current": null})
    );
    // Ours is moved without being asked twice.
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.61"]).await, @r#"
    exit 0
    172.16.8.61 for bc:24:11:00:00:01: reserved in place of 172.16.8.60
    "#);
    insta::assert_snapshot!(told(&["release", MAC, "--dry-run"]).await, @r#"
    exit 0
    172.16.8.61 for bc:24:11:00:00:01: would be released
    "#);
    insta::assert_snapshot!(told(&["release", MAC]).await, @r#"
    exit 0
    172.16.8.61 for bc:24:11:00:00:01: released
    "#);
    let left = site.record(NODE);
    assert_eq!(
        (left.use_fixedip, left.fixed_ip, left.note),
        (false, None, None)
    );
    let written = site.state();
    insta::assert_snapshot!(told(&["release", MAC]).await, @r#"
    exit 0
    bc:24:11:00:00:01 has no reservation: nothing to release
    "#);
    insta::assert_snapshot!(told(&["release", "bc:24:11:00:00:ff"]).await, @r#"
    exit 0
    bc:24:11:00:00:ff has no reservation: nothing to release
    "#);
    assert_eq!(site.state(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_reserved_stays_or_comes_back() {
    let site = GatewaySite::open().await;
    site.site.world.act(|state, now| {
        let fields = json!({"use_fixedip": true, "fixed_ip": "172.16.8.70", "note": "rack 3", "name": "Ann's"});
        let fields = fields.as_object().expect("an object");
        let made = state
            .gateway
            .create_record(now, &mut state.log, NODE, fields);
        made.map(drop).expect("it is made");
    });
    let before = site.state();
    let told = async |arguments: &[&str]| site.told(RESERVATION, arguments).await;
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.70"]).await, @r#"
    exit 0
    172.16.8.70 for bc:24:11:00:00:01: unchanged
    "#);
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.71"]).await, @r#"
    exit 3
    error: bc:24:11:00:00:01 has 172.16.8.70 reserved, which is not unifi-reservation's
     |
     = hint: --replace takes the new address; releasing it brings this one back
    "#);
    insta::assert_snapshot!(told(&["release", MAC]).await, @r#"
    exit 3
    error: the reservation of 172.16.8.70 for bc:24:11:00:00:01 is not unifi-reservation's: it carries no mark, so a person made it
     |
     = hint: --not-ours releases it all the same; --owner NAME says who we are
    "#);
    assert_eq!(site.state(), before, "it stays theirs");

    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.71", "--replace", "--name", "n", "--owner", "lab"]).await, @r#"
    exit 0
    172.16.8.71 for bc:24:11:00:00:01: reserved in place of 172.16.8.70
    "#);
    let taken = site.record(NODE);
    assert_eq!(
        taken.name.as_deref(),
        Some("Ann's"),
        "a name that a person gave stays"
    );
    insta::assert_snapshot!(taken.note.unwrap_or_default(), @r#"
    rack 3
    [omni-bootstrap site=lab cluster=- set=- machine=n record=changed before=172.16.8.70]
    "#);
    insta::assert_snapshot!(told(&["release", MAC]).await, @r#"
    exit 3
    error: the reservation of 172.16.8.71 for bc:24:11:00:00:01 is not unifi-reservation's: it was made by lab for n
     |
     = hint: --not-ours releases it all the same; --owner NAME says who we are
    "#);
    let released = site
        .json(RESERVATION, &["release", MAC, "--owner", "lab"])
        .await;
    assert_eq!(
        released,
        json!({"action": "released", "dry_run": false, "mac": MAC, "address": "172.16.8.71", "other": "172.16.8.70"})
    );
    let back = site.record(NODE);
    assert_eq!(
        (back.fixed_ip.as_deref(), back.note.as_deref()),
        (Some("172.16.8.70"), Some("rack 3"))
    );
    insta::assert_snapshot!(told(&["release", MAC, "--not-ours"]).await, @r#"
    exit 0
    172.16.8.70 for bc:24:11:00:00:01: released
    "#);
    let cleared = site.record(NODE);
    assert_eq!(
        (cleared.fixed_ip, cleared.note.as_deref()),
        (None, Some("rack 3"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_is_refused_before_anything_is_written() {
    let site = GatewaySite::open().await;
    let other = Mac([0xbc, 0x24, 0x11, 0, 0, 9]);
    let leased = site.client(other, "somebody");
    let before = site.state();
    let told = async |arguments: &[&str]| site.told(RESERVATION, arguments).await;
    insta::assert_snapshot!(told(&["ensure", MAC, "192.0.2.1"]).await, @r#"
    exit 5
    error: 192.0.2.1 is in no network of the gateway
     |
     = hint: it has infra (172.16.8.0/24)
    "#);
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.1"]).await, @r#"
    exit 5
    error: 172.16.8.1 is the gateway of infra itself
     |
     = hint: choose another address
    "#);
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.255"]).await, @r#"
    exit 5
    error: 172.16.8.255 is no address that infra (172.16.8.0/24) can give out
     |
     = hint: choose an address of that network, not its first or last one
    "#);
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.60", "--network", "infar"]).await, @r#"
    exit 5
    error: the gateway has no network infar
     |
     = hint: did you mean `infra`?
    "#);
    insta::assert_snapshot!(told(&["ensure", MAC, "172.16.8.60", "--exclude", "172.16.8.50-172.16.8.99"]).await, @r#"
    exit 5
    error: 172.16.8.60 is excluded: 172.16.8.50-172.16.8.99 is named by --exclude
     |
     = hint: choose another address
    "#);
    let of_another = told(&["ensure", MAC, &leased])
        .await
        .replace(&leased, "LEASED");
    insta::assert_snapshot!(of_another, @r#"
    exit 3
    error: LEASED is leased to bc:24:11:00:00:09
     |
     = hint: choose another address, or free this one: `unifi-reservation conflicts` tells more
    "#);
    assert_eq!(
        site.run(RESERVATION, &["ensure", "ff:ff:ff:ff:ff:ff", "172.16.8.60"])
            .await
            .code,
        Some(64)
    );
    assert_eq!(
        site.run(RESERVATION, &["ensure", MAC, "172.16.8"])
            .await
            .code,
        Some(64)
    );
    assert_eq!(site.state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_told() {
    let site = GatewaySite::open().await;
    insta::assert_snapshot!(site.told(RESERVATION, &["conflicts"]).await, @r#"
    exit 0
    no conflicts
    "#);
    let other = Mac([0xbc, 0x24, 0x11, 0, 0, 9]);
    let leased = site.client(other, "somebody");
    site.site.world.act(|state, now| {
        let fields = json!({"use_fixedip": true, "fixed_ip": leased});
        let fields = fields.as_object().expect("an object");
        let made = state
            .gateway
            .create_record(now, &mut state.log, NODE, fields);
        made.map(drop).expect("it is made");
    });
    let told = site.told(RESERVATION, &["conflicts"]).await;
    let told = told
        .replace(&leased, "LEASED")
        .replace("ADDRESS       WHAT", "ADDRESS WHAT")
        .replace("ADDRESS      WHAT", "ADDRESS WHAT");
    insta::assert_snapshot!(told, @r#"
    exit 3
    SEVERITY  ADDRESS WHAT
    error     LEASED  LEASED, reserved for bc:24:11:00:00:01, is leased to bc:24:11:00:00:09
    warning   LEASED  LEASED, reserved for bc:24:11:00:00:01, is in the dynamic range of infra: until bc:24:11:00:00:01 first asks, another may get it
    "#);
    let found = site.json(RESERVATION, &["conflicts"]).await;
    let kinds: Vec<&str> = found["conflicts"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|conflict| conflict["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["leased-to-another", "in-pool"]);
}
