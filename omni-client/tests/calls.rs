//! What a call does beyond one request and one answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test may

mod fake;

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use api_transport::HeaderMap;
use fake::{Answer, Hasty, Paper, Server, client, simple};
use futures_util::StreamExt as _;
use omni_client::specs::MachineClass;
use omni_client::{Error, Event, Kind, ListOptions, Resource, WatchNotice, WatchOptions, kinds};
use serde_json::{Value, json};

fn text(id: &str, version: u64) -> Value {
    json!({
        "metadata": {
            "namespace": "default", "type": "MachineClasses.omni.sidero.dev", "id": id, "version": version,
            "owner": "", "phase": "running", "created": "2026-11-23T07:31:51Z", "updated": "1970-01-01T00:00:00Z",
            "labels": {"a": "b"}, "finalizers": ["Controller"], "newer": {"x": 1}
        },
        "spec": {"match_labels": ["a = b"], "newer": 7}
    })
    .to_string()
    .into()
}

fn got(id: &str, version: u64) -> Answer {
    Answer::json(200, &json!({"body": text(id, version)}))
}

fn listed(items: &[(&str, u64)], total: usize) -> Answer {
    let items: Vec<Value> = items
        .iter()
        .map(|(id, version)| text(id, *version))
        .collect();
    Answer::json(200, &json!({"items": items, "total": total}))
}

fn conflict() -> Answer {
    Answer::refusal(
        409,
        6,
        "failed to update: resource X(default/a@2) update conflict: expected version '\u{1}'",
    )
}

#[tokio::test]
async fn an_update_echoes_all_that_was_read_and_is_left_out_when_nothing_changed() {
    let server = Server::new([got("a", 3), Answer::ok()]);
    let client = simple(&server);
    let old = client.get(&kinds::MACHINE_CLASS, "a").await.unwrap();
    let mut new = old.clone();
    new.spec["match_labels"] = json!(["a = b"]);
    new.spec["auto_provision"] = Value::Null;
    assert!(!client.update_if_changed(&old, &new).await.unwrap());
    new.spec["match_labels"] = json!(["a = c"]);
    assert!(client.update_if_changed(&old, &new).await.unwrap());
    assert_eq!(server.calls(), ["Get", "Update"]);
    let sent = &server.body(1)["resource"];
    assert_eq!(
        sent["metadata"],
        json!({
            "namespace": "default", "type": "MachineClasses.omni.sidero.dev", "id": "a", "version": "3",
            "labels": {"a": "b"}, "finalizers": ["Controller"], "newer": {"x": 1}
        })
    );
    let spec: Value = serde_json::from_str(sent["spec"].as_str().unwrap()).unwrap();
    assert_eq!(
        spec,
        json!({"match_labels": ["a = c"], "newer": 7, "auto_provision": null})
    );
}

#[tokio::test]
async fn modify_starts_over_when_somebody_was_faster_or_the_answer_was_lost() {
    let change = |resource: &mut Resource| resource.spec["match_labels"] = json!(["a = c"]);
    let changed = || {
        let mut value: Value = serde_json::from_str(text("a", 5).as_str().unwrap()).unwrap();
        value["spec"]["match_labels"] = json!(["a = c"]);
        Answer::json(200, &json!({"body": value.to_string()}))
    };
    let busy = || (0..5).flat_map(|_| [got("a", 3), conflict()]);
    for (answers, calls, succeeds) in [
        (
            vec![got("a", 3), conflict(), got("a", 4), Answer::ok()],
            4,
            true,
        ),
        (vec![got("a", 3), Answer::Reset, changed()], 3, true),
        (vec![changed()], 1, true),
        (busy().collect(), 10, false),
        (vec![got("a", 3), Answer::refusal(403, 7, "no")], 2, false),
    ] {
        let server = Server::new(answers);
        let outcome = simple(&server)
            .modify(&kinds::MACHINE_CLASS, "a", change)
            .await;
        assert_eq!(outcome.is_ok(), succeeds, "{outcome:?}");
        assert_eq!(server.calls().len(), calls, "{:?}", server.calls());
    }
}

