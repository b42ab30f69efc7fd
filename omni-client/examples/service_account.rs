//! Makes a service account, works with its key, and takes it away.
//!
//! ```sh
//! OMNI_ENDPOINT=https://omni.home.example OMNI_SERVICE_ACCOUNT_KEY=… cargo run --example service_account
//! ```
//!
//! The key in the environment has to be an Admin's.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    unreachable_pub,
    reason = "an example is a program: it reads the environment and prints; tests take its `run`"
)]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use omni_client::{
    AccountRole, Client, ClientBuilder, ListOptions, OpenPgpSigner, ServiceAccountKey, kinds,
};

const NAME: &str = "example-reader";

/// What there was to see: how many clusters, and until when the key would have lived.
#[derive(Debug)]
pub struct Seen {
    pub clusters: usize,
    pub until: SystemTime,
}

pub async fn run(client: &Client) -> Result<Seen, Box<dyn Error>> {
    // The private part stays here; Omni is told the public one.
    let now = client.now();
    let new = ServiceAccountKey::generate(NAME, Duration::from_hours(1), now)?;
    let role = AccountRole::Named("Reader".to_owned());
    let id = client
        .create_service_account(NAME, &role, &new.public)
        .await?;
    assert_eq!(id, new.id, "both sides know the key by its fingerprint");

    // Whatever comes of it, the account goes again.
    let seen = look_around(client, &new.account, now).await;
    client.destroy_service_account(NAME).await?;
    Ok(Seen {
        clusters: seen?,
        until: new.expires,
    })
}

/// As the new account: who it is, and what it may see.
async fn look_around(
    client: &Client,
    key: &ServiceAccountKey,
    now: SystemTime,
) -> Result<usize, Box<dyn Error>> {
    let reader = client.with_signer(Arc::new(OpenPgpSigner::new(key, now)?));
    let user = reader.current_user().await?;
    println!("{} has the role {}", user.identity, user.role);
    let clusters = reader.list(&kinds::CLUSTER, &ListOptions::all()).await?;
    Ok(clusters.len())
}

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "a program reads its environment, a library does not"
)]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::var("OMNI_ENDPOINT")?;
    let key = std::env::var("OMNI_SERVICE_ACCOUNT_KEY")?;
    let client = ClientBuilder::new(endpoint)
        .service_account_key(key)
        .build()?;
    let seen = run(&client).await?;
    println!("it saw {} clusters and is gone", seen.clusters);
    Ok(())
}
