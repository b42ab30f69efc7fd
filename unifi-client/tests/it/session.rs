//! Logging in: once for all, CSRF and cookies that rotate, refusals that end it, and which console it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::Clock;
use base64::Engine as _;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use unifi_client::{ClientPatch, Error, Family, Platform};

use crate::calls::{ID, rows};
use crate::fake::{Fake, MAC, NoWait, PASSWORD, Seen, brief};

const OS_LOGIN: &str = "POST @/api/auth/login";
const CLASSIC_LOGIN: &str = "POST @/api/login";
const SITES: &str = "GET /api/self/sites";
const PUT: &str = "PUT /api/s/default/rest/user/65bb00000000000000000001";
const EXPIRED: &str = r#"{"error":{"code":401,"message":"Unauthorized"}}"#;
const STALE: &str = r#"{"error":{"code":403,"message":"Invalid CSRF Token"}}"#;

/// Every pause is over at once, time goes on by it, and it is kept.
#[derive(Debug, Default)]
struct Pauses {
    all: Mutex<Vec<u64>>,
    now: AtomicU64,
}

impl Pauses {
    fn taken(&self) -> Vec<u64> {
        self.all.lock().unwrap().clone()
    }
}

impl Clock for Pauses {
    fn now(&self) -> Duration {
        Duration::from_millis(self.now.load(Ordering::SeqCst))
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn random(&self) -> f64 {
        0.0
    }
    fn sleep(&self, pause: Duration) -> BoxFuture<'static, ()> {
        self.all.lock().unwrap().push(pause.as_secs());
        let millis = u64::try_from(pause.as_millis()).unwrap();
        self.now.fetch_add(millis, Ordering::SeqCst);
        async {}.boxed()
    }
}

fn ok() -> String {
    rows(&json!([]))
}

fn os(fake: &Arc<Fake>) -> unifi_client::Client {
    fake.login(Some(Platform::UnifiOs), Arc::new(NoWait))
}

/// A UniFi OS login that sets this cookie and token.
fn opened(fake: &Arc<Fake>, cookie: &str, csrf: &str) -> Arc<Fake> {
    let cookie = format!("TOKEN={cookie}; Path=/; HttpOnly; Secure");
    fake.with(
        OS_LOGIN,
        200,
        "{}",
        &[("set-cookie", &cookie), ("x-csrf-token", csrf)],
    )
}

fn patch() -> ClientPatch {
    ClientPatch {
        name: Some("n".into()),
        ..ClientPatch::default()
    }
}

/// Call, cookie and CSRF token of what was sent.
fn sent(seen: &[Seen]) -> Vec<String> {
    let header = |seen: &Seen, name: &str| {
        let value = seen.headers.get(name);
        assert!(value.is_none_or(http::HeaderValue::is_sensitive), "{name}");
        value.map_or("-".to_owned(), |value| value.to_str().unwrap().to_owned())
    };
    seen.iter()
        .map(|seen| {
            format!(
                "{} {} {}",
                seen.call,
                header(seen, "cookie"),
                header(seen, "x-csrf-token")
            )
        })
        .collect()
}

#[tokio::test]
async fn one_login_serves_concurrent_calls_and_shows_no_secret() {
    let fake = opened(&Fake::new(), "canary-1", "canary-csrf").on(SITES, 200, ok());
    let client = os(&fake);
    let calls = join_all((0..9).map(|_| client.sites())).await;
    assert!(calls.iter().all(Result::is_ok));
    let login = fake.seen().remove(0);
    assert_eq!(
        login.body,
        json!({"username": "operator", "password": PASSWORD, "rememberMe": false})
    );
    assert!(!login.headers.contains_key("cookie") && !login.headers.contains_key("x-api-key"));
    let logins = fake.calls().into_iter().filter(|call| call == OS_LOGIN);
    assert_eq!(logins.count(), 1);
    assert!(!format!("{client:?}").contains("canary"));
    let builder = unifi_client::Client::builder("https://192.0.2.1")
        .login("operator", PASSWORD.to_owned().into());
    assert!(!format!("{builder:?}").contains("canary"));
}

