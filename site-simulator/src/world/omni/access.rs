//! Who may do what with which resource type.

use std::fmt;
use std::str::FromStr;

use super::api::ApiError;

/// Roles, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing.
    None,
    /// An infra provider's own account.
    InfraProvider,
    /// Reads.
    Reader,
    /// Reads, the audit log too.
    Auditor,
    /// Writes what users manage.
    Operator,
    /// Everything.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::InfraProvider => "InfraProvider",
            Self::Reader => "Reader",
            Self::Auditor => "Auditor",
            Self::Operator => "Operator",
            Self::Admin => "Admin",
        })
    }
}

impl FromStr for Role {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        [
            Self::None,
            InfraProvider,
            Reader,
            Self::Auditor,
            Operator,
            Admin,
        ]
        .into_iter()
        .find(|role| role.to_string() == text)
        .ok_or_else(|| ApiError::new(2, format!("unknown role to parse: \"{text}\"")))
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Identity, e.g. `ci@serviceaccount.omni.sidero.dev`.
    pub identity: String,
    /// Role.
    pub role: Role,
    /// Provider id of an infra provider's account.
    pub provider: Option<String>,
}

impl Caller {
    /// The engine's account: an Operator.
    pub fn operator() -> Self {
        Self {
            identity: "bootstrap@serviceaccount.omni.sidero.dev".to_owned(),
            role: Operator,
            provider: None,
        }
    }
}

/// What may be done with a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Users write it; weakest roles that read and write.
    Managed(Role, Role),
    /// Controllers write it; weakest role that reads.
    ReadOnly(Role),
    /// Providers write it.
    Provider,
    /// Nobody.
    Closed,
}

use Access::{Closed, Managed, Provider, ReadOnly};
use Role::{Admin, InfraProvider, Operator, Reader};

/// Types of `omni.sidero.dev` with their namespace; all others are closed.
const TYPES: &[(&str, &str, Access)] = &[
    ("AccessPolicies", "default", Managed(Admin, Admin)),
    ("AuthConfigs", "default", ReadOnly(InfraProvider)),
    ("BMCConfigs", "infra-provider", ReadOnly(Admin)),
    ("ClusterBootstrapStatuses", "default", ReadOnly(Reader)),
    ("ClusterDestroyStatuses", "default", ReadOnly(Reader)),
    ("ClusterDiagnostics", "default", ReadOnly(Reader)),
    ("ClusterEndpoints", "default", ReadOnly(Reader)),
    ("ClusterMachineConfigStatuses", "default", ReadOnly(Reader)),
    ("ClusterMachineIdentities", "default", ReadOnly(Reader)),
    ("ClusterMachineRequestStatuses", "default", ReadOnly(Reader)),
    ("ClusterMachineStatuses", "default", ReadOnly(Reader)),
    ("ClusterMachines", "default", ReadOnly(Reader)),
    ("ClusterStatuses", "default", ReadOnly(Reader)),
    ("ClusterUUIDs", "default", ReadOnly(Reader)),
    ("Clusters", "default", Managed(Reader, Operator)),
    ("ConfigPatchRequests", "infra-provider", Provider),
    ("ConfigPatches", "default", Managed(Reader, Operator)),
    ("ConnectionParams", "default", ReadOnly(InfraProvider)),
    ("ControlPlaneStatuses", "default", ReadOnly(Reader)),
    ("DefaultJoinTokens", "default", Managed(Reader, Admin)),
    ("EtcdBackupOverallStatuses", "metrics", ReadOnly(Reader)),
    ("EtcdBackupS3Configs", "default", Managed(Admin, Admin)),
    ("EtcdBackupStatuses", "metrics", ReadOnly(Reader)),
    ("EtcdBackupStoreStatuses", "ephemeral", ReadOnly(Reader)),
    ("EtcdBackups", "external", ReadOnly(Reader)),
    ("EtcdManualBackups", "ephemeral", Managed(Reader, Operator)),
    ("EulaAcceptances", "default", ReadOnly(InfraProvider)),
    (
        "ExtensionsConfigurations",
        "default",
        Managed(Reader, Operator),
    ),
    ("FeaturesConfigs", "default", ReadOnly(InfraProvider)),
    ("Identities", "default", ReadOnly(Admin)),
    ("IdentityStatuses", "ephemeral", ReadOnly(Admin)),
    ("InfraMachineConfigs", "default", Managed(Reader, Operator)),
    (
        "InfraMachineRegistrations",
        "infra-provider",
        ReadOnly(InfraProvider),
    ),
    ("InfraMachineStatuses", "infra-provider", Provider),
    ("InfraMachines", "infra-provider", ReadOnly(InfraProvider)),
    (
        "InfraProviderCombinedStatuses",
        "ephemeral",
        ReadOnly(Reader),
    ),
    (
        "InfraProviderHealthStatuses",
        "infra-provider-ephemeral",
        Provider,
    ),
    ("InfraProviderStatuses", "infra-provider", Provider),
    ("InfraProviders", "infra-provider", Managed(Reader, Admin)),
    ("JoinTokenStatuses", "default", ReadOnly(Reader)),
    ("JoinTokens", "default", Managed(Reader, Operator)),
    ("KernelArgs", "default", Managed(Reader, Operator)),
    ("KernelArgsStatuses", "default", ReadOnly(Reader)),
    (
        "KubernetesHealthChecks",
        "default",
        Managed(Reader, Operator),
    ),
    (
        "KubernetesManifestGroups",
        "default",
        Managed(Reader, Operator),
    ),
    ("KubernetesStatuses", "default", ReadOnly(Reader)),
    ("KubernetesUpgradeStatuses", "default", ReadOnly(Reader)),
    ("KubernetesVersions", "default", ReadOnly(InfraProvider)),
    ("LinkStatuses", "ephemeral", ReadOnly(Reader)),
    ("Links", "default", Managed(Reader, Operator)),
    ("LoadBalancerStatuses", "default", ReadOnly(Reader)),
    ("MachineClasses", "default", Managed(Reader, Operator)),
    ("MachineConfigGenOptions", "default", ReadOnly(Reader)),
    ("MachineExtensions", "default", ReadOnly(Reader)),
    ("MachineExtensionsStatuses", "default", ReadOnly(Reader)),
    (
        "MachineInstallDiskConfigs",
        "default",
        Managed(Reader, Operator),
    ),
    ("MachineInstallDiskStatuses", "default", ReadOnly(Reader)),
    ("MachineLabels", "default", Managed(Reader, Operator)),
    ("MachinePendingUpdates", "default", ReadOnly(Reader)),
    ("MachineRequestSets", "default", Managed(Reader, Operator)),
    ("MachineRequestStatuses", "infra-provider", Provider),
    (
        "MachineRequests",
        "infra-provider",
        Managed(InfraProvider, Operator),
    ),
    ("MachineSetDestroyStatuses", "ephemeral", ReadOnly(Reader)),
    ("MachineSetNodes", "default", Managed(Reader, Operator)),
    ("MachineSetStatuses", "default", ReadOnly(Reader)),
    ("MachineSets", "default", Managed(Reader, Operator)),
    ("MachineStatusLinks", "metrics", ReadOnly(Reader)),
    ("MachineStatusSnapshots", "default", ReadOnly(Reader)),
    ("MachineStatuses", "default", ReadOnly(Reader)),
    ("MachineUpgradeStatuses", "default", ReadOnly(Reader)),
    ("Machines", "default", ReadOnly(InfraProvider)),
    ("Notifications", "ephemeral", ReadOnly(Reader)),
    ("OngoingTasks", "ephemeral", ReadOnly(Reader)),
    ("PendingMachines", "ephemeral", ReadOnly(Reader)),
    (
        "ProviderJoinConfigs",
        "infra-provider",
        ReadOnly(InfraProvider),
    ),
    ("RedactedClusterMachineConfigs", "default", ReadOnly(Reader)),
    ("SchematicConfigurations", "default", ReadOnly(Reader)),
    ("ServiceAccountStatuses", "ephemeral", ReadOnly(Admin)),
    ("SiderolinkAPIConfigs", "default", ReadOnly(InfraProvider)),
    ("TalosExtensions", "default", ReadOnly(Reader)),
    ("TalosUpgradeStatuses", "default", ReadOnly(Reader)),
    ("TalosVersions", "default", ReadOnly(InfraProvider)),
    ("Users", "default", ReadOnly(Admin)),
    ("AdvertisedEndpoints", "virtual", ReadOnly(InfraProvider)),
    ("ClusterPermissions", "virtual", ReadOnly(InfraProvider)),
    ("CurrentUsers", "virtual", ReadOnly(InfraProvider)),
    ("LabelsCompletions", "virtual", ReadOnly(Reader)),
    ("MetalPlatformConfigs", "virtual", ReadOnly(InfraProvider)),
    ("Permissions", "virtual", ReadOnly(InfraProvider)),
    ("Quirks", "virtual", ReadOnly(InfraProvider)),
    ("Supports", "virtual", ReadOnly(InfraProvider)),
];

