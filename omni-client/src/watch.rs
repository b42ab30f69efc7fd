//! Watching a kind: a stream of events that survives breaks.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Bytes, Phase, Streamed};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::client::resource;
use crate::wire::{BOOTSTRAPPED, CREATED, DESTROYED, Line, Order, Selected, UPDATED, message};
use crate::{Client, Error, Event, Kind, ListOptions, Resource};

/// An unbuffered watch begins at once, even of a kind that has no resources.
const HEADERS_WITHIN: Duration = Duration::from_secs(3);
const LIST_EVERY: Duration = Duration::from_millis(500);
/// After this long of listing, watching is tried again: somebody may have mended the proxy.
const LIST_FOR: Duration = Duration::from_mins(10);
/// A server that ends every watch at once must not be asked without a pause.
const SHORT_LIVED: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What is watched, and who hears about trouble.
#[derive(Clone, Default)]
pub struct WatchOptions {
    /// Only this resource.
    pub id: Option<String>,
    /// Label selectors, as in [`ListOptions`].
    pub selectors: Vec<String>,
    /// Texts to search for, as in [`ListOptions`]. What begins or ceases to be found is reported as created or
    /// destroyed.
    pub search: Vec<String>,
    /// What existing ones are sorted by, as in [`ListOptions`].
    pub sort_by: Option<String>,
    /// Largest first.
    pub descending: bool,
    /// Only the first so many in that order, and what happens among them. 0: all.
    pub limit: u32,
    /// Called with what a person may want to know; no event is lost over it.
    pub notices: Option<NoticeFn>,
}

/// Hears [`WatchNotice`]s.
pub type NoticeFn = Arc<dyn Fn(&WatchNotice) + Send + Sync>;

impl fmt::Debug for WatchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchOptions")
            .field("id", &self.id)
            .field("selectors", &self.selectors)
            .field("search", &self.search)
            .field("sort_by", &self.sort_by)
            .field("descending", &self.descending)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// What happened to a watch that goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchNotice {
    /// A proxy holds watches back, so the kind is listed twice a second instead. Said once a stream.
    Buffered {
        /// What to change.
        hint: &'static str,
    },
    /// The connection broke or the server is away; it is tried again after `pause`.
    Interrupted {
        /// Why.
        error: Error,
        /// Until the next try.
        pause: Duration,
    },
}

const BUFFERED_HINT: &str = "no answer to a watch within 3 s though lists are answered: a proxy before Omni buffers. \
    With nginx, set `proxy_buffering off` and a long `proxy_read_timeout` for the location of /api/; \
    until then the state is listed twice a second";

impl Client {
    /// All events of a kind: first what exists, then [`Event::Bootstrapped`], then changes.
    ///
    /// The stream ends only after an error that trying again cannot help, such as a refused key.
    /// After a break (proxies cut idle watches, commonly after 60 s) it begins anew with what exists.
    /// Behind a proxy that buffers it lists twice a second instead and reports the differences.
    pub fn watch(&self, kind: &Kind) -> BoxStream<'static, Result<Event, Error>> {
        self.watch_with(kind, &WatchOptions::default())
    }

    /// [`Client::watch`] of one resource, of what selectors match, or with an ear for trouble.
    pub fn watch_with(
        &self,
        kind: &Kind,
        options: &WatchOptions,
    ) -> BoxStream<'static, Result<Event, Error>> {
        let watcher = Watcher {
            client: self.clone(),
            kind: kind.clone(),
            options: options.clone(),
            state: State::Disconnected,
            ready: VecDeque::new(),
            failures: 0,
            buffered_said: false,
        };
        stream::unfold(watcher, |mut watcher| async move {
            Some((watcher.next().await?, watcher))
        })
        .boxed()
    }
}

enum State {
    Disconnected,
    /// Lines, and since when, in the clock's time.
    Streaming(
        BoxStream<'static, Result<Bytes, api_transport::Error>>,
        Duration,
    ),
    /// What the last list had, and when listing ends, in the clock's time.
    Listing {
        known: BTreeMap<String, Resource>,
        first: bool,
        until: Duration,
    },
    Ended,
}

