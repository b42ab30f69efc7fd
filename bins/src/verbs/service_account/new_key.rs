//! A new key on its way: made here, registered in Omni, tried, and handed over in one place only.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bootstrap_core::adapters::Connected;
use bootstrap_core::diagnostic::Diagnostic;
use omni_client::{Client, Error, NewKey, OpenPgpSigner, full_identity};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use super::failed;
use crate::args::Format;
use crate::notices::{day, stamp};
use crate::output::Screen;
use crate::private::Private;
use crate::run::{Exit, Failure};

/// Where a new key goes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Out {
    /// Write the key to this file, readable by you alone, and not to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl Out {
    /// Sees that the file can be written, before there is a key to write.
    ///
    /// # Errors
    /// It cannot, or `fresh` is asked for and it is there already; with exit code 5.
    pub fn prepare(&self, fresh: bool) -> Result<Option<Private>, Failure> {
        let Some(path) = &self.out else {
            return Ok(None);
        };
        if fresh && path.exists() {
            return Err(super::refused(
                format!(
                    "{} is there already and may hold another key",
                    path.display()
                ),
                "name another file, or move that one away".to_owned(),
            ));
        }
        let place = Private::prepare(path).map_err(|error| unwritable(path, &error))?;
        Ok(Some(place))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", path.display());
    Failure::message(Exit::Refused, message)
}

/// What would be done with a key that was made only to see that it can be.
#[derive(Debug, Serialize)]
pub struct Planned<'a> {
    dry_run: bool,
    name: &'a str,
    expires: String,
    #[serde(skip)]
    words: String,
}

impl<'a> Planned<'a> {
    /// `words` say it to people.
    pub fn new(new: &'a NewKey, words: String) -> Self {
        Self {
            dry_run: true,
            name: new.account.name(),
            expires: stamp(new.expires),
            words,
        }
    }

    /// Says it.
    ///
    /// # Errors
    /// It cannot be written in that form.
    pub fn tell(&self, format: Format, screen: &mut Screen) -> Result<Exit, Failure> {
        match format {
            Format::Table => screen.print(&self.words),
            format => screen.document(format, self)?,
        }
        Ok(Exit::Done)
    }
}

/// What is said of a new key; the key itself only where it is asked for on standard output.
#[derive(Debug, Serialize)]
struct Told<'a> {
    name: &'a str,
    key_id: &'a str,
    expires: String,
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a Path>,
}

/// After an answer was lost: whether the account has the key all the same.
///
/// # Errors
/// `error`, where it does not.
pub async fn settle(
    omni: &Client,
    registered: Result<String, Error>,
    new: &NewKey,
) -> Result<(), Failure> {
    let error = match registered {
        Ok(_) => return Ok(()),
        Err(error) if !error.is_retryable() => return Err(failed(&error, Exit::Error)),
        Err(error) => error,
    };
    let listed = omni.service_accounts().await.unwrap_or_default();
    let mut keys = listed.iter().flat_map(|account| &account.keys);
    if keys.any(|key| key.id == new.id) {
        return Ok(());
    }
    let mut failure = failed(&error, Exit::Error);
    failure.findings.push(
        Diagnostic::warning(format!(
            "whether {} has the new key {} is not known",
            new.account.name(),
            new.id
        ))
        .hint(
            "`omni-service-account list` shows it; nobody has its private part, so it does no harm",
        ),
    );
    Err(failure)
}

/// Calls with the new key, so that nobody relies on one that does not work.
///
/// # Errors
/// It does not work, or is another's.
async fn try_out(connected: &Connected, new: &NewKey) -> Result<(), Failure> {
    let name = new.account.name();
    let broken = |why: String| {
        let message = format!("the new key of {name} was registered but does not work: {why}");
        let hint = "keys that there were before still work; run `omni-service-account renew` again";
        Failure::advised(Exit::Error, message, hint)
    };
    let signer = OpenPgpSigner::new(&new.account, connected.ports.clock.wall())
        .map_err(|error| broken(error.to_string()))?;
    let omni = connected.omni.with_signer(Arc::new(signer));
    let user = omni.current_user().await;
    let user = user.map_err(|error| broken(error.to_string()))?;
    if user.identity == full_identity(name) {
        Ok(())
    } else {
        Err(broken(format!("Omni takes it for {}", user.identity)))
    }
}

