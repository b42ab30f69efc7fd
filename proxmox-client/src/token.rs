//! API tokens: `user@realm!tokenid=secret`.

use api_transport::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;

/// A token ready to send. The header value is marked sensitive.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// `user@realm!tokenid`, which is no secret.
    pub(crate) id: String,
    pub(crate) header: HeaderValue,
}

impl Token {
    /// Checks the form. Messages never contain any part of the text.
    pub(crate) fn parse(secret: &SecretString) -> Result<Self, Error> {
        let text = secret.expose_secret().trim();
        let text = text.strip_prefix("PVEAPIToken=").unwrap_or(text);
        let wrong = |what| {
            Error::input(format!(
                "API token: {what}; expected `user@realm!tokenid=uuid`"
            ))
        };
        let (id, value) = text.split_once('=').ok_or_else(|| wrong("no `=` in it"))?;
        let (owner, token) = id.split_once('!').ok_or_else(|| {
            wrong("no `!` before the `=`, so it names a user and not one of its tokens")
        })?;
        let (user, realm) = owner
            .rsplit_once('@')
            .ok_or_else(|| wrong("no `@realm` in it"))?;
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !b"/:!=".contains(&b))
        };
        if !(is_name(user) && is_name(realm) && is_name(token)) {
            return Err(wrong(
                "user, realm or token id is empty or has characters that none may have",
            ));
        }
        if value.len() != 36 || uuid::Uuid::try_parse(value).is_err() {
            return Err(wrong("the part after `=` is not a UUID"));
        }
        let mut header = HeaderValue::from_str(&format!("PVEAPIToken={id}={value}"))
            .map_err(|_| wrong("it has characters that no header may have"))?;
        header.set_sensitive(true);
        Ok(Self {
            id: id.to_owned(),
            header,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "cc3869e1-38d4-411c-bf40-777ef90a3c9c";

    fn parse(text: &str) -> Result<Token, Error> {
        Token::parse(&SecretString::from(text.to_owned()))
    }

    #[test]
    fn accepted() {
        for text in [
            format!("toolkit@pve!boot={SECRET}"),
            format!(" root@pam!x={SECRET}\n"),
            format!("PVEAPIToken=first.last@corp@ldap!a-b={SECRET}"),
        ] {
            let token = parse(&text).unwrap();
            assert!(token.header.is_sensitive());
            assert!(!format!("{token:?}").contains(SECRET));
            assert!(token.header.to_str().unwrap().ends_with(&format!(
                "!{}={SECRET}",
                token.id.split_once('!').unwrap().1
            )));
        }
    }

    #[test]
    fn refused_without_an_echo() {
        for text in [
            String::new(),
            SECRET.to_owned(),
            format!("toolkit@pve={SECRET}"),
            format!("toolkit!boot={SECRET}"),
            format!("@pve!boot={SECRET}"),
            format!("toolkit@pve!={SECRET}"),
            format!("toolkit@pve!boot={SECRET}0"),
            format!("tool\nkit@pve!boot={SECRET}"),
            "canary@pve!boot=canary".to_owned(),
        ] {
            let error = parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("canary") && !shown.contains(SECRET),
                "{shown}"
            );
        }
    }
}