struct Watcher {
    client: Client,
    kind: Kind,
    options: WatchOptions,
    state: State,
    ready: VecDeque<Event>,
    failures: u32,
    buffered_said: bool,
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let step = match &mut self.state {
                State::Ended => return None,
                State::Disconnected => self.connect().await,
                State::Streaming(lines, since) => {
                    let since = *since;
                    match lines.next().await {
                        Some(Ok(line)) => self.take_line(&line),
                        Some(Err(error)) => self.broken(error, since),
                        None => self.broken(
                            api_transport::Error::interrupted(self.client.endpoint(), "it ended"),
                            since,
                        ),
                    }
                }
                State::Listing { .. } => self.list_again().await,
            };
            if let Err(error) = step {
                if !self.is_passing(&error) {
                    self.state = State::Ended;
                    return Some(Err(error));
                }
                self.pause(error).await;
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let selectors = ListOptions::selector_header(&self.options.selectors);
        let options = &self.options;
        let mut selected = Selected::new(&self.kind, options.id.as_deref().unwrap_or_default());
        selected.order = Order {
            offset: 0,
            limit: options.limit,
            sort_by_field: options.sort_by.as_deref().unwrap_or_default(),
            sort_descending: options.descending,
            search_for: &options.search,
        };
        let request = self
            .client
            .resource_request("Watch", &selected, selectors.as_deref())?;
        match self.client.transport.lines(request, HEADERS_WITHIN).await {
            Ok(Streamed::Lines(lines)) => {
                self.state = State::Streaming(lines, self.client.transport.clock().now());
            }
            Ok(Streamed::Refused(response)) => return Err(self.client.refusal(&response)),
            // A server that is away does not answer lists either: then this is no buffering.
            Err(api_transport::Error::Timeout {
                phase: Phase::Headers,
                ..
            }) => {
                let listed = self.list().await?;
                self.begin_listing(listed);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The usual end of an idle watch behind a proxy; how it is cut differs from proxy to proxy.
    fn broken(&mut self, error: api_transport::Error, since: Duration) -> Result<(), Error> {
        let lived = self.client.transport.clock().now().saturating_sub(since);
        if lived < SHORT_LIVED {
            return Err(error.into());
        }
        tracing::debug!(kind = %self.kind, ?lived, "watch ended, starting again");
        self.failures = 0;
        self.state = State::Disconnected;
        Ok(())
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Error> {
        let line: Line = message(line).map_err(|error| Error::not_understood("a watch", &error))?;
        if let Some(status) = line.error {
            return Err(Error::from_code(&status, 500));
        }
        let event = line.result.unwrap_or_default().event;
        self.ready.extend(match event.event_type {
            CREATED => Some(Event::Created(resource(&event.resource)?)),
            UPDATED => Some(Event::Updated {
                new: resource(&event.resource)?,
                old: (!event.old.is_empty())
                    .then(|| resource(&event.old))
                    .transpose()?,
            }),
            DESTROYED => Some(Event::Destroyed(resource(&event.resource)?)),
            BOOTSTRAPPED => Some(Event::Bootstrapped),
            _ => None,
        });
        Ok(())
    }

    fn begin_listing(&mut self, listed: BTreeMap<String, Resource>) {
        if !self.buffered_said {
            self.buffered_said = true;
            tracing::warn!(kind = %self.kind, endpoint = self.client.endpoint(), "{BUFFERED_HINT}");
            self.notice(&WatchNotice::Buffered {
                hint: BUFFERED_HINT,
            });
        }
        let until = self.client.transport.clock().now() + LIST_FOR;
        self.state = State::Listing {
            known: BTreeMap::new(),
            first: true,
            until,
        };
        self.take_list(listed);
    }

    async fn list_again(&mut self) -> Result<(), Error> {
        let clock = self.client.transport.clock().clone();
        clock.sleep(LIST_EVERY).await;
        let now = clock.now();
        if matches!(&self.state, State::Listing { until, .. } if *until <= now) {
            self.state = State::Disconnected;
            return Ok(());
        }
        let listed = self.list().await?;
        self.take_list(listed);
        Ok(())
    }

    /// Events from what changed between two lists. Only the first is a full account of what exists,
    /// so only it ends with [`Event::Bootstrapped`].
    fn take_list(&mut self, listed: BTreeMap<String, Resource>) {
        self.failures = 0;
        let State::Listing { known, first, .. } = &mut self.state else {
            return;
        };
        for (id, resource) in &listed {
            match known.remove(id) {
                None => self.ready.push_back(Event::Created(resource.clone())),
                Some(old) if is_another(&old, resource) => {
                    self.ready.push_back(Event::Destroyed(old));
                    self.ready.push_back(Event::Created(resource.clone()));
                }
                Some(old) if old.metadata.version != resource.metadata.version => {
                    self.ready.push_back(Event::Updated {
                        new: resource.clone(),
                        old: Some(old),
                    });
                }
                Some(_) => {}
            }
        }
        self.ready
            .extend(std::mem::take(known).into_values().map(Event::Destroyed));
        if std::mem::take(first) {
            self.ready.push_back(Event::Bootstrapped);
        }
        *known = listed;
    }

    async fn list(&mut self) -> Result<BTreeMap<String, Resource>, Error> {
        let found = if let Some(id) = &self.options.id {
            self.client
                .find(&self.kind, id)
                .await?
                .into_iter()
                .collect()
        } else {
            let wanted = ListOptions {
                selectors: self.options.selectors.clone(),
                search: self.options.search.clone(),
                sort_by: self.options.sort_by.clone(),
                descending: self.options.descending,
                page_size: 0,
            };
            let limit = self.options.limit;
            let page = self.client.list_page(&self.kind, &wanted, 0, limit).await?;
            page.items
        };
        Ok(found
            .into_iter()
            .map(|resource| (resource.metadata.id.clone(), resource))
            .collect())
    }

    async fn pause(&mut self, error: Error) {
        self.failures = self.failures.saturating_add(1);
        let clock = self.client.transport.clock().clone();
        let most = Duration::from_millis(250)
            .saturating_mul(1 << (self.failures - 1).min(6))
            .min(LONGEST_PAUSE);
        let pause = most.mul_f64(0.5 + clock.random() / 2.0);
        tracing::debug!(kind = %self.kind, %error, ?pause, "watch broke");
        self.notice(&WatchNotice::Interrupted { error, pause });
        // Lists go on from what is known; a stream begins anew.
        if !matches!(self.state, State::Listing { .. }) {
            self.state = State::Disconnected;
        }
        clock.sleep(pause).await;
    }

    /// What a restart, a cut connection or an overrun of the server's buffers looks like. Half a line
    /// before a clean end looks like nonsense, so that is given a few tries.
    fn is_passing(&self, error: &Error) -> bool {
        match error {
            Error::Unexpected { status: 200, .. } => self.failures < 3,
            Error::Unexpected { status, .. } => *status >= 500 && *status != 501,
            other => other.is_retryable(),
        }
    }

    fn notice(&self, notice: &WatchNotice) {
        if let Some(notices) = &self.options.notices {
            notices(notice);
        }
    }
}

/// Whether one id names another resource than before: removed and made again between two lists.
fn is_another(old: &Resource, new: &Resource) -> bool {
    old.metadata.created != new.metadata.created || new.metadata.version < old.metadata.version
}
