//! Who may do what, beyond roles.

use std::collections::BTreeMap;

message! {
    /// Rules that raise roles for some clusters. Its id is fixed. Written by users (Admin).
    AccessPolicy = ACCESS_POLICY {
        /// Groups of users, by name.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        user_groups: BTreeMap<String, UserGroup>,
        /// Groups of clusters, by name.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        cluster_groups: BTreeMap<String, ClusterGroup>,
        /// Who may do what where.
        rules: Vec<AccessRule>,
        /// What must come out; a policy that fails one is refused.
        tests: Vec<AccessTest>,
    }

    /// A group of users.
    UserGroup {
        /// Its members.
        users: Vec<UserMatch>,
    }

    /// Members of a group, by one of these.
    UserMatch {
        /// Mail address.
        name: String,
        /// Pattern of mail addresses, with `*`.
        r#match: String,
        /// Label selectors over identities, all of which must match.
        label_selectors: Vec<String>,
    }

    /// A group of clusters.
    ClusterGroup {
        /// Its members.
        clusters: Vec<ClusterMatch>,
    }

    /// Members of a group, by one of these.
    ClusterMatch {
        /// Cluster.
        name: String,
        /// Pattern of clusters, with `*`.
        r#match: String,
    }

    /// Who may do what where.
    AccessRule {
        /// Mail addresses, or `group/<name>`.
        users: Vec<String>,
        /// Clusters, or `group/<name>`.
        clusters: Vec<String>,
        /// What they are in Kubernetes.
        kubernetes: Option<AccessKubernetes>,
        /// The role there.
        role: String,
    }

    /// What somebody is in Kubernetes.
    AccessKubernetes {
        /// Whom they act as.
        impersonate: Option<AccessImpersonate>,
    }

    /// Whom somebody acts as.
    AccessImpersonate {
        /// Groups.
        groups: Vec<String>,
    }

    /// What must come out of a policy.
    AccessTest {
        /// For people.
        name: String,
        /// For whom.
        user: Option<TestUser>,
        /// Where.
        cluster: Option<TestCluster>,
        /// What.
        expected: Option<TestExpectation>,
    }

    /// For whom a policy is tested.
    TestUser {
        /// Mail address.
        name: String,
        /// Labels of the identity.
        #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    }

    /// Where a policy is tested.
    TestCluster {
        /// Cluster.
        name: String,
    }

    /// What must come out.
    TestExpectation {
        /// What they are in Kubernetes.
        kubernetes: Option<AccessKubernetes>,
        /// The role.
        role: String,
    }

    /// Roles by the labels that a SAML login brings. Written by users (Admin).
    SamlLabelRule = SAML_LABEL_RULE {
        /// Selectors over the identity's labels; any may match.
        match_labels: Vec<String>,
        /// What older servers had instead of `assign_role`.
        assign_role_on_registration: String,
        /// The role.
        assign_role: String,
        /// At each login, not only the first.
        update_on_each_login: bool,
    }
}
