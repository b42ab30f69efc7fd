//! Kubernetes upgrades: what would stand in the way, and the manifests that follow them.
//!
//! Methods `KubernetesUpgradePreChecks`, answer `{"ok", "reason"}` [409], and `KubernetesSyncManifests`, a stream of
//! `{"response_type", "path", "object", "diff", "skipped"}` that was recorded empty [410].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Repeat, named};
use crate::{Client, Error};

#[derive(Serialize)]
struct Version<'a> {
    new_version: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Checked {
    ok: bool,
    reason: String,
}

#[derive(Serialize)]
struct Sync {
    dry_run: bool,
}

/// A bootstrap manifest and what was, or would be, done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedManifest {
    /// Which one, e.g. `kube-system/ConfigMap/coredns`.
    pub path: String,
    /// The change, as a diff; empty where there is none.
    pub diff: String,
    /// Whether it was left alone.
    pub skipped: bool,
    /// Whether this says that what it started has come up.
    pub rollout: bool,
    /// The manifest.
    pub object: Vec<u8>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Synced {
    response_type: i32,
    path: String,
    object: String,
    diff: String,
    skipped: bool,
}

impl Client {
    /// What stands in the way of a Kubernetes version (without v): `None` where nothing does. Needs the role Operator.
    pub async fn kubernetes_upgrade_pre_checks(
        &self,
        cluster: &str,
        version: &str,
    ) -> Result<Option<String>, Error> {
        named("cluster", cluster)?;
        let body = Version {
            new_version: version,
        };
        let checked: Checked = self
            .manage(
                "KubernetesUpgradePreChecks",
                Some(cluster),
                &body,
                Repeat::Harmless,
            )
            .await?;
        Ok((!checked.ok).then_some(checked.reason))
    }

    /// Says what bringing a cluster's bootstrap manifests to its version would change; nothing is written. Needs the
    /// role Operator.
    ///
    /// Writing them is not offered: it changes what others may have changed, and no recording shows how it goes.
    pub async fn preview_kubernetes_manifests(
        &self,
        cluster: &str,
    ) -> Result<Vec<SyncedManifest>, Error> {
        const METHOD: &str = "KubernetesSyncManifests";
        const ROLLOUT: i32 = 2;
        named("cluster", cluster)?;
        let body = Sync { dry_run: true };
        let lines: Vec<Synced> = self.stream(METHOD, Some(cluster), &body).await?;
        lines
            .into_iter()
            .map(|line| {
                let object = STANDARD
                    .decode(&line.object)
                    .map_err(|_| Error::not_understood(METHOD, &"a manifest is not base64"))?;
                Ok(SyncedManifest {
                    path: line.path,
                    diff: line.diff,
                    skipped: line.skipped,
                    rollout: line.response_type == ROLLOUT,
                    object,
                })
            })
            .collect()
    }
}
