//! The verbs of `omni-resource`.

pub mod apply;
pub mod delete;
pub mod get;

use bootstrap_core::adapters::Connected;
use bootstrap_core::ports::{self, PortError};
use bootstrap_core::resource::definition::{Definition, Unresolved, resolve};

use crate::compat;
use crate::omni::Omni;
use crate::output::Screen;
use crate::run::{Exit, Failure};

/// What the verbs have in common.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// Which Omni.
    pub omni: &'a Omni,
    /// As omnictl does it.
    pub compat: bool,
    /// Say more.
    pub verbose: bool,
}

impl Session<'_> {
    async fn connect(&self, screen: &mut Screen) -> Result<Connected, Failure> {
        self.omni.connect(self.compat, screen).await
    }

    /// The failed call, in omnictl's words where those are asked for.
    fn failed(&self, exit: Exit, error: &PortError) -> Failure {
        compat::failed_call(error, exit, self.compat)
    }

    /// An error in words.
    fn refused(&self, text: &str) -> Failure {
        if self.compat {
            compat::failure(text)
        } else {
            Failure::message(Exit::Error, text)
        }
    }

    /// The type a word stands for.
    async fn resolve(
        &self,
        exit: Exit,
        omni: &dyn ports::Omni,
        word: &str,
    ) -> Result<Definition, Failure> {
        let (message, hint) = match resolve(omni, word).await {
            Ok(definition) => return Ok(definition),
            Err(Unresolved::Port(error)) => return Err(self.failed(exit, &error)),
            Err(Unresolved::Unknown(near)) => {
                let hint = near.map_or_else(
                    || "`omni-resource get rd` lists the types there are".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                (format!("resource \"{word}\" is not registered"), hint)
            }
            Err(Unresolved::Ambiguous(ids)) => {
                let hint = format!("use one of the full names, for example `{}`", ids[0]);
                let ids = ids.join(" ");
                (
                    format!("resource type \"{word}\" is ambiguous: [{ids}]"),
                    hint,
                )
            }
        };
        Err(if self.compat {
            compat::failure(message)
        } else {
            Failure::advised(exit, message, hint)
        })
    }
}
