//! Label selectors: what `omnictl -l`, the `selectors` header and a machine class's `match_labels` are written in.

mod amount;
mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Write as _};
use std::str::FromStr;

pub use self::parse::SelectorError;
use crate::specs::{MachineClass, SamlLabelRule};

/// Terms that must all hold of a resource's labels. Without terms it matches everything.
///
/// ```
/// use omni_client::{Selector, labels};
///
/// let idle = Selector::new().exists(labels::AVAILABLE).at_least(labels::MEM, "16GiB");
/// let text = "omni.sidero.dev/available,omni.sidero.dev/mem>=16GiB";
/// assert_eq!(idle.to_string(), text);
/// assert_eq!(text.parse::<Selector>()?, idle);
///
/// let machine = [(labels::AVAILABLE, ""), (labels::MEM, "32GiB")];
/// assert!(idle.matches(&machine.map(|(key, value)| (key.into(), value.into())).into()));
/// # Ok::<(), omni_client::SelectorError>(())
/// ```
///
/// # Text form
///
/// Terms are separated by commas: `key`, `!key`, `key = value` (also `==`), `key != value`, `key in (a, b)`,
/// `key notin (a, b)`, and `<`, `<=`, `>`, `>=`. Spaces before a word do not count; those within a value and after it
/// do. A text in double quotes may hold anything, with `\` before `"` and `\`. [`Display`] quotes where that is needed.
///
/// # What matches
///
/// - `!=` and `notin` also hold where there is no such label.
/// - `<` and its like compare amounts: a whole number and a unit of which the first letters count, `ki mi gi ti pi`
///   for powers of 1024 and `k m g t p` for powers of 1000, in any case. They never hold where the label is absent or
///   either side is no such amount (`1.5GiB` is none).
///
/// The grammar and the rules are those of Omni v1.10 (siderolabs/omni, `client/pkg/cosi/labels`) and its store
/// (cosi-project/runtime, `pkg/resource`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    terms: Vec<Term>,
}

/// What is asked of one label.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// The label.
    pub key: String,
    /// What is asked of it.
    pub test: Test,
}

/// What is asked of a label's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Test {
    /// It is there.
    Exists,
    /// It is not there.
    Absent,
    /// It is this text.
    Equal(String),
    /// It is not there, or another text.
    NotEqual(String),
    /// It is one of these texts.
    In(BTreeSet<String>),
    /// It is not there, or none of these texts.
    NotIn(BTreeSet<String>),
    /// It is a smaller amount.
    Less(String),
    /// It is a smaller amount or the same.
    AtMost(String),
    /// It is a larger amount.
    More(String),
    /// It is a larger amount or the same.
    AtLeast(String),
}

impl Selector {
    /// Matches everything, until terms are added.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its terms.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Adds that the label is there.
    #[must_use]
    pub fn exists(self, key: impl Into<String>) -> Self {
        self.with(key, Test::Exists)
    }

    /// Adds that the label is not there.
    #[must_use]
    pub fn absent(self, key: impl Into<String>) -> Self {
        self.with(key, Test::Absent)
    }

    /// Adds that the label is this text.
    #[must_use]
    pub fn equal(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(key, Test::Equal(value.into()))
    }

    /// Adds that the label is not this text, or not there.
    #[must_use]
    pub fn not_equal(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(key, Test::NotEqual(value.into()))
    }

    /// Adds that the label is one of these texts. Of no texts: nothing matches.
    #[must_use]
    pub fn any_of<V: Into<String>>(
        self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values: BTreeSet<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            // The grammar reads an empty list as one empty text.
            let key = key.into();
            return self.exists(key.clone()).absent(key);
        }
        self.with(key, Test::In(values))
    }

    /// Adds that the label is none of these texts, or not there. Of no texts: nothing is added.
    #[must_use]
    pub fn none_of<V: Into<String>>(
        self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values: BTreeSet<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            return self;
        }
        self.with(key, Test::NotIn(values))
    }

    /// Adds that the label is a smaller amount, such as `8` or `16GiB`.
    #[must_use]
    pub fn less(self, key: impl Into<String>, amount: impl Display) -> Self {
        self.with(key, Test::Less(amount.to_string()))
    }

    /// Adds that the label is a smaller amount or the same.
    #[must_use]
    pub fn at_most(self, key: impl Into<String>, amount: impl Display) -> Self {
        self.with(key, Test::AtMost(amount.to_string()))
    }

    /// Adds that the label is a larger amount.
    #[must_use]
    pub fn more(self, key: impl Into<String>, amount: impl Display) -> Self {
        self.with(key, Test::More(amount.to_string()))
    }

    /// Adds that the label is a larger amount or the same.
    #[must_use]
    pub fn at_least(self, key: impl Into<String>, amount: impl Display) -> Self {
        self.with(key, Test::AtLeast(amount.to_string()))
    }

    fn with(mut self, key: impl Into<String>, test: Test) -> Self {
        self.terms.push(Term {
            key: key.into(),
            test,
        });
        self
    }

    /// Whether all terms hold, as Omni judges.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms
            .iter()
            .all(|term| term.test.holds(labels.get(&term.key).map(String::as_str)))
    }
}

