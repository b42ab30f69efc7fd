//! `key login`: a person's key, confirmed in a browser and kept where `omnictl` keeps its own.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use api_transport::{Clock, TokioClock};
use bootstrap_core::adapters::{connect_omni_as, omni_error};
use omni_client::omniconfig::Context;
use omni_client::{Error, UserKey};

use crate::args::duration;
use crate::contexts::Places;
use crate::notices::stamp;
use crate::omni::Omni;
use crate::opened;
use crate::output::{Screen, clean};
use crate::run::{Exit, Failure, block_on, setting};

/// Log in to Omni in a browser
///
/// A key is made here and confirmed by you in the browser; it lives for 7 h 50 min. It is kept beside omnictl's keys,
/// and the context in omnictl's file, where it is made if it is not there. Scripts use a service account instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  omni-bootstrap key login --context home --endpoint https://omni.home.example --identity ada@home.example
  omni-bootstrap key login

An address that Omni does not know looks like one that never confirms: the wait ends without a key.

Exit codes: 0 logged in, 1 not confirmed in time or refused, 5 nothing was asked of Omni.")]
pub(super) struct Login {
    #[command(flatten)]
    omni: Omni,
    /// The e-mail address to log in with [default: that of the context]
    #[arg(long, value_name = "EMAIL")]
    identity: Option<String>,
    /// How long to wait for the browser
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    timeout: Duration,
    /// Only print the page's URL
    #[arg(long)]
    no_browser: bool,
}

/// Logs in.
///
/// # Errors
/// What was missing, or what Omni said.
pub(super) fn run(arguments: &Login, screen: &mut Screen) -> Result<Exit, Failure> {
    let omni = &arguments.omni;
    let Some(places) = Places::find(omni.omniconfig.as_deref()) else {
        return Err(Failure::message(
            Exit::Refused,
            "there is no place for contexts and keys: set HOME, or OMNICONFIG and SIDEROV1_KEYS_DIR",
        ));
    };
    let mut config = places.read()?.unwrap_or_default();
    let name = omni.context.as_deref().or(config.current());
    let name = name.unwrap_or("default").to_owned();
    let known = config.context(Some(&name)).ok();
    let context = wanted(arguments, &name, known.as_ref())?;
    block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::real());
        let key = UserKey::generate(&context.identity, clock.wall())
            .map_err(|error| Failure::new(Exit::Usage, &error, None))?;
        let kept = confirmed(arguments, &context, key, clock, screen).await?;
        let path = places.keep(&name, &kept)?;
        if known.as_ref() != Some(&context) || config.current().is_none() {
            config.set(&context);
            if config.current().is_none() {
                let selected = config.select(&name);
                selected.map_err(|error| Failure::new(Exit::Error, &error, None))?;
            }
            places.write(&config)?;
        }
        screen.note(&format!("the key is kept in {}", path.display()));
        Ok(Exit::Done)
    })
}

/// The context as it shall be.
fn wanted(arguments: &Login, name: &str, known: Option<&Context>) -> Result<Context, Failure> {
    let missing = |what: &str, flag: &str| {
        let message = format!("the context `{name}` has no {what} yet");
        Failure::advised(Exit::Refused, message, format!("give {flag}"))
    };
    let url = match arguments.omni.named_endpoint()? {
        Some(url) => url,
        None => known
            .filter(|known| known.endpoint().is_ok())
            .map(|known| known.url.clone())
            .ok_or_else(|| missing("URL", "--endpoint URL"))?,
    };
    let identity = arguments.identity.clone();
    let identity = identity.or(known.map(|known| known.identity.clone()));
    Ok(Context {
        name: name.to_owned(),
        url,
        identity: identity
            .filter(|identity| !identity.is_empty())
            .ok_or_else(|| missing("identity", "--identity EMAIL"))?,
    })
}

/// Registers the key and waits until its owner has confirmed it.
async fn confirmed(
    arguments: &Login,
    context: &Context,
    key: UserKey,
    clock: Arc<dyn Clock>,
    screen: &mut Screen,
) -> Result<Arc<UserKey>, Failure> {
    let failed = |error: &Error| Failure::findings(Exit::Error, vec![(&omni_error(error)).into()]);
    let endpoint = context
        .endpoint()
        .map_err(|error| Failure::new(Exit::Refused, &error, None))?;
    let key = Arc::new(key);
    let tls = arguments.omni.tls()?;
    let connected = connect_omni_as(&endpoint, &tls, key.clone(), clock)
        .map_err(|finding| opened::unconnected(finding, false))?;
    let omni = &connected.omni;
    let login = omni
        .register_user_key(&key)
        .await
        .map_err(|error| failed(&error))?;
    screen.print(&format!("open this page to log in: {}", clean(&login.url)));
    screen.note("waiting until the key is confirmed there");
    // With -q nothing was said that would have written it out.
    let _ = screen.flush();
    if screen.live && !arguments.no_browser {
        browse(&login.url);
    }
    omni.await_confirmation(&login, arguments.timeout)
        .await
        .map_err(|error| failed(&error))?;
    let user = omni.current_user().await.map_err(|error| failed(&error))?;
    screen.note(&format!(
        "logged in as {} with the role {} until {}",
        clean(&user.identity),
        clean(&user.role),
        omni.signer().expires().map(stamp).unwrap_or_default()
    ));
    Ok(key)
}

/// Shows a page in the browser, if that can be had; the URL was printed as well.
fn browse(url: &str) {
    // It is the server's word, and goes to a program that would open anything.
    let is_page = url.starts_with("https://") || url.starts_with("http://");
    if !is_page || url.chars().any(|c| !c.is_ascii_graphic()) {
        return;
    }
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let browser = setting("BROWSER");
    // Whether it worked is seen by whoever waits for it.
    let _ = Command::new(browser.as_deref().unwrap_or(opener))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}
