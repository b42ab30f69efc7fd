//! Types that decode themselves: what omnictl and Talos make of them.

use super::super::go_yaml::tree::{Kind as Node, Tree};
use super::super::text::quote;
use super::formats::{self, Format};
use super::{Step, Walk};

/// How a type decodes itself.
#[derive(Clone, Copy)]
enum Method {
    /// As this type.
    As(&'static str),
    /// As a string of a format.
    String(Format),
    /// Certificates and keys: fields in base64.
    Encoded((&'static str, &'static str)),
    Inline,
    Size,
    Strategy,
    Mode,
    Argument,
    PortRange,
}

/// The fields that are decoded before they are read as base64, under Go's name for them.
pub(super) const ENCODED: [(&str, &str); 3] = [
    ("struct { Crt string \"yaml:\\\"crt\\\"\" }", "crt"),
    ("struct { Key string \"yaml:\\\"key\\\"\" }", "key"),
    (
        "struct { Crt string \"yaml:\\\"crt\\\"\"; Key string \"yaml:\\\"key\\\"\" }",
        "crt,key",
    ),
];

fn method(type_name: &str) -> Option<Method> {
    Some(match type_name {
        "models.OptionalList" => Method::As("[]string"),
        "v1alpha1.ClusterInlineManifests" => Method::As("[]v1alpha1.ClusterInlineManifest"),
        "models.InlineContent" => Method::Inline,
        "models.Size" => Method::Size,
        "models.UpdateStrategyType" => Method::Strategy,
        "models.KubernetesManifestMode" => Method::Mode,
        "meta.ArgValue" => Method::Argument,
        "network.PortRange" => Method::PortRange,
        "meta.URL" | "v1alpha1.Endpoint" => Method::String(Format::Url),
        "v1alpha1.Base64Bytes" => Method::String(Format::Base64),
        "v1alpha1.DiskSize" => Method::String(Format::Size),
        "v1alpha1.InstallDiskSizeMatcher" => Method::String(Format::SizeCondition),
        "x509.PEMEncodedCertificate" => Method::Encoded(ENCODED[0]),
        "x509.PEMEncodedKey" => Method::Encoded(ENCODED[1]),
        "x509.PEMEncodedCertificateAndKey" => Method::Encoded(ENCODED[2]),
        _ => return None,
    })
}

#[cfg(test)]
pub(super) fn is_custom(type_name: &str) -> bool {
    method(type_name).is_some()
}

impl Walk<'_> {
    /// `None` where the type has no method of its own.
    pub(super) fn custom(&mut self, node: &Tree, type_name: &str) -> Option<Step> {
        let method = method(type_name)?;
        Some(Ok(match method {
            Method::As(other) => self.anew(node, other),
            Method::Inline => self.inline(node),
            Method::Encoded(fields) => self.encoded(node, fields),
            Method::Argument => {
                let fits = self.tried(node, "string") || self.tried(node, "[]string");
                let text = "arg value must be a string or list of strings";
                fits || self.fault(node, text)
            }
            Method::PortRange if self.tried(node, "uint16") => true,
            Method::PortRange => self.string(node, port_range),
            Method::String(format) => self.string(node, |text| formats::check(format, text)),
            Method::Size => self.string(node, size),
            Method::Strategy => self.string(node, |text| {
                let known = matches!(text, "Unset" | "Rolling");
                let message = format!("invalid update strategy type {text}");
                (!known).then(|| formats::Problem::plain(message))
            }),
            Method::Mode => self.string(node, |text| {
                let known = matches!(text, "full" | "one-time");
                let message = format!("unknown mode name {}", quote(text));
                (!known).then(|| formats::Problem::plain(message))
            }),
        }))
    }

    fn string(&mut self, node: &Tree, check: impl Fn(&str) -> Option<formats::Problem>) -> bool {
        if !self.attempt(node, "string") {
            return false;
        }
        match check(node.text()) {
            None => true,
            Some(problem) => self.problem(node, problem),
        }
    }

    fn problem(&mut self, node: &Tree, problem: formats::Problem) -> bool {
        self.fault(node, &problem.text);
        if let Some(fault) = self.faults.last_mut() {
            fault.message = problem.message;
        }
        false
    }

    fn inline(&mut self, node: &Tree) -> bool {
        match &node.kind {
            Node::Scalar(_) if node.tag != "!!str" => {
                let tag = node.tag.clone();
                self.fault(node, &format!("expected string, but got {tag}"))
            }
            Node::Scalar(_) => true,
            Node::Mapping(_) => self.anew(node, "map[string]any"),
            _ => self.anew(node, "[]map[string]any"),
        }
    }

    fn encoded(&mut self, node: &Tree, (type_name, fields): (&str, &str)) -> bool {
        if !self.attempt(node, type_name) {
            return false;
        }
        let Node::Mapping(pairs) = &node.kind else {
            return true;
        };
        // The certificate is looked at first, whatever the order.
        for name in ["crt", "key"] {
            let value = pairs.iter().find(|(key, _)| key.target().text() == name);
            let text = value.map_or("", |(_, value)| {
                if value.is_null() {
                    ""
                } else {
                    value.target().text()
                }
            });
            let redacted = name == "key" && text == "******";
            if fields.contains(name)
                && !redacted
                && let Some(problem) = formats::check(Format::Base64, text)
            {
                return self.problem(node, problem);
            }
        }
        true
    }

    /// As another type, by the decoder at work; what would end the decoding is one more fault.
    fn attempt(&mut self, node: &Tree, type_name: &str) -> bool {
        let before = self.faults.len();
        match self.value(node, type_name) {
            Ok(_) => self.faults.len() == before,
            Err(fault) => {
                let text = fault.fatal_text(|line| line);
                self.fault(node, &text)
            }
        }
    }

    /// As another type, by a new decoder.
    fn anew(&mut self, node: &Tree, type_name: &str) -> bool {
        let (before, known, merged) = (self.faults.len(), self.known_fields, self.merged.take());
        self.known_fields = false;
        let fits = match self.value(node, type_name) {
            Ok(_) => self.faults.len() == before,
            Err(fault) => {
                self.faults.truncate(before);
                let text = fault.fatal_text(|line| line);
                self.fault(node, &text)
            }
        };
        (self.known_fields, self.merged) = (known, merged);
        fits
    }

    /// Whether another type would fit; faults are forgotten.
    fn tried(&mut self, node: &Tree, type_name: &str) -> bool {
        let before = self.faults.len();
        let fits = self.attempt(node, type_name);
        self.faults.truncate(before);
        fits
    }
}

fn size(text: &str) -> Option<formats::Problem> {
    if matches!(
        text,
        "unlimited" | "Unlimited" | "infinity" | "∞" | "Static"
    ) {
        return None;
    }
    let cause = if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        "invalid syntax"
    } else if text.parse::<u32>().is_err() {
        "value out of range"
    } else {
        return None;
    };
    let quoted = quote(text);
    Some(formats::Problem::plain(format!(
        "invalid machine count {text}: strconv.ParseUint: parsing {quoted}: {cause}"
    )))
}

fn port_range(text: &str) -> Option<formats::Problem> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits && text.parse::<u16>().is_ok()
    };
    let fits = text
        .split_once('-')
        .is_some_and(|(low, high)| port(low) && port(high));
    let message = format!("invalid port range: {}", quote(text));
    (!fits).then(|| formats::Problem::new(message, "invalid port range"))
}
