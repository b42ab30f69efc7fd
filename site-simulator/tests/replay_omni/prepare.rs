//! The state before an exchange, taken from the records.

use std::time::{Duration, SystemTime};

use omni_client::{Phase, Resource};
use serde_json::{Value, json};
use site_simulator::world::State;
use site_simulator::world::omni::access::Caller;
use site_simulator::world::omni::accounts::{Account, PublicKey};

use crate::bench::Bench;
use crate::record::{Record, first_items, labels, method, shown, text};

impl Bench {
    /// Puts exactly these resources in the place of all of their types.
    pub(crate) fn seed(&self, resources: impl IntoIterator<Item = Resource>) {
        self.world.act(|state, _| {
            for mut resource in resources {
                let meta = &resource.metadata;
                let (kind, namespace, id) =
                    (meta.kind.clone(), meta.namespace.clone(), meta.id.clone());
                // A resource may stand in the way from an earlier exchange.
                let finalizers = std::mem::take(&mut resource.metadata.finalizers);
                remove(state, &kind, &namespace, &id);
                resource.metadata.finalizers = finalizers;
                state.omni.store.create(resource).unwrap();
            }
        });
    }

    fn clear(&self, namespace: &str, kind: &str) {
        self.world.act(|state, _| {
            let ids: Vec<String> = state
                .omni
                .store
                .list(namespace, kind)
                .map(|r| r.metadata.id.clone())
                .collect();
            for id in ids {
                remove(state, kind, namespace, &id);
            }
        });
    }

    /// The state before an exchange, taken from its own request and answer.
    pub(crate) fn prepare(&self, record: &Record) {
        for name in [
            "TalosVersions",
            "KubernetesVersions",
            "TalosExtensions",
            "InfraProviderStatuses",
        ] {
            let kind = format!("{name}.omni.sidero.dev");
            self.seed(self.recorded_lists.get(&kind).cloned().unwrap_or_default());
        }
        self.prepare_accounts(record);
        let (body, answer) = (&record.request["body"], &record.response["body"]);
        let status = record.response["status"].as_u64().unwrap();
        let (namespace, kind) = (text(body, "namespace"), text(body, "type"));
        match method(record) {
            "List" if status == 200 && namespace != "virtual" => {
                self.clear(namespace, kind);
                let total = answer["total"].as_u64().unwrap_or(0);
                let items = shown(answer);
                let known = self.recorded_lists.get(kind).cloned().unwrap_or_default();
                let pages = usize::try_from(total).unwrap() > items.len();
                self.seed(if pages { known } else { items });
            }
            "List" if kind.starts_with("MachineStatuses") => {
                self.seed(self.recorded_lists.get(kind).cloned().unwrap_or_default());
            }
            "Get" if status == 200 => self.seed(shown(answer)),
            "Get" | "Delete" | "Teardown"
                if status == 404 && !text(answer, "message").starts_with("failed to destroy") =>
            {
                let id = text(body, "id");
                self.world
                    .act(|state, _| remove(state, kind, namespace, id));
            }
            "Delete" | "Teardown" => {
                self.prepare_removal(record.number, namespace, kind, text(body, "id"));
            }
            "Create" | "Update" => self.prepare_write(record, status),
            "Watch" => {
                self.clear(namespace, kind);
                self.seed(first_items(record));
                if record.number == 84 {
                    self.seed(self.recorded_lists.get(kind).cloned().unwrap_or_default());
                }
            }
            "GetMachineJoinConfig" | "CreateSchematic" => {
                self.seed(self.recorded_lists["ConnectionParams.omni.sidero.dev"].clone());
            }
            "Kubeconfig" => self.seed(self.recorded_lists["ClusterUUIDs.omni.sidero.dev"].clone()),
            _ => {}
        }
    }

    /// The service accounts that a management call needs.
    fn prepare_accounts(&self, record: &Record) {
        let (body, answer) = (&record.request["body"], &record.response["body"]);
        let (name, status) = (text(body, "name"), record.response["status"].as_u64());
        self.world.act(|state, _| {
            let service = &mut state.omni.accounts.service;
            service.clone_from(&self.accounts);
            let exists = match method(record) {
                "CreateServiceAccount" => status == Some(409),
                "RenewServiceAccount" | "DestroyServiceAccount" => status == Some(200),
                "ListServiceAccounts" => {
                    let listed = answer["service_accounts"].as_array().unwrap();
                    *service = listed.iter().map(account).collect();
                    false
                }
                _ => false,
            };
            if exists {
                let any = self.accounts.values().next().unwrap();
                service.insert(name.to_owned(), any.clone());
            }
        });
    }

