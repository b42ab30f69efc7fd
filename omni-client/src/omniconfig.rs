//! The file in which `omnictl` keeps its contexts: which Omni, and who one is there.
//!
//! ```yaml
//! contexts:
//!   home:
//!     url: https://omni.home.example
//!     auth:
//!       siderov1:
//!         identity: ada@home.example
//! context: home
//! ```
//!
//! It holds no key: those of people stand in files beside each other, see [`key_file`]. Reading and writing files is
//! the caller's; so are their places (`$OMNICONFIG`, else `omni/config` in `$TALOS_HOME` or `~/.talos`; keys in
//! `$SIDEROV1_KEYS_DIR`, else `~/.talos/keys`).

use serde_yaml::{Mapping, Value};

use crate::Error;

/// A URL that stands for none, as in files that the web interface hands out for editing.
const PLACEHOLDER: &str = "<placeholder_url>";

/// What the file says. Keys that are not known here are kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Omniconfig {
    whole: Mapping,
}

/// One Omni and one person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Where Omni is: `https://…`, or without TLS `grpc://…` or `http://…`.
    pub url: String,
    /// The e-mail address one logs in with; empty where none is set.
    pub identity: String,
}

impl Context {
    /// The URL as [`crate::ClientBuilder`] takes it.
    pub fn endpoint(&self) -> Result<String, Error> {
        match self.url.as_str() {
            "" | PLACEHOLDER => Err(Error::invalid(format!(
                "the context `{}` has no URL yet",
                self.name
            ))),
            url => Ok(match url.strip_prefix("grpc://") {
                // The JSON gateway answers on the same port.
                Some(rest) => format!("http://{rest}"),
                None => url.to_owned(),
            }),
        }
    }
}

/// Where `omnictl` keeps a person's key, within the directory of keys. Keys of this crate's [`crate::UserKey`] stand
/// beside it with another ending: `omnictl` could not read them.
pub fn key_file(context: &str, identity: &str, ending: &str) -> String {
    // A name is part of a path here, and must not lead elsewhere.
    let plain = |name: &str| name.replace(['/', '\\'], "_");
    format!("{}-{}.{ending}", plain(context), plain(identity))
}

impl Omniconfig {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::invalid(format!("the omniconfig {what}"));
        let value: Value = serde_yaml::from_str(text).map_err(|error| {
            // Its words may quote the text, which may hold the password of former times.
            wrong(match error.location() {
                Some(place) => format!(
                    "is not YAML at line {}, column {}",
                    place.line(),
                    place.column()
                ),
                None => "is not YAML".to_owned(),
            })
        })?;
        let whole = match value {
            Value::Null => Mapping::new(),
            Value::Mapping(whole) => whole,
            _ => return Err(wrong("is not a mapping".to_owned())),
        };
        let config = Self { whole };
        match config.whole.get("contexts") {
            None | Some(Value::Null) => {}
            Some(Value::Mapping(contexts)) if contexts.values().all(Value::is_mapping) => {}
            Some(_) => return Err(wrong("has `contexts` that are no mappings".to_owned())),
        }
        Ok(config)
    }

    /// The name of the context that is used where none is named.
    pub fn current(&self) -> Option<&str> {
        let name = self.whole.get("context")?.as_str()?;
        (!name.is_empty()).then_some(name)
    }

    /// The names of all contexts.
    pub fn names(&self) -> Vec<&str> {
        let contexts = self.contexts();
        contexts
            .into_iter()
            .flat_map(Mapping::keys)
            .filter_map(Value::as_str)
            .collect()
    }

    /// The context of that name, or the current one; [`Error::Invalid`] that names those there are.
    pub fn context(&self, name: Option<&str>) -> Result<Context, Error> {
        let Some(name) = name.or(self.current()) else {
            return Err(Error::invalid("the omniconfig names no current context"));
        };
        let Some(context) = self.contexts().and_then(|contexts| contexts.get(name)) else {
            let names = self.names();
            return Err(Error::invalid(format!(
                "the omniconfig has no context `{name}`; it has {}",
                match names.as_slice() {
                    [] => "none".to_owned(),
                    names => names.join(", "),
                }
            )));
        };
        let text = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let auth = context.get("auth").and_then(|auth| auth.get("siderov1"));
        Ok(Context {
            name: name.to_owned(),
            url: text(context.get("url")),
            identity: text(auth.and_then(|auth| auth.get("identity"))),
        })
    }

    /// Adds a context or changes its URL and identity; what else it says stays.
    pub fn set(&mut self, context: &Context) {
        within(&mut self.whole, "contexts", |contexts| {
            within(contexts, &context.name, |entry| {
                entry.insert("url".into(), context.url.as_str().into());
                within(entry, "auth", |auth| {
                    within(auth, "siderov1", |siderov1| {
                        siderov1.insert("identity".into(), context.identity.as_str().into());
                    });
                });
            });
        });
    }

    /// Makes a context the current one.
    pub fn select(&mut self, name: &str) -> Result<(), Error> {
        self.context(Some(name))?;
        self.whole.insert("context".into(), name.into());
        Ok(())
    }

    /// The text of the file. Comments do not survive, as with `omnictl`.
    pub fn to_yaml(&self) -> Result<String, Error> {
        serde_yaml::to_string(&self.whole)
            .map_err(|_| Error::invalid("the omniconfig cannot be written as YAML"))
    }

    fn contexts(&self) -> Option<&Mapping> {
        self.whole.get("contexts")?.as_mapping()
    }
}

