//! The server side that all HTTPS doors share: TLS, HTTP/1.1, request counts, faults.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::ext::ReasonPhrase;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::faults::{self, Fate};
use super::http::{Request, Response};
use super::{omni, proxmox, unifi};
use crate::World;

/// The largest request body that is read.
const BODY_LIMIT: usize = 32 << 20;
/// The TLS handshake and the request head have this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a failed accept.
const PAUSE: Duration = Duration::from_millis(50);

/// Which system a door leads to.
#[derive(Debug, Clone)]
pub(super) enum System {
    Omni,
    Proxmox(String),
    Unifi,
}

impl System {
    /// As in [`Doors::request_counts`](super::Doors::request_counts).
    pub(super) fn name(&self) -> String {
        match self {
            Self::Omni => "omni".to_owned(),
            Self::Proxmox(provider) => format!("proxmox:{provider}"),
            Self::Unifi => "unifi".to_owned(),
        }
    }
}

/// What a connection needs to answer.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) world: Arc<World>,
    pub(super) system: System,
    pub(super) counter: Arc<AtomicU64>,
}

/// An answer: whole, or in pieces as they come.
pub(super) enum Answer {
    Whole(Response),
    Stream(Response, BoxStream<'static, Bytes>),
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Accepts connections for ever.
pub(super) async fn listen(door: Door, listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => drop(tokio::spawn(connection(
                door.clone(),
                socket,
                acceptor.clone(),
            ))),
            // Out of file descriptors, mostly: give connections time to close.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(door: Door, socket: TcpStream, acceptor: TlsAcceptor) {
    drop(socket.set_nodelay(true));
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(socket)).await else {
        return;
    };
    let service = service_fn(move |request| {
        let door = door.clone();
        async move { respond(&door, request).await }
    });
    // A broken connection is the caller's business.
    drop(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

/// An error closes the connection without an answer.
async fn respond(
    door: &Door,
    request: hyper::Request<Incoming>,
) -> io::Result<hyper::Response<Body>> {
    door.counter.fetch_add(1, Ordering::Relaxed);
    let (fate, delay) = door.world.act(|state, _| faults::draw(state));
    if let Some(delay) = delay {
        door.world.clock().sleep(delay).await;
    }
    match fate {
        Fate::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        Fate::ServerError(status) => return Ok(whole(&Response::empty(status))),
        Fate::Answered | Fate::LostAnswer => {}
    }
    let request = read(request).await?;
    let answer = match &door.system {
        System::Omni => omni::answer(&door.world, request).await,
        System::Proxmox(provider) => {
            Answer::Whole(proxmox::answer(&door.world, provider, request).await)
        }
        System::Unifi => Answer::Whole(unifi::answer(&door.world, request).await),
    };
    if fate == Fate::LostAnswer {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(match answer {
        Answer::Whole(response) => whole(&response),
        Answer::Stream(head, pieces) => {
            use futures_util::StreamExt as _;
            let frames = pieces.map(|piece| Ok(Frame::data(piece)));
            built(&head, UnsyncBoxBody::new(StreamBody::new(frames)))
        }
    })
}

async fn read(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned();
    Ok(Request {
        method: head.method,
        target,
        headers: head.headers,
        body,
    })
}

fn whole(response: &Response) -> hyper::Response<Body> {
    let body = UnsyncBoxBody::new(Full::new(response.body.clone()));
    built(response, body)
}

fn built(head: &Response, body: Body) -> hyper::Response<Body> {
    let mut response = hyper::Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(head.status)
        .unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = head.headers.clone();
    let reason = head
        .reason
        .as_ref()
        .and_then(|text| ReasonPhrase::try_from(text.as_bytes().to_vec()).ok());
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}