#[tokio::test]
async fn a_deletion_that_finds_nothing_is_done_but_a_wrong_address_is_not() {
    let gone = "failed to destroy: resource X(default/a@undefined) doesn't exist";
    let page = Answer::Whole {
        status: 404,
        headers: HeaderMap::new(),
        body: "<html>nginx</html>".into(),
    };
    for (answer, done) in [
        (Answer::ok(), true),
        (Answer::refusal(404, 5, gone), true),
        (Answer::refusal(404, 5, "Not Found"), false),
        (page, false),
        (
            Answer::refusal(
                400,
                3,
                "failed to validate: 1 error occurred:\n\t* in use\n\n",
            ),
            false,
        ),
    ] {
        let outcome = simple(&Server::new([answer]))
            .delete(&kinds::MACHINE_CLASS, "a")
            .await;
        assert_eq!(outcome.is_ok(), done, "{outcome:?}");
    }
    let server = Server::new([]);
    assert!(matches!(
        simple(&server).delete(&kinds::MACHINE_CLASS, "").await,
        Err(Error::Invalid { .. })
    ));
    assert!(
        server.calls().is_empty(),
        "an empty id would select the whole kind"
    );
}

#[tokio::test]
async fn only_reads_are_sent_again() {
    let away = || Answer::refusal(503, 14, "connection refused");
    let server = Server::new([away(), away(), got("a", 1)]);
    assert_eq!(
        simple(&server)
            .get(&kinds::MACHINE_CLASS, "a")
            .await
            .unwrap()
            .id(),
        "a"
    );
    assert_eq!(server.calls().len(), 3);
    for answer in [away(), Answer::Reset] {
        let server = Server::new([answer]);
        let error = simple(&server)
            .create(&Resource::new(&kinds::MACHINE_CLASS, "a"))
            .await
            .unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert_eq!(server.calls(), ["Create"]);
    }
}

#[tokio::test]
async fn pages_are_put_together() {
    let server = Server::new([
        listed(&[("a", 1), ("b", 1)], 5),
        listed(&[("b", 1), ("c", 1)], 5),
        listed(&[("d", 1)], 5),
    ]);
    let options = ListOptions {
        search: vec!["x".into()],
        ..ListOptions::selector("k=v,!z").page_size(2).sort_by("id")
    };
    let all = simple(&server)
        .list(&kinds::MACHINE_CLASS, &options)
        .await
        .unwrap();
    assert_eq!(
        all.iter().map(Resource::id).collect::<Vec<_>>(),
        ["a", "b", "c", "d"]
    );
    assert_eq!(server.body(1)["offset"], 2);
    assert_eq!(
        (
            server.body(1)["limit"].clone(),
            server.body(1)["search_for"].clone(),
            server.body(1)["sort_by_field"].clone()
        ),
        (json!(2), json!(["x"]), json!("id"))
    );
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen[0].headers()["grpc-metadata-selectors"], "k=v,!z");
}

#[tokio::test]
async fn a_selector_cannot_smuggle_a_header() {
    let server = Server::new([]);
    for selector in ["a=b\r\nX: y", "a=ü"] {
        let outcome = simple(&server)
            .list(&kinds::MACHINE_CLASS, &ListOptions::selector(selector))
            .await;
        assert!(matches!(outcome, Err(Error::Invalid { .. })), "{outcome:?}");
    }
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_refused_signature_is_explained() {
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    for (date, expected) in [
        (Some("Sun, 06 Nov 1994 08:49:38 GMT"), "the clocks agree"),
        (
            Some("Sun, 06 Nov 1994 08:42:37 GMT"),
            "clock is 7 min ahead of",
        ),
        (
            Some("Sun, 06 Nov 1994 08:56:37 GMT"),
            "clock is 7 min behind",
        ),
        (None, "compare this machine's clock"),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(date) = date {
            headers.insert("date", date.parse().unwrap());
        }
        let body = r#"{"code":16,"message":"invalid signature"}"#.to_owned();
        let server = Server::new([Answer::Whole {
            status: 401,
            headers,
            body,
        }]);
        let error = client(&server, Paper::default(), Hasty::at(wall))
            .current_user()
            .await
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(matches!(error, Error::Unauthenticated { .. }));
    }
}

#[tokio::test]
async fn what_is_not_omni_says_so() {
    for (status, body, retryable, expected) in [
        (502, "<html>502</html>", true, "a web page"),
        (504, "upstream timed out", true, "upstream timed out"),
        (200, "<html>login</html>", false, "not understood"),
        (404, "", false, "not an answer of Omni's API"),
    ] {
        let answers = (0..4).map(|_| Answer::Whole {
            status,
            headers: HeaderMap::new(),
            body: body.into(),
        });
        let error = simple(&Server::new(answers))
            .current_user()
            .await
            .unwrap_err();
        assert_eq!(
            (error.is_retryable(), error.status()),
            (retryable, Some(status)),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(expected) && !error.is_not_found(),
            "{error}"
        );
    }
}

/// A watch that says nothing must fail a test, not hang it.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("no event came")
}

