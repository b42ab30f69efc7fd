//! Tunnels between machines and Omni.

use super::Secret;

message! {
    /// A machine's tunnel to Omni. Its id is the machine's UUID.
    ///
    /// Written by Omni; a user who deletes it removes the machine from Omni. Labels:
    /// [`labels::MACHINE_REQUEST`](crate::labels::MACHINE_REQUEST),
    /// [`labels::MACHINE_REQUEST_SET`](crate::labels::MACHINE_REQUEST_SET),
    /// [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID). Annotation:
    /// [`labels::CREATED_WITH_UNIQUE_TOKEN`](crate::labels::CREATED_WITH_UNIQUE_TOKEN).
    Link = LINK {
        /// Its address in the tunnel, as prefix.
        node_subnet: String,
        /// WireGuard key.
        node_public_key: String,
        /// Where it was last heard from, as Omni's WireGuard sees it.
        last_endpoint: String,
        /// Whether it is connected.
        connected: bool,
        /// Where its gRPC tunnel ends; empty without one.
        virtual_addrport: String,
        /// Where it joined from, as the proxy before Omni says.
        remote_addr: String,
        /// The machine's own token, from older servers.
        node_unique_token: Secret,
    }

    /// A tunnel that is set up. Written by Omni.
    LinkStatus = LINK_STATUS {
        /// The machine's address in the tunnel, as prefix.
        node_subnet: String,
        /// WireGuard key.
        node_public_key: String,
        /// Where its gRPC tunnel ends; empty without one.
        virtual_addrport: String,
        /// The [`Link`] or [`PendingMachine`] it is of.
        link_id: String,
    }

    /// A machine that wants to join and has not yet. Its id is its WireGuard key.
    ///
    /// Written by Omni. Label: [`labels::MACHINE_UUID`](crate::labels::MACHINE_UUID). Annotation, where another machine
    /// has that UUID: [`labels::UUID_CONFLICT`](crate::labels::UUID_CONFLICT).
    PendingMachine = PENDING_MACHINE {
        /// Its address in the tunnel, as prefix.
        node_subnet: String,
        /// WireGuard key.
        node_public_key: String,
        /// Where it was last heard from.
        last_endpoint: String,
        /// Whether it is connected.
        connected: bool,
        /// Where its gRPC tunnel ends; empty without one.
        virtual_addrport: String,
        /// Where it joined from, as the proxy before Omni says.
        remote_addr: String,
        /// The machine's own token, from older servers.
        node_unique_token: Secret,
    }

    /// How far a machine that wants to join is. Its id is its WireGuard key. Written by Omni.
    PendingMachineStatus = PENDING_MACHINE_STATUS {
        /// The machine's own token.
        token: Secret,
        /// Whether Talos is on its disk.
        talos_installed: bool,
    }
}
