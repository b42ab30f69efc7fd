//! Calls that are about more than one resource.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::client::MANAGEMENT;
use crate::sign::CallHeaders;
use crate::wire::{KubeconfigAnswer, KubeconfigRequest};
use crate::{Client, Error, kinds, specs};

/// Whom a kubeconfig is for.
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

impl Client {
    /// A kubeconfig with a token of its own, for the Kubernetes API through Omni. Needs the role Operator.
    pub async fn kubeconfig(
        &self,
        cluster: &str,
        options: &KubeconfigOptions,
    ) -> Result<SecretString, Error> {
        // Without a cluster the server gives a kubeconfig that leads nowhere.
        if cluster.is_empty() || options.user.is_empty() {
            return Err(Error::invalid("a kubeconfig needs a cluster and a user"));
        }
        let body = KubeconfigRequest {
            service_account: true,
            service_account_ttl: format!("{}s", options.ttl.as_secs()),
            service_account_user: &options.user,
            service_account_groups: &options.groups,
        };
        let headers = CallHeaders {
            context: Some(cluster),
            ..CallHeaders::default()
        };
        let request = self.request(MANAGEMENT, "Kubeconfig", &body, headers)?;
        let answer = self.answer(request.idempotent()).await?;
        // An error of the parser's may quote what it read, and that is a token.
        let answer: KubeconfigAnswer = serde_json::from_slice(&answer)
            .map_err(|_| Error::not_understood("Kubeconfig", &"it holds no kubeconfig"))?;
        let encoded = Zeroizing::new(answer.kubeconfig);
        let text = STANDARD
            .decode(encoded.as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| Error::not_understood("Kubeconfig", &"it is not text in base64"))?;
        Ok(text.into())
    }

    /// Whose key this is, and with what role: the cheapest test that a key works.
    pub async fn current_user(&self) -> Result<specs::CurrentUser, Error> {
        self.get(&kinds::CURRENT_USER, "current").await?.spec_as()
    }

    /// The server's version.
    pub async fn server_version(&self) -> Result<specs::SysVersion, Error> {
        self.get(&kinds::SYS_VERSION, "current").await?.spec_as()
    }
}