/// Tries a registered key and hands it over: to its file, else to standard output.
///
/// # Errors
/// It does not work, or cannot be written.
pub async fn hand_over(
    connected: &Connected,
    new: &NewKey,
    place: Option<Private>,
    format: Format,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    try_out(connected, new).await?;
    let endpoint = connected.omni.endpoint();
    let key: SecretString = new.account.encode();
    let file = place.as_ref().map(|place| place.path().to_owned());
    if let Some(place) = place {
        let path = place.path().to_owned();
        let line = Zeroizing::new(format!("{}\n", key.expose_secret()));
        let written = place.write(&line);
        written.map_err(|error| Failure {
            exit: Exit::Error,
            ..unwritable(&path, &error)
        })?;
    }
    let shown = file.is_none().then(|| key.expose_secret());
    if format != Format::Table {
        let told = Told {
            name: new.account.name(),
            key_id: &new.id,
            expires: stamp(new.expires),
            endpoint,
            service_account_key: shown,
            file: file.as_deref(),
        };
        screen.document(format, &told)?;
        return Ok(Exit::Done);
    }
    match (shown, file) {
        (Some(key), _) => {
            screen.note("\nSet the following environment variables to use the service account:");
            screen.print(&format!("OMNI_ENDPOINT={endpoint}"));
            let line = Zeroizing::new(format!("OMNI_SERVICE_ACCOUNT_KEY={key}"));
            screen.print(&line);
            screen.note(
                "\nNote: Store the service account key securely, it will not be displayed again",
            );
        }
        (None, Some(file)) => screen.note(&format!(
            "The key was written to {}; it ends on {}",
            file.display(),
            day(new.expires)
        )),
        (None, None) => {}
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::{Duration, SystemTime};

    use api_transport::{Bytes, Exchange, ExchangeResponse};
    use omni_client::{ClientBuilder, ServiceAccountKey};
    use serde_json::json;

    use super::*;

    /// Answers in order, then not at all.
    #[derive(Debug, Default)]
    struct Server(Mutex<VecDeque<String>>);

    #[async_trait::async_trait]
    impl Exchange for Server {
        async fn exchange(
            &self,
            _: http::Request<Bytes>,
        ) -> Result<ExchangeResponse, api_transport::Error> {
            let answer = self.0.lock().unwrap().pop_front();
            answer.map_or_else(
                || Err(lost()),
                |body| Ok(ExchangeResponse::whole(200, body)),
            )
        }
    }

    fn lost() -> api_transport::Error {
        api_transport::Error::interrupted("https://omni.example", "reset")
    }

    #[tokio::test]
    async fn after_a_lost_answer_the_list_tells() {
        let now = SystemTime::now();
        let new = ServiceAccountKey::generate("ci", Duration::from_hours(1), now).unwrap();
        let listed = |id: &str| {
            json!({"service_accounts": [{"name": "ci", "pgp_public_keys": [{"id": id}]}]})
                .to_string()
        };
        let denied = Error::Denied {
            message: "no".to_owned(),
            said: "no".to_owned(),
        };
        for (registered, answers, findings) in [
            (Ok(new.id.clone()), vec![], 0),
            (Err(denied), vec![listed(&new.id)], 1),
            (Err(Error::Transport(lost())), vec![listed(&new.id)], 0),
            (Err(Error::Transport(lost())), vec![listed("another")], 2),
            (Err(Error::Transport(lost())), vec![], 2),
        ] {
            let server = Arc::new(Server(Mutex::new(answers.into())));
            let client = ClientBuilder::new("https://omni.example")
                .signer(Arc::new(OpenPgpSigner::new(&new.account, now).unwrap()))
                .exchange(server)
                .build()
                .unwrap();
            let told = format!("{registered:?}");
            let settled = settle(&client, registered, &new).await;
            let found = settled.err().map_or(0, |failure| failure.findings.len());
            assert_eq!(found, findings, "{told}");
        }
    }
}
