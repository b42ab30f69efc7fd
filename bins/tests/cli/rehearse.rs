//! `rehearse`, and `apply` against a site that outlives it.

use site_simulator::Faults;

use crate::harness::{Loopback, run};

#[tokio::test(flavor = "multi_thread")]
async fn apply_builds_the_site_and_again_changes_nothing() {
    let site = Loopback::open(3, 30.0, Faults::default(), |_, _| ()).await;
    let first = run(site.apply()).await;
    assert_eq!(first.code, Some(0), "{}", first.printed());
    let before = site.world.log().entries.len();
    let second = run(site.apply()).await;
    assert_eq!(second.code, Some(0), "{}", second.printed());
    assert!(second.stdout.contains("Nothing to do"), "{}", second.printed());
    assert_eq!(site.world.log().entries.len(), before, "{}", second.printed());
}
