//! What Omni is busy with. All written by Omni.

use super::{
    ClusterDestroyStatus, KubernetesUpgradeStatus, MachineUpgradeStatus, TalosUpgradeStatus,
};

numbered! {
    /// How bad a notification is.
    NotificationType {
        /// Worth knowing.
        Info "INFO" = 0,
        /// Worth looking at.
        Warning "WARNING" = 1,
        /// Wrong.
        Error "ERROR" = 2,
    }
}

numbered! {
    /// How far the replacement of a CA is.
    RotationPhase {
        /// None is under way.
        Ok "OK" = 0,
        /// The new one becomes trusted.
        PreRotate "PRE_ROTATE" = 1,
        /// The new one is used.
        Rotate "ROTATE" = 2,
        /// The old one stops being trusted.
        PostRotate "POST_ROTATE" = 3,
    }
}

numbered! {
    /// Which CA is replaced.
    RotationComponent {
        /// None.
        None "NONE" = 0,
        /// Talos'.
        TalosCa "TALOS_CA" = 1,
        /// Kubernetes'.
        KubernetesCa "KUBERNETES_CA" = 2,
    }
}

message! {
    /// Something under way; which of its parts is there says what.
    OngoingTask = ONGOING_TASK {
        /// For people.
        title: String,
        /// A Talos upgrade.
        talos_upgrade: Option<TalosUpgradeStatus>,
        /// A Kubernetes upgrade.
        kubernetes_upgrade: Option<KubernetesUpgradeStatus>,
        /// A deletion.
        destroy: Option<ClusterDestroyStatus>,
        /// A machine's upgrade.
        machine_upgrade: Option<MachineUpgradeStatus>,
        /// The replacement of a CA.
        secrets_rotation: Option<ClusterSecretsRotationStatus>,
        /// What it is done to.
        resource_id: String,
    }

    /// Something Omni wants people to know.
    Notification = NOTIFICATION {
        /// For people.
        title: String,
        /// For people.
        body: String,
        /// How bad it is.
        r#type: NotificationType,
    }

    /// How far the replacement of a cluster's CA is. Its id is the cluster's.
    ClusterSecretsRotationStatus = CLUSTER_SECRETS_ROTATION_STATUS {
        /// How far.
        phase: RotationPhase,
        /// Which one.
        component: RotationComponent,
        /// What is wrong.
        error: String,
        /// A sentence.
        step: String,
        /// What the step waits for.
        status: String,
    }
}
