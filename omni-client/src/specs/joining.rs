//! Tokens and parameters with which machines join.

use std::fmt;

use super::{Secret, Timestamp, value::whole};

numbered! {
    /// Whether a join token can be used.
    JoinTokenState {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Yes.
        Active "ACTIVE" = 1,
        /// It was revoked.
        Revoked "REVOKED" = 2,
        /// It has expired.
        Expired "EXPIRED" = 3,
    }
}

numbered! {
    /// How a machine keeps its own token.
    NodeTokenState {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// On its disk.
        Persistent "PERSISTENT" = 1,
        /// In memory: after a restart it joins as a new machine.
        Ephemeral "EPHEMERAL" = 2,
        /// It has none.
        None "NONE" = 3,
        /// Its Talos knows no such tokens.
        Unsupported "UNSUPPORTED" = 4,
    }
}

message! {
    /// A token with which machines join. Its id is the token itself: do not show it.
    ///
    /// Made by the management API (Admin); changed and deleted by users (Operator).
    JoinToken = JOIN_TOKEN {
        /// Until when it is valid; empty: for good.
        expiration_time: Timestamp,
        /// Whether it was revoked.
        revoked: bool,
        /// For people, at most 16 characters.
        name: String,
    }

    /// A join token as it stands. Its id is the token itself: do not show it. Written by Omni.
    ///
    /// Label: [`labels::ACTIVE_JOIN_TOKEN`](crate::labels::ACTIVE_JOIN_TOKEN).
    JoinTokenStatus = JOIN_TOKEN_STATUS {
        /// Whether it can be used.
        state: JoinTokenState,
        /// Whether it is used where none is named.
        is_default: bool,
        /// Machines that joined with it.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        use_count: u64,
        /// Until when it is valid; empty: for good.
        expiration_time: Timestamp,
        /// For people.
        name: String,
        /// Machines that would suffer from its revocation.
        warnings: Vec<JoinTokenWarning>,
    }

    /// A machine that would suffer from a token's revocation.
    JoinTokenWarning {
        /// Its UUID.
        machine: String,
        /// Why.
        message: String,
    }

    /// The join token that is used where none is named. Its id is `default`. Written by users (Operator).
    DefaultJoinToken = DEFAULT_JOIN_TOKEN {
        /// The token.
        token_id: Secret,
    }

    /// The token that a machine joined with. Its id is the machine's UUID. Written by Omni.
    JoinTokenUsage = JOIN_TOKEN_USAGE {
        /// The token.
        token_id: Secret,
    }

    /// How a machine keeps its own token. Its id is the machine's UUID. Written by Omni.
    NodeUniqueTokenStatus = NODE_UNIQUE_TOKEN_STATUS {
        /// How.
        state: NodeTokenState,
    }

    /// Whether a machine's tunnel goes through gRPC. Its id is the machine's UUID.
    ///
    /// Written by users (Operator); in force after the machine restarts.
    GrpcTunnelConfig = GRPC_TUNNEL_CONFIG {
        /// Yes.
        enabled: bool,
    }

    /// Where machines find Omni. Its id is `siderolink-config`. Written by Omni.
    SiderolinkApiConfig = SIDEROLINK_API_CONFIG {
        /// For example `https://omni.example:8090`.
        machine_api_advertised_url: String,
        /// WireGuard's host and port.
        wireguard_advertised_endpoint: String,
        /// Whether all tunnels go through gRPC.
        enforce_grpc_tunnel: bool,
        /// TCP port for events, inside the tunnel.
        events_port: i32,
        /// TCP port for logs, inside the tunnel.
        logs_port: i32,
    }

    /// The same as kernel arguments. Its id is `siderolink-config`. Written by Omni; kept for older clients.
    ConnectionParams = CONNECTION_PARAMS {
        /// Kernel arguments, the token among them.
        args: Secret,
        /// For example `https://omni.example:8090`.
        api_endpoint: String,
        /// WireGuard's host and port.
        wireguard_endpoint: String,
        /// The default join token.
        join_token: Secret,
        /// Whether all tunnels go through gRPC.
        use_grpc_tunnel: bool,
        /// TCP port for events, inside the tunnel.
        events_port: i32,
        /// TCP port for logs, inside the tunnel.
        logs_port: i32,
    }

    /// What a provider's machines join with. Its id is the provider's. Written by Omni.
    ///
    /// Label: [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID).
    ProviderJoinConfig = PROVIDER_JOIN_CONFIG {
        /// For a machine without a request.
        config: Option<JoinConfig>,
        /// The provider's own token.
        join_token: Secret,
    }

    /// What a machine joins with. Its id is the machine's UUID. Written by Omni.
    MachineJoinConfig = MACHINE_JOIN_CONFIG {
        /// What it boots with.
        config: Option<JoinConfig>,
    }

    /// What a machine boots with to join.
    JoinConfig {
        /// Kernel arguments, the token among them.
        kernel_args: Vec<Secret>,
        /// The same as Talos' YAML documents.
        config: Secret,
    }
}

/// Kinds whose ids are tokens.
const TOKENS: [&str; 2] = [
    "JoinTokens.omni.sidero.dev",
    "JoinTokenStatuses.omni.sidero.dev",
];

/// An id as it may be shown: that of a join token is the token.
pub(crate) struct ShownId<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: &'a str,
}

impl fmt::Debug for ShownId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if TOKENS.contains(&self.kind) {
            f.write_str("…")
        } else {
            write!(f, "{:?}", self.id)
        }
    }
}
