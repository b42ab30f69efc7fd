//! Configurations for `talosctl` and `omnictl`.
//!
//! Methods `Talosconfig` and `Omniconfig`, answers `{"talosconfig": "<base64 of YAML>"}` and `{"omniconfig": …}`
//! [138, 151, 406-408]. Raw talosconfigs are refused by release builds of the server [407] and not offered.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Repeat, file, is_false, named};
use crate::{Client, Error};

#[derive(Serialize)]
struct Asked {
    #[serde(skip_serializing_if = "is_false")]
    break_glass: bool,
}

#[derive(Serialize)]
struct Nothing {}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    talosconfig: Option<String>,
    omniconfig: Option<String>,
}

impl Client {
    /// A talosconfig that leads through Omni to a cluster, or without one to the whole instance.
    /// It holds no secret: `talosctl` logs in as the caller. Needs the role Reader.
    pub async fn talosconfig(&self, cluster: Option<&str>) -> Result<SecretString, Error> {
        if let Some(cluster) = cluster {
            named("cluster", cluster)?;
        }
        self.any_talosconfig(cluster, false).await
    }

    /// A talosconfig with a certificate of its own that leads to the machines, past Omni.
    ///
    /// The server marks the cluster as tainted by it. Needs the role Admin, and
    /// `features.enableBreakGlassConfigs` in the server's configuration.
    pub async fn break_glass_talosconfig(&self, cluster: &str) -> Result<SecretString, Error> {
        named("cluster", cluster)?;
        self.any_talosconfig(Some(cluster), true).await
    }

    async fn any_talosconfig(
        &self,
        cluster: Option<&str>,
        break_glass: bool,
    ) -> Result<SecretString, Error> {
        let asked = Asked { break_glass };
        let answer: Answer = self
            .manage("Talosconfig", cluster, &asked, Repeat::Harmless)
            .await?;
        file("Talosconfig", answer.talosconfig)
    }

    /// The caller's own omniconfig: one context, `default`. It holds no key. Any valid signature may ask.
    pub async fn omniconfig(&self) -> Result<SecretString, Error> {
        let answer: Answer = self
            .manage("Omniconfig", None, &Nothing {}, Repeat::Harmless)
            .await?;
        file("Omniconfig", answer.omniconfig)
    }
}
