//! [`Dns`] for one server, asked directly: what the system's resolver has cached says nothing.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RecordType as WireType;
use unifi_client::RecordType;

use crate::ports::{Dns, Failure, PortError, PortResult, System};

pub(super) struct Port {
    resolver: TokioResolver,
}

impl Port {
    pub(super) fn new(server: SocketAddr) -> Result<Self, NetError> {
        let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut name_server.connections {
            connection.port = server.port();
        }
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.cache_size = 0;
        options.attempts = 1;
        options.timeout = Duration::from_secs(3);
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        Ok(Self {
            resolver: builder.build()?,
        })
    }
}

#[async_trait]
impl Dns for Port {
    async fn lookup(&self, name: &str, record: &RecordType) -> PortResult<Vec<String>> {
        let wire_type = match record {
            RecordType::A => WireType::A,
            RecordType::Aaaa => WireType::AAAA,
            RecordType::Cname => WireType::CNAME,
            _ => WireType::TXT,
        };
        match self.resolver.lookup(format!("{name}."), wire_type).await {
            Ok(found) => Ok(found
                .answers()
                .iter()
                .filter(|answer| answer.record_type() == wire_type)
                .map(|answer| answer.data.to_string().trim_end_matches('.').to_owned())
                .collect()),
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Err(error) => Err(PortError::new(
                System::Dns,
                Failure::Unreachable,
                format!("the resolver does not answer for {name}: {error}"),
            )),
        }
    }
}
