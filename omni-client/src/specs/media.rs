//! Images to boot machines from.

use std::collections::BTreeMap;

use super::{GrpcTunnelMode, Secret};

numbered! {
    /// A processor architecture.
    Arch {
        /// Not said.
        Unknown "UNKNOWN_ARCH" = 0,
        /// `amd64`.
        Amd64 "AMD64" = 1,
        /// `arm64`.
        Arm64 "ARM64" = 2,
    }
}

numbered! {
    /// How a platform boots.
    BootMethod {
        /// Not said.
        Unknown "UNKNOWN_BOOT" = 0,
        /// From a disk image.
        DiskImage "DISK_IMAGE" = 1,
        /// From an ISO.
        Iso "ISO" = 2,
        /// Over the network.
        Pxe "PXE" = 3,
    }
}

message! {
    /// A preset for images. Its id is its name. Written by users (Operator).
    InstallationMediaConfig = INSTALLATION_MEDIA_CONFIG {
        /// Without v.
        talos_version: String,
        /// Architecture.
        architecture: Arch,
        /// Extensions.
        install_extensions: Vec<String>,
        /// Kernel arguments, in one text.
        kernel_args: String,
        /// For a cloud.
        cloud: Option<CloudMedia>,
        /// For a single-board computer.
        sbc: Option<SbcMedia>,
        /// The join token in it; empty: the default one.
        join_token: Secret,
        /// With secure boot.
        secure_boot: bool,
        /// Tunnel through gRPC.
        grpc_tunnel: GrpcTunnelMode,
        /// Labels its machines get.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        machine_labels: BTreeMap<String, String>,
        /// The boot loader, by number as in the management API.
        bootloader: i32,
        /// A Talos config in it, YAML.
        embedded_machine_config: Secret,
        /// The image factory; empty: the first.
        image_factory_url: String,
    }

    /// An image for a cloud.
    CloudMedia {
        /// For example `nocloud`.
        platform: String,
    }

    /// An image for a single-board computer.
    SbcMedia {
        /// For example `rpi_generic`.
        overlay: String,
        /// Its options, YAML.
        overlay_options: String,
    }

    /// A kind of image that can be had. Written by Omni.
    InstallationMedia = INSTALLATION_MEDIA {
        /// For people.
        name: String,
        /// Architecture.
        architecture: String,
        /// What the image factory calls it.
        profile: String,
        /// MIME type.
        #[serde(rename = "contentType")]
        content_type: String,
        /// How its file is called at the image factory.
        src_file_prefix: String,
        /// How its file is called when it arrives.
        dest_file_prefix: String,
        /// Of that file.
        extension: String,
        /// Whether it cannot be had for secure boot.
        no_secure_boot: bool,
        /// The overlay in it.
        overlay: String,
        /// The first Talos version it is for.
        min_talos_version: String,
    }

    /// A cloud that Talos runs on. Computed when it is read.
    CloudPlatformConfig = CLOUD_PLATFORM_CONFIG {
        /// For people.
        label: String,
        /// For people.
        description: String,
        /// Architectures.
        architectures: Vec<Arch>,
        /// Path of its documentation.
        documentation: String,
        /// How its disk image ends.
        disk_image_suffix: String,
        /// How it boots.
        boot_methods: Vec<BootMethod>,
        /// The first Talos version it is for.
        min_version: String,
        /// Whether secure boot works.
        secure_boot_supported: bool,
    }

    /// Real machines that Talos runs on. Computed when it is read.
    MetalPlatformConfig = METAL_PLATFORM_CONFIG {
        /// For people.
        label: String,
        /// For people.
        description: String,
        /// Architectures.
        architectures: Vec<Arch>,
        /// Path of its documentation.
        documentation: String,
        /// How its disk image ends.
        disk_image_suffix: String,
        /// How it boots.
        boot_methods: Vec<BootMethod>,
        /// The first Talos version it is for.
        min_version: String,
        /// Whether secure boot works.
        secure_boot_supported: bool,
    }

    /// A single-board computer that Talos runs on. Computed when it is read.
    SbcConfig = SBC_CONFIG {
        /// For people.
        label: String,
        /// Overlay.
        overlay_name: String,
        /// The overlay's image.
        overlay_image: String,
        /// Path of its documentation.
        documentation: String,
        /// The first Talos version it is for.
        min_version: String,
    }
}
