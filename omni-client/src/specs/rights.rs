//! What the key may do. Computed when it is read, access policies included.

message! {
    /// What the key may do in Omni. Its id is `permissions`.
    Permissions = PERMISSIONS {
        /// See clusters.
        can_read_clusters: bool,
        /// Make clusters.
        can_create_clusters: bool,
        /// Manage users and service accounts.
        can_manage_users: bool,
        /// See machines.
        can_read_machines: bool,
        /// Remove machines.
        can_remove_machines: bool,
        /// Read machines' logs.
        can_read_machine_logs: bool,
        /// Read machines' patches.
        can_read_machine_config_patches: bool,
        /// Change machines' patches.
        can_manage_machine_config_patches: bool,
        /// Say where backups go.
        can_manage_backup_store: bool,
        /// Reach machines that have no config.
        can_access_maintenance_nodes: bool,
        /// Read the audit log.
        can_read_audit_log: bool,
        /// See join tokens.
        can_read_join_tokens: bool,
        /// Manage join tokens.
        can_manage_join_tokens: bool,
        /// See presets for images.
        can_read_installation_media: bool,
        /// Manage presets for images.
        can_manage_installation_media: bool,
    }

    /// What the key may do with a cluster. Its id is the cluster's.
    ClusterPermissions = CLUSTER_PERMISSIONS {
        /// Add machines.
        can_add_machines: bool,
        /// Take machines out.
        can_remove_machines: bool,
        /// Restart machines.
        can_reboot_machines: bool,
        /// Upgrade Kubernetes.
        can_update_kubernetes: bool,
        /// Get a kubeconfig.
        can_download_kubeconfig: bool,
        /// Apply Omni's manifests again.
        can_sync_kubernetes_manifests: bool,
        /// Upgrade Talos.
        can_update_talos: bool,
        /// Get a talosconfig.
        can_download_talosconfig: bool,
        /// Read patches.
        can_read_config_patches: bool,
        /// Change patches.
        can_manage_config_patches: bool,
        /// Switch features.
        can_manage_cluster_features: bool,
        /// Get a support bundle.
        can_download_support_bundle: bool,
        /// Read machines' configs.
        can_read_machine_config: bool,
        /// Change machines' configs.
        can_manage_machine_config: bool,
        /// Read kernel arguments.
        can_read_kernel_args: bool,
        /// Change kernel arguments.
        can_manage_kernel_args: bool,
        /// See what waits to be done.
        can_read_machine_pending_updates: bool,
        /// Read manifests.
        can_read_kubernetes_manifests: bool,
    }
}
