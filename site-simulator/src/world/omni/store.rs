//! Resources with versions, phases and finalizers, and a journal of changes for watchers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use omni_client::{Metadata, Phase, Resource};
use serde_json::Value;

use super::kinds::KindRef;

/// Changes kept for watchers; one that falls further behind has to start again.
const JOURNAL_LENGTH: usize = 1 << 16;

/// What happened to a resource.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is there now.
    Created(Arc<Resource>),
    /// Old and new state.
    Updated(Arc<Resource>, Arc<Resource>),
    /// It is gone; the last state.
    Destroyed(Arc<Resource>),
}

impl Change {
    /// The state after the change, or the last one.
    pub fn resource(&self) -> &Arc<Resource> {
        match self {
            Self::Created(new) | Self::Updated(_, new) => new,
            Self::Destroyed(last) => last,
        }
    }
}

/// Why a write was refused by the store itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is one already, of this version.
    Exists(u64),
    /// There is none.
    Missing,
    /// Finalizers hold it.
    Held,
}

type Key = (String, String);

/// All resources.
#[derive(Debug, Default)]
pub struct Store {
    kinds: BTreeMap<String, BTreeMap<Key, Arc<Resource>>>,
    journal: VecDeque<Change>,
    journal_base: u64,
    changes: u64,
}

impl Store {
    /// One resource.
    pub fn get(&self, namespace: &str, kind: &str, id: &str) -> Option<&Arc<Resource>> {
        self.kinds
            .get(kind)?
            .get(&(namespace.to_owned(), id.to_owned()))
    }

    /// One resource of a known kind.
    pub fn find(&self, kind: KindRef, id: &str) -> Option<&Arc<Resource>> {
        self.get(kind.namespace, kind.name, id)
    }

