//! What is said before any work with Omni: that its key ends soon, that its version was never tried. Here alone, for
//! every verb of every binary.

use std::time::{Duration, SystemTime};

use bootstrap_core::adapters::Connected;
use bootstrap_core::diagnostic::Diagnostic;
use omni_client::Signer;

use crate::output::Screen;

/// From when on a key's end is worth saying.
const SOON: Duration = Duration::from_hours(30 * 24);
/// Keys that live shorter than this are made anew each time: their end is no news.
const SHORT_LIVED: Duration = Duration::from_hours(24);

/// Says what there is to say. Nothing of it keeps the work from being done.
pub async fn tell(connected: &Connected, screen: &mut Screen) {
    let wall = connected.ports.clock.wall();
    let mut warnings: Vec<Diagnostic> = key(connected.omni.signer(), wall).into_iter().collect();
    // Who wants to hear only of errors is not made to wait for the question.
    if !screen.quiet {
        let version = connected.omni.glance_at_version().await;
        // What keeps it from answering keeps the work from being done, and is told there.
        let untested = version.ok().and_then(|version| version.untested());
        warnings.extend(untested.map(Diagnostic::warning));
    }
    screen.findings(&warnings);
}

/// A warning about a key that ends soon.
fn key(signer: &dyn Signer, wall: SystemTime) -> Option<Diagnostic> {
    let end = signer.expires()?;
    let left = end.duration_since(wall).unwrap_or_default();
    if left > SOON || (left < SHORT_LIVED && signer.identity().contains('@')) {
        return None;
    }
    let message = format!(
        "the key of {} ends {}, on {}",
        signer.identity(),
        within(left),
        day(end)
    );
    Some(Diagnostic::warning(message).hint("`omni-bootstrap key renew --out FILE` makes a new one"))
}

/// A time to come as people say it.
pub fn within(left: Duration) -> String {
    let hours = left.as_secs() / 3600;
    match hours {
        0 => "within the hour".to_owned(),
        1..48 => format!("in {hours} h"),
        _ => format!("in {} days", hours / 24),
    }
}

/// The day of a time, in UTC.
pub fn day(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(
        |_| "a day that cannot be written".to_owned(),
        |stamp| stamp.strftime("%Y-%m-%d").to_string(),
    )
}

/// A time as RFC 3339 with seconds, in UTC.
pub fn stamp(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Ending(&'static str, Option<SystemTime>);

    impl Signer for Ending {
        fn sign(&self, _: &[u8], _: SystemTime) -> Result<Vec<u8>, omni_client::KeyError> {
            Ok(Vec::new())
        }
        fn identity(&self) -> &str {
            self.0
        }
        fn key_id(&self) -> &'static str {
            "00"
        }
        fn expires(&self) -> Option<SystemTime> {
            self.1
        }
    }

    #[test]
    fn only_an_end_that_is_near_is_said() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 56);
        let hours = |hours| Some(wall + Duration::from_hours(hours));
        for (identity, end, expected) in [
            ("ci", None, None),
            ("ci", hours(24 * 31), None),
            (
                "ci",
                hours(24 * 29 + 5),
                Some("the key of ci ends in 29 days, on 2026-01-16"),
            ),
            ("ci", hours(30), Some("in 30 h")),
            ("ci", hours(0), Some("within the hour")),
            // A person's key lives eight hours.
            ("a@b.example", hours(7), None),
            (
                "ci@serviceaccount.omni.sidero.dev",
                hours(40),
                Some("in 40 h"),
            ),
        ] {
            let told = key(&Ending(identity, end), wall).map(|warning| warning.message);
            match (&told, expected) {
                (None, None) => {}
                (Some(told), Some(part)) if told.contains(part) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
