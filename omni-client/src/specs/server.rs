//! What the server says of itself. Written by Omni where nothing else is said.

use std::collections::BTreeMap;

use super::{Secret, Span};

message! {
    /// What is switched on. Its id is `features-config`.
    FeaturesConfig = FEATURES_CONFIG {
        /// Services of clusters through Omni.
        enable_workload_proxying: bool,
        /// How often backups can be made.
        etcd_backup_settings: Option<EtcdBackupSettings>,
        /// Omni's own discovery service.
        embedded_discovery_service: bool,
        /// Whether an audit log is kept.
        audit_log_enabled: bool,
        /// The image factory.
        image_factory_base_url: String,
        /// For its web interface.
        user_pilot_settings: Option<UserPilotSettings>,
        /// For hosted ones.
        stripe_settings: Option<StripeSettings>,
        /// Whether versions before their release are offered.
        talos_pre_release_versions_enabled: bool,
        /// The image factory for machines that boot over the network.
        image_factory_pxe_base_url: String,
        /// Whose it is.
        account: Option<Account>,
        /// Whether the image factory is an enterprise one.
        is_enterprise_image_factory: bool,
        /// For its web interface.
        posthog_settings: Option<PosthogSettings>,
        /// Another image factory; empty for none.
        secondary_image_factory_base_url: String,
        /// The same for machines that boot over the network.
        secondary_image_factory_pxe_base_url: String,
    }

    /// How often backups can be made.
    EtcdBackupSettings {
        /// How often Omni looks whether one is due.
        tick_interval: Span,
        /// The shortest interval.
        min_interval: Span,
        /// The longest.
        max_interval: Span,
    }

    /// For the web interface.
    UserPilotSettings {
        /// Token of the application.
        app_token: Secret,
    }

    /// For hosted ones.
    StripeSettings {
        /// Whether they are billed.
        enabled: bool,
        /// For how many machines at least.
        min_commit: u32,
    }

    /// Whose an Omni is.
    Account {
        /// UUID.
        id: String,
        /// Name.
        name: String,
    }

    /// For the web interface.
    PosthogSettings {
        /// Key of the project.
        api_key: Secret,
        /// Where events go.
        api_host: String,
    }

    /// How people log in. Its id is `auth-config`, and it can be read without a signature.
    AuthConfig = AUTH_CONFIG {
        /// By Auth0.
        auth0: Option<Auth0>,
        /// By WebAuthn.
        webauthn: Option<Webauthn>,
        /// Whether everybody may only read.
        suspended: bool,
        /// By SAML.
        saml: Option<Saml>,
        /// By OpenID Connect.
        oidc: Option<Oidc>,
        /// Whether there is a first user.
        has_initial_user: bool,
    }

    /// Login by Auth0.
    Auth0 {
        /// Whether it is used.
        enabled: bool,
        /// Domain.
        domain: String,
        /// Client id.
        client_id: String,
        /// Whether its token is asked for by a form.
        #[serde(rename = "useFormData")]
        use_form_data: bool,
    }

    /// Login by WebAuthn.
    Webauthn {
        /// Whether it is used.
        enabled: bool,
        /// Whether it must be.
        required: bool,
    }

    /// Login by SAML.
    Saml {
        /// Whether it is used.
        enabled: bool,
        /// Of its metadata.
        url: String,
        /// The metadata itself, XML.
        metadata: String,
        /// What becomes a label.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        label_rules: BTreeMap<String, String>,
        /// Format of names.
        name_id_format: String,
        /// What is whose name and address.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        attribute_rules: BTreeMap<String, String>,
    }

    /// Login by OpenID Connect.
    Oidc {
        /// Whether it is used.
        enabled: bool,
        /// The provider.
        provider_url: String,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: Secret,
        /// Scopes.
        scopes: Vec<String>,
    }

    /// That Omni's licence was accepted. Created by anybody, without a signature; until then nearly every call fails.
    EulaAcceptance = EULA_ACCEPTANCE {
        /// By whom.
        accepted_by_name: String,
        /// Their address.
        accepted_by_email: String,
    }

    /// Where the gRPC API is. Its id is `current`. Computed when it is read.
    AdvertisedEndpoints = ADVERTISED_ENDPOINTS {
        /// URL.
        grpc_api_url: String,
    }

    /// Labels there are on a kind, with their values. Its id is the kind's full name. Computed when it is read.
    LabelsCompletion = LABELS_COMPLETION {
        /// By label.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        items: BTreeMap<String, LabelValues>,
    }

    /// Values of a label.
    LabelValues {
        /// Values.
        items: Vec<String>,
    }

    /// What a cluster's Kubernetes uses. Its id is the cluster's. Computed while it is watched.
    KubernetesUsage = KUBERNETES_USAGE {
        /// Cores.
        cpu: Option<UsedQuantity>,
        /// Bytes of memory.
        mem: Option<UsedQuantity>,
        /// Bytes of ephemeral storage.
        storage: Option<UsedQuantity>,
        /// Pods.
        pods: Option<UsedPods>,
    }

    /// How much of something is used.
    UsedQuantity {
        /// Asked for by pods.
        requests: f64,
        /// Allowed to pods.
        limits: f64,
        /// There is.
        capacity: f64,
    }

    /// How many pods there are.
    UsedPods {
        /// There are.
        count: i32,
        /// There can be.
        capacity: i32,
    }

    /// Whether there is support, and when. Computed when it is read.
    Support = SUPPORT {
        /// Whether there is.
        support_enabled: bool,
        /// When anybody may ask.
        office_hours: Option<OfficeHours>,
    }

    /// When anybody may ask, as calendars have it.
    OfficeHours {
        /// For people.
        summary: String,
        /// For people.
        description: String,
        /// Begin with a time zone.
        dtstart_tzid: String,
        /// End with a time zone.
        dtend_tzid: String,
        /// Begin in UTC.
        dtstart_utc: String,
        /// End in UTC.
        dtend_utc: String,
        /// How it repeats.
        rrule: String,
        /// Where.
        meet_url: String,
    }
}
