//! What a role may do, as the virtual permission resources tell.

use serde_json::{Value, json};

pub(super) fn permissions(reads: bool, writes: bool, admin: bool) -> Value {
    let rights = [
        ("can_read_clusters", reads),
        ("can_create_clusters", writes),
        ("can_manage_users", admin),
        ("can_read_machines", reads),
        ("can_remove_machines", writes),
        ("can_read_machine_logs", reads),
        ("can_read_machine_config_patches", reads),
        ("can_manage_machine_config_patches", writes),
        ("can_manage_backup_store", admin),
        ("can_access_maintenance_nodes", writes),
        ("can_read_audit_log", admin),
        ("can_read_join_tokens", reads),
        ("can_manage_join_tokens", admin),
        ("can_read_installation_media", reads),
        ("can_manage_installation_media", writes),
    ];
    granted(&rights)
}

pub(super) fn cluster_permissions(reads: bool, writes: bool) -> Value {
    granted(&[
        ("can_add_machines", writes),
        ("can_remove_machines", writes),
        ("can_reboot_machines", writes),
        ("can_update_kubernetes", writes),
        ("can_download_kubeconfig", reads),
        ("can_sync_kubernetes_manifests", writes),
        ("can_update_talos", writes),
        ("can_download_talosconfig", reads),
        ("can_read_config_patches", reads),
        ("can_manage_config_patches", writes),
        ("can_manage_cluster_features", writes),
        ("can_download_support_bundle", writes),
        ("can_read_machine_config", reads),
        ("can_manage_machine_config", writes),
        ("can_read_kernel_args", reads),
        ("can_manage_kernel_args", writes),
        ("can_read_machine_pending_updates", reads),
        ("can_read_kubernetes_manifests", reads),
    ])
}

fn granted(rights: &[(&str, bool)]) -> Value {
    rights
        .iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| ((*name).to_owned(), json!(true)))
        .collect()
}
