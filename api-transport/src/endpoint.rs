//! Which URLs are taken as an endpoint, and how a request's path joins one.

use url::{Host, Url};

use crate::Error;

/// A checked base URL.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// `https://host:port`, the port only where it is not the scheme's own.
    pub(crate) origin: String,
    /// Path prefix without a trailing slash; empty for none.
    prefix: String,
    pub(crate) plain: bool,
    pub(crate) loopback: bool,
}

impl Endpoint {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text.trim())
            .map_err(|error| refuse(text, format!("{error}; expected https://host[:port]")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(
                text,
                "only https, and http to loopback, are supported",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse(text, "it must not hold a user name or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse(text, "it must not have a query or a fragment"));
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(refuse(text, "it has no host")),
        };
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            prefix: url.path().trim_end_matches('/').to_owned(),
            plain: url.scheme() == "http",
            loopback,
        })
    }

    pub(crate) fn uri(&self, path: &str) -> Result<http::Uri, Error> {
        let own = path.split(['?', '#']).next().unwrap_or_default();
        if !own.starts_with('/') || path.contains('#') {
            return Err(Error::request("a path begins with / and has no fragment"));
        }
        // A dot segment would be resolved on the way and hit another object than the caller signed for.
        if own.split('/').any(is_dot_segment) {
            return Err(Error::request("a path must not have dot segments"));
        }
        format!("{}{}{path}", self.origin, self.prefix)
            .parse()
            .map_err(|error| Error::request(format!("the path is not valid in a URL: {error}")))
    }

    /// The host a `Location` header points to.
    pub(crate) fn target(&self, location: Option<&str>) -> String {
        let Some(location) = location else {
            return "an unnamed place".to_owned();
        };
        let resolved = Url::parse(&self.origin).and_then(|base| base.join(location));
        match resolved
            .ok()
            .as_ref()
            .map(|url| (url.scheme(), url.host_str(), url.port()))
        {
            Some((scheme, Some(host), Some(port))) => format!("{scheme}://{host}:{port}"),
            Some((scheme, Some(host), None)) => format!("{scheme}://{host}"),
            _ => "an unreadable address".to_owned(),
        }
    }
}

fn is_dot_segment(segment: &str) -> bool {
    matches!(
        segment.to_ascii_lowercase().replace("%2e", ".").as_str(),
        "." | ".."
    )
}

fn refuse(endpoint: &str, reason: impl Into<String>) -> Error {
    // The part before an @ may be a password.
    let shown = endpoint.rsplit('@').next().unwrap_or_default();
    Error::Endpoint {
        endpoint: crate::redact(shown, 200),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_origins_with_an_optional_prefix() {
        for (text, origin, uri) in [
            (
                "https://omni.home.example",
                "https://omni.home.example",
                "https://omni.home.example/a?b=c",
            ),
            (
                "https://omni.home.example:443/",
                "https://omni.home.example",
                "https://omni.home.example/a?b=c",
            ),
            (
                "https://[fd00::1]:8006/pre/",
                "https://[fd00::1]:8006",
                "https://[fd00::1]:8006/pre/a?b=c",
            ),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/a?b=c",
            ),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.origin, origin);
            assert_eq!(endpoint.uri("/a?b=c").unwrap().to_string(), uri);
        }
        for bad in [
            "",
            "omni",
            "ftp://a",
            "https://",
            "https://u:hunter2@a",
            "https://u@a",
            "https://a?x=1",
            "https://a#f",
        ] {
            let error = Endpoint::parse(bad).unwrap_err();
            assert!(matches!(error, Error::Endpoint { .. }), "{bad}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_path_cannot_climb_or_carry_more_than_a_path() {
        let endpoint = Endpoint::parse("https://a/pre").unwrap();
        for bad in [
            "",
            "a",
            "/../b",
            "/a/%2E%2e/b",
            "/a/.",
            "/a b",
            "/a\r\nX: y",
            "/a#b",
            "/\u{0}",
        ] {
            assert!(
                matches!(endpoint.uri(bad), Err(Error::Request(_))),
                "{bad:?}"
            );
        }
        assert!(endpoint.uri("/a/..b/c.d?x=..").is_ok());
    }

    #[test]
    fn a_redirect_target_is_a_host_and_nothing_more() {
        let endpoint = Endpoint::parse("https://a:8006").unwrap();
        for (location, target) in [
            (
                Some("https://evil.example/steal?key=1"),
                "https://evil.example",
            ),
            (Some("/login"), "https://a:8006"),
            (Some("//b:1/x"), "https://b:1"),
            (Some("mailto:x"), "an unreadable address"),
            (None, "an unnamed place"),
        ] {
            assert_eq!(endpoint.target(location), target);
        }
    }
}
