//! What server is at the other end, and whether this client was tried with one like it.

use std::time::Duration;

use crate::wire::{Got, Selected, message};
use crate::{Client, Error, kinds, specs};

/// The minor versions of Omni that this client was tried with.
pub const TESTED_VERSIONS: &[(u64, u64)] = &[(1, 10)];
/// The API version of those, as the server tells it.
pub const TESTED_API: u64 = 3;

/// A side question must not hold up the work.
const GLANCE: Duration = Duration::from_secs(5);

impl Client {
    /// [`Client::server_version`] as a side question: asked once, and given up after five seconds.
    pub async fn glance_at_version(&self) -> Result<specs::SysVersion, Error> {
        let selected = Selected::new(&kinds::SYS_VERSION, "current");
        let request = self.resource_request("Get", &selected, None)?;
        let answer = self.answer(request.deadline(GLANCE)).await?;
        let got: Got = message(&answer).map_err(|error| Error::not_understood("Get", &error))?;
        crate::client::resource(&got.body)?.spec_as()
    }
}

impl specs::SysVersion {
    /// What is unusual about this server, if anything: it is worth a warning, and never a reason to refuse it.
    pub fn untested(&self) -> Option<String> {
        let tested: Vec<String> = TESTED_VERSIONS
            .iter()
            .map(|(major, minor)| format!("{major}.{minor}"))
            .collect();
        let tested = tested.join(", ");
        let version = &self.backend_version;
        let Some(number) = minor_version(version) else {
            return Some(format!(
                "the server calls its version `{version}`; this was tested with Omni {tested}"
            ));
        };
        if self.backend_api_version != TESTED_API {
            return Some(format!(
                "Omni {version} has API version {}; this was tested with API version {TESTED_API} (Omni {tested})",
                self.backend_api_version
            ));
        }
        (!TESTED_VERSIONS.contains(&number))
            .then(|| format!("Omni {version} was not tested with this, Omni {tested} was"))
    }
}

/// `v1.10.0-beta.0` as (1, 10).
fn minor_version(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_said() {
        for (version, api, expected) in [
            ("v1.10.0-beta.0", 3, None),
            ("v1.10.7", 3, None),
            ("1.10.1", 3, None),
            ("v1.9.0", 3, Some("Omni v1.9.0 was not tested")),
            ("v2.10.0", 3, Some("Omni v2.10.0 was not tested")),
            ("v1.10.0", 4, Some("has API version 4")),
            ("v1.10.0", 0, Some("has API version 0")),
            ("dev", 3, Some("calls its version `dev`")),
            ("", 0, Some("calls its version ``")),
        ] {
            let version = specs::SysVersion {
                backend_version: version.to_owned(),
                backend_api_version: api,
                ..specs::SysVersion::default()
            };
            match (version.untested(), expected) {
                (None, None) => {}
                (Some(told), Some(part)) => assert!(told.contains(part), "{told}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
