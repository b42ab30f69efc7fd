//! Kubeconfigs for the Kubernetes API through Omni, of three kinds: with a token of their own, for programs; that
//! send a person to the browser; and with a certificate that leads past Omni.
//!
//! Method `Kubeconfig`, answer `{"kubeconfig": "<base64 of YAML>"}` [150, 401-405].

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Repeat, file, is_false};
use crate::{Client, Error};

/// Whom a kubeconfig with a token of its own is for. Kubernetes sees `user` and `groups`; Omni knows no account of
/// that name, and nothing takes the token back before `ttl` is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeconfigOptions {
    /// The name Kubernetes sees.
    pub user: String,
    /// How long it is valid; whole seconds.
    pub ttl: Duration,
    /// The groups Kubernetes sees.
    pub groups: Vec<String>,
}

impl Default for KubeconfigOptions {
    /// An administrator for a day.
    fn default() -> Self {
        Self {
            user: "omni-client".to_owned(),
            ttl: Duration::from_hours(24),
            groups: vec!["system:masters".to_owned()],
        }
    }
}

/// How `kubectl` gets a person's token from Omni.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GrantType {
    /// The plugin's own choice.
    #[default]
    Auto,
    /// A browser on the same machine.
    AuthCode,
    /// A browser anywhere: the code is typed in.
    AuthCodeKeyboard,
}

impl GrantType {
    const fn word(self) -> &'static str {
        match self {
            Self::Auto => "",
            Self::AuthCode => "authcode",
            Self::AuthCodeKeyboard => "authcode-keyboard",
        }
    }
}

/// What a kubeconfig for interactive login says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OidcOptions {
    /// How the token is got.
    pub grant_type: GrantType,
    /// Where the plugin keeps tokens, where not in its default place.
    pub cache_dir: Option<String>,
    /// Whether tokens of this cluster are kept apart from those of others.
    pub cache_isolation: bool,
}

// The names are the API's.
#[allow(clippy::struct_field_names)]
#[derive(Serialize, Default)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "is_false")]
    service_account: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    service_account_ttl: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    service_account_user: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    service_account_groups: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    grant_type: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    break_glass: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    oidc_cache_base_dir: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    oidc_cache_isolation: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    kubeconfig: Option<String>,
}

impl Client {
    /// A kubeconfig with a token of its own, for the Kubernetes API through Omni. Needs the role Operator.
    ///
    /// For a cluster that does not exist the server fails with status 500 ([`Error::Unexpected`]); without a user it
    /// would refuse, which is done here already ([`Error::Invalid`]).
    pub async fn kubeconfig(
        &self,
        cluster: &str,
        options: &KubeconfigOptions,
    ) -> Result<SecretString, Error> {
        if options.user.is_empty() {
            return Err(Error::invalid("a kubeconfig needs a cluster and a user"));
        }
        let asked = Asked {
            service_account: true,
            service_account_ttl: format!("{}s", options.ttl.as_secs()),
            service_account_user: &options.user,
            service_account_groups: &options.groups,
            ..Asked::default()
        };
        self.any_kubeconfig(cluster, &asked).await
    }

    /// A kubeconfig with which `kubectl` (and its plugin `oidc-login`) sends a person to the browser.
    /// It holds no secret. Needs the role Reader.
    ///
    /// The server does not look whether the cluster exists. What it writes runs `kubectl oidc-login get-token`, a
    /// plugin that has to be installed.
    pub async fn oidc_kubeconfig(
        &self,
        cluster: &str,
        options: &OidcOptions,
    ) -> Result<SecretString, Error> {
        let asked = Asked {
            grant_type: options.grant_type.word(),
            oidc_cache_base_dir: options.cache_dir.as_deref().unwrap_or_default(),
            oidc_cache_isolation: options.cache_isolation,
            ..Asked::default()
        };
        self.any_kubeconfig(cluster, &asked).await
    }

    /// A kubeconfig with an administrator's certificate that leads past Omni, for when Omni is down.
    ///
    /// The server marks the cluster as tainted by it, so it is asked for once and kept. Needs the role
    /// Admin, and `features.enableBreakGlassConfigs` in the server's configuration.
    pub async fn break_glass_kubeconfig(&self, cluster: &str) -> Result<SecretString, Error> {
        let asked = Asked {
            break_glass: true,
            ..Asked::default()
        };
        self.any_kubeconfig(cluster, &asked).await
    }

    async fn any_kubeconfig(
        &self,
        cluster: &str,
        asked: &Asked<'_>,
    ) -> Result<SecretString, Error> {
        // Without a cluster the server gives a kubeconfig that leads nowhere.
        if cluster.is_empty() {
            return Err(Error::invalid("a kubeconfig needs a cluster and a user"));
        }
        let answer: Answer = self
            .manage("Kubeconfig", Some(cluster), asked, Repeat::Harmless)
            .await?;
        file("Kubeconfig", answer.kubeconfig)
    }
}
