//! What of a kind is listed, and how.

use crate::Resource;

/// What of a kind is listed, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Label selectors such as `omni.sidero.dev/cluster=home,!omni.sidero.dev/disabled`, in the grammar of
    /// [`Selector`](crate::Selector). What any of them matches is listed; the commas inside one mean "and". Empty:
    /// everything. A `;` begins another one, even in quotes: a label's value with it cannot be asked for.
    pub selectors: Vec<String>,
    /// Texts to search for in ids and, for machines, host names and addresses.
    pub search: Vec<String>,
    /// `id` (the server's default), `created`, `updated`, or what else the kind can be sorted by.
    pub sort_by: Option<String>,
    /// Largest first.
    pub descending: bool,
    /// Ask for this many at a time. 0: all in one answer, which is the only way to see one moment's state.
    pub page_size: u32,
}

impl ListOptions {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// What `selector` matches: a [`Selector`](crate::Selector) or its text.
    pub fn selector(selector: impl Into<String>) -> Self {
        Self {
            selectors: vec![selector.into()],
            ..Self::default()
        }
    }

    /// Asks for `size` at a time.
    #[must_use]
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = size;
        self
    }

    /// Sorts by `field`.
    #[must_use]
    pub fn sort_by(mut self, field: impl Into<String>) -> Self {
        self.sort_by = Some(field.into());
        self
    }

    /// The value of the selector header: `;` separates those of which any may match.
    pub(crate) fn selector_header(selectors: &[String]) -> Option<String> {
        (!selectors.is_empty()).then(|| selectors.join(";"))
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The part.
    pub items: Vec<Resource>,
    /// How many match in all.
    pub total: u32,
}