#[tokio::test]
async fn the_token_goes_with_writes_and_follows_its_rotation() {
    let fake = opened(&Fake::new(), "c1", "t1")
        .with(
            SITES,
            200,
            ok(),
            &[("x-csrf-token", "t2"), ("x-updated-csrf-token", "t3")],
        )
        .with(
            PUT,
            200,
            ok(),
            &[
                ("set-cookie", "TOKEN=c2; Path=/"),
                ("x-updated-csrf-token", "t4"),
            ],
        )
        .on(PUT, 200, ok());
    let client = os(&fake);
    client.sites().await.unwrap();
    client.update_client(ID, MAC, &patch()).await.unwrap();
    client.update_client(ID, MAC, &patch()).await.unwrap();
    assert_eq!(
        sent(&fake.seen()),
        [
            format!("{OS_LOGIN} - -"),
            format!("{SITES} TOKEN=c1 -"),
            format!("{PUT} TOKEN=c1 t3"),
            format!("{PUT} TOKEN=c2 t4"),
        ]
    );
}

#[tokio::test]
async fn the_token_is_also_found_in_the_cookie() {
    let encode = |claims: &Value| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string())
    };
    let claimed = format!("x.{}.x", encode(&json!({"csrfToken": "of-claim"})));
    let none = format!("x.{}.x", encode(&json!({"other": 1})));
    for (cookies, header, expected) in [
        (vec![format!("TOKEN={claimed}; Path=/")], None, "of-claim"),
        (vec![format!("UOS_TOKEN={claimed}")], None, "of-claim"),
        (
            vec![format!("TOKEN={claimed}")],
            Some("of-header"),
            "of-header",
        ),
        (vec![format!("TOKEN={none}")], None, "-"),
        (vec!["TOKEN=not.base64!.x".to_owned()], None, "-"),
        (
            vec![
                "other=1".to_owned(),
                "TOKEN=plain".to_owned(),
                "csrf_token=of-cookie; Path=/".to_owned(),
            ],
            None,
            "of-cookie",
        ),
    ] {
        let mut headers: Vec<_> = cookies
            .iter()
            .map(|cookie| ("set-cookie", cookie.as_str()))
            .collect();
        headers.extend(header.map(|token| ("x-csrf-token", token)));
        let fake = Fake::new()
            .with(OS_LOGIN, 200, "{}", &headers)
            .on(PUT, 200, ok());
        os(&fake).update_client(ID, MAC, &patch()).await.unwrap();
        let write = sent(&fake.seen()).pop().unwrap();
        assert!(write.ends_with(&format!(" {expected}")), "{write}");
        assert!(!write.contains("other=1"), "only sessions are sent back");
    }
}

#[tokio::test]
async fn an_expired_session_is_renewed_once_for_all_who_find_it_so() {
    let fake = opened(&opened(&Fake::new(), "c1", "t1"), "c2", "t2")
        .on(SITES, 200, ok())
        .on(PUT, 401, EXPIRED)
        .on(PUT, 200, ok());
    let client = os(&fake);
    client.sites().await.unwrap();
    client.update_client(ID, MAC, &patch()).await.unwrap();
    assert_eq!(
        sent(&fake.seen())[2..],
        [
            format!("{PUT} TOKEN=c1 t1"),
            format!("{OS_LOGIN} - -"),
            format!("{PUT} TOKEN=c2 t2"),
        ]
    );

    // Some proxies say so with status 200.
    let fake = opened(&opened(&Fake::new(), "c1", "t1"), "c2", "t2")
        .on(SITES, 200, ok())
        .on(SITES, 200, EXPIRED)
        .on(SITES, 200, ok());
    let client = os(&fake);
    client.sites().await.unwrap();
    client.sites().await.unwrap();
    assert_eq!(fake.calls(), [OS_LOGIN, SITES, SITES, OS_LOGIN, SITES]);

    // Four at a time are refused together: one login follows.
    let mut fake = opened(&opened(&Fake::new(), "c1", "t1"), "c2", "t2").on(SITES, 200, ok());
    for _ in 0..4 {
        fake = fake.on(SITES, 401, EXPIRED);
    }
    let fake = fake.on(SITES, 200, ok());
    let client = os(&fake);
    client.sites().await.unwrap();
    let calls = join_all((0..4).map(|_| client.sites())).await;
    assert!(calls.iter().all(Result::is_ok));
    let logins = fake.calls().into_iter().filter(|call| call == OS_LOGIN);
    assert_eq!(logins.count(), 2);
}

