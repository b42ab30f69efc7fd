//! Logins with a password: when a ticket is had, renewed and had anew, and what never shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use api_transport::{Clock as _, Exchange, ExchangeResponse};
use proxmox_client::{Client, Credential, Error};

use crate::recording::{Answer, Leaping, Scripted};

const PASSWORD: &str = "canary-password";
const DIGEST: &str = "360330b899b134f257dfd32b46fdc76fe9976048";

struct Session {
    client: Client,
    clock: Arc<Leaping>,
    exchange: Arc<Scripted>,
}

/// A client whose logins are answered by `login`, from what stood in the place of the password and how many
/// logins came before, and whose other calls by `other`, from the number of the ticket that came along.
fn session(
    login: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static,
    other: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> Session {
    let logins = AtomicUsize::new(0);
    let exchange = Scripted::new(move |request, _| {
        if request.uri().path().ends_with("/access/ticket") {
            let body = String::from_utf8(request.body().to_vec()).unwrap();
            let (_, secret) = body.split_once("password=").unwrap();
            let earlier = logins.fetch_add(1, Ordering::Relaxed);
            return login(secret, earlier);
        }
        let cookie = request.headers()["cookie"].to_str().unwrap();
        let number = cookie.rsplit_once("canary").unwrap().1;
        Some(other(number.parse().unwrap()))
    });
    let clock = Arc::new(Leaping::default());
    let client = Client::builder("https://pve1.example:8006")
        .password("toolkit@pve", PASSWORD.to_owned().into())
        .clock(Arc::clone(&clock) as _)
        .exchange(Arc::clone(&exchange) as _)
        .build()
        .unwrap();
    Session {
        client,
        clock,
        exchange,
    }
}

fn given(number: usize) -> Answer {
    let body = format!(
        r#"{{"data":{{"ticket":"PVE:toolkit@pve:canary{number}","CSRFPreventionToken":"csrf-canary{number}"}}}}"#
    );
    Answer::new(200, "OK", &body)
}

fn refused() -> Answer {
    Answer::new(401, "authentication failure", "")
}

fn empty() -> Answer {
    Answer::new(200, "OK", r#"{"data":[]}"#)
}

/// `L` for a login with the password, `R` for a renewal, else the number of the ticket that was used.
fn story(session: &Session) -> String {
    let step = |request: &http::Request<bytes::Bytes>| {
        let body = String::from_utf8_lossy(request.body());
        match body.split_once("password=") {
            Some((_, PASSWORD)) => "L".to_owned(),
            Some(_) => "R".to_owned(),
            None => {
                let cookie = request.headers()["cookie"].to_str().unwrap();
                cookie.rsplit_once("canary").unwrap().1.to_owned()
            }
        }
    };
    session.exchange.seen().iter().map(step).collect()
}

async fn after(session: &Session, minutes: u64) -> Result<(), Error> {
    session.clock.sleep(Duration::from_mins(minutes)).await;
    session.client.nodes().await.map(drop)
}

#[tokio::test]
async fn a_ticket_serves_for_an_hour_and_is_renewed_before_two() {
    let session = session(|_, earlier| Some(given(earlier)), |_| empty());
    for minutes in [0, 30, 29, 2, 61, 121] {
        after(&session, minutes).await.unwrap();
    }
    // After two hours without a call only the password helps.
    assert_eq!(story(&session), "L000R1R2L3");
}

#[tokio::test]
async fn a_renewal_that_fails_is_no_failed_call() {
    let login = |secret: &str, earlier: usize| match earlier {
        // The cluster's key was changed: the old ticket is worth nothing.
        1 if secret != PASSWORD => Some(refused()),
        _ => Some(given(earlier)),
    };
    let session = session(login, |_| empty());
    after(&session, 0).await.unwrap();
    after(&session, 61).await.unwrap();
    assert_eq!(story(&session), "L0RL2");

    let login = |_: &str, earlier: usize| (earlier == 0 || earlier > 4).then(|| given(earlier));
    let session = self::session(login, |_| empty());
    after(&session, 0).await.unwrap();
    after(&session, 61).await.unwrap();
    assert_eq!(story(&session), "L0RRRR0", "the transport tries four times");
    after(&session, 1).await.unwrap();
    assert_eq!(story(&session), "L0RRRR0R5");
}

#[tokio::test]
async fn a_ticket_that_is_refused_is_had_anew_once() {
    let session = session(
        |_, earlier| Some(given(earlier)),
        |ticket| if ticket == 1 { empty() } else { refused() },
    );
    let error = session.client.nodes().await.unwrap_err();
    assert!(
        matches!(&error, Error::Unauthorized { credential: Credential::Ticket, id, .. } if id == "toolkit@pve"),
        "{error}"
    );
    assert_eq!(story(&session), "L0", "a new one would be refused as well");
    // A write goes the same way: a 401 did nothing.
    let write = session
        .client
        .set_config("pve1", 100, "description", "x", DIGEST);
    write.await.unwrap();
    assert_eq!(story(&session), "L00L1");
    let last = session.exchange.seen().pop().unwrap();
    let csrf = &last.headers()["csrfpreventiontoken"];
    assert!(csrf == "csrf-canary1" && csrf.is_sensitive());
    assert!(
        last.headers()["cookie"].is_sensitive() && !last.headers().contains_key("authorization")
    );
}

#[tokio::test]
async fn calls_side_by_side_log_in_once() {
    let session = session(|_, earlier| Some(given(earlier)), |_| empty());
    let calls = (0..5).map(|_| session.client.nodes());
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    assert_eq!(story(&session), "L00000");
}

/// Never answers its first request.
#[derive(Debug)]
struct Stalled(Arc<Scripted>, AtomicBool);

#[async_trait::async_trait]
impl Exchange for Stalled {
    async fn exchange(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> Result<ExchangeResponse, api_transport::Error> {
        if !self.1.swap(true, Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.0.exchange(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_given_up_leaves_the_client_usable() {
    let session = session(|_, earlier| Some(given(earlier)), |_| empty());
    let stalled = Stalled(Arc::clone(&session.exchange), AtomicBool::new(false));
    let client = Client::builder("https://pve1.example:8006")
        .password("toolkit@pve", PASSWORD.to_owned().into())
        .exchange(Arc::new(stalled))
        .build()
        .unwrap();
    let given_up = tokio::time::timeout(Duration::from_secs(1), client.nodes()).await;
    assert!(given_up.is_err() && story(&session).is_empty());
    client.nodes().await.unwrap();
    assert_eq!(story(&session), "L0");
}

#[tokio::test]
async fn what_is_no_login_is_told_with_its_remedy() {
    let tfa = r#"{"data":{"ticket":"PVE:!tfa!canary","CSRFPreventionToken":"canary","NeedTFA":1}}"#;
    // Without the flag, as an older release might answer.
    let half = r#"{"data":{"ticket":"PVE:!tfa!canary","CSRFPreventionToken":"canary"}}"#;
    for (body, wants) in [
        (tfa, Some("API token")),
        (half, Some("API token")),
        (r#"{"data":{"ticket":"PVE:canary"}}"#, None),
        (r#"{"data":{"CSRFPreventionToken":"canary"}}"#, None),
        (
            r#"{"data":{"ticket":"","CSRFPreventionToken":"canary"}}"#,
            None,
        ),
        (
            r#"{"data":{"ticket":"PVE:canary","CSRFPreventionToken":"can\nary"}}"#,
            None,
        ),
        (r#"{"data":null}"#, None),
        ("<html>canary</html>", None),
        (r#"{"data":"canary"}"#, None),
        ("", None),
    ] {
        let answer = Answer::new(200, "OK", body);
        let session = session(move |_, _| Some(answer.clone()), |_| empty());
        let error = session.client.nodes().await.unwrap_err();
        let hint = error.hint().unwrap_or_default();
        match wants {
            Some(words) => assert!(
                matches!(
                    error,
                    Error::Unauthorized {
                        credential: Credential::SecondFactor,
                        ..
                    }
                ) && hint.contains(words),
                "{body}: {error}"
            ),
            None => assert!(matches!(error, Error::Decode { .. }), "{body}: {error}"),
        }
        assert_eq!(story(&session), "L", "a half ticket is not used");
        let shown = format!("{error} {error:?} {:?}", session.client);
        assert!(!shown.contains("canary"), "{shown}");
    }
    let session = session(|_, _| Some(refused()), |_| empty());
    let error = session.client.nodes().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "password of toolkit@pve was not accepted: authentication failure"
    );
    assert!(error.hint().unwrap().contains("realm") && !error.is_retryable());
}

#[test]
fn nothing_shows_the_password() {
    let builder = Client::builder("https://pve1.example:8006")
        .password("root@pam", PASSWORD.to_owned().into());
    assert!(!format!("{builder:?}").contains(PASSWORD));
    let client = builder.build().unwrap();
    assert!(!format!("{client:?}").contains(PASSWORD));
    assert_eq!(client.identity(), "root@pam");
    let refused = Client::builder("https://pve1.example:8006")
        .password("root", PASSWORD.to_owned().into())
        .build();
    let shown = format!("{:?}", refused.unwrap_err());
    assert!(
        shown.contains("user@realm") && !shown.contains(PASSWORD),
        "{shown}"
    );
}
