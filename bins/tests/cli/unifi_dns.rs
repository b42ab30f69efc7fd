//! `unifi-dns` against a simulated gateway.

use serde_json::json;
use site_simulator::world::gateway::Kind;

use crate::gateway_site::{DNS, GatewaySite, RESERVATION};
use crate::harness::run;

#[tokio::test(flavor = "multi_thread")]
async fn records_are_made_listed_replaced_and_removed() {
    let site = GatewaySite::open().await;
    let told = async |arguments: &[&str]| site.told(DNS, arguments).await;
    insta::assert_snapshot!(told(&["ensure", "App.Home.Example.", "a", "172.16.8.40"]).await, @r#"
    exit 0
    app.home.example A 172.16.8.40: made
    "#);
    let written = site.state();
    insta::assert_snapshot!(told(&["ensure", "app.home.example", "A", "172.16.8.40"]).await, @r#"
    exit 0
    app.home.example A 172.16.8.40: unchanged
    "#);
    insta::assert_snapshot!(told(&["ensure", "app.home.example", "A", "172.16.8.41"]).await, @r#"
    exit 3
    error: there is app.home.example A 172.16.8.40
     |
     = hint: --replace puts the new value in its place
    "#);
    insta::assert_snapshot!(told(&["ensure", "app.home.example", "A", "172.16.8.41", "--replace", "--dry-run"]).await, @r#"
    exit 0
    app.home.example A 172.16.8.41: would replace 172.16.8.40
    "#);
    insta::assert_snapshot!(told(&["ensure", "app.home.example", "CNAME", "omni.home.example", "--replace"]).await, @r#"
    exit 3
    error: there is app.home.example A 172.16.8.40; an alias never stands beside another record of its name
     |
     = hint: on some firmware that stops DNS and DHCP of the site: remove the other record first
    "#);
    insta::assert_snapshot!(told(&["remove", "app.home.example", "A", "172.16.8.99"]).await, @r#"
    exit 3
    error: there is app.home.example A 172.16.8.40, which is not what was named
     |
     = hint: only what is exactly as named is removed
    "#);
    insta::assert_snapshot!(told(&["remove", "app.home.example", "--dry-run"]).await, @r#"
    exit 0
    app.home.example A 172.16.8.40: would be removed
    "#);
    assert_eq!(site.state(), written, "nothing but the first wrote");

    insta::assert_snapshot!(told(&["ensure", "app.home.example", "A", "172.16.8.41", "--replace", "--ttl", "300"]).await, @r#"
    exit 0
    app.home.example A 172.16.8.41: replaced 172.16.8.40
    "#);
    insta::assert_snapshot!(told(&["list"]).await, @r#"
    exit 0
    NAME              TYPE  VALUE        TTL  OF
    app.home.example  A     172.16.8.41  300  record
    "#);
    let listed = site.json(DNS, &["list"]).await;
    assert_eq!(listed["api"], "integration");
    assert_eq!(
        listed["records"][0],
        json!({"name": "app.home.example", "type": "A", "value": "172.16.8.41", "ttl": 300, "enabled": true, "client": null})
    );
    insta::assert_snapshot!(told(&["remove", "app.home.example", "A", "172.16.8.41"]).await, @r#"
    exit 0
    app.home.example A 172.16.8.41: removed
    "#);
    let written = site.state();
    insta::assert_snapshot!(told(&["remove", "app.home.example", "A", "172.16.8.41"]).await, @r#"
    exit 0
    app.home.example has no record: nothing to remove
    "#);
    assert_eq!(site.state(), written);
    let absent = site.json(DNS, &["remove", "app.home.example"]).await;
    assert_eq!(
        absent,
        json!({"action": "absent", "dry_run": false, "records": [], "before": null})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named() {
    let site = GatewaySite::open().await;
    site.site.world.act(|state, now| {
        let mut fields = serde_json::Map::new();
        for (key, value) in [
            ("use_fixedip", json!(true)),
            ("fixed_ip", json!("172.16.8.50")),
            ("local_dns_record_enabled", json!(true)),
            ("local_dns_record", json!("node.home.example")),
        ] {
            fields.insert(key.to_owned(), value);
        }
        let mac = unifi_client::Mac([2, 0, 0, 0, 0, 50]);
        state
            .gateway
            .create_record(now, &mut state.log, mac, &fields)
            .map(drop)
            .expect("it is made");
    });
    let told = async |arguments: &[&str]| site.told(DNS, arguments).await;
    insta::assert_snapshot!(told(&["ensure", "node.home.example", "A", "172.16.8.51"]).await, @r#"
    exit 3
    error: the name node.home.example belongs to the client 02:00:00:00:00:32 in the gateway
     |
     = hint: clear the client's local DNS name, or choose another name
    "#);
    insta::assert_snapshot!(told(&["ensure", "no host name", "A", "172.16.8.51"]).await, @r#"
    exit 5
    error: DNS name: label 1 is not a host name's
    "#);
    insta::assert_snapshot!(told(&["ensure", "a.home.example", "A", "2001:db8::1"]).await, @r#"
    exit 5
    error: DNS record: an A record holds an IPv4 address
    "#);
    insta::assert_snapshot!(told(&["ensure", "a.home.example", "MX", "mail.home.example"]).await, @r#"
    exit 5
    error: DNS record: only A, AAAA, CNAME and TXT records are written
    "#);
    insta::assert_snapshot!(told(&["list"]).await, @r#"
    exit 0
    NAME               TYPE  VALUE        TTL   OF
    node.home.example  A     172.16.8.50  auto  client 02:00:00:00:00:32
    "#);
    for host in ["172.16.8.52", "172.16.8.53"] {
        site.site.world.act(|state, now| {
            let entry = site_simulator::world::gateway::NewEntry {
                key: "two.home.example".to_owned(),
                record_type: "A".to_owned(),
                value: host.to_owned(),
                enabled: true,
                ..site_simulator::world::gateway::NewEntry::default()
            };
            let made = state
                .gateway
                .create_entry(now, &mut state.rng, &mut state.log, entry);
            made.map(drop).expect("it is made");
        });
    }
    insta::assert_snapshot!(told(&["remove", "two.home.example"]).await, @r#"
    exit 3
    error: there are two.home.example A 172.16.8.52, two.home.example A 172.16.8.53
     |
     = hint: name the TYPE and the VALUE of the one that should go
    "#);
    insta::assert_snapshot!(told(&["ensure", "two.home.example", "A", "172.16.8.54", "--replace"]).await, @r#"
    exit 3
    error: there are two.home.example A 172.16.8.52, two.home.example A 172.16.8.53
     |
     = hint: remove those that should go: which one is meant cannot be told
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_found_by_flags_environment_or_site_file() {
    let site = GatewaySite::open().await;
    let known = site.site.world.credentials();
    let shown = |finished: &crate::harness::Finished| {
        format!("exit {}\n{}", finished.code.unwrap_or(-1), finished.stderr)
    };
    // A site file, with nothing in the environment but the key.
    let mut command = site.bare(DNS, &["list", "-f", "bootstrap.yaml"]);
    command
        .env_remove("UNIFI_API")
        .env_remove("UNIFI_TLS_SHA256")
        .env("UNIFI_API_KEY", &known.unifi_key);
    assert_eq!(run(command).await.code, Some(0));
    // A login, on either kind of console, that is ended afterwards.
    for kind in [Kind::UnifiOs, Kind::Classic] {
        site.site
            .world
            .act(|state, _| state.gateway.console.kind = kind);
        let mut command = site.bare(DNS, &["ensure", "login.home.example", "A", "172.16.8.60"]);
        command
            .env("UNIFI_USERNAME", &known.unifi_username)
            .env("UNIFI_PASSWORD", &known.unifi_password);
        let finished = run(command).await;
        assert_eq!(finished.code, Some(0), "{}", finished.printed());
        let open = site
            .site
            .world
            .look(|state| state.gateway.console.open_sessions());
        assert_eq!(open, 0);
    }
    site.site
        .world
        .act(|state, _| state.gateway.console.kind = Kind::UnifiOs);
    // What is missing, and what is refused.
    let nothing = run(site.bare(DNS, &["list"])).await;
    insta::assert_snapshot!(shown(&nothing), @r#"
    exit 5
    error: there is neither an API key nor a login
     |
     = hint: set UNIFI_API_KEY or give --api-key-file FILE; without API keys set UNIFI_USERNAME and UNIFI_PASSWORD
    "#);
    let mut nowhere = site.command(DNS, &["list"]);
    nowhere.env_remove("UNIFI_API");
    insta::assert_snapshot!(shown(&run(nowhere).await), @r#"
    exit 5
    error: no gateway is named
     |
     = hint: set UNIFI_API, or give --endpoint URL or -f FILE
    "#);
    let mut wrong = site.bare(DNS, &["list", "--username", "rehearsal"]);
    wrong.env("UNIFI_PASSWORD", "hunter2");
    insta::assert_snapshot!(shown(&run(wrong).await), @r#"
    exit 5
    error: unifi: the gateway does not accept the credential: POST /api/auth/login: AUTHENTICATION_FAILED_INVALID_CREDENTIALS (status 403): Invalid username or password
     |
     = hint: check user name and password of a local account; each failed try counts towards a lockout, so it is not tried again
    "#);
    let mut viewer = site.bare(DNS, &["ensure", "viewer.home.example", "A", "172.16.8.61"]);
    viewer.env("UNIFI_API_KEY", &known.unifi_readonly_key);
    insta::assert_snapshot!(shown(&run(viewer).await), @r#"
    exit 1
    error: unifi: the role of this credential does not allow it: POST /integration/v1/sites/88f7af54-98f8-306a-a1c7-c9349722b1f6/dns/policies: api.err.NoPermission (status 403): No permission
     |
     = hint: the admin whose credential it is needs the Site Admin role for Network
    "#);
    // Whatever is asked to be told, no secret is.
    for (binary, arguments) in [
        (
            DNS,
            vec!["ensure", "told.home.example", "A", "172.16.8.62", "-vvv"],
        ),
        (RESERVATION, vec!["list", "-vvv", "-o", "json"]),
    ] {
        let mut by_login = site.bare(binary, &arguments);
        by_login
            .env("UNIFI_USERNAME", &known.unifi_username)
            .env("UNIFI_PASSWORD", &known.unifi_password);
        let by_key = site.command(binary, &arguments);
        for command in [by_login, by_key] {
            let finished = run(command).await;
            assert_eq!(finished.code, Some(0), "{}", finished.printed());
            let printed = finished.printed();
            assert!(printed.contains("status=200"), "it tells: {printed}");
            for secret in [&known.unifi_password, &known.unifi_key] {
                assert!(!printed.contains(secret.as_str()), "{printed}");
            }
            for name in ["TOKEN=", "eyJ", "csrfToken", "canary"] {
                assert!(!printed.contains(name), "{name}: {printed}");
            }
        }
    }
    let both = site.command(
        RESERVATION,
        &[
            "list",
            "-f",
            "bootstrap.yaml",
            "--endpoint",
            "https://192.0.2.1",
        ],
    );
    assert_eq!(run(both).await.code, Some(64));
}
