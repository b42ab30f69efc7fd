//! Etcd backups.

use super::{Secret, Timestamp, value::whole};

numbered! {
    /// How a backup went.
    BackupState {
        /// There was none.
        Unknown "Unknown" = 0,
        /// Well.
        Ok "Ok" = 1,
        /// It failed.
        Error "Error" = 2,
        /// It is being made.
        Running "Running" = 3,
    }
}

message! {
    /// A backup. Its id is `<cluster>-<seconds since the epoch>`. Read from the store when it is listed.
    ///
    /// A list needs exactly the selector `omni.sidero.dev/cluster=<cluster>`, and there is no watch. Labels:
    /// [`labels::CLUSTER`](crate::labels::CLUSTER), [`labels::CLUSTER_UUID`](crate::labels::CLUSTER_UUID).
    EtcdBackup = ETCD_BACKUP {
        /// When it was made.
        created_at: Timestamp,
        /// Its file name, for [`super::BootstrapSpec`].
        snapshot: String,
        /// Bytes.
        #[serde(with = "whole", skip_serializing_if = "whole::is_zero")]
        size: u64,
    }

    /// How the last backup of a cluster went. Its id is the cluster's. Written by Omni.
    EtcdBackupStatus = ETCD_BACKUP_STATUS {
        /// How.
        status: BackupState,
        /// Why it failed.
        error: String,
        /// When the last good one was made.
        last_backup_time: Timestamp,
        /// When it was last tried.
        last_backup_attempt: Timestamp,
    }

    /// Asks for a backup now. Its id is the cluster's. Written by users (Operator).
    EtcdManualBackup = ETCD_MANUAL_BACKUP {
        /// Within a minute of now.
        backup_at: Timestamp,
    }

    /// Where backups go. Its id is fixed. Written by users (Admin).
    EtcdBackupS3Config = ETCD_BACKUP_S3_CONFIG {
        /// Bucket.
        bucket: String,
        /// Region.
        region: String,
        /// URL; empty: Amazon's.
        endpoint: String,
        /// Who writes.
        access_key_id: String,
        /// Their secret.
        secret_access_key: Secret,
        /// A token for a limited time, in place of a lasting key.
        session_token: Secret,
    }

    /// Whether there is a store. Its id is fixed. Written by Omni.
    EtcdBackupStoreStatus = ETCD_BACKUP_STORE_STATUS {
        /// `disabled`, `local` or `s3`.
        configuration_name: String,
        /// What is wrong with it.
        configuration_error: String,
    }

    /// The same, and how the last backup of any cluster went. Its id is fixed. Written by Omni.
    EtcdBackupOverallStatus = ETCD_BACKUP_OVERALL_STATUS {
        /// `disabled`, `local` or `s3`.
        configuration_name: String,
        /// What is wrong with it.
        configuration_error: String,
        /// How it went.
        last_backup_status: Option<EtcdBackupStatus>,
    }
}
