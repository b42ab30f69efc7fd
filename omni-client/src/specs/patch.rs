//! Config patches and extensions. Their labels say what they are for.

message! {
    /// A Talos config patch.
    ConfigPatch {
        /// YAML.
        data: String,
    }

    /// System extensions.
    ExtensionsConfiguration {
        /// For example `siderolabs/i915`.
        extensions: Vec<String>,
    }
}
