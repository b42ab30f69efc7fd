//! Selectors of all forms: their text reads back, and what matches is what the terms say.
#![allow(clippy::unwrap_used)] // a test may

use std::collections::BTreeMap;

use omni_client::{Selector, Selectors, specs};
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,4}(/[a-z-]{1,6})?",
        "[-0-9]{0,3} ?([kmgtpKMGTP]i?B?)?",
        Just("in".to_owned()),
        Just("notin".to_owned()),
        "[^\\x00]{0,8}",
        r#"[ \\t,;=!<>()"\\a]{0,6}"#,
    ]
}

fn selector() -> impl Strategy<Value = Selector> {
    let term = (0..10_u8, text(), prop::collection::vec(text(), 0..4));
    prop::collection::vec(term, 0..4).prop_map(|terms| {
        terms
            .into_iter()
            .fold(Selector::new(), |all, (form, key, values)| {
                let value = values.first().cloned().unwrap_or_default();
                match form {
                    0 => all.exists(key),
                    1 => all.absent(key),
                    2 => all.equal(key, value),
                    3 => all.not_equal(key, value),
                    4 => all.any_of(key, values),
                    5 => all.none_of(key, values),
                    6 => all.less(key, value),
                    7 => all.at_most(key, value),
                    8 => all.more(key, value),
                    _ => all.at_least(key, value),
                }
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(700) })]

    #[test]
    fn the_text_of_a_selector_reads_back(selector in selector()) {
        let shown = selector.to_string();
        prop_assert_eq!(shown.parse::<Selector>().unwrap(), selector, "{}", shown);
    }

    #[test]
    fn any_text_is_a_selector_or_an_error(text in r#"[ ab,;=!<>()"\\in\x00ü]{0,24}"#) {
        if let Ok(selector) = text.parse::<Selector>() {
            prop_assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
        }
    }

    #[test]
    fn terms_add_up(one in selector(), other in selector(), labels in prop::collection::btree_map(text(), text(), 0..5)) {
        let both = [one.to_string(), other.to_string()];
        let both: Vec<&str> = both.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let both: Selector = both.join(",").parse().unwrap();
        let (first, second) = (one.matches(&labels), other.matches(&labels));
        prop_assert_eq!(both.matches(&labels), first && second);
        let any = Selectors(vec![one, other]);
        prop_assert_eq!(any.matches(&labels), first || second);
    }
}

#[test]
fn what_matches() {
    let labels: BTreeMap<String, String> =
        [("a", "b"), ("mem", "16GiB"), ("cores", "8"), ("empty", "")]
            .map(|(key, value)| (key.into(), value.into()))
            .into();
    for (selector, expected) in [
        ("", true),
        ("a", true),
        ("!a", false),
        ("!z", true),
        ("empty", true),
        ("a = b", true),
        ("a==c", false),
        ("a != c,empty=", true),
        ("z != c", true),
        ("z = ", false),
        ("a in (b, c)", true),
        ("a in (c)", false),
        ("z in ()", false),
        ("empty in ()", true),
        ("a notin (b)", false),
        ("z notin (b)", true),
        ("mem >= 16GiB", true),
        ("mem > 16GiB", false),
        ("mem >= 16GB", true),
        ("mem < 8GB", false),
        ("cores<=8", true),
        ("cores>007", true),
        ("a > 1", false),
        ("a <= 1", false),
        ("z > 1", false),
        ("z <= 1", false),
        ("cores > many", false),
        ("a=\"b\"", true),
    ] {
        let parsed: Selector = selector.parse().unwrap();
        assert_eq!(parsed.matches(&labels), expected, "{selector}");
    }
    for (header, expected) in [("a=x;a=b", true), ("a=x;", true), ("a=x;!a", false)] {
        let parsed: Selectors = header.parse().unwrap();
        assert_eq!(parsed.matches(&labels), expected, "{header}");
    }
}

#[test]
fn classes_are_read() {
    let class = |labels: &[&str]| specs::MachineClass {
        match_labels: labels.iter().map(|&text| text.to_owned()).collect(),
        ..specs::MachineClass::default()
    };
    let read = class(&["omni.sidero.dev/cores >= 4, !gpu", "x"])
        .selectors()
        .unwrap();
    assert_eq!(read.0.len(), 2);
    assert_eq!(
        class(&["%%% = ("]).selectors().unwrap_err().to_string(),
        "unable to parse term: found '(', expected: identifier",
        "as a real server says"
    );
}
