//! The forms in which resources are shown.

use std::fmt::Write as _;

use bootstrap_core::resource::definition::Definition;
use bootstrap_core::resource::jsonpath::Template;
use bootstrap_core::resource::print;
use omni_client::Resource;
use serde_json::Value;

use super::table::Table;
use crate::output::Screen;

/// What a watch reported about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Created,
    Updated,
    Destroyed,
}

impl Event {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Destroyed => "destroyed",
        }
    }

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Created => "+",
            Self::Updated => " ",
            Self::Destroyed => "-",
        }
    }
}

/// A form of output.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Table,
    Yaml,
    Json,
    Path(Template),
}

impl Form {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("jsonpath", path)) => Template::parse(path).map(Self::Path),
            _ => match text {
                "table" => Ok(Self::Table),
                "yaml" => Ok(Self::Yaml),
                "json" => Ok(Self::Json),
                _ => Err("the forms are table, yaml, json and jsonpath=PATH, for example jsonpath='{.metadata.id}'".to_owned()),
            },
        }
    }
}

/// Collects resources in one form and prints them.
pub(super) struct Printer {
    form: Form,
    table: Table,
    text: String,
    begun: bool,
}

impl Printer {
    pub(super) fn new(form: Form, definition: &Definition, events: bool) -> Self {
        Self {
            form,
            table: Table::new(definition, events),
            text: String::new(),
            begun: false,
        }
    }

    pub(super) fn add(&mut self, resource: &Resource, event: Option<Event>) -> Result<(), String> {
        match &self.form {
            Form::Table => self.table.add(resource, event),
            Form::Yaml => {
                if self.begun {
                    self.text.push_str("---\n");
                }
                if let Some(event) = event {
                    // Writing to a string cannot fail.
                    let _ = writeln!(self.text, "event: {}", event.word());
                }
                self.text.push_str(&print::yaml(resource));
            }
            Form::Json => {
                self.text
                    .push_str(&print::indented(&with_event(resource, event)));
                self.text.push('\n');
            }
            Form::Path(path) => {
                let document = with_event(resource, event);
                let values = path
                    .required(&document)
                    .map_err(|error| format!("error finding result for jsonpath: {error}"))?;
                for value in values {
                    self.text.push_str(&shown(&value));
                    self.text.push('\n');
                }
            }
        }
        self.begun = true;
        Ok(())
    }

    /// Prints what was added since the last time.
    pub(super) fn flush(&mut self, screen: &mut Screen) {
        let text = match self.form {
            Form::Table => self.table.text(),
            _ => std::mem::take(&mut self.text),
        };
        if !text.is_empty() {
            screen.print(&text);
        }
    }
}

fn with_event(resource: &Resource, event: Option<Event>) -> Value {
    let mut document = print::json(resource);
    if let (Some(event), Some(fields)) = (event, document.as_object_mut()) {
        // In the order of their names, as everything here.
        fields.shift_insert(0, "event".to_owned(), event.word().into());
    }
    document
}

/// Texts bare, what has parts as indented JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => print::indented(value),
    }
}
