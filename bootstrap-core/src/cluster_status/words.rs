//! omnictl's words for the API's numbers, and how they sound.

use std::borrow::Cow;

use omni_client::specs::{
    ClusterPhase, ConditionType, KubernetesUpgradePhase, MachineSetPhase, MachineStage,
    RequestStage, TalosUpgradePhase,
};
use serde::ser::{SerializeSeq as _, Serializer};

use super::Tone;

/// A number with a word and a tone.
pub trait Word: Copy {
    /// The word and its tone.
    fn word(self) -> (Cow<'static, str>, Tone);
}

/// A number that this version does not know is shown as it is, as Go does.
fn unknown(number: i32) -> (Cow<'static, str>, Tone) {
    (number.to_string().into(), Tone::Plain)
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal $tone:ident,)* }) => {
        impl Word for $type {
            fn word(self) -> (Cow<'static, str>, Tone) {
                match self {
                    $(Self::$variant => ($word.into(), Tone::$tone),)*
                    Self::Other(number) => unknown(number),
                }
            }
        }
    };
}

words!(ClusterPhase {
    Unknown = "UNKNOWN" Unknown,
    ScalingUp = "SCALING_UP" Moving,
    ScalingDown = "SCALING_DOWN" Moving,
    Running = "RUNNING" Good,
    Destroying = "DESTROYING" Alarming,
});

words!(MachineSetPhase {
    Unknown = "Unknown" Unknown,
    ScalingUp = "ScalingUp" Moving,
    ScalingDown = "ScalingDown" Moving,
    Running = "Running" Good,
    Destroying = "Destroying" Alarming,
    Failed = "Failed" Alarming,
    Reconfiguring = "Reconfiguring" Moving,
    Upgrading = "Upgrading" Moving,
});

words!(MachineStage {
    Unknown = "UNKNOWN" Unknown,
    Booting = "BOOTING" Moving,
    Installing = "INSTALLING" Moving,
    Configuring = "CONFIGURING" Moving,
    Running = "RUNNING" Good,
    Destroying = "DESTROYING" Alarming,
    Upgrading = "UPGRADING" Moving,
    Rebooting = "REBOOTING" Moving,
    ShuttingDown = "SHUTTING_DOWN" Alarming,
    BeforeDestroy = "BEFORE_DESTROY" Alarming,
    PoweringOn = "POWERING_ON" Moving,
    PoweredOff = "POWERED_OFF" Plain,
});

words!(KubernetesUpgradePhase {
    Unknown = "Unknown" Plain,
    Upgrading = "Upgrading" Moving,
    Done = "Done" Good,
    Failed = "Failed" Alarming,
    Reverting = "Reverting" Moving,
});

words!(TalosUpgradePhase {
    Unknown = "Unknown" Plain,
    Upgrading = "Upgrading" Moving,
    Done = "Done" Good,
    Failed = "Failed" Alarming,
    Reverting = "Reverting" Moving,
    UpdatingMachineSchematics = "UpdatingMachineSchematics" Moving,
});

words!(RequestStage {
    Unknown = "UNKNOWN" Unknown,
    Pending = "PENDING" Moving,
    Provisioning = "PROVISIONING" Moving,
    Provisioned = "PROVISIONED" Good,
    Deprovisioning = "DEPROVISIONING" Alarming,
    Failed = "FAILED" Alarming,
});

words!(ConditionType {
    Unknown = "UnknownCondition" Bad,
    Etcd = "Etcd" Bad,
    WireguardConnection = "WireguardConnection" Bad,
});

/// Words are what programs are given, too.
pub(super) fn serialize<W: Word, S: Serializer>(
    value: &W,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.word().0)
}

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
pub(super) fn serialize_checks<S: Serializer>(
    checks: &Option<Vec<ConditionType>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Some(checks) = checks else {
        return serializer.serialize_none();
    };
    let mut list = serializer.serialize_seq(Some(checks.len()))?;
    for check in checks {
        list.serialize_element(&check.word().0)?;
    }
    list.end()
}
