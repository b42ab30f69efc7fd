//! Types for the specs of Omni's resources, by family.
//!
//! A field that is absent is its type's zero, as in the API itself. Fields and
//! enumeration numbers that are not known here are kept and written back, so
//! a read-modify-write by an old client does no harm to a newer server. Build
//! a spec with `..Default::default()`: fields are added as Omni gains them.
//!
//! Which resources carry a spec is its [`Spec::KIND`]; who writes them is said
//! at each type: users (role Operator or Admin), providers, or Omni itself.
//! Names, numbers and units are those of Omni's protobuf definitions
//! (siderolabs/omni, `client/api/omni/specs`, v1.10), and of recorded answers
//! where there are any.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Kind;

/// Fields that this version does not know.
pub type Other = Map<String, Value>;

/// A type for the spec of one kind of resources.
///
/// Implement it for types of your own to use the typed calls with them.
pub trait Spec: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The resources that have this spec.
    const KIND: Kind;
}

/// An enumeration that the API writes as a number; numbers that are not known here survive. What people write may
/// have the name instead.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(into = "i32")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A number that this version does not know.
            Other(i32),
        }

        impl $name {
            /// The name in the API's definition; none for a number that this version does not know.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($text),)*
                    Self::Other(_) => None,
                }
            }
        }

        impl From<i32> for $name {
            fn from(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<$name> for i32 {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => $number,)*
                    $name::Other(other) => other,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::from(0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let named = |text: &str| match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                };
                crate::specs::value::numbered(deserializer, named)
            }
        }
    };
}

/// A message of the API: every field optional, unknown ones kept. `NAME = KIND` is the spec of a kind.
macro_rules! message {
    ($($(#[$doc:meta])* $name:ident $(= $kind:ident)? { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
            #[serde(default)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
                /// Fields that this version does not know.
                #[serde(flatten)]
                pub other: crate::specs::Other,
            }

            $(impl crate::specs::Spec for $name {
                const KIND: crate::Kind = crate::kinds::$kind;
            })?
        )*
    };
}

mod backup;
mod class;
mod cluster;
mod config;
mod infra_machine;
mod joining;
mod link;
mod machine;
mod media;
mod patch;
mod policy;
mod provider;
mod request;
mod rights;
mod server;
mod status;
mod task;
mod upgrade;
mod user;
mod value;
mod versions;

pub use backup::*;
pub use class::*;
pub use cluster::*;
pub use config::*;
pub use infra_machine::*;
pub use joining::*;
pub use link::*;
pub use machine::*;
pub use media::*;
pub use patch::*;
pub use policy::*;
pub use provider::*;
pub use request::*;
pub use rights::*;
pub use server::*;
pub use status::*;
pub use task::*;
pub use upgrade::*;
pub use user::*;
pub use value::{Base64, Secret, Span, Timestamp};
pub use versions::*;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;
    use serde_json::json;

    #[test]
    fn what_is_not_known_survives_a_round_trip() {
        let spec = json!({
            "auto_provision": {"provider_id": "proxmox", "grpc_tunnel": 7, "new_field": {"a": [1]}},
            "newer": "x"
        });
        let mut resource = Resource {
            spec: spec.clone(),
            ..Resource::new(&Kind::new("default", "T"), "a")
        };
        let class: MachineClass = resource.spec_as().unwrap();
        assert_eq!(
            class.auto_provision.as_ref().unwrap().grpc_tunnel,
            GrpcTunnelMode::Other(7)
        );
        resource.set_spec(&class).unwrap();
        assert_eq!(resource.spec, spec);
    }

    #[test]
    fn enumerations_are_read_by_number_and_name() {
        for (written, read) in [
            (json!(1), Some(GrpcTunnelMode::Enabled)),
            (json!("DISABLED"), Some(GrpcTunnelMode::Disabled)),
            (json!(-3), Some(GrpcTunnelMode::Other(-3))),
            (json!("disabled"), None),
            (json!(1.5), None),
            (json!(1_u64 << 40), None),
            (json!(null), None),
        ] {
            let found = serde_json::from_value::<GrpcTunnelMode>(written.clone()).ok();
            assert_eq!(found, read, "{written}");
        }
        assert_eq!(GrpcTunnelMode::Enabled.name(), Some("ENABLED"));
        assert_eq!(GrpcTunnelMode::Other(9).name(), None);
    }

    #[test]
    fn a_spec_that_is_absent_or_null_is_all_zeros() {
        let resource: Resource = serde_json::from_value(
            json!({"metadata": {"type": "MachineSetNodes.omni.sidero.dev", "id": "x"}}),
        )
        .unwrap();
        assert_eq!(
            resource.spec_as::<MachineSet>().unwrap(),
            MachineSet::default()
        );
    }
}
