//! Schematics of the image factory, and where their boot media are.
//!
//! Methods `CreateSchematic`, `CreateSchematicFromRaw`, answer `{"schematic_id", "schematic_yml", …}` [143, 144, 439],
//! and `GetBootAssetURL`, answer `{"url", "headers", "image_factory_host", "storage_key"}` [145, 440]. A schematic's id
//! is the SHA-256 of its text: registering it again changes nothing.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Repeat, is_false};
use crate::{Client, Error};

/// Whether machines of a schematic reach Omni through gRPC instead of WireGuard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TunnelMode {
    /// As the instance is set.
    #[default]
    Auto,
    /// WireGuard.
    Disabled,
    /// gRPC.
    Enabled,
}

/// What goes into a schematic beside what machines need to join.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchematicOptions {
    /// System extensions, e.g. `siderolabs/qemu-guest-agent`.
    pub extensions: Vec<String>,
    /// Kernel arguments after those of joining.
    pub extra_kernel_args: Vec<String>,
    /// Values of Talos's META partition, by key.
    pub meta_values: BTreeMap<u32, String>,
    /// Without v, e.g. `1.13.7`.
    pub talos_version: String,
    /// The id of an installation medium, where it is for one.
    pub media_id: String,
    /// How machines reach Omni.
    pub tunnel: TunnelMode,
    /// The join token; the default one where there is none.
    pub join_token: Option<String>,
}

/// A schematic that the image factory knows.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Schematic {
    /// Its id: SHA-256 of its text, in hex.
    #[serde(rename = "schematic_id")]
    pub id: String,
    /// Where it boots from over PXE; may be empty.
    pub pxe_url: String,
    /// Whether its machines reach Omni through gRPC.
    pub grpc_tunnel_enabled: bool,
    /// Its text. Holds the join token among the kernel arguments; empty where the text was given.
    #[serde(rename = "schematic_yml")]
    text: String,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Schematic {
    /// Its text, as the image factory takes it; empty where the text was given by the caller.
    pub fn text(&self) -> SecretString {
        self.text.as_str().into()
    }
}

impl std::fmt::Debug for Schematic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schematic")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What is booted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BootAssetKind {
    /// Over the network.
    Pxe,
    /// A CD image.
    Iso,
    /// A disk image.
    Disk,
}

/// A boot medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootAsset {
    /// What is booted from.
    pub kind: BootAssetKind,
    /// Without v.
    pub talos_version: String,
    /// The schematic's id.
    pub schematic_id: String,
    /// Talos's platform, e.g. `nocloud` or `metal`.
    pub platform: String,
    /// `amd64` or `arm64`.
    pub architecture: String,
    /// A disk image's format, e.g. `raw.xz`; empty for others.
    pub format: String,
    /// For Secure Boot.
    pub secure_boot: bool,
    /// Put everything into the URL, credentials too, and nothing into headers.
    pub standalone_url: bool,
}

/// Where a boot medium is.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct BootAssetUrl {
    /// Where to fetch it. May hold credentials.
    pub url: String,
    /// What to send with the request. May hold credentials.
    pub headers: BTreeMap<String, String>,
    /// The host of that URL, for messages.
    pub image_factory_host: String,
    /// The same as long as the medium is the same.
    pub storage_key: String,
}

impl std::fmt::Debug for BootAssetUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BootAssetUrl")
            .field("image_factory_host", &self.image_factory_host)
            .field("storage_key", &self.storage_key)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Created<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    extensions: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    extra_kernel_args: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta_values: &'a BTreeMap<u32, String>,
    talos_version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    media_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    siderolink_grpc_tunnel_mode: Option<u8>,
    #[serde(skip_serializing_if = "str::is_empty")]
    join_token: &'a str,
}

#[derive(Serialize)]
struct FromRaw<'a> {
    raw_schematic: String,
    talos_version: &'a str,
}

#[derive(Serialize)]
struct Asked<'a> {
    talos_version: &'a str,
    schematic_id: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    standalone_url: bool,
    boot_asset_kind: u8,
    platform: &'a str,
    architecture: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    format: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    secure_boot: bool,
}

impl Client {
    /// Registers a schematic whose machines join this Omni. The same options give the same id. Needs the role Operator.
    pub async fn create_schematic(&self, options: &SchematicOptions) -> Result<Schematic, Error> {
        let body = Created {
            extensions: &options.extensions,
            extra_kernel_args: &options.extra_kernel_args,
            meta_values: &options.meta_values,
            talos_version: &options.talos_version,
            media_id: &options.media_id,
            siderolink_grpc_tunnel_mode: match options.tunnel {
                TunnelMode::Auto => None,
                TunnelMode::Disabled => Some(1),
                TunnelMode::Enabled => Some(2),
            },
            join_token: options.join_token.as_deref().unwrap_or_default(),
        };
        self.manage("CreateSchematic", None, &body, Repeat::Harmless)
            .await
    }

    /// Registers a schematic from its text (YAML), as it is: nothing about joining is added. Needs one of the roles
    /// InfraProvider, Operator, Admin.
    pub async fn create_schematic_from_raw(
        &self,
        text: &str,
        talos_version: &str,
    ) -> Result<Schematic, Error> {
        let body = FromRaw {
            raw_schematic: STANDARD.encode(text),
            talos_version,
        };
        self.manage("CreateSchematicFromRaw", None, &body, Repeat::Harmless)
            .await
    }

    /// Where a boot medium of a schematic is. Needs one of the roles InfraProvider, Operator, Admin.
    pub async fn boot_asset_url(&self, asset: &BootAsset) -> Result<BootAssetUrl, Error> {
        let body = Asked {
            talos_version: &asset.talos_version,
            schematic_id: &asset.schematic_id,
            standalone_url: asset.standalone_url,
            boot_asset_kind: match asset.kind {
                BootAssetKind::Pxe => 1,
                BootAssetKind::Iso => 2,
                BootAssetKind::Disk => 3,
            },
            platform: &asset.platform,
            architecture: &asset.architecture,
            format: &asset.format,
            secure_boot: asset.secure_boot,
        };
        self.manage("GetBootAssetURL", None, &body, Repeat::Harmless)
            .await
    }
}