#[tokio::test]
async fn a_session_that_is_never_let_in_is_not_renewed() {
    let fake = opened(&Fake::new(), "c1", "t1").on(SITES, 401, EXPIRED);
    let client = os(&fake);
    for _ in 0..5 {
        let error = client.sites().await.unwrap_err();
        assert_eq!(brief(&error), "Unauthorized 401 - []");
    }
    let logins = fake.calls().into_iter().filter(|call| call == OS_LOGIN);
    assert_eq!(logins.count(), 1, "no storm");
}

#[tokio::test]
async fn a_stale_token_is_refreshed_and_the_write_sent_once_more() {
    let fake = opened(&Fake::new(), "c1", "t1")
        .on(PUT, 403, STALE)
        .with(SITES, 200, ok(), &[("x-csrf-token", "t2")])
        .on(PUT, 200, ok());
    os(&fake).update_client(ID, MAC, &patch()).await.unwrap();
    assert_eq!(
        sent(&fake.seen())[1..],
        [
            format!("{PUT} TOKEN=c1 t1"),
            format!("{SITES} TOKEN=c1 -"),
            format!("{PUT} TOKEN=c1 t2"),
        ]
    );
    let fake = opened(&Fake::new(), "c1", "t1")
        .on(PUT, 403, STALE)
        .on(SITES, 200, ok());
    let error = os(&fake)
        .update_client(ID, MAC, &patch())
        .await
        .unwrap_err();
    assert_eq!(brief(&error), "Forbidden 403 - []");
    let forbidden = r#"{"meta":{"rc":"error","msg":"api.err.NoPermission"},"data":[]}"#;
    let fake = opened(&Fake::new(), "c1", "t1").on(PUT, 403, forbidden);
    let error = os(&fake)
        .update_client(ID, MAC, &patch())
        .await
        .unwrap_err();
    assert_eq!(brief(&error), "Forbidden 403 api.err.NoPermission []");
    assert_eq!(
        fake.calls(),
        [OS_LOGIN, PUT],
        "a missing right is no stale token"
    );
}

