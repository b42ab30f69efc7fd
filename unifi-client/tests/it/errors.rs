//! Refusals of every family, and what is not kept of them.

use unifi_client::Error;

use crate::fake::{Fake, brief};

const SITES: &str = "GET /api/self/sites";

#[tokio::test]
async fn each_refusal_becomes_its_kind() {
    let legacy =
        |msg: &str| format!(r#"{{"meta":{{"rc":"error","msg":"api.err.{msg}"}},"data":[]}}"#);
    let v2 =
        |code: &str| format!(r#"{{"code":"api.err.{code}","message":"text","errorCode":400}}"#);
    for (status, body, expected) in [
        (
            401,
            legacy("LoginRequired"),
            "Unauthorized 401 api.err.LoginRequired []",
        ),
        (
            401,
            r#"{"error":{"code":401,"message":"Unauthorized"}}"#.into(),
            "Unauthorized 401 - []",
        ),
        (401, "<html>login</html>".into(), "Unauthorized 401 - []"),
        (
            401,
            r#"{"code":"api.authentication.missing-credentials","statusCode":401}"#.into(),
            "Unauthorized 401 api.authentication.missing-credentials []",
        ),
        (
            403,
            legacy("NoPermission"),
            "Forbidden 403 api.err.NoPermission []",
        ),
        (
            200,
            legacy("NoPermission"),
            "Forbidden 200 api.err.NoPermission []",
        ),
        (403, "access forbidden".into(), "Forbidden 403 - []"),
        (
            400,
            legacy("NoSiteContext"),
            "NotFound 400 api.err.NoSiteContext []",
        ),
        (
            400,
            legacy("IdInvalid"),
            "NotFound 400 api.err.IdInvalid []",
        ),
        (
            400,
            legacy("IdRequired"),
            "AlreadyExists 400 api.err.IdRequired []",
        ),
        (
            400,
            legacy("FixedIpAlreadyUsedByClient"),
            "AddressTaken 400 api.err.FixedIpAlreadyUsedByClient []",
        ),
        (
            400,
            legacy("InvalidFixedIP"),
            "Invalid 400 api.err.InvalidFixedIP []",
        ),
        (
            400,
            legacy("SomethingNew"),
            "Invalid 400 api.err.SomethingNew []",
        ),
        (
            200,
            legacy("SomethingNew"),
            "Invalid 200 api.err.SomethingNew []",
        ),
        (
            400,
            v2("StaticDnsCnameAliasOverlapsWithOtherRecords"),
            "Conflict 400 api.err.StaticDnsCnameAliasOverlapsWithOtherRecords []",
        ),
        (
            404,
            v2("StaticDnsRecordNotFound"),
            "NotFound 404 api.err.StaticDnsRecordNotFound []",
        ),
        (405, String::new(), "Unsupported 405 - []"),
        (409, "{}".into(), "Conflict 409 - []"),
        (429, "{}".into(), "Busy 429 - []"),
        (500, "[]".into(), "Busy 500 - []"),
        (503, "<html>".into(), "Busy 503 - []"),
        (200, "<html>".into(), "Busy 200 - []"),
        (200, "{}".into(), "Unsupported 200 - []"),
        (200, "[1".into(), "Unsupported 200 - []"),
        (
            200,
            r#"{"meta":{"rc":"ok"},"data":["row"]}"#.into(),
            "Unsupported 200 - []",
        ),
    ] {
        let error = Fake::new()
            .on(SITES, status, body.clone())
            .client()
            .sites()
            .await
            .unwrap_err();
        assert_eq!(brief(&error), expected, "{status} {body}");
        assert_eq!(
            error.is_retryable(),
            matches!(error, Error::Busy(_)),
            "{error}"
        );
        assert_eq!(
            error.is_not_found(),
            matches!(error, Error::NotFound(_)),
            "{error}"
        );
        assert!(!error.to_string().ends_with('.'), "{error}");
    }
    let redirect = Fake::new()
        .on(SITES, 302, "")
        .client()
        .sites()
        .await
        .unwrap_err();
    assert_eq!(brief(&redirect), "Transport 0 - []");
    assert!(
        redirect
            .hint()
            .is_some_and(|hint| hint.contains("UniFi OS"))
    );
}

#[tokio::test]
async fn a_starting_gateway_is_waited_for_on_reads() {
    let ok = r#"{"meta":{"rc":"ok"},"data":[]}"#;
    for first in [
        (200, "<html>starting</html>"),
        (502, "<html>bad gateway</html>"),
        (503, "{}"),
        (429, "{}"),
    ] {
        let fake = Fake::new()
            .typed(SITES, first.0, "text/html", first.1)
            .on(SITES, 200, ok);
        assert_eq!(fake.client().sites().await.unwrap(), [], "{first:?}");
        assert_eq!(fake.seen().len(), 2, "{first:?}");
    }
    let fake = Fake::new().typed(SITES, 200, "text/html", "<html>");
    assert!(fake.client().sites().await.unwrap_err().is_retryable());
    assert_eq!(fake.seen().len(), 3, "not for ever");
}

#[tokio::test]
async fn nothing_of_a_body_but_codes_and_texts_gets_into_an_error() {
    for (status, body) in [
        (
            400,
            r#"{"meta":{"rc":"error","msg":"api.err.Invalid","x_password":"canary"},"data":[{"x_wan_password":"canary"}]}"#,
        ),
        (
            200,
            r#"{"meta":{"rc":"ok"},"data":[{"name":{"x":"canary"}},"canary"]}"#,
        ),
        (200, r#"{"meta":{"rc":"ok"},"data":"canary"}"#),
        (
            200,
            r#"{"meta":{"rc":"ok"},"data":[{"x_wan_password":"canary""#,
        ),
        (500, "canary"),
        (
            400,
            r#"{"code":"api.err.Invalid","message":"bad token: canary","details":{"secret":"canary"}}"#,
        ),
    ] {
        let error = Fake::new()
            .on(SITES, status, body)
            .client()
            .sites()
            .await
            .unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
