//! Values that JSON has no form of its own for, and values that must not be shown.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A text that opens something: a token, a password, a private key, or a config that may hold one. `Debug` does not
/// show it, memory is wiped when it is dropped, and only [`Secret::expose`] gives it away.
///
/// Serializing it writes the text: that is how it gets back to the server.
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() {
            "Secret(\"\")"
        } else {
            "Secret(…)"
        })
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hidden;
        impl Visitor<'_> for Hidden {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(text.into())
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Secret, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Hidden)
    }
}

/// A text with a form that is kept as the server wrote it, so that it goes back unchanged.
macro_rules! kept {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
            #[serde(transparent)]
            pub struct $name(String);

            impl $name {
                /// As the server wrote it; empty where it is not set.
                pub fn as_str(&self) -> &str {
                    &self.0
                }

                /// Whether it is not set.
                pub fn is_empty(&self) -> bool {
                    self.0.is_empty()
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl From<&str> for $name {
                fn from(text: &str) -> Self {
                    Self(text.to_owned())
                }
            }

            impl From<String> for $name {
                fn from(text: String) -> Self {
                    Self(text)
                }
            }
        )*
    };
}

kept! {
    /// A point in time, RFC 3339 such as `2026-11-23T07:32:12.617614417Z`; empty where it is not set.
    Timestamp;
    /// A span of time in seconds such as `3600s` or `1.5s`; empty where it is not set.
    Span;
    /// Bytes in base64.
    Base64;
}

impl Timestamp {
    /// The time; none where it is not set or not of this form.
    pub fn time(&self) -> Option<SystemTime> {
        let time: jiff::Timestamp = self.0.parse().ok()?;
        // Before the epoch, or far beyond what clocks of this machine can say.
        let since = Duration::try_from(time.as_duration()).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(
            jiff::Timestamp::try_from(time).map_or_else(|_| String::new(), |time| time.to_string()),
        )
    }
}

impl Span {
    /// The span; none where it is not set, negative or not of this form.
    pub fn duration(&self) -> Option<Duration> {
        let (whole, part) = match self.0.strip_suffix('s')?.split_once('.') {
            Some((whole, part)) => (whole, part),
            None => (self.0.strip_suffix('s')?, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 9 || !digits(whole) || !digits(part) {
            return None;
        }
        let nanos = format!("{part:0<9}").parse().ok()?;
        Some(Duration::new(whole.parse().ok()?, nanos))
    }
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        let part = format!(".{:09}", span.subsec_nanos());
        let part = part.trim_end_matches('0').trim_end_matches('.');
        Self(format!("{}{part}s", span.as_secs()))
    }
}

impl Base64 {
    /// The bytes; none where it is no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.0).ok()
    }
}

impl From<&[u8]> for Base64 {
    fn from(bytes: &[u8]) -> Self {
        Self(STANDARD.encode(bytes))
    }
}

/// Whole numbers of 64 bits, which the API writes as texts.
pub(crate) mod whole {
    use super::{Deserializer, FromStr, Serializer, de, fmt};

    pub(crate) fn serialize<T: fmt::Display, S: Serializer>(
        number: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    /// Texts of zero would be no zeros to [`crate::Resource::set_spec`].
    pub(crate) fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
        *number == T::default()
    }

    pub(crate) fn deserialize<'de, T, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr + TryFrom<i64> + TryFrom<u64>,
    {
        struct Number<T>(std::marker::PhantomData<T>);
        impl<T: FromStr + TryFrom<i64> + TryFrom<u64>> de::Visitor<'_> for Number<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a text that is one")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Str(text), &self);
                text.parse().map_err(wrong)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Signed(number), &self);
                T::try_from(number).map_err(wrong)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Unsigned(number), &self);
                T::try_from(number).map_err(wrong)
            }
        }
        deserializer.deserialize_any(Number(std::marker::PhantomData))
    }
}

/// Reads an enumeration by number or by name.
pub(crate) fn numbered<'de, T: From<i32>, D: Deserializer<'de>>(
    deserializer: D,
    named: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Choice<F>(F);
    impl<T: From<i32>, F: Fn(&str) -> Option<T>> Visitor<'_> for Choice<F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number or a name of the enumeration")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            let wrong = |_| E::invalid_value(de::Unexpected::Signed(number), &self);
            i32::try_from(number).map(T::from).map_err(wrong)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            let wrong = |_| E::invalid_value(de::Unexpected::Unsigned(number), &self);
            i32::try_from(number).map(T::from).map_err(wrong)
        }
    }
    deserializer.deserialize_any(Choice(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, nanos) in [
            ("3600s", Some(3_600_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            ("0.000000001s", Some(1)),
            ("", None),
            ("1", None),
            ("s", None),
            ("-1s", None),
            ("1.s5", None),
            ("1.0000000001s", None),
            ("+1s", None),
            ("99999999999999999999s", None),
        ] {
            let read = Span::from(text).duration();
            assert_eq!(read.map(|span| span.as_nanos()), nanos, "{text}");
            if let Some(span) = read {
                assert_eq!(Span::from(span).as_str(), text);
            }
        }
    }

    #[test]
    fn times_are_read_and_written() {
        let text = "2026-11-23T07:32:12.617614417Z";
        let time = Timestamp::from(text).time().unwrap();
        assert_eq!(Timestamp::from(time).as_str(), text);
        for text in ["", "yesterday", "1969-12-31T23:59:59Z", "2026-11-23"] {
            assert_eq!(Timestamp::from(text).time(), None, "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown_and_go_back_as_they_came() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hunter2\"");
        let error = serde_json::from_str::<Secret>("[\"hunter2\"]").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