impl Test {
    /// Whether a label with this value, or without one if it is absent, passes.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let compared = |limit: &str| Some(amount::of(value?)?.cmp(&amount::of(limit)?));
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Equal(wanted) => value == Some(wanted),
            Self::NotEqual(unwanted) => value != Some(unwanted),
            Self::In(wanted) => value.is_some_and(|value| wanted.contains(value)),
            Self::NotIn(unwanted) => value.is_none_or(|value| !unwanted.contains(value)),
            Self::Less(limit) => compared(limit).is_some_and(std::cmp::Ordering::is_lt),
            Self::AtMost(limit) => compared(limit).is_some_and(std::cmp::Ordering::is_le),
            Self::More(limit) => compared(limit).is_some_and(std::cmp::Ordering::is_gt),
            Self::AtLeast(limit) => compared(limit).is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = word(&self.key);
        let list = |values: &BTreeSet<String>| {
            let words: Vec<String> = values.iter().map(|value| word(value)).collect();
            words.join(", ")
        };
        // After an operator nothing is the empty text.
        let value = |text: &String| match text.as_str() {
            "" => String::new(),
            text => word(text),
        };
        match &self.test {
            Test::Exists => f.write_str(&key),
            Test::Absent => write!(f, "!{key}"),
            Test::Equal(text) => write!(f, "{key}={}", value(text)),
            Test::NotEqual(text) => write!(f, "{key}!={}", value(text)),
            Test::In(values) => write!(f, "{key} in ({})", list(values)),
            Test::NotIn(values) => write!(f, "{key} notin ({})", list(values)),
            Test::Less(text) => write!(f, "{key}<{}", value(text)),
            Test::AtMost(text) => write!(f, "{key}<={}", value(text)),
            Test::More(text) => write!(f, "{key}>{}", value(text)),
            Test::AtLeast(text) => write!(f, "{key}>={}", value(text)),
        }
    }
}

/// A key or value, in quotes where it would be read as something else.
fn word(text: &str) -> String {
    let odd = |c: char| parse::is_special(c) || parse::is_space(c) || matches!(c, '"' | ';');
    if text.is_empty() || text.contains(odd) || matches!(text, "in" | "notin") {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    } else {
        text.to_owned()
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parse::terms(text).map(|terms| Self { terms })
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

/// Selectors of which any may match. Of none: everything matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selectors(pub Vec<Selector>);

impl Selectors {
    /// Of several texts, such as those of `match_labels`. Those of a header are split at each `;` first, quoted or
    /// not: use [`str::parse`] for one of them.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, SelectorError> {
        let parsed = texts.into_iter().map(|text| text.as_ref().parse());
        parsed.collect::<Result<_, _>>().map(Self)
    }

    /// Whether any of them matches.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.is_empty() || self.0.iter().any(|selector| selector.matches(labels))
    }
}

impl FromStr for Selectors {
    type Err = SelectorError;

    fn from_str(header: &str) -> Result<Self, SelectorError> {
        Self::parse(header.split(';'))
    }
}

impl MachineClass {
    /// Its selectors, read. To be taken for a cluster a machine must also be available, ready to use and reporting,
    /// and run a Talos version that fits.
    pub fn selectors(&self) -> Result<Selectors, SelectorError> {
        Selectors::parse(&self.match_labels)
    }
}

impl SamlLabelRule {
    /// Its selectors, read.
    pub fn selectors(&self) -> Result<Selectors, SelectorError> {
        Selectors::parse(&self.match_labels)
    }
}
