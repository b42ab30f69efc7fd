//! [`Gateway`] for the UniFi client.

use async_trait::async_trait;
use unifi_client::{
    ActiveClient, Client, ClientPatch, ClientRecord, DnsRecord, Error, Lease, Mac, Network,
    NewClient, NewDnsRecord, PastClient, Site, Upstream,
};

use super::{chain, told};
use crate::ports::{Failure, Gateway, PortError, PortResult, System};

pub(super) struct Port {
    pub(super) client: Client,
}

fn port_error(error: &Error) -> PortError {
    let failure = match error {
        Error::Unauthorized(_) => Failure::Unauthorized,
        Error::Forbidden(_) => Failure::Denied,
        Error::NotFound(_) => Failure::NotFound,
        Error::AlreadyExists(_) | Error::AddressTaken(_) | Error::Conflict(_) => Failure::Conflict,
        Error::Invalid(_) => Failure::Invalid,
        Error::Busy(_) | Error::Transport { .. } => Failure::Unreachable,
        _ => Failure::Other,
    };
    let message = match error {
        Error::Transport { source, .. } => told(source),
        other => chain(other),
    };
    PortError {
        hint: error.hint().map(str::to_owned),
        ..PortError::new(System::Unifi, failure, message)
    }
}

#[async_trait]
impl Gateway for Port {
    async fn site(&self) -> PortResult<Site> {
        self.client.site().await.map_err(|error| port_error(&error))
    }

    async fn networks(&self) -> PortResult<Vec<Network>> {
        self.client
            .networks()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn upstream(&self) -> PortResult<Upstream> {
        self.client
            .upstream()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn client_records(&self) -> PortResult<Vec<ClientRecord>> {
        self.client
            .client_records()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn client_record(&self, mac: Mac) -> PortResult<Option<ClientRecord>> {
        self.client
            .client_record(mac)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn active_clients(&self) -> PortResult<Vec<ActiveClient>> {
        self.client
            .active_clients()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn leases(&self) -> PortResult<Vec<Lease>> {
        self.client
            .leases()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn past_clients(&self) -> PortResult<Vec<PastClient>> {
        self.client
            .past_clients()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn create_client(&self, client: &NewClient) -> PortResult<()> {
        self.client
            .create_client(client)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn update_client(&self, id: &str, mac: Mac, patch: &ClientPatch) -> PortResult<()> {
        self.client
            .update_client(id, mac, patch)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn dns_records(&self) -> PortResult<Vec<DnsRecord>> {
        self.client
            .dns_records()
            .await
            .map_err(|error| port_error(&error))
    }

    async fn create_dns_record(&self, record: &NewDnsRecord) -> PortResult<()> {
        self.client
            .create_dns_record(record)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn update_dns_record(&self, id: &str, record: &NewDnsRecord) -> PortResult<()> {
        self.client
            .update_dns_record(id, record)
            .await
            .map_err(|error| port_error(&error))
    }

    async fn delete_dns_record(&self, id: &str) -> PortResult<()> {
        self.client
            .delete_dns_record(id)
            .await
            .map_err(|error| port_error(&error))
    }
}