fn line(event_type: i32, resource: Option<Value>) -> String {
    let event = match resource {
        Some(text) => json!({"event_type": event_type, "resource": text}),
        None => json!({"event_type": event_type}),
    };
    format!("{}\n", json!({"result": {"event": event}}))
}

fn brief(event: &Event) -> String {
    match event {
        Event::Created(resource) => format!("+{}@{}", resource.id(), resource.metadata.version),
        Event::Updated { new, old } => {
            let old = old
                .as_ref()
                .map_or_else(String::new, |old| format!("<{}", old.metadata.version));
            format!("~{}@{}{old}", new.id(), new.metadata.version)
        }
        Event::Destroyed(resource) => format!("-{}@{}", resource.id(), resource.metadata.version),
        Event::Bootstrapped => "=".to_owned(),
    }
}

async fn watched(server: &Arc<Server>, events: usize) -> (Vec<String>, Vec<String>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let heard = notices.clone();
    let options = WatchOptions {
        notices: Some(Arc::new(move |notice: &WatchNotice| {
            heard.lock().unwrap().push(match notice {
                WatchNotice::Buffered { hint } => format!("buffered: {hint}"),
                other => format!("{other:?}"),
            });
        })),
        ..WatchOptions::default()
    };
    let stream = simple(server)
        .watch_with(&kinds::MACHINE_CLASS, &options)
        .take(events);
    let seen = stream
        .map(|event| event.map_or_else(|error| format!("! {error}"), |event| brief(&event)))
        .collect::<Vec<String>>();
    let seen = soon(seen).await;
    let notices = notices.lock().unwrap().clone();
    (seen, notices)
}

#[tokio::test]
async fn a_cut_watch_begins_anew_without_a_word() {
    let first = vec![
        line(1, Some(text("a", 1))),
        line(4, None),
        line(2, Some(text("a", 2))),
    ];
    let second = vec![line(1, Some(text("a", 3))), line(9, None), line(4, None)];
    let server = Server::new([
        Answer::Stream {
            chunks: first,
            cut: true,
        },
        Answer::Stream {
            chunks: second,
            cut: false,
        },
    ]);
    let (seen, notices) = watched(&server, 5).await;
    assert_eq!(seen, ["+a@1", "=", "~a@2", "+a@3", "="]);
    assert!(notices.is_empty(), "{notices:?}");
}

#[tokio::test]
async fn a_server_that_restarts_is_waited_for_and_a_refusal_ends_the_watch() {
    let overrun = format!(
        "{}\n",
        json!({"error": {"code": 13, "message": "buffer overrun"}})
    );
    let server = Server::new([
        Answer::refusal(503, 14, "away"),
        Answer::Reset,
        Answer::Stream {
            chunks: vec![line(4, None), overrun],
            cut: false,
        },
        Answer::Stream {
            chunks: vec![line(4, None)],
            cut: true,
        },
        Answer::refusal(403, 7, "no access is permitted"),
    ]);
    let (seen, notices) = watched(&server, 9).await;
    assert_eq!(seen, ["=", "=", "! not allowed: no access is permitted"]);
    assert_eq!(notices.len(), 3, "{notices:?}");
}

#[tokio::test]
async fn behind_a_buffering_proxy_lists_take_the_place_of_a_watch() {
    let server = Server::new([
        Answer::Silence,
        listed(&[("a", 1), ("b", 1)], 2),
        listed(&[("a", 2), ("b", 1)], 2),
        Answer::Reset,
        Answer::Reset,
        Answer::Reset,
        Answer::Reset,
        listed(&[("a", 2), ("c", 1)], 2),
    ]);
    let (seen, notices) = watched(&server, 6).await;
    assert_eq!(seen, ["+a@1", "+b@1", "=", "~a@2<1", "+c@1", "-b@1"]);
    assert!(
        notices[0].contains("proxy_buffering off") && notices.len() == 2,
        "{notices:?}"
    );
    assert_eq!(server.calls()[..3], ["Watch", "List", "List"]);
}