#[tokio::test]
async fn a_refused_login_is_never_tried_again_and_says_what_helps() {
    let two_factor = r#"{"meta":{"rc":"error","msg":"api.err.Ubic2faTokenRequired"},"data":[]}"#;
    let wrong = r#"{"meta":{"rc":"error","msg":"api.err.Invalid"},"data":[]}"#;
    for (platform, status, body, hint) in [
        (
            Platform::UnifiOs,
            403,
            r#"{"code":"AUTHENTICATION_FAILED_INVALID_CREDENTIALS"}"#,
            "user name and password",
        ),
        (
            Platform::UnifiOs,
            401,
            r#"{"code":"AUTHENTICATION_FAILED_INVALID_CREDENTIALS"}"#,
            "user name and password",
        ),
        (Platform::UnifiOs, 403, "<html>", "API key"),
        (
            Platform::UnifiOs,
            499,
            r#"{"code":"MFA_AUTH_REQUIRED","data":{"mfaCookie":"canary=1"}}"#,
            "second factor",
        ),
        (Platform::Classic, 400, wrong, "user name and password"),
        (Platform::Classic, 200, wrong, "user name and password"),
        (Platform::Classic, 400, two_factor, "second factor"),
    ] {
        let call = if platform == Platform::Classic {
            CLASSIC_LOGIN
        } else {
            OS_LOGIN
        };
        let fake = Fake::new().on(call, status, body);
        let client = fake.login(Some(platform), Arc::new(NoWait));
        let calls = join_all((0..3).map(|_| client.sites())).await;
        for error in calls.into_iter().map(Result::unwrap_err) {
            assert!(matches!(error, Error::Unauthorized(_)), "{error}");
            assert!(!error.is_retryable());
            assert!(
                error.hint().is_some_and(|said| said.contains(hint)),
                "{error}: {:?}",
                error.hint()
            );
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
        assert_eq!(fake.calls(), [call], "{body}");
    }
}

#[tokio::test]
async fn a_login_that_is_put_off_is_waited_for_within_bounds() {
    let limited = r#"{"code":"AUTHENTICATION_FAILED_LIMIT_REACHED"}"#;
    let clock = Arc::new(Pauses::default());
    let fake = Fake::new()
        .on(OS_LOGIN, 429, limited)
        .with(OS_LOGIN, 429, limited, &[("retry-after", "40")])
        .on(OS_LOGIN, 200, "{}")
        .typed(OS_LOGIN, 502, "text/html", "<html>");
    let fake = opened(&fake, "c1", "t1").on(SITES, 200, ok());
    let client = fake.login(Some(Platform::UnifiOs), clock.clone());
    client.sites().await.unwrap();
    assert_eq!(
        clock.taken(),
        [5, 40, 20, 30],
        "a success without a session counts as put off"
    );

    let clock = Arc::new(Pauses::default());
    let fake = Fake::new().on(OS_LOGIN, 429, limited);
    let client = fake.login(Some(Platform::UnifiOs), clock.clone());
    let calls = join_all((0..4).map(|_| client.sites())).await;
    for error in calls.into_iter().map(Result::unwrap_err) {
        assert_eq!(
            brief(&error),
            "Busy 429 AUTHENTICATION_FAILED_LIMIT_REACHED []"
        );
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("limits logins"))
        );
    }
    assert_eq!(
        clock.taken(),
        [5, 10, 20, 30],
        "those who waited do not begin again"
    );
    clock.now.fetch_add(60_000, Ordering::SeqCst);
    client.sites().await.unwrap_err();
    assert_eq!(fake.calls().len(), 10, "later it is tried again");

    let clock = Arc::new(Pauses::default());
    let fake = Fake::new().with(OS_LOGIN, 429, limited, &[("retry-after", "3600")]);
    let client = fake.login(Some(Platform::UnifiOs), clock.clone());
    let error = client.sites().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_hours(1)));
    assert!(clock.taken().is_empty(), "an hour is not waited");
}

