//! Where templates come from: a file, a directory or standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use bootstrap_core::template::{self, LoadOptions, Template};

use crate::compat;
use crate::run::{Exit, Failure};

/// The template.
#[derive(Debug, Clone, clap::Args)]
pub struct Source {
    /// The cluster template; `-` reads standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: PathBuf,
    /// Files outside this directory are not read; relative to the template's directory
    #[arg(long, value_name = "DIR", default_value = "./")]
    pub allowed_dir: PathBuf,
}

impl Source {
    /// Loads the template and checks it.
    ///
    /// # Errors
    /// Its findings; under `compat` in omnictl's words.
    pub fn load(&self, compat: bool) -> Result<Template, Failure> {
        let options = self.options()?;
        if compat && let Some(report) = template::omnictl_report(&self.file, &options) {
            return Err(compat::failure(report));
        }
        let failed = |findings| Failure::findings(Exit::Refused, findings);
        let template = template::load_with(&self.file, &options).map_err(failed)?;
        let findings = template.validate();
        if findings.is_empty() {
            Ok(template)
        } else {
            Err(failed(findings))
        }
    }

    fn options(&self) -> Result<LoadOptions, Failure> {
        let mut options = LoadOptions {
            allowed_dir: Some(self.allowed_dir.clone()),
            text: None,
        };
        if self.file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(Exit::Error, &error, None))?;
            options.text = Some(text);
        }
        Ok(options)
    }
}
