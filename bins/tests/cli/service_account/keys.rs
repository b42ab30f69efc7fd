//! What is said of a key that ends, and how the key of a site is renewed.

use secrecy::ExposeSecret as _;

use super::{Bench, SECRET, has, mode, printed_key};
use crate::harness::run;

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_end_soon_and_servers_that_were_not_tried_are_said() {
    let bench = Bench::new(84).await;
    let made = bench.run("create short --role Operator --ttl 12d").await;
    let key = printed_key(&made.stdout);
    has(
        &bench.run("list").await.stderr,
        &["short: its last key ends in 11 days"],
    );
    for arguments in ["get clusters", "get clusters -o json"] {
        let finished = bench.resource(arguments, &key).await;
        assert_eq!(finished.code, Some(0));
        has(
            &finished.stderr,
            &[
                "warning: the key of short ends in 11 days, on 20",
                "omni-bootstrap key renew",
            ],
        );
    }
    for quiet in ["get clusters -q", "get clusters --compat"] {
        let finished = bench.resource(quiet, &key).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{quiet}");
    }
    let mut command = bench.site.command("status");
    command.env(SECRET, &key);
    let finished = run(command).await;
    has(&finished.stderr, &["the key of short ends in 11 days"]);
    let mut command = bench
        .site
        .template_command(&["diff", "-f", "cluster/template.yaml"]);
    command.env(SECRET, &key);
    has(
        &run(command).await.stderr,
        &["the key of short ends in 11 days"],
    );

    let kind = resource_kind();
    bench.site.world.act(|state, _| {
        let changed = state
            .omni
            .store
            .modify("", &kind.0, &kind.1, "current", |version| {
                version.spec["backend_version"] = "v1.12.3".into();
            });
        assert_eq!(changed, Ok(true));
    });
    let admin = bench.site.world.credentials().omni_admin_key;
    let finished = bench.resource("get clusters", admin.expose_secret()).await;
    assert_eq!(finished.code, Some(0));
    has(
        &finished.stderr,
        &["warning: Omni v1.12.3 was not tested with this, Omni 1.10 was"],
    );
    let finished = bench
        .resource("get clusters -q", admin.expose_secret())
        .await;
    assert_eq!(finished.stderr, "");
}

fn resource_kind() -> (String, String) {
    let kind = omni_client::kinds::SYS_VERSION;
    (kind.name.into_owned(), kind.namespace.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_site_is_renewed_and_never_lost() {
    let bench = Bench::new(85).await;
    let credentials = bench.site.world.credentials();
    let operator = credentials.omni_key.expose_secret();
    let admin = credentials.omni_admin_key.expose_secret();
    bench.write_private("site.key", "not to be touched\n");

    let finished = bench.renew("--out site.key", operator).await;
    assert_eq!(finished.code, Some(5), "{}", finished.stderr);
    has(&finished.stderr, &["insufficient role", "the role Admin"]);
    assert_eq!(bench.file("site.key"), "not to be touched\n");
    assert_eq!(bench.keys("bootstrap"), 1);

    bench.write_private("admin.key", admin);
    let finished = bench
        .renew(
            "--admin-key-file admin.key --out site.key --ttl 90d",
            operator,
        )
        .await;
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), ""),
        "{}",
        finished.stderr
    );
    has(&finished.stderr, &["Renewed service account \"bootstrap\""]);
    assert_eq!(mode(&bench.files.path().join("site.key")), 0o600);
    let new = bench.file("site.key");
    for key in [operator, new.trim()] {
        assert_eq!(bench.resource("get clusters", key).await.code, Some(0));
    }

    // An Admin's own, and one that has ended.
    let finished = bench.renew("", admin).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        bench
            .resource("get clusters", &printed_key(&finished.stdout))
            .await
            .code,
        Some(0)
    );
    let expired = credentials.omni_expired_key.expose_secret();
    assert_eq!(bench.renew("", expired).await.code, Some(5));
    let finished = bench.renew("--admin-key-file admin.key", expired).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        bench
            .resource("get clusters", &printed_key(&finished.stdout))
            .await
            .code,
        Some(0)
    );
    let finished = bench
        .renew("--admin-key-file admin.key --dry-run", operator)
        .await;
    has(
        &finished.stdout,
        &["~ service account bootstrap would get a new key"],
    );
    assert_eq!(bench.keys("bootstrap"), 2);
}
