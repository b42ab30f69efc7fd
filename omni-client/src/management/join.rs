//! How machines join: tokens, and what is written on their boot media.
//!
//! Methods `GetMachineJoinConfig`, answer `{"kernel_args": [TEXT], "config": "<YAML documents>"}` [146, 438], and
//! `CreateJoinToken`, answer `{"id": TEXT}` [147]. Tokens are revoked, renewed and deleted as resources of
//! `JoinTokens.omni.sidero.dev`; which one is the default, `DefaultJoinTokens.omni.sidero.dev` says.

use std::time::SystemTime;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Repeat, is_false, named};
use crate::{Client, Error};

/// What a machine is to be told so that it joins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JoinOptions {
    /// Reach Omni through gRPC instead of WireGuard.
    pub use_grpc_tunnel: bool,
    /// The join token; the default one where there is none.
    pub join_token: Option<String>,
}

/// What a machine is told so that it joins. It holds the join token, with which any machine can join.
#[derive(Debug, Clone)]
pub struct JoinConfig {
    /// Kernel arguments, for boot media.
    pub kernel_args: Vec<SecretString>,
    /// Documents of a Talos machine config, for user data.
    pub config: SecretString,
}

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "is_false")]
    use_grpc_tunnel: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    join_token: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    kernel_args: Vec<String>,
    config: String,
}

#[derive(Serialize)]
struct Wanted<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_time: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Made {
    id: String,
}

impl Client {
    /// What a machine is told so that it joins: three kernel arguments (`siderolink.api`, `talos.events.sink`,
    /// `talos.logging.kernel`) or the three documents that mean the same. Needs the role Reader; infra providers are
    /// refused with [`Error::Denied`].
    pub async fn machine_join_config(&self, options: &JoinOptions) -> Result<JoinConfig, Error> {
        let asked = Asked {
            use_grpc_tunnel: options.use_grpc_tunnel,
            join_token: options.join_token.as_deref().unwrap_or_default(),
        };
        let answer: Answer = self
            .manage("GetMachineJoinConfig", None, &asked, Repeat::Harmless)
            .await?;
        Ok(JoinConfig {
            kernel_args: answer.kernel_args.into_iter().map(Into::into).collect(),
            config: answer.config.into(),
        })
    }

    /// Makes a join token and gives its id, which is the token itself. Needs the role Admin.
    ///
    /// `name`: at most 16 characters. Without `expires` it never ends. Sent once: after a lost answer, look for the
    /// name among the resources of `JoinTokens.omni.sidero.dev`.
    pub async fn create_join_token(
        &self,
        name: &str,
        expires: Option<SystemTime>,
    ) -> Result<SecretString, Error> {
        named("token's name", name)?;
        let expiration_time = expires
            .map(jiff::Timestamp::try_from)
            .transpose()
            .map_err(|_| Error::invalid("the token's end is beyond what can be written"))?
            .map(|end| end.to_string());
        let wanted = Wanted {
            name,
            expiration_time,
        };
        let made: Made = self
            .manage("CreateJoinToken", None, &wanted, Repeat::Never)
            .await?;
        Ok(made.id.into())
    }
}
