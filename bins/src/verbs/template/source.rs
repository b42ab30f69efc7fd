//! Where templates come from: a file, a directory or standard input.

use std::io;
use std::path::{Path, PathBuf};

use bootstrap_core::diagnostic::Diagnostic;
use bootstrap_core::resource::yaml_files;
use bootstrap_core::site::{self, ClusterIntent};
use bootstrap_core::template::{self, LoadOptions, Template};

use crate::compat;
use crate::run::{Exit, Failure};

/// The template.
#[derive(Debug, Clone, clap::Args)]
pub struct Source {
    /// The cluster template, or a directory whose .yaml and .yml files are all templates; `-` reads standard input
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: PathBuf,
    /// Files outside this directory are not read; relative to the template's directory
    #[arg(long, value_name = "DIR", default_value = "./")]
    pub allowed_dir: PathBuf,
}

impl Source {
    /// Loads the templates and checks them all.
    ///
    /// # Errors
    /// Their findings; under `compat` the first in omnictl's words.
    pub fn load(&self, compat: bool) -> Result<Vec<Template>, Failure> {
        let mut findings = Vec::new();
        let mut templates = Vec::new();
        for (file, options) in self.files()? {
            if compat {
                templates
                    .push(template::load_as_omnictl(&file, &options).map_err(compat::failure)?);
                continue;
            }
            match template::load_with(&file, &options) {
                Ok(template) => {
                    findings.extend(template.validate());
                    templates.push(template);
                }
                Err(errors) => findings.extend(errors),
            }
        }
        if findings.is_empty() {
            Ok(templates)
        } else {
            Err(Failure::findings(Exit::Refused, findings))
        }
    }

    /// The same, translated to resources as omnictl does it when `doing` something.
    ///
    /// # Errors
    /// The first finding, in omnictl's words.
    pub fn clusters_as_omnictl(&self, doing: &str) -> Result<Vec<ClusterIntent>, Failure> {
        let files = self.files()?.into_iter();
        files
            .map(|(file, options)| as_omnictl(&file, &options, doing).map_err(compat::failure))
            .collect()
    }

    /// The same, translated to resources.
    ///
    /// # Errors
    /// Their findings.
    pub fn clusters(&self) -> Result<Vec<ClusterIntent>, Failure> {
        let mut findings = Vec::new();
        let mut clusters = Vec::new();
        for template in self.load(false)? {
            match site::cluster_of(template) {
                Ok(cluster) => clusters.push(cluster),
                Err(errors) => findings.extend(errors),
            }
        }
        if findings.is_empty() {
            Ok(clusters)
        } else {
            Err(Failure::findings(Exit::Refused, findings))
        }
    }

    /// The name of the one cluster there is a template for.
    ///
    /// # Errors
    /// Findings, or that there are several templates.
    pub fn cluster_name(&self, compat: bool) -> Result<String, Failure> {
        match self.load(compat)?.as_slice() {
            [template] => Ok(template.cluster_name().to_owned()),
            several => {
                let names: Vec<&str> = several.iter().map(Template::cluster_name).collect();
                let error = Diagnostic::error(format!(
                    "{} has templates of several clusters: {}",
                    self.file.display(),
                    names.join(", ")
                ))
                .hint("name one of its files");
                Err(Failure::findings(Exit::Refused, vec![error]))
            }
        }
    }

    /// Each template file with what it may read.
    ///
    /// # Errors
    /// Standard input or the directory cannot be read, or there is no template in it.
    pub fn files(&self) -> Result<Vec<(PathBuf, LoadOptions)>, Failure> {
        let mut options = LoadOptions {
            allowed_dir: Some(self.allowed_dir.clone()),
            text: None,
        };
        if self.file == Path::new("-") {
            let text = io::read_to_string(io::stdin())
                .map_err(|error| unreadable("standard input", &error))?;
            options.text = Some(text);
        } else if self.file.is_dir() {
            options.allowed_dir = Some(self.allowed_in_directory()?);
            let files = yaml_files(&self.file)
                .map_err(|error| unreadable(&self.file.display().to_string(), &error))?;
            if files.is_empty() {
                let error =
                    Diagnostic::error(format!("no .yaml or .yml file in {}", self.file.display()));
                return Err(Failure::findings(Exit::Refused, vec![error]));
            }
            return Ok(files
                .into_iter()
                .map(|file| (file, options.clone()))
                .collect());
        }
        Ok(vec![(self.file.clone(), options)])
    }

    /// For a directory, as omnictl has it: relative to its parent, or to itself where the path ends with `/`.
    fn allowed_in_directory(&self) -> Result<PathBuf, Failure> {
        let written = self.file.as_os_str().to_string_lossy();
        let base = if written.ends_with('/') {
            self.file.as_path()
        } else {
            self.file.parent().unwrap_or(Path::new("."))
        };
        std::path::absolute(base.join(&self.allowed_dir))
            .map_err(|error| unreadable(&written, &error))
    }
}

/// One template as omnictl loads it when `doing` something, or what it says of it.
pub(super) fn as_omnictl(
    file: &Path,
    options: &LoadOptions,
    doing: &str,
) -> Result<ClusterIntent, String> {
    let template = template::load_as_omnictl(file, options)?;
    site::cluster_of(template)
        .map_err(|errors| format!("error {doing} template: {}", template::listed(&errors)))
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::message(Exit::Refused, format!("{what} cannot be read: {error}"))
}
