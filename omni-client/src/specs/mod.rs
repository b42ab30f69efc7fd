//! Types for the specs that are in use.
//!
//! A field that is absent is its type's zero, as in the API itself; fields
//! that are not known here are kept in `other` and written back.

use serde_json::{Map, Value};

/// Fields that this version does not know.
pub type Other = Map<String, Value>;

/// An enumeration that the API writes as a number; numbers that are not known here survive.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(from = "i32", into = "i32")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A number that this version does not know.
            Other(i32),
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
    };
}

/// A message of the API: every field optional, unknown ones kept.
macro_rules! message {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
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
        )*
    };
}

mod class;
mod cluster;
mod machine;
mod patch;
mod provider;
mod request;
mod server;
mod status;
mod upgrade;

pub use class::*;
pub use cluster::*;
pub use machine::*;
pub use patch::*;
pub use provider::*;
pub use request::*;
pub use server::*;
pub use status::*;
pub use upgrade::*;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Resource};
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
