//! Specs as types: each recorded body of a typed kind is read and written without a loss.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)] // a test may

mod fake;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use omni_client::spelling::shape::{self, Shape};
use omni_client::{Kind, Resource, Spec, kinds, specs};
use serde_json::{Value, json};

const RESOURCES: &str = "ResourceService/";

/// A type of ours: its kind, and reading and writing of a spec.
struct Typed {
    kind: Kind,
    again: fn(&Resource) -> Result<Resource, omni_client::Error>,
    shown: fn(&Resource) -> String,
}

fn typed<T: Spec + std::fmt::Debug>() -> Typed {
    Typed {
        kind: T::KIND,
        again: |resource| resource.clone().with_spec(&resource.spec_as::<T>()?),
        shown: |resource| format!("{:?}", resource.spec_as::<T>()),
    }
}

macro_rules! typed {
    ($($name:ident)*) => { vec![$(typed::<specs::$name>()),*] };
}

fn all() -> Vec<Typed> {
    typed!(
        EtcdBackup EtcdBackupStatus EtcdManualBackup EtcdBackupS3Config EtcdBackupStoreStatus EtcdBackupOverallStatus MachineClass Cluster MachineSet MachineSetNode ImportedClusterSecrets NodeForceDestroyRequest RotateTalosCa RotateKubernetesCa ClusterMachineConfigStatus RedactedClusterMachineConfig MachinePendingUpdates MachineConfigDiff MachineConfigGenOptions SchematicConfiguration MachineExtensions MachineExtensionsStatus KernelArgsStatus MachineInstallDiskStatus InfraMachineConfig InfraMachineBmcConfig BmcConfig InfraMachine InfraMachineStatus InfraMachineRegistration JoinToken JoinTokenStatus DefaultJoinToken JoinTokenUsage NodeUniqueTokenStatus GrpcTunnelConfig SiderolinkApiConfig ConnectionParams ProviderJoinConfig MachineJoinConfig Link LinkStatus PendingMachine PendingMachineStatus Machine MachineLabels MachineStatus MachineStatusLink MachineStatusSnapshot InstallationMediaConfig InstallationMedia CloudPlatformConfig MetalPlatformConfig SbcConfig ConfigPatch ExtensionsConfiguration KernelArgs MachineInstallDiskConfig KubernetesManifestGroup ClusterKubernetesManifestsStatus KubernetesHealthCheck KubernetesHealthCheckStatus AccessPolicy SamlLabelRule InfraProvider InfraProviderStatus InfraProviderHealthStatus InfraProviderCombinedStatus ConfigPatchRequest MachineRequestSet MachineRequestSetStatus MachineRequest MachineRequestStatus ClusterMachineRequestStatus Permissions ClusterPermissions FeaturesConfig AuthConfig EulaAcceptance AdvertisedEndpoints LabelsCompletion KubernetesUsage Support ClusterStatus MachineSetStatus ClusterMachineStatus ClusterMachineIdentity ControlPlaneStatus KubernetesStatus LoadBalancerStatus LoadBalancerConfig ClusterMachine ClusterBootstrapStatus ClusterUuid ClusterEndpoint ClusterDiagnostics ClusterDestroyStatus MachineSetDestroyStatus OngoingTask Notification ClusterSecretsRotationStatus KubernetesUpgradeStatus TalosUpgradeStatus MachineUpgradeStatus User Identity IdentityStatus PublicKey ServiceAccountStatus CurrentUser TalosVersion KubernetesVersion TalosExtensions SysVersion Quirks
    )
}

#[test]
fn every_kind_has_one_type() {
    let types: Vec<Kind> = all().into_iter().map(|one| one.kind).collect();
    let distinct: BTreeSet<&Kind> = types.iter().collect();
    assert_eq!(distinct.len(), types.len(), "two types for one kind");
    for kind in kinds::ALL {
        assert!(distinct.contains(kind), "{kind} has no type");
    }
    assert_eq!(types.len(), kinds::ALL.len());
}

