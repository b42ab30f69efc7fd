//! How a server proves who it is.

use std::fmt;
use std::str::FromStr;

/// How a server proves who it is.
#[derive(Clone, Default)]
pub enum Trust {
    /// The operating system's roots.
    #[default]
    System,
    /// Only these PEM certificates.
    CaPem(Vec<u8>),
    /// Any certificate whose SHA-256 is one of these; name and chain are not looked at.
    Pins(Vec<Fingerprint>),
    /// No check at all. Only for throw-away set-ups.
    Insecure,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::CaPem(pem) => write!(f, "CaPem({} bytes)", pem.len()),
            Self::Pins(pins) => f.debug_tuple("Pins").field(pins).finish(),
            Self::Insecure => f.write_str("Insecure"),
        }
    }
}

/// SHA-256 of a certificate. Parses with and without colons, any case; shows upper case with colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, der).as_ref());
        Self(bytes)
    }
}

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 fingerprint: 64 hex digits are needed, with or without colons")]
pub struct ParseFingerprintError;

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let colons = text.contains(':');
        let mut bytes = [0_u8; 32];
        let mut digits = text.chars();
        for (index, byte) in bytes.iter_mut().enumerate() {
            if colons && index > 0 && digits.next() != Some(':') {
                return Err(ParseFingerprintError);
            }
            for _ in 0..2 {
                let digit = digits
                    .next()
                    .and_then(|c| c.to_digit(16))
                    .ok_or(ParseFingerprintError)?;
                *byte = *byte << 4 | u8::try_from(digit).map_err(|_| ParseFingerprintError)?;
            }
        }
        if digits.next().is_some() {
            Err(ParseFingerprintError)
        } else {
            Ok(Self(bytes))
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_parse_in_every_usual_form_and_show_one() {
        let shown = Fingerprint::of(b"certificate").to_string();
        assert_eq!(shown.len(), 95);
        for form in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace(':', ""),
            format!(" {shown}\n"),
        ] {
            assert_eq!(
                form.parse::<Fingerprint>().unwrap().to_string(),
                shown,
                "{form}"
            );
        }
        for bad in [
            "",
            "AB:CD",
            &shown[..94],
            &format!("{shown}:00"),
            &shown.replace(':', "-"),
            &shown.replacen(':', "", 1),
        ] {
            assert_eq!(
                bad.parse::<Fingerprint>(),
                Err(ParseFingerprintError),
                "{bad}"
            );
        }
    }
}
