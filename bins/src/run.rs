//! The main wrapper: arguments, logging, exit codes. Only here is the environment read.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use bootstrap_core::diagnostic::Diagnostic;
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::Common;
use crate::output::Screen;

/// How a program ends. Where several apply, [`Exit::worst`] picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Something failed.
    Error,
    /// Changes are pending.
    Pending,
    /// Something needs a person.
    Person,
    /// Another run holds the lock.
    Locked,
    /// A check before the first write failed.
    Refused,
    /// Wrong arguments.
    Usage,
    /// Interrupted from the keyboard.
    Interrupted,
    /// Asked to end.
    Terminated,
}

impl Exit {
    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Pending => 2,
            Self::Person => 3,
            Self::Locked => 4,
            Self::Refused => 5,
            Self::Usage => 64,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The one that tells: signals, then usage, 4, 5, 1, 3, 2.
    #[must_use]
    pub const fn worst(self, other: Self) -> Self {
        if self.weight() >= other.weight() {
            self
        } else {
            other
        }
    }

    const fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Pending => 1,
            Self::Person => 2,
            Self::Error => 3,
            Self::Refused => 4,
            Self::Locked => 5,
            Self::Usage => 6,
            Self::Terminated => 7,
            Self::Interrupted => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb ended early, ready to be shown.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What to show.
    pub findings: Vec<Diagnostic>,
    /// What omnictl would show instead, under `--compat`.
    pub compat: Option<String>,
}

impl Failure {
    /// Findings, as they are.
    pub fn findings(exit: Exit, findings: Vec<Diagnostic>) -> Self {
        Self {
            exit,
            findings,
            compat: None,
        }
    }

    /// An error with its causes, and the next step.
    pub fn new(exit: Exit, error: &(dyn Error + 'static), hint: Option<String>) -> Self {
        let finding = Diagnostic {
            hint,
            ..Diagnostic::error(chain(error))
        };
        Self::findings(exit, vec![finding])
    }

    /// An error in words.
    pub fn message(exit: Exit, message: impl Into<String>) -> Self {
        Self::findings(exit, vec![Diagnostic::error(message)])
    }

    /// An error in words, and the next step.
    pub fn advised(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::findings(exit, vec![Diagnostic::error(message).hint(hint)])
    }
}

/// An error and what caused it, each once, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut source = error.source();
    while let Some(cause) = source {
        let own = cause.to_string();
        // Some layers repeat their source in their own words.
        if !last.ends_with(&own) {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {own}");
        }
        last = own;
        source = cause.source();
    }
    text
}

/// Parses the arguments, sets logging up and runs a verb.
pub fn main<A: Parser>(
    common: impl FnOnce(&A) -> &Common,
    verb: impl FnOnce(A, &mut Screen) -> Result<Exit, Failure>,
) -> ExitCode {
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is no reason for another code.
            let _ = error.print();
            return match error.use_stderr() {
                false => Exit::Done.into(),
                // omnictl has no code of its own for this.
                true if std::env::args_os().any(|argument| argument == "--compat") => {
                    Exit::Error.into()
                }
                true => Exit::Usage.into(),
            };
        }
    };
    let common = common(&arguments);
    log_to_stderr(common);
    let mut screen = Screen::new(common);
    let exit = verb(arguments, &mut screen).unwrap_or_else(|failure| {
        match &failure.compat {
            Some(text) => screen.error_line(text),
            None => screen.findings(&failure.findings),
        }
        failure.exit
    });
    if screen.flush().is_err() {
        Exit::Error.worst(exit).into()
    } else {
        exit.into()
    }
}

/// Runs asynchronous work to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Error, &error, None))?
        .block_on(work)
}

/// A variable of the environment; `None` also where it is not text.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A variable of the environment that says something: empty counts as not set.
pub fn setting(name: &str) -> Option<String> {
    environment(name).filter(|value| !value.is_empty())
}

fn log_to_stderr(common: &Common) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => {
            "warn,bootstrap_core=info,bins=info,omni_client=info,proxmox_client=info,unifi_client=info"
        }
        (_, 2) => {
            "info,bootstrap_core=debug,bins=debug,omni_client=debug,proxmox_client=debug,unifi_client=debug,api_transport=debug"
        }
        _ => {
            "debug,bootstrap_core=trace,bins=trace,omni_client=trace,proxmox_client=trace,unifi_client=trace,api_transport=trace"
        }
    };
    let filter = environment("RUST_LOG").and_then(|filter| EnvFilter::try_new(filter).ok());
    let mut filter = filter.unwrap_or_else(|| EnvFilter::new(level));
    // The first tells of a refused certificate, which is told as an error with its next step. The second takes private
    // keys apart while it logs, which nobody needs to see at any level.
    for silent in ["rustls_platform_verifier=off", "pgp=off"] {
        if let Ok(directive) = silent.parse() {
            filter = filter.add_directive(directive);
        }
    }
    // A second call in one process, in tests, keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(common.verbose > 1)
        .try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_exit_tells() {
        use Exit::{Done, Error, Interrupted, Locked, Pending, Person, Refused, Terminated};
        let order = [
            Done,
            Pending,
            Person,
            Error,
            Refused,
            Locked,
            Terminated,
            Interrupted,
        ];
        for (at, better) in order.iter().enumerate() {
            for worse in &order[at..] {
                assert_eq!(better.worst(*worse), *worse);
                assert_eq!(worse.worst(*better), *worse);
            }
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn each_cause_is_told_once() {
        let deepest = Layer("connection refused", None);
        let repeating = Layer("call failed: connection refused", Some(Box::new(deepest)));
        assert_eq!(chain(&repeating), "call failed: connection refused");
        let deepest = Layer("no such file", None);
        let plain = Layer("key cannot be read", Some(Box::new(deepest)));
        assert_eq!(
            chain(&Layer("omni", Some(Box::new(plain)))),
            "omni: key cannot be read: no such file"
        );
    }
}
