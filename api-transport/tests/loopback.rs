//! The real network path against a small TLS server on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use api_transport::{
    Clock, Error, Fingerprint, Method, Phase, Request, Streamed, Transport, TransportBuilder, Trust,
};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// What the server does with one request.
#[derive(Clone)]
enum Act {
    Say(&'static str),
    SayBytes(Vec<u8>),
    /// The first part, a pause, the second; then closes.
    Slow(&'static str, Duration, &'static str),
    Hang,
    /// Closes without an answer.
    Drop,
}

struct Server {
    endpoint: String,
    pin: Fingerprint,
    pem: String,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Answers the n-th request with the n-th act, the last one again and again.
    async fn start(name: &str, acts: Vec<Act>) -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            endpoint: format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            ),
            pin: Fingerprint::of(cert.der()),
            pem: cert.pem(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let (seen, connections) = (server.seen.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (acceptor, acts, seen) = (acceptor.clone(), acts.clone(), seen.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(socket).await else {
                        return;
                    };
                    while let Some(request) = read_request(&mut stream).await {
                        let index = {
                            let mut seen = seen.lock().unwrap();
                            seen.push(request);
                            (seen.len() - 1).min(acts.len() - 1)
                        };
                        if !act(&mut stream, &acts[index]).await {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    fn builder(&self) -> TransportBuilder {
        Transport::builder(&self.endpoint)
            .unwrap()
            .trust(Trust::Pins(vec![self.pin]))
            .clock(Arc::new(Immediate::default()))
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

type Stream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

async fn act(stream: &mut Stream, act: &Act) -> bool {
    let bytes = match act {
        Act::Say(text) => text.as_bytes().to_vec(),
        Act::SayBytes(bytes) => bytes.clone(),
        Act::Slow(first, pause, second) => {
            stream.write_all(first.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::time::sleep(*pause).await;
            let _ = stream.write_all(second.as_bytes()).await;
            let _ = stream.shutdown().await;
            return false;
        }
        Act::Hang => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return false;
        }
        Act::Drop => return false,
    };
    stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok()
}

async fn read_request(stream: &mut Stream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse::<usize>()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&part[..read]),
        }
    }
}

/// A clock whose pauses take no time and are noted.
#[derive(Debug, Default)]
struct Immediate {
    pauses: Arc<Mutex<Vec<Duration>>>,
}

impl Clock for Immediate {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn random(&self) -> f64 {
        0.0
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.pauses.lock().unwrap().push(duration);
        Box::pin(async {})
    }
}

const OK: Act = Act::Say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

fn get() -> Request {
    Request::new(Method::GET, "/x").header("x-api-key".parse().unwrap(), "hunter2".parse().unwrap())
}

#[tokio::test]
async fn trust_decides_before_anything_is_sent() {
    let server = Server::start("localhost", vec![OK]).await;
    let elsewhere = Server::start("other.example", vec![OK]).await;
    let wrong = Fingerprint([7; 32]);
    let cases = [
        (&server, Trust::Pins(vec![server.pin]), Ok(())),
        (&server, Trust::Pins(vec![wrong, server.pin]), Ok(())),
        (&elsewhere, Trust::Pins(vec![elsewhere.pin]), Ok(())),
        (&elsewhere, Trust::Insecure, Ok(())),
        (
            &server,
            Trust::CaPem(server.pem.clone().into_bytes()),
            Ok(()),
        ),
        (
            &elsewhere,
            Trust::CaPem(elsewhere.pem.clone().into_bytes()),
            Err("not valid for name"),
        ),
        (
            &server,
            Trust::CaPem(elsewhere.pem.clone().into_bytes()),
            Err("signed by nobody"),
        ),
        (&server, Trust::Pins(vec![wrong]), Err("pinned is 07:07")),
        (
            &server,
            Trust::Pins(vec![elsewhere.pin]),
            Err("nothing was sent"),
        ),
    ];
    for (server, trust, expected) in cases {
        let before = server.requests();
        let shown = format!("{trust:?}");
        let transport = Transport::builder(&server.endpoint)
            .unwrap()
            .trust(trust)
            .build()
            .unwrap();
        match (transport.send(get().idempotent()).await, expected) {
            (Ok(answer), Ok(())) => {
                assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
            }
            (Err(error), Err(text)) => {
                assert!(error.to_string().contains(text), "{shown}: {error}");
                assert!(
                    matches!(error, Error::Pin { .. } | Error::Certificate { .. }),
                    "{shown}: {error:?}"
                );
                assert_eq!(
                    server.requests(),
                    before,
                    "{shown}: a request left before the certificate was checked"
                );
                assert_eq!(
                    transport.requests_sent(),
                    1,
                    "{shown}: a refused certificate is not tried again"
                );
                if let Error::Pin { found, .. } = error {
                    assert_eq!(found, server.pin);
                }
            }
            (got, _) => panic!("{shown}: {got:?}"),
        }
    }
}

#[test]
fn what_cannot_be_trusted_is_refused_when_built() {
    for (endpoint, trust, allowed) in [
        ("http://127.0.0.1:1", Trust::System, true),
        ("http://10.0.0.1", Trust::Insecure, true),
        (
            "http://10.0.0.1",
            Trust::Pins(vec![Fingerprint([0; 32])]),
            false,
        ),
        ("https://10.0.0.1", Trust::Pins(vec![]), false),
        ("https://10.0.0.1", Trust::CaPem(b"no PEM".to_vec()), false),
    ] {
        let built = Transport::builder(endpoint)
            .unwrap()
            .trust(trust.clone())
            .build();
        assert_eq!(built.is_ok(), allowed, "{endpoint} {trust:?}: {built:?}");
    }
}

#[tokio::test]
async fn redirects_are_errors_that_name_the_host_and_leak_nothing() {
    let thief = Server::start("localhost", vec![OK]).await;
    let location = format!(
        "HTTP/1.1 307 Go\r\nlocation: {}/steal?x=1\r\ncontent-length: 0\r\n\r\n",
        thief.endpoint
    );
    let server = Server::start("localhost", vec![Act::SayBytes(location.into_bytes())]).await;
    let error = server
        .builder()
        .build()
        .unwrap()
        .send(get().idempotent())
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(307));
    assert!(
        error.to_string().contains(&thief.endpoint) && !error.to_string().contains("steal"),
        "{error}"
    );
    assert_eq!(
        (server.requests(), thief.connections.load(Ordering::Relaxed)),
        (1, 0)
    );
}

#[tokio::test]
async fn only_what_was_declared_idempotent_is_sent_again() {
    let fail = |status: &str| {
        Act::SayBytes(
            format!("HTTP/1.1 {status} x\r\nretry-after: 3\r\ncontent-length: 0\r\n\r\n")
                .into_bytes(),
        )
    };
    for (act, idempotent, sent, expected) in [
        (fail("503"), true, 4, Ok(503)),
        (fail("429"), true, 4, Ok(429)),
        (fail("596"), true, 4, Ok(596)),
        (fail("500"), true, 1, Ok(500)),
        (fail("503"), false, 1, Ok(503)),
        (Act::Drop, true, 4, Err(())),
        (Act::Drop, false, 1, Err(())),
    ] {
        let server = Server::start("localhost", vec![act]).await;
        let clock = Immediate::default();
        let pauses = clock.pauses.clone();
        let transport = server
            .builder()
            .clock(Arc::new(clock))
            .retry_statuses(&[596])
            .build()
            .unwrap();
        let request = if idempotent {
            get().idempotent()
        } else {
            get()
        };
        let outcome = transport.send(request).await;
        assert_eq!(server.requests(), sent, "{expected:?} {idempotent}");
        assert_eq!(transport.requests_sent(), sent as u64);
        match (outcome, expected) {
            (Ok(response), Ok(status)) => assert_eq!(response.status, status),
            (Err(error), Err(())) => {
                assert!(error.is_interrupted() && error.is_retryable(), "{error:?}");
            }
            (got, _) => panic!("{got:?}"),
        }
        if expected.is_ok() {
            assert_eq!(
                *pauses.lock().unwrap(),
                vec![Duration::from_secs(3); sent - 1]
            );
        }
    }
    let server = Server::start("localhost", vec![Act::Drop, fail("502"), OK]).await;
    assert_eq!(
        server
            .builder()
            .build()
            .unwrap()
            .send(get().idempotent())
            .await
            .unwrap()
            .status,
        200
    );
}

#[tokio::test]
async fn each_wait_has_its_deadline() {
    let ms = Duration::from_millis;
    let late = Act::Slow(
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab",
        ms(3000),
        "cd",
    );
    let timeouts = |server: &Server| {
        server
            .builder()
            .timeouts(ms(2000), ms(250), ms(600))
            .build()
            .unwrap()
    };
    for (act, request, phase, most) in [
        (Act::Hang, get(), Phase::Headers, 500),
        (Act::Hang, get().deadline(ms(450)), Phase::Headers, 700),
        (late.clone(), get(), Phase::Body, 1000),
        // Retries share the total: 250 + 250 + 100.
        (Act::Hang, get().idempotent(), Phase::Headers, 1000),
    ] {
        let server = Server::start("localhost", vec![act]).await;
        let started = Instant::now();
        let error = timeouts(&server).send(request).await.unwrap_err();
        assert!(
            matches!(&error, Error::Timeout { phase: got, .. } if *got == phase),
            "{error:?}"
        );
        assert!(
            error.is_timeout() && started.elapsed() < ms(most + 1000),
            "{:?}",
            started.elapsed()
        );
    }
    let refused = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let transport = Transport::builder(&format!("https://{refused}"))
        .unwrap()
        .trust(Trust::Insecure)
        .build()
        .unwrap();
    let error = transport.send(get()).await.unwrap_err();
    assert!(
        matches!(error, Error::Connect { .. }) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn answers_have_a_size_and_keep_their_reason() {
    let reasoned = Act::Say("HTTP/1.1 500 no such VM ('100')\r\ncontent-length: 0\r\n\r\n");
    let server = Server::start("localhost", vec![reasoned, OK]).await;
    let transport = server.builder().http1_only().build().unwrap();
    assert_eq!(
        transport.send(get()).await.unwrap().reason,
        "no such VM ('100')"
    );
    assert_eq!(transport.send(get()).await.unwrap().reason, "OK");
    assert_eq!(
        server.connections.load(Ordering::Relaxed),
        1,
        "a connection is kept"
    );

    // 1000 zeros, gzipped to 29 bytes.
    let zeros = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 24, 5, 163, 96, 20, 12, 119, 0, 0, 128, 23, 11, 6,
        232, 3, 0, 0,
    ];
    let mut gzip = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        zeros.len()
    )
    .into_bytes();
    gzip.extend_from_slice(&zeros);
    for (limit, fits) in [(1000, true), (999, false)] {
        let server = Server::start("localhost", vec![Act::SayBytes(gzip.clone())]).await;
        let answer = server
            .builder()
            .body_limit(limit)
            .build()
            .unwrap()
            .send(get())
            .await;
        match answer {
            Ok(response) => assert!(fits && response.body.len() == 1000),
            Err(error) => assert!(
                !fits && matches!(error, Error::TooLarge { .. }),
                "{error:?}"
            ),
        }
    }
}

#[tokio::test]
async fn streams_outlive_the_total_deadline_but_not_a_silent_head() {
    let ms = Duration::from_millis;
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"a\":1}\n{\"b\"";
    let server = Server::start("localhost", vec![Act::Slow(head, ms(700), ":2}\n")]).await;
    let transport = server
        .builder()
        .timeouts(ms(2000), ms(2000), ms(300))
        .build()
        .unwrap();
    let Streamed::Lines(lines) = transport.lines(get(), ms(2000)).await.unwrap() else {
        panic!("refused")
    };
    let lines: Vec<_> = lines.map(|line| line.unwrap()).collect().await;
    assert_eq!(lines, ["{\"a\":1}", "{\"b\":2}"]);
    assert!(server.seen.lock().unwrap()[0].contains("accept-encoding: identity"));

    let server = Server::start("localhost", vec![Act::Hang]).await;
    let error = server
        .builder()
        .build()
        .unwrap()
        .lines(get(), ms(200))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                phase: Phase::Headers,
                ..
            }
        ),
        "{error:?}"
    );

    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}\nhalf";
    let server = Server::start("localhost", vec![Act::Slow(cut, ms(10), "")]).await;
    let Streamed::Lines(lines) = server
        .builder()
        .build()
        .unwrap()
        .lines(get(), ms(2000))
        .await
        .unwrap()
    else {
        panic!("refused")
    };
    let lines: Vec<_> = lines.collect().await;
    assert!(
        matches!(&lines[..], [Ok(line), Err(error)] if line == "{}" && error.is_interrupted()),
        "{lines:?}"
    );

    let server = Server::start(
        "localhost",
        vec![Act::Say("HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno")],
    )
    .await;
    let refused = server
        .builder()
        .build()
        .unwrap()
        .lines(get(), ms(2000))
        .await
        .unwrap();
    assert!(
        matches!(&refused, Streamed::Refused(response) if response.status == 403 && response.body == "no")
    );
}

/// Run by the next test, with a proxy in its environment that nothing listens at.
#[tokio::test]
#[ignore = "needs an environment of its own"]
async fn behind_a_proxy() {
    let server = Server::start("localhost", vec![OK]).await;
    assert_eq!(
        server
            .builder()
            .build()
            .unwrap()
            .send(get())
            .await
            .unwrap()
            .status,
        200
    );
    let asked = server
        .builder()
        .proxy_from_environment(true)
        .build()
        .unwrap();
    let error = asked.send(get()).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error:?}");
}

#[test]
fn a_proxy_in_the_environment_is_used_only_when_asked_for() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "behind_a_proxy", "--ignored"])
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
}

#[tokio::test]
async fn what_speaks_no_tls_is_named_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = socket.read(&mut [0; 64]).await;
    });
    let transport = Transport::builder(&endpoint)
        .unwrap()
        .trust(Trust::Insecure)
        .build()
        .unwrap();
    let error = transport.send(get()).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}
