//! Templates of any shape come back.

use proptest::prelude::*;

use crate::strategy::templates;
use crate::{check_round_trip, load_text};

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_template_comes_back(text in templates()) {
        check_round_trip(&load_text(&text));
    }
}
