//! The doorbell: the provider's own machine resource, watched. One event carries UUID, node and VM id.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Event as Told, Events};
use crate::observe::{ProviderMachine, provider_machine};
use crate::ports::{PortResult, Ports};

/// The provider's machines as last told, by machine request id.
pub(crate) struct Signals {
    machines: watch::Receiver<BTreeMap<String, ProviderMachine>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Signals {
    /// Begins to watch the machines of these providers.
    pub(crate) fn start(ports: &Ports, providers: Vec<String>, events: &Events) -> Self {
        let (sender, machines) = watch::channel(BTreeMap::new());
        let tasks = providers
            .into_iter()
            .map(|provider| {
                tokio::spawn(follow(
                    ports.clone(),
                    provider,
                    sender.clone(),
                    events.clone(),
                ))
            })
            .collect();
        Self { machines, tasks }
    }

    /// The provider's machine of a request, once `wanted` holds for it.
    pub(crate) async fn until(
        &self,
        request: &str,
        wanted: impl Fn(&ProviderMachine) -> bool,
    ) -> Option<ProviderMachine> {
        let mut machines = self.machines.clone();
        let found = machines
            .wait_for(|machines| machines.get(request).is_some_and(&wanted))
            .await
            .ok()?;
        found.get(request).cloned()
    }

    /// The provider's machine of a request as last told.
    pub(crate) fn now(&self, request: &str) -> Option<ProviderMachine> {
        self.machines.borrow().get(request).cloned()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn follow(
    ports: Ports,
    provider: String,
    sender: watch::Sender<BTreeMap<String, ProviderMachine>>,
    events: Events,
) {
    let kind = omni_client::kinds::provider_machine(&provider);
    loop {
        match ports.omni.watch(&kind).await {
            Ok(mut stream) => {
                while let Some(event) = stream.next().await {
                    match event.and_then(|event| take(&sender, event)) {
                        Ok(()) => {}
                        Err(error) => {
                            events.tell(Told::Note {
                                text: format!("watch of {provider}'s machines: {error}"),
                            });
                            break;
                        }
                    }
                }
            }
            Err(error) => {
                events.tell(Told::Note {
                    text: format!("watch of {provider}'s machines: {error}"),
                });
            }
        }
        ports.clock.sleep(std::time::Duration::from_secs(1)).await;
    }
}

fn take(
    sender: &watch::Sender<BTreeMap<String, ProviderMachine>>,
    event: omni_client::Event,
) -> PortResult<()> {
    match event {
        omni_client::Event::Created(resource)
        | omni_client::Event::Updated { new: resource, .. } => {
            let machine = provider_machine(&resource)?;
            sender.send_if_modified(|machines| {
                machines
                    .insert(resource.metadata.id.clone(), machine.clone())
                    .as_ref()
                    != Some(&machine)
            });
        }
        omni_client::Event::Destroyed(resource) => {
            sender.send_if_modified(|machines| machines.remove(&resource.metadata.id).is_some());
        }
        omni_client::Event::Bootstrapped => {}
    }
    Ok(())
}
