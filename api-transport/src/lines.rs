//! A body as lines, each with a bound.

use std::fmt;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::{Error, Response};

/// A streaming answer: lines on success, the whole answer otherwise.
pub enum Streamed {
    /// Lines without their end, empty ones left out. Ends when the server ends the stream.
    Lines(BoxStream<'static, Result<Bytes, Error>>),
    /// The server refused; what it said.
    Refused(Response),
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines(_) => f.write_str("Lines"),
            Self::Refused(response) => f.debug_tuple("Refused").field(&response.status).finish(),
        }
    }
}

struct Splitter {
    body: BoxStream<'static, Result<Bytes, Error>>,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    done: bool,
    origin: String,
    limit: usize,
}

pub(crate) fn split(
    body: BoxStream<'static, Result<Bytes, Error>>,
    origin: String,
    limit: usize,
) -> BoxStream<'static, Result<Bytes, Error>> {
    let state = Splitter {
        body,
        buffer: BytesMut::new(),
        searched: 0,
        done: false,
        origin,
        limit,
    };
    stream::unfold(state, |mut state| async move {
        Some((state.next().await?, state))
    })
    .boxed()
}

impl Splitter {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            if let Some(line) = self.complete_line() {
                if line.is_empty() {
                    continue;
                }
                return Some(if line.len() > self.limit {
                    self.too_long()
                } else {
                    Ok(line)
                });
            }
            if self.done {
                self.searched = 0;
                let rest = trimmed(&self.buffer.split().freeze());
                return (!rest.is_empty()).then_some(Ok(rest));
            }
            if self.buffer.len() > self.limit {
                return Some(self.too_long());
            }
            match self.body.next().await {
                Some(Ok(part)) => self.buffer.extend_from_slice(&part),
                Some(Err(error)) => {
                    // Half a line is no line: what came before the break is dropped with it.
                    self.finish();
                    return Some(Err(error));
                }
                None => self.done = true,
            }
        }
    }

    fn complete_line(&mut self) -> Option<Bytes> {
        let Some(at) = self.buffer[self.searched..]
            .iter()
            .position(|&byte| byte == b'\n')
        else {
            self.searched = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.searched + at).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Some(trimmed(&line))
    }

    fn too_long(&mut self) -> Result<Bytes, Error> {
        self.finish();
        Err(Error::TooLarge {
            endpoint: self.origin.clone(),
            limit: self.limit,
        })
    }

    fn finish(&mut self) {
        self.buffer.clear();
        self.searched = 0;
        self.done = true;
        self.body = stream::empty().boxed();
    }
}

fn trimmed(line: &Bytes) -> Bytes {
    line.slice_ref(line.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn collect(parts: Vec<Result<&'static str, Error>>, limit: usize) -> Vec<String> {
        let body = stream::iter(
            parts
                .into_iter()
                .map(|part| part.map(|text| Bytes::from_static(text.as_bytes()))),
        );
        split(body.boxed(), "https://a".into(), limit)
            .map(|line| match line {
                Ok(line) => String::from_utf8(line.to_vec()).unwrap(),
                Err(error) => format!("! {error}"),
            })
            .collect()
            .await
    }

    #[tokio::test]
    async fn lines_come_whole_however_they_were_cut() {
        assert_eq!(
            collect(vec![Ok("ab"), Ok("c\nde\r\n\n"), Ok("\nf\ng")], 9).await,
            ["abc", "de", "f", "g"]
        );
        assert_eq!(
            collect(vec![Ok("abcd"), Ok("efgh\n"), Ok("next\n")], 6).await,
            ["! the answer of https://a is larger than 6 bytes"]
        );
        assert_eq!(
            collect(vec![Ok("abcd"), Ok("efgh")], 6).await,
            ["! the answer of https://a is larger than 6 bytes"]
        );
        let broken = Err(Error::interrupted("https://a", "reset"));
        assert_eq!(
            collect(vec![Ok("a\nhal"), broken, Ok("f\n")], 9).await,
            ["a", "! the connection to https://a broke"]
        );
    }
}