    fn prepare_removal(&self, number: u32, namespace: &str, kind: &str, id: &str) {
        let mut resource = bare(namespace, kind, id);
        if number == 180 {
            let mut set = bare(
                "default",
                "MachineSets.omni.sidero.dev",
                "enc-c-control-planes",
            );
            set.spec = json!({"machine_allocation": {"name": id, "machine_count": 3}});
            self.seed([set]);
        } else {
            self.clear("default", "MachineSets.omni.sidero.dev");
        }
        resource.spec = json!({"match_labels": ["a = b"]});
        self.seed([resource]);
    }

    fn prepare_write(&self, record: &Record, status: u64) {
        let sent = &record.request["body"]["resource"];
        let metadata = &sent["metadata"];
        let (namespace, kind, id) = (
            text(metadata, "namespace"),
            text(metadata, "type"),
            text(metadata, "id"),
        );
        let mut present = bare(namespace, kind, id);
        let spec: Value = serde_json::from_str(text(sent, "spec")).unwrap_or(json!({}));
        present.spec = spec;
        let message = text(&record.response["body"], "message");
        let version = message
            .split('@')
            .nth(1)
            .and_then(|rest| rest.split(')').next()?.parse().ok());
        match (method(record), status) {
            ("Create", 409) => {
                present.metadata.version = version.unwrap_or(1);
                self.seed([present]);
            }
            ("Create", _) => {
                self.world
                    .act(|state, _| remove(state, kind, namespace, id));
                self.prepare_neighbours(record.number);
            }
            (_, 404) => self
                .world
                .act(|state, _| remove(state, kind, namespace, id)),
            _ => {
                let sent = text(metadata, "version").parse().unwrap_or(1);
                present.metadata.version = version.unwrap_or(sent);
                if record.number == 101 {
                    present.spec = json!({"match_labels": ["a = b"]});
                }
                if record.number == 442 {
                    present.metadata.phase = Phase::TearingDown;
                }
                present.metadata.labels = labels(metadata);
                self.seed([present]);
            }
        }
    }

    /// What else must exist for a create to go as recorded.
    fn prepare_neighbours(&self, number: u32) {
        let mut cluster = bare("default", "Clusters.omni.sidero.dev", "enc-c");
        cluster.spec = json!({"talos_version": "1.13.7", "kubernetes_version": "1.36.2"});
        let mut class = bare("default", "MachineClasses.omni.sidero.dev", "enc1");
        class.spec = json!({"match_labels": ["a = b"]});
        let mut set = bare(
            "default",
            "MachineSets.omni.sidero.dev",
            "enc-c-control-planes",
        );
        set.spec = json!({"machine_allocation": {"name": "enc1", "machine_count": 3}});
        match number {
            176 => self.seed([cluster, class]),
            178..=183 => self.seed([cluster, class, set]),
            _ => {}
        }
    }
}

fn remove(state: &mut State, kind: &str, namespace: &str, id: &str) {
    drop(
        state
            .omni
            .store
            .modify("", kind, namespace, id, |r| r.metadata.finalizers.clear()),
    );
    drop(state.omni.store.destroy(kind, namespace, id));
}

fn bare(namespace: &str, kind: &str, id: &str) -> Resource {
    let mut resource = Resource::default();
    namespace.clone_into(&mut resource.metadata.namespace);
    kind.clone_into(&mut resource.metadata.kind);
    id.clone_into(&mut resource.metadata.id);
    resource
}

/// A listed service account with its name.
fn account(listed: &Value) -> (String, Account) {
    let time = |value: &Value| -> Option<SystemTime> {
        let stamp: jiff::Timestamp = value.as_str()?.parse().unwrap();
        Some(SystemTime::try_from(stamp).unwrap())
    };
    let keys = listed["pgp_public_keys"].as_array().unwrap();
    let keys = keys.iter().map(|key| {
        let created = time(&key["created"]).unwrap();
        let any_life = Duration::from_hours(10 * 365 * 24);
        let mut public = PublicKey::pgp(text(key, "armored"), any_life, created).unwrap();
        public.last_used = time(&key["last_used"]);
        public
    });
    let account = Account {
        keys: keys.collect(),
        caller: Caller {
            role: text(listed, "role").parse().unwrap(),
            ..Caller::operator()
        },
        last_active: time(&listed["last_active"]),
    };
    (text(listed, "name").to_owned(), account)
}