#[tokio::test]
async fn listing_gives_way_to_watching_again_in_case_somebody_mended_the_proxy() {
    let server = Server::new([
        Answer::Silence,
        listed(&[("a", 1)], 1),
        listed(&[("a", 1)], 1),
        Answer::Stream {
            chunks: vec![line(1, Some(text("a", 1))), line(4, None)],
            cut: false,
        },
    ]);
    let clock = Hasty::stepping(Duration::from_mins(5));
    let mut events = client(&server, Paper::default(), clock).watch(&kinds::MACHINE_CLASS);
    for expected in ["+a@1", "=", "+a@1", "="] {
        let event = soon(events.next()).await.unwrap().unwrap();
        assert_eq!(brief(&event), expected);
    }
    assert_eq!(server.calls(), ["Watch", "List", "List", "Watch"]);
}

#[tokio::test]
async fn a_kind_of_ones_own_can_be_read() {
    let kind = Kind::new("default", "Foos.example.dev");
    let server = Server::new([Answer::refusal(404, 5, "resource doesn't exist")]);
    assert_eq!(simple(&server).find(&kind, "x").await.unwrap(), None);
    assert_eq!(
        server.body(0),
        json!({"namespace": "default", "type": "Foos.example.dev", "id": "x"})
    );
}

#[tokio::test]
async fn typed_calls_keep_what_the_type_does_not_know() {
    let server = Server::new([
        got("a", 3),
        conflict(),
        got("a", 4),
        Answer::ok(),
        listed(&[("a", 1), ("b", 1)], 2),
        Answer::refusal(404, 5, "resource doesn't exist"),
    ]);
    let client = simple(&server);
    let changed = client
        .modify_as::<MachineClass>("a", |class| {
            class.spec.match_labels = vec!["a = c".into()];
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(changed.metadata.version, 4);
    let sent = &server.body(3)["resource"];
    let spec: Value = serde_json::from_str(sent["spec"].as_str().unwrap()).unwrap();
    assert_eq!(spec, json!({"match_labels": ["a = c"], "newer": 7}));
    assert_eq!(sent["metadata"]["newer"], json!({"x": 1}));
    let all = client.list_as::<MachineClass>(&ListOptions::all()).await;
    assert_eq!(all.unwrap()[1].spec.match_labels, ["a = b"]);
    assert_eq!(client.find_as::<MachineClass>("z").await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_is_refused_by_its_maker_sends_nothing() {
    let server = Server::new([got("a", 3)]);
    let error = Error::Unexpected {
        status: 200,
        message: "not this one".into(),
    };
    let mut error = Some(error);
    let outcome = simple(&server)
        .modify_as::<MachineClass>("a", |_| Err(error.take().unwrap()))
        .await;
    assert!(outcome.unwrap_err().to_string().contains("not this one"));
    assert_eq!(server.calls(), ["Get"]);
}

#[tokio::test]
async fn a_typed_watch_goes_on_after_a_spec_that_does_not_fit() {
    let odd = text("b", 1).as_str().unwrap().replace("[\"a = b\"]", "7");
    let updated = json!({"result": {"event": {"event_type": 2, "resource": text("a", 2), "old": text("a", 1)}}});
    let server = Server::new([Answer::Stream {
        chunks: vec![
            line(1, Some(text("a", 1))),
            line(1, Some(odd.into())),
            line(4, None),
            format!("{updated}\n"),
            line(3, Some(text("a", 2))),
        ],
        cut: false,
    }]);
    let mut events = simple(&server).watch_as::<MachineClass>(&WatchOptions::default());
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(match soon(events.next()).await.unwrap() {
            Ok(Event::Created(new)) => format!("+{}", new.spec.match_labels[0]),
            Ok(Event::Updated { new, old }) => {
                format!(
                    "~{}<{}",
                    new.metadata.version,
                    old.unwrap().metadata.version
                )
            }
            Ok(Event::Destroyed(last)) => format!("-{}", last.metadata.id),
            Ok(Event::Bootstrapped) => "=".into(),
            Err(Error::Unexpected { status: 200, .. }) => "!".into(),
            Err(other) => panic!("{other}"),
        });
    }
    assert_eq!(seen, ["+a = b", "!", "=", "~2<1", "-a"]);
}
