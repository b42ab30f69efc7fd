//! Machines of static providers, which power real machines instead of making virtual ones. The id is the machine's UUID.

use super::{Secret, Timestamp, value::whole};

numbered! {
    /// Whether Omni may use a machine.
    AcceptanceStatus {
        /// Nobody said yet.
        Pending "PENDING" = 0,
        /// Yes.
        Accepted "ACCEPTED" = 1,
        /// No.
        Rejected "REJECTED" = 2,
    }
}

numbered! {
    /// How a machine shall be powered, as a user says.
    WantedPowerState {
        /// As its use asks for.
        Default "POWER_STATE_DEFAULT" = 0,
        /// Off.
        Off "POWER_STATE_OFF" = 1,
        /// On.
        On "POWER_STATE_ON" = 2,
    }
}

numbered! {
    /// How a machine shall be powered, as Omni says.
    PreferredPowerState {
        /// Off.
        Off "POWER_STATE_OFF" = 0,
        /// On.
        On "POWER_STATE_ON" = 1,
    }
}

numbered! {
    /// How a machine is powered, as its provider says.
    InfraPowerState {
        /// Not said.
        Unknown "POWER_STATE_UNKNOWN" = 0,
        /// Off.
        Off "POWER_STATE_OFF" = 1,
        /// On.
        On "POWER_STATE_ON" = 2,
    }
}

message! {
    /// What a user wants of a machine. Written by users (Operator).
    InfraMachineConfig = INFRA_MACHINE_CONFIG {
        /// How it shall be powered.
        power_state: WantedPowerState,
        /// Whether Omni may use it.
        acceptance_status: AcceptanceStatus,
        /// Kernel arguments on top, in one text.
        extra_kernel_args: String,
        /// A new UUID here asks for a restart.
        requested_reboot_id: String,
        /// Whether it shall get no new work.
        cordoned: bool,
        /// A new UUID here asks for a power off that lasts.
        power_off_request_id: String,
    }

    /// How to reach a machine's management controller. Written by users (Operator).
    InfraMachineBmcConfig = INFRA_MACHINE_BMC_CONFIG {
        /// By IPMI.
        ipmi: Option<Ipmi>,
        /// By an API, for tests.
        api: Option<BmcApi>,
    }

    /// A management controller by IPMI.
    Ipmi {
        /// Host name or address.
        address: String,
        /// UDP port.
        port: u32,
        /// User.
        username: String,
        /// Password.
        password: Secret,
    }

    /// A management controller by an API.
    BmcApi {
        /// Host and port.
        address: String,
    }

    /// A management controller, as its provider gets it. Written by Omni.
    BmcConfig = BMC_CONFIG {
        /// How to reach it.
        config: Option<InfraMachineBmcConfig>,
    }

    /// What Omni wants of a machine. Written by Omni, read by the provider.
    ///
    /// Labels: [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID) and, while nobody accepted it,
    /// [`labels::ACCEPT_PENDING`](crate::labels::ACCEPT_PENDING).
    InfraMachine = INFRA_MACHINE {
        /// How it shall be powered.
        preferred_power_state: PreferredPowerState,
        /// Whether Omni may use it.
        acceptance_status: AcceptanceStatus,
        /// The Talos version of its cluster; empty for none.
        cluster_talos_version: String,
        /// Extensions it shall boot with.
        extensions: Vec<String>,
        /// A new one asks for a wipe.
        wipe_id: String,
        /// Kernel arguments on top, in one text.
        extra_kernel_args: String,
        /// A new one asks for a restart.
        requested_reboot_id: String,
        /// Whether it shall get no new work.
        cordoned: bool,
        /// Counts how often Talos was seen installed.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        install_event_id: u64,
        /// The machine's own token.
        node_unique_token: Secret,
        /// A new one asks for a power off that lasts.
        power_off_request_id: String,
    }

    /// A machine as its provider sees it. Written by providers.
    InfraMachineStatus = INFRA_MACHINE_STATUS {
        /// How it is powered.
        power_state: InfraPowerState,
        /// Whether no wipe is due.
        ready_to_use: bool,
        /// The restart that was done last.
        last_reboot_id: String,
        /// When.
        last_reboot_timestamp: Timestamp,
        /// Whether Talos is installed.
        installed: bool,
        /// The token it had when it was wiped.
        wiped_node_unique_token: Secret,
        /// The power off that is in force.
        last_power_off_id: String,
    }

    /// Marks a machine of a provider that joined. Written by Omni.
    ///
    /// Labels: [`labels::INFRA_PROVIDER_ID`](crate::labels::INFRA_PROVIDER_ID),
    /// [`labels::MACHINE_REQUEST`](crate::labels::MACHINE_REQUEST),
    /// [`labels::MACHINE_REQUEST_SET`](crate::labels::MACHINE_REQUEST_SET).
    InfraMachineRegistration = INFRA_MACHINE_REGISTRATION {
    }
}