#[tokio::test]
async fn the_console_is_found_out_once() {
    let status = r#"{"meta":{"rc":"ok","up":true,"server_version":"10.0.162"},"data":[]}"#;
    let page = "<!doctype html>";
    for (start, second, expected) in [
        ((200, page), None, "UniFi OS"),
        ((302, ""), Some((200, status)), "classic"),
        ((404, ""), Some((200, status)), "classic"),
        ((302, ""), Some((401, EXPIRED)), "Transport 0 - []"),
        ((404, "{}"), Some((404, "{}")), "Unsupported 404 - []"),
        ((404, "{}"), Some((200, page)), "Unsupported 200 - []"),
        ((404, "{}"), Some((503, page)), "Busy 503 - []"),
        (
            (404, "{}"),
            Some((200, r#"{"meta":{"rc":"ok"}}"#)),
            "Unsupported 200 - []",
        ),
    ] {
        let mut fake = Fake::new().on("GET @/", start.0, start.1);
        if let Some((code, body)) = second {
            fake = fake.on("GET @/status", code, body);
        }
        let client = fake.login(None, Arc::new(NoWait));
        for _ in 0..2 {
            let found = client.platform().await;
            let found = found.map_or_else(|error| brief(&error), |platform| platform.to_string());
            assert_eq!(found, expected, "{start:?} {second:?}");
        }
        assert!(
            fake.seen()
                .iter()
                .all(|seen| !seen.headers.contains_key("cookie"))
        );
    }
    // Newer UniFi OS redirects to itself; a redirect elsewhere is no console.
    for (target, expected) in [
        ("/login?next=1", "UniFi OS"),
        ("https://192.0.2.1/network", "UniFi OS"),
        ("https://sso.example/", "Transport 0 - []"),
    ] {
        let fake = Fake::new()
            .with("GET @/", 302, "", &[("location", target)])
            .on("GET @/status", 200, page);
        let found = fake.login(None, Arc::new(NoWait)).platform().await;
        let found = found.map_or_else(|error| brief(&error), |platform| platform.to_string());
        assert_eq!(found, expected, "{target}");
    }
    let fake = Fake::new();
    assert_eq!(fake.client().platform().await.unwrap(), Platform::UnifiOs);
    assert!(fake.calls().is_empty(), "a key implies it");
}

#[tokio::test]
async fn a_classic_console_has_no_prefix_and_no_integration_api() {
    let version = rows(&json!([{"version": "10.0.162"}]));
    let fake = Fake::new()
        .with(
            CLASSIC_LOGIN,
            200,
            ok(),
            &[
                ("set-cookie", "unifises=s1; Path=/"),
                ("set-cookie", "csrf_token=t1"),
            ],
        )
        .on("GET @/api/s/default/stat/sysinfo", 200, version)
        .on("GET @/v2/api/site/default/static-dns", 200, "[]")
        .on(
            "GET @/v2/api/site/default/active-leases",
            404,
            r#"{"code":"api.err.NotFound"}"#,
        )
        .on(
            "PUT @/api/s/default/rest/user/65bb00000000000000000001",
            200,
            ok(),
        );
    let client = fake.login(Some(Platform::Classic), Arc::new(NoWait));
    let about = client.about().await.unwrap();
    assert_eq!(
        (about.platform, about.family),
        (Platform::Classic, Family::Legacy)
    );
    assert_eq!(client.dns_records().await.unwrap(), []);
    assert_eq!(client.dns_family(), Some(Family::V2));
    assert_eq!(client.leases().await.unwrap(), []);
    client.update_client(ID, MAC, &patch()).await.unwrap();
    let last = sent(&fake.seen()).pop().unwrap();
    assert!(last.ends_with("unifises=s1; csrf_token=t1 t1"), "{last}");
    let error = client.connected_clients(None).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
    assert!(
        fake.calls()
            .iter()
            .all(|call| !call.contains("integration"))
    );
}

#[tokio::test]
async fn logging_out_ends_the_session_there_and_here() {
    let fake = opened(&Fake::new(), "c1", "t1")
        .on("POST @/api/auth/logout", 200, "{}")
        .on(SITES, 200, ok());
    let client = os(&fake);
    client.logout().await.unwrap();
    assert!(fake.calls().is_empty(), "there was none");
    client.sites().await.unwrap();
    client.logout().await.unwrap();
    client.sites().await.unwrap();
    assert_eq!(
        sent(&fake.seen()),
        [
            format!("{OS_LOGIN} - -"),
            format!("{SITES} TOKEN=c1 -"),
            "POST @/api/auth/logout TOKEN=c1 t1".to_owned(),
            format!("{OS_LOGIN} - -"),
            format!("{SITES} TOKEN=c1 -"),
        ]
    );
}

#[tokio::test]
async fn a_login_that_is_given_up_half_way_leaves_the_way_free() {
    let fake = opened(&Fake::new(), "c1", "t1").on(SITES, 200, ok());
    let client = os(&fake);
    for polls in 1..12 {
        let mut call = Box::pin(client.sites());
        for _ in 0..polls {
            drop((&mut call).now_or_never());
        }
    }
    client.sites().await.unwrap();
}

#[test]
fn an_empty_login_is_refused_before_anything_is_sent() {
    for (name, password) in [("", "x"), ("x", "")] {
        let built = unifi_client::Client::builder("https://192.0.2.1")
            .login(name, password.to_owned().into())
            .build();
        assert_eq!(brief(&built.unwrap_err()), "Invalid 0 - [login]");
    }
}
