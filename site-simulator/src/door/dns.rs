//! The resolver of the gateway on a UDP socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use crate::World;

/// Seconds an answer may be kept; short, so that a test sees changes.
const TTL: u32 = 1;

/// Binds a socket on loopback.
pub async fn bind() -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// Answers queries until the socket fails. While the resolver reloads there is no answer at all, as with the real
/// one. `count` is called for each query.
pub async fn serve(
    world: Arc<World>,
    socket: UdpSocket,
    count: impl Fn() + Send,
) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer).await?;
        count();
        let Some(answer) = buffer
            .get(..length)
            .and_then(|query| respond(&world, query))
        else {
            continue;
        };
        // A client that is gone is no reason to stop.
        let _ = socket.send_to(&answer, peer).await;
    }
}

/// The answer to a query; `None` for what is no query, and during a reload.
fn respond(world: &World, query: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_vec(query).ok()?;
    let asked = message.queries.first()?.clone();
    let answers = world.act(|state, now| {
        let gateway = &state.gateway;
        (!gateway.is_reloading(now)).then(|| {
            let name = asked.name().to_utf8();
            let of = |kind: &str| gateway.lookup(now, &state.faults, &name, kind);
            let known = ["A", "AAAA", "TXT", "CNAME"]
                .iter()
                .any(|kind| !of(kind).is_empty());
            (of(&asked.query_type().to_string()), known)
        })
    })?;
    answer_to(&message, &asked, answers).to_vec().ok()
}

/// The answer to a query with the values found; a name without any record of any type does not exist.
fn answer_to(query: &Message, asked: &Query, (values, known): (Vec<String>, bool)) -> Message {
    let mut answer = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = query.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_query(asked.clone());
    let records: Vec<Record> = values
        .iter()
        .filter_map(|value| data_of(asked.query_type(), value))
        .map(|data| Record::from_rdata(asked.name().clone(), TTL, data))
        .collect();
    if !known {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer.add_answers(records);
    answer
}

fn data_of(kind: RecordType, value: &str) -> Option<RData> {
    match kind {
        RecordType::A => Some(RData::A(A(value.parse().ok()?))),
        RecordType::AAAA => Some(RData::AAAA(AAAA(value.parse().ok()?))),
        RecordType::TXT => Some(RData::TXT(TXT::new(vec![value.to_owned()]))),
        RecordType::CNAME => {
            let name = Name::from_utf8(value).ok()?;
            Some(RData::CNAME(hickory_proto::rr::rdata::CNAME(name)))
        }
        _ => None,
    }
}