    /// All resources of a type in a namespace, by id.
    pub fn list<'a>(
        &'a self,
        namespace: &'a str,
        kind: &str,
    ) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.kinds
            .get(kind)
            .into_iter()
            .flatten()
            .filter(move |((ns, _), _)| ns == namespace)
            .map(|(_, resource)| resource)
    }

    /// All resources of a known kind, by id.
    pub fn all(&self, kind: KindRef) -> impl Iterator<Item = &Arc<Resource>> {
        self.list(kind.namespace, kind.name)
    }

    /// How many changes there were so far.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Changes after the first `seen`; `None` when they are no longer kept.
    pub fn changes_since(&self, seen: u64) -> Option<impl Iterator<Item = &Change>> {
        let skip = usize::try_from(seen.checked_sub(self.journal_base)?).ok()?;
        Some(self.journal.iter().skip(skip))
    }

    /// Adds a resource; its version becomes what the metadata says, at least 1.
    pub fn create(&mut self, mut resource: Resource) -> Result<(), Refusal> {
        if let Some(old) = self.get(
            &resource.metadata.namespace,
            &resource.metadata.kind,
            &resource.metadata.id,
        ) {
            return Err(Refusal::Exists(old.metadata.version));
        }
        resource.metadata.version = resource.metadata.version.max(1);
        let resource = Arc::new(resource);
        self.insert(Arc::clone(&resource));
        self.note(Change::Created(resource));
        Ok(())
    }

    /// Changes a resource in place and counts its version up. Nothing happens when `change` changes nothing.
    pub fn modify(
        &mut self,
        stamp: &str,
        kind: &str,
        namespace: &str,
        id: &str,
        change: impl FnOnce(&mut Resource),
    ) -> Result<bool, Refusal> {
        let old = Arc::clone(self.get(namespace, kind, id).ok_or(Refusal::Missing)?);
        let mut new = Resource::clone(&old);
        change(&mut new);
        if new == *old {
            return Ok(false);
        }
        self.replace(stamp, old, new);
        Ok(true)
    }

    /// Puts a new state in the place of an old one, whatever it is, and counts the version up.
    pub fn replace(&mut self, stamp: &str, old: Arc<Resource>, mut new: Resource) {
        new.metadata.version = old.metadata.version + 1;
        stamp.clone_into(&mut new.metadata.updated);
        let new = Arc::new(new);
        self.insert(Arc::clone(&new));
        self.note(Change::Updated(old, new));
    }

    /// Writes a controller's resource: made when absent, changed when spec or labels differ.
    pub fn put(
        &mut self,
        stamp: &str,
        owner: &str,
        kind: KindRef,
        id: &str,
        labels: Labels,
        spec: Value,
    ) -> bool {
        if self.find(kind, id).is_none() {
            let resource = owned(stamp, owner, kind.namespace, kind.name, id, labels, spec);
            return self.create(resource).is_ok();
        }
        self.modify(stamp, kind.name, kind.namespace, id, |resource| {
            resource.metadata.labels = labels;
            resource.spec = spec;
        })
        .unwrap_or(false)
    }

    /// Marks for deletion. Returns whether that was new.
    pub fn tear_down(
        &mut self,
        stamp: &str,
        kind: &str,
        namespace: &str,
        id: &str,
    ) -> Result<bool, Refusal> {
        self.modify(stamp, kind, namespace, id, |r| {
            r.metadata.phase = Phase::TearingDown;
        })
    }

    /// Adds a finalizer.
    pub fn hold(&mut self, stamp: &str, kind: KindRef, id: &str, finalizer: &str) -> bool {
        self.modify(stamp, kind.name, kind.namespace, id, |r| {
            if !r.metadata.finalizers.iter().any(|f| f == finalizer) {
                r.metadata.finalizers.push(finalizer.to_owned());
            }
        })
        .unwrap_or(false)
    }

    /// Drops a finalizer.
    pub fn release(&mut self, stamp: &str, kind: KindRef, id: &str, finalizer: &str) -> bool {
        self.modify(stamp, kind.name, kind.namespace, id, |r| {
            r.metadata.finalizers.retain(|f| f != finalizer);
        })
        .unwrap_or(false)
    }

    /// Removes a resource that nothing holds.
    pub fn destroy(&mut self, kind: &str, namespace: &str, id: &str) -> Result<(), Refusal> {
        let old = self.get(namespace, kind, id).ok_or(Refusal::Missing)?;
        if !old.metadata.finalizers.is_empty() {
            return Err(Refusal::Held);
        }
        let key = (namespace.to_owned(), id.to_owned());
        if let Some(old) = self
            .kinds
            .get_mut(kind)
            .and_then(|items| items.remove(&key))
        {
            self.note(Change::Destroyed(old));
        }
        Ok(())
    }

    /// Removes a controller's own resource, finalizers or not. Returns whether there was one.
    pub fn drop_owned(&mut self, stamp: &str, kind: KindRef, id: &str) -> bool {
        if self.find(kind, id).is_none() {
            return false;
        }
        let torn = self.modify(stamp, kind.name, kind.namespace, id, |r| {
            r.metadata.phase = Phase::TearingDown;
            r.metadata.finalizers.clear();
        });
        torn.is_ok() && self.destroy(kind.name, kind.namespace, id).is_ok()
    }

    fn insert(&mut self, resource: Arc<Resource>) {
        let key = (
            resource.metadata.namespace.clone(),
            resource.metadata.id.clone(),
        );
        if let Some(items) = self.kinds.get_mut(&resource.metadata.kind) {
            items.insert(key, resource);
        } else {
            let kind = resource.metadata.kind.clone();
            self.kinds.insert(kind, BTreeMap::from([(key, resource)]));
        }
    }

    fn note(&mut self, change: Change) {
        self.journal.push_back(change);
        self.changes += 1;
        if self.journal.len() > JOURNAL_LENGTH {
            self.journal.pop_front();
            self.journal_base += 1;
        }
    }
}

/// Labels of a resource.
pub type Labels = BTreeMap<String, String>;

/// A resource as a controller makes it.
pub fn owned(
    stamp: &str,
    owner: &str,
    namespace: &str,
    kind: &str,
    id: &str,
    labels: Labels,
    spec: Value,
) -> Resource {
    Resource {
        metadata: Metadata {
            namespace: namespace.to_owned(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            version: 1,
            owner: owner.to_owned(),
            created: stamp.to_owned(),
            updated: stamp.to_owned(),
            labels,
            ..Metadata::default()
        },
        spec,
    }
}

/// Whether a resource is being deleted.
pub fn tearing_down(resource: &Resource) -> bool {
    resource.metadata.phase == Phase::TearingDown
}

/// A label's value.
pub fn label<'a>(resource: &'a Resource, key: &str) -> Option<&'a str> {
    resource.metadata.labels.get(key).map(String::as_str)
}
