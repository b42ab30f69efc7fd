//! When a call is sent again, and after how long.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::Clock;

/// Tries of one call, the first included.
pub(crate) const TRIES: u32 = 4;
const FIRST: Duration = Duration::from_millis(250);
/// The longest pause a server may ask for.
const LONGEST: Duration = Duration::from_secs(30);

pub(crate) fn is_retryable(status: u16, extra: &[u16]) -> bool {
    matches!(status, 429 | 502 | 503 | 504) || extra.contains(&status)
}

/// How long to pause after the `tried`-th try (from 1): what the server asks for, or twice as long
/// each time; jittered so that clients that failed together do not come back together.
pub(crate) fn pause(tried: u32, asked: Option<Duration>, clock: &dyn Clock) -> Duration {
    let jitter = clock.random().clamp(0.0, 1.0);
    if let Some(asked) = asked {
        return asked.min(LONGEST) + FIRST.mul_f64(jitter);
    }
    let most = FIRST.saturating_mul(1 << tried.clamp(1, 8).saturating_sub(1));
    most.mul_f64(0.5 + jitter / 2.0)
}

/// `Retry-After`, as seconds or as a date.
pub(crate) fn asked(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    Some(until.duration_since(wall).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;

    #[derive(Debug)]
    struct Fixed(f64);

    impl Clock for Fixed {
        fn now(&self) -> Duration {
            Duration::ZERO
        }
        fn wall(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
        fn random(&self) -> f64 {
            self.0
        }
        fn sleep(&self, _duration: Duration) -> BoxFuture<'static, ()> {
            Box::pin(async {})
        }
    }

    #[test]
    fn pauses_double_with_jitter_and_follow_the_server_up_to_a_cap() {
        let ms = Duration::from_millis;
        for (tried, asked, random, expected) in [
            (1, None, 0.0, ms(125)),
            (1, None, 1.0, ms(250)),
            (2, None, 1.0, ms(500)),
            (3, None, 1.0, ms(1000)),
            (1, Some(ms(2000)), 0.0, ms(2000)),
            (1, Some(ms(2000)), 1.0, ms(2250)),
            (1, Some(Duration::MAX), 0.0, LONGEST),
        ] {
            assert_eq!(
                pause(tried, asked, &Fixed(random)),
                expected,
                "{tried} {asked:?} {random}"
            );
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, expected) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(
                asked(&headers, wall),
                expected.map(Duration::from_secs),
                "{text}"
            );
        }
    }
}
