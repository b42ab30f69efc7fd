//! Calls with typed specs.
//!
//! They do what the untyped ones do, by way of them: what a type does not know survives in `other`.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use serde::de::DeserializeOwned;

use crate::{Client, Error, Event, ListOptions, Metadata, Resource, Spec, WatchOptions};

/// A resource whose spec was read as its type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Typed<T> {
    /// Identity, version, labels.
    pub metadata: Metadata,
    /// The spec.
    pub spec: T,
}

impl<T: Spec> Typed<T> {
    /// One that is not yet created.
    ///
    /// ```
    /// use omni_client::{Typed, labels, specs};
    ///
    /// let args = specs::KernelArgs { args: vec!["console=ttyS0".into()], ..Default::default() };
    /// let mut wanted = Typed::new("1ce1fb8d-2f43-4c0c-b2b1-27d8e0d5a7e2", args);
    /// wanted.metadata.annotations.insert(labels::DESCRIPTION.into(), "serial console".into());
    /// assert_eq!(wanted.into_resource()?.kind().to_string(), "KernelArgs");
    /// # Ok::<(), omni_client::Error>(())
    /// ```
    pub fn new(id: impl Into<String>, spec: T) -> Self {
        Self {
            metadata: Resource::new(&T::KIND, id).metadata,
            spec,
        }
    }

    /// The same without its type. [`Error::Invalid`] where a spec of your own cannot be written as JSON.
    pub fn into_resource(self) -> Result<Resource, Error> {
        let resource = Resource {
            metadata: self.metadata,
            ..Resource::default()
        };
        resource.with_spec(&self.spec)
    }
}

impl Resource {
    /// The same with its spec read as one of [`crate::specs`], or as a type of your own; its kind is not looked at.
    /// [`Error::Unexpected`] where the spec does not fit.
    pub fn typed<T: DeserializeOwned>(self) -> Result<Typed<T>, Error> {
        let spec = self.spec_as()?;
        Ok(Typed {
            metadata: self.metadata,
            spec,
        })
    }
}

impl<T: DeserializeOwned> TryFrom<Resource> for Typed<T> {
    type Error = Error;

    fn try_from(resource: Resource) -> Result<Self, Error> {
        resource.typed()
    }
}

impl Event {
    /// The same with specs read as a type, see [`Resource::typed`].
    pub fn typed<T: DeserializeOwned>(self) -> Result<Event<Typed<T>>, Error> {
        Ok(match self {
            Self::Created(new) => Event::Created(new.typed()?),
            Self::Updated { new, old } => Event::Updated {
                new: new.typed()?,
                old: old.map(Resource::typed).transpose()?,
            },
            Self::Destroyed(last) => Event::Destroyed(last.typed()?),
            Self::Bootstrapped => Event::Bootstrapped,
        })
    }
}

impl Client {
    /// [`Client::get`] with a typed spec.
    pub async fn get_as<T: Spec>(&self, id: &str) -> Result<Typed<T>, Error> {
        self.get(&T::KIND, id).await?.typed()
    }

    /// [`Client::find`] with a typed spec.
    pub async fn find_as<T: Spec>(&self, id: &str) -> Result<Option<Typed<T>>, Error> {
        let found = self.find(&T::KIND, id).await?;
        found.map(Resource::typed).transpose()
    }

    /// [`Client::list`] with typed specs. One that does not fit its type fails the whole list.
    pub async fn list_as<T: Spec>(&self, options: &ListOptions) -> Result<Vec<Typed<T>>, Error> {
        let listed = self.list(&T::KIND, options).await?;
        listed.into_iter().map(Resource::typed).collect()
    }

    /// [`Client::create`] with a typed spec: sent once, version not looked at.
    pub async fn create_as<T: Spec>(&self, new: Typed<T>) -> Result<(), Error> {
        self.create(&new.into_resource()?).await
    }

    /// [`Client::update`] with a typed spec: sent once, on the version that was read.
    pub async fn update_as<T: Spec>(&self, changed: Typed<T>) -> Result<(), Error> {
        self.update(&changed.into_resource()?).await
    }

    /// [`Client::modify`] with a typed spec: `change` may be called several times, and nothing is sent where it
    /// changes nothing. An error of `change` ends it.
    ///
    /// ```no_run
    /// # async fn run(client: omni_client::Client) -> Result<(), omni_client::Error> {
    /// use omni_client::specs::MachineSet;
    ///
    /// let set = client
    ///     .modify_as::<MachineSet>("home-workers", |set| {
    ///         if let Some(allocation) = &mut set.spec.machine_allocation {
    ///             allocation.machine_count = 3;
    ///         }
    ///         Ok(())
    ///     })
    ///     .await?;
    /// println!("was at version {}", set.metadata.version);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn modify_as<T: Spec>(
        &self,
        id: &str,
        mut change: impl FnMut(&mut Typed<T>) -> Result<(), Error> + Send,
    ) -> Result<Typed<T>, Error> {
        let change = |resource: &mut Resource| {
            let mut typed = resource.clone().typed()?;
            change(&mut typed)?;
            *resource = typed.into_resource()?;
            Ok(())
        };
        self.modify_with(&T::KIND, id, change).await?.typed()
    }

    /// [`Client::watch_with`] with typed specs. A spec that does not fit its type is an error in its place, and the
    /// watch goes on.
    pub fn watch_as<T: Spec>(
        &self,
        options: &WatchOptions,
    ) -> BoxStream<'static, Result<Event<Typed<T>>, Error>> {
        let events = self.watch_with(&T::KIND, options);
        events.map(|event| event.and_then(Event::typed)).boxed()
    }
}