/// Changes the mapping under a key, made where there is none; its place stays.
fn within(mapping: &mut Mapping, key: &str, change: impl FnOnce(&mut Mapping)) {
    let mut inner = match mapping.get(key) {
        Some(Value::Mapping(inner)) => inner.clone(),
        _ => Mapping::new(),
    };
    change(&mut inner);
    mapping.insert(key.into(), Value::Mapping(inner));
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
contexts:
  default:
    url: grpc://127.0.0.1:8080
  home:
    url: https://omni.home.example
    auth:
      basic: hunter2
      siderov1: {identity: ada@home.example, newer: 1}
    newer: [a]
context: home
newer: {a: b}
";

    #[test]
    fn a_context_is_chosen_and_the_rest_is_kept() {
        let mut config = Omniconfig::parse(TEXT).unwrap();
        assert_eq!(
            (config.current(), config.names()),
            (Some("home"), vec!["default", "home"])
        );
        let home = config.context(None).unwrap();
        assert_eq!(home.endpoint().unwrap(), "https://omni.home.example");
        assert_eq!(home.identity, "ada@home.example");
        let default = config.context(Some("default")).unwrap();
        assert_eq!(default.endpoint().unwrap(), "http://127.0.0.1:8080");
        assert_eq!(default.identity, "");

        config.set(&Context {
            url: "https://other.example".to_owned(),
            ..home
        });
        config.set(&Context {
            name: "new".to_owned(),
            url: PLACEHOLDER.to_owned(),
            identity: "a@b".to_owned(),
        });
        config.select("new").unwrap();
        let written = config.to_yaml().unwrap();
        let read = Omniconfig::parse(&written).unwrap();
        assert_eq!(read, config);
        assert_eq!(read.current(), Some("new"));
        let other = read.context(Some("home")).unwrap();
        assert_eq!(
            (&*other.url, &*other.identity),
            ("https://other.example", "ada@home.example")
        );
        assert!(read.context(None).unwrap().endpoint().is_err());
        for kept in ["newer: 1", "hunter2", "- a", "a: b"] {
            assert!(written.contains(kept), "{kept} is not in\n{written}");
        }
    }

    #[test]
    fn what_is_no_omniconfig_is_refused_without_quoting_it() {
        for (text, part) in [
            ("hunter2", "is not a mapping"),
            ("a: [hunter2", "is not YAML at line"),
            ("contexts: hunter2", "are no mappings"),
            ("contexts: {a: hunter2}", "are no mappings"),
        ] {
            let error = Omniconfig::parse(text).unwrap_err().to_string();
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{error}"
            );
        }
        let empty = Omniconfig::parse("").unwrap();
        assert!(empty.context(None).is_err());
        let error = Omniconfig::parse(TEXT)
            .unwrap()
            .context(Some("x"))
            .unwrap_err();
        assert!(
            error.to_string().contains("it has default, home"),
            "{error}"
        );
        assert!(Omniconfig::default().select("x").is_err());
    }

    #[test]
    fn names_do_not_lead_out_of_the_directory_of_keys() {
        assert_eq!(key_file("home", "a@b.c", "pgp"), "home-a@b.c.pgp");
        assert_eq!(key_file("../x", "a/../b", "p256"), ".._x-a_.._b.p256");
    }
}