#[test]
fn what_was_recorded_is_read_and_written_without_a_loss() {
    let types = all();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut untyped = BTreeSet::new();
    for record in record::records(RESOURCES) {
        for text in record.resources() {
            let Ok(resource) = serde_json::from_str::<Resource>(&text) else {
                // What other runtimes show has no such metadata.
                assert!(record.number == "414", "{}", record.name);
                continue;
            };
            let whole: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(resource.spec, whole["spec"], "{}", record.name);
            let Some(typed) = types
                .iter()
                .find(|one| one.kind.name == resource.kind().name)
            else {
                untyped.insert(resource.kind().name.into_owned());
                continue;
            };
            let back = (typed.again)(&resource).unwrap();
            assert_eq!(back.spec, resource.spec, "{}", record.name);
            assert_eq!(typed.kind, resource.kind(), "{}", record.name);
            let shown = (typed.shown)(&resource);
            assert!(!shown.contains("jointoken="), "{}: {shown}", record.name);
            assert!(!format!("{resource:?}").contains("jointoken="));
            *seen.entry(resource.kind().to_string()).or_default() += 1;
        }
    }
    println!(
        "{} bodies of {} kinds; without a type: {untyped:?}",
        seen.values().sum::<usize>(),
        seen.len()
    );
    assert!(
        seen.len() >= 65 && untyped.len() <= 3,
        "{} {untyped:?}",
        seen.len()
    );
}

/// Paths to all fields that a spec has according to the table, each with something that cannot be in it.
fn misfits(fields: &[(&str, Shape)], wrap: &dyn Fn(Value) -> Value, found: &mut Vec<Value>) {
    for (name, shape) in fields {
        let outer = |value: Value| wrap(json!({ *name: value }));
        misfit(shape, &outer, found);
    }
}

fn misfit(shape: &Shape, outer: &dyn Fn(Value) -> Value, found: &mut Vec<Value>) {
    match shape {
        Shape::Any => {}
        Shape::Message(fields) => {
            found.push(outer(json!(7)));
            misfits(fields, outer, found);
        }
        Shape::List(item) => {
            found.push(outer(json!(7)));
            misfit(item, &|value| outer(json!([value])), found);
        }
        Shape::Map(item) => {
            found.push(outer(json!(7)));
            misfit(item, &|value| outer(json!({"key": value})), found);
        }
        _ => found.push(outer(json!({"x": 1}))),
    }
}

/// A field that a type did not know would be kept in `other`, whatever it holds.
#[test]
fn types_have_every_field_of_the_table() {
    let mut fields = 0;
    for typed in all() {
        let kind = &typed.kind;
        let table =
            shape::fields(&kind.name).unwrap_or_else(|| panic!("{kind} is not in the table"));
        assert_eq!(
            shape::namespace(&kind.name),
            Some(&*kind.namespace),
            "{kind}"
        );
        let mut found = Vec::new();
        misfits(table, &|value| value, &mut found);
        for spec in found {
            let resource = Resource {
                spec: spec.clone(),
                ..Resource::new(kind, "x")
            };
            assert!(
                (typed.again)(&resource).is_err(),
                "{kind} does not know {spec}"
            );
            fields += 1;
        }
    }
    println!("{fields} fields");
    assert!(fields > 600, "{fields}");
}

/// Whoever spawns tasks can hold any of them.
#[test]
fn everything_can_be_sent_and_shared() {
    fn all<T: Send + Sync + 'static>() {}
    fn sent<T: Send>(_: T) {}
    all::<omni_client::Client>();
    all::<omni_client::ClientBuilder>();
    all::<omni_client::Error>();
    all::<Resource>();
    all::<omni_client::Typed<specs::MachineStatus>>();
    all::<omni_client::Event<omni_client::Typed<specs::Cluster>>>();
    all::<omni_client::ListOptions>();
    all::<omni_client::WatchOptions>();
    all::<omni_client::WatchNotice>();
    all::<omni_client::Selectors>();
    all::<omni_client::SelectorError>();
    all::<omni_client::ServiceAccountKey>();
    let client = fake::simple(&fake::Server::new([]));
    let options = omni_client::ListOptions::all();
    sent(client.get_as::<specs::Cluster>("x"));
    sent(client.list_as::<specs::Cluster>(&options));
    sent(client.modify_as::<specs::Cluster>("x", |_| Ok(())));
    sent(client.delete(&kinds::CLUSTER, "x"));
    sent(client.watch_as::<specs::Cluster>(&omni_client::WatchOptions::default()));
}
