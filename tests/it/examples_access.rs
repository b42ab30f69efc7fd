//! The example of `omni-client` about service accounts, run against the simulated Omni.

use std::sync::Arc;
use std::time::SystemTime;

use api_transport::{TokioClock, Trust};
use bootstrap_core::site;
use omni_client::ClientBuilder;
use site_simulator::{Faults, World, derive};

#[path = "../../omni-client/examples/service_account.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod service_account;

#[tokio::test]
async fn a_service_account_is_made_used_and_gone() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/homelab/bootstrap.yaml"
    );
    let site = site::load(file.as_ref()).expect("the example loads");
    let clock = Arc::new(TokioClock::real());
    let world = World::new(derive::blueprint(&site), 1, Faults::default(), clock);
    let doors = world.serve().await.expect("the doors open");
    let client = ClientBuilder::new(doors.omni.as_str())
        .service_account_key(world.credentials().omni_admin_key)
        .trust(Trust::CaPem(doors.ca_pem.clone().into_bytes()))
        .build()
        .expect("a client");
    let before: Vec<String> = names(&world);
    let seen = service_account::run(&client).await.expect("it works");
    assert_eq!(seen.clusters, 0);
    assert!(seen.until > SystemTime::now());
    assert_eq!(names(&world), before, "nothing is left of it");
}

fn names(world: &World) -> Vec<String> {
    world.look(|state| state.omni.accounts.service.keys().cloned().collect())
}
