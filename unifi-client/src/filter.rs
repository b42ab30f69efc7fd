//! Filters of the integration API's lists, put together so that no value can end a text or change the expression.

use std::fmt;

use crate::Error;

/// An expression that a list of the integration API is narrowed by.
///
/// Source: the vendor's OpenAPI document. Texts stand in single quotes, a quote within is doubled; the whole is
/// URL-encoded when it is sent.
///
/// ```
/// use unifi_client::Filter;
///
/// # fn run() -> Result<(), unifi_client::Error> {
/// let wired = Filter::equal("type", "WIRED")?.and(&Filter::like("name", "node-*")?);
/// assert_eq!(wired.to_string(), "and(type.eq('WIRED'),name.like('node-*'))");
/// assert_eq!(Filter::equal("name", "Ann's")?.to_string(), "name.eq('Ann''s')");
/// # Ok(())
/// # }
/// # run().unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// A value that a property is compared with. `&str`, `i64` and `bool` turn into it by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterValue {
    /// A text, an address or a MAC; quoted.
    Text(String),
    /// A number; bare.
    Number(i64),
    /// True or false; bare.
    Flag(bool),
}

impl From<&str> for FilterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for FilterValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for FilterValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl fmt::Display for FilterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Filter {
    /// Rows whose property has this value. Properties are named as in answers, e.g. `macAddress`, `access.type`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a property that is none.
    pub fn equal(property: &str, value: impl Into<FilterValue>) -> Result<Self, Error> {
        Self::call(property, "eq", &value.into().to_string())
    }

    /// Rows whose property has one of these values.
    ///
    /// ```
    /// let vlans = unifi_client::Filter::any_of("vlanId", [20, 30]).unwrap();
    /// assert_eq!(vlans.to_string(), "vlanId.in(20,30)");
    /// ```
    ///
    /// # Errors
    /// [`Error::Invalid`] for a property that is none, or for no values.
    pub fn any_of<V: Into<FilterValue>>(
        property: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Self, Error> {
        let values: Vec<_> = values
            .into_iter()
            .map(|value| value.into().to_string())
            .collect();
        if values.is_empty() {
            return Err(Error::invalid(
                "filter",
                property,
                "at least one value is needed",
            ));
        }
        Self::call(property, "in", &values.join(","))
    }

    /// Rows whose property fits a pattern: `*` is any run of characters. What else the API takes for a wildcard, a dot
    /// above all, is escaped, so that a name is itself.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a property that is none.
    pub fn like(property: &str, pattern: &str) -> Result<Self, Error> {
        let escaped = pattern.replace('\\', "\\\\").replace('.', "\\.");
        Self::call(property, "like", &FilterValue::Text(escaped).to_string())
    }

    /// Rows that have no such property.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a property that is none.
    pub fn absent(property: &str) -> Result<Self, Error> {
        Self::call(property, "isNull", "")
    }

    /// Rows that fit both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self(format!("and({self},{other})"))
    }

    /// Rows that fit either.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self(format!("or({self},{other})"))
    }

    /// Rows that do not fit.
    #[must_use]
    pub fn negate(self) -> Self {
        Self(format!("not({self})"))
    }

    fn call(property: &str, function: &str, arguments: &str) -> Result<Self, Error> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !property.split('.').all(part) {
            return Err(Error::invalid(
                "filter",
                "property",
                "a property is letters and digits, with dots between its parts",
            ));
        }
        Ok(Self(format!("{property}.{function}({arguments})")))
    }

    /// As a part of a query, with the sign before it.
    pub(crate) fn query(&self) -> String {
        let encoded: String = url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect();
        format!("&filter={encoded}")
    }
}