/// What may be done with resources of a type in a namespace.
pub fn access(namespace: &str, kind: &str) -> Access {
    match kind {
        "SysVersions.system.sidero.dev" if namespace == "ephemeral" => {
            return ReadOnly(InfraProvider);
        }
        "ResourceDefinitions.meta.cosi.dev" if namespace == "meta" => {
            return ReadOnly(InfraProvider);
        }
        _ => {}
    }
    // A provider's own namespace holds whatever it likes; a typing error there is an empty list.
    if namespace.starts_with("infra-provider:") {
        return ReadOnly(Reader);
    }
    let Some(short) = kind.strip_suffix(".omni.sidero.dev") else {
        return Closed;
    };
    TYPES
        .iter()
        .find(|(name, ns, _)| *name == short && *ns == namespace)
        .map_or(Closed, |(_, _, a)| *a)
}

/// Full names and namespaces of the types that users manage.
pub fn user_managed() -> impl Iterator<Item = (&'static str, &'static str)> {
    const NAMES: &[(&str, &str)] = &[
        ("AccessPolicies.omni.sidero.dev", "default"),
        ("ConfigPatches.omni.sidero.dev", "default"),
        ("DefaultJoinTokens.omni.sidero.dev", "default"),
        ("EtcdManualBackups.omni.sidero.dev", "ephemeral"),
        ("ExtensionsConfigurations.omni.sidero.dev", "default"),
        ("InfraMachineConfigs.omni.sidero.dev", "default"),
        ("InfraProviders.omni.sidero.dev", "infra-provider"),
        ("JoinTokens.omni.sidero.dev", "default"),
        ("KernelArgs.omni.sidero.dev", "default"),
        ("KubernetesHealthChecks.omni.sidero.dev", "default"),
        ("KubernetesManifestGroups.omni.sidero.dev", "default"),
        ("Links.omni.sidero.dev", "default"),
        ("MachineClasses.omni.sidero.dev", "default"),
        ("MachineInstallDiskConfigs.omni.sidero.dev", "default"),
        ("MachineLabels.omni.sidero.dev", "default"),
        ("MachineRequestSets.omni.sidero.dev", "default"),
    ];
    NAMES.iter().copied()
}
