//! Go's decoder as a judge: whether a document fits a Go type, and what the decoder says where it does not.
//!
//! It walks a document as Go's yaml fills structs, maps and slices, in the same order and with the same words. It
//! keeps no values.

mod custom;
mod formats;
mod mapping;
mod table;

use std::collections::HashSet;

use ecow::{EcoString, eco_format};

pub(super) use self::table::{Document, Kind, Table};
use super::go_yaml::Value;
use super::go_yaml::resolve;
use super::go_yaml::tree::{Kind as Node, Tree};

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: usize,
    pub column: usize,
    /// In Go's words, which may quote the value.
    pub text: String,
    /// The same without the value: configurations hold secrets.
    pub message: String,
    /// The way there: keys, and `[n]` for the n-th item.
    pub way: Vec<EcoString>,
    /// The line of an earlier key that the text ends with.
    other: Option<usize>,
    /// Which stage of the decoder gave up; `None` where it went on.
    stage: Option<&'static str>,
}

/// What is wrong with a document: everything, or what ended the decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub faults: Vec<Fault>,
    fatal: bool,
}

impl Refusal {
    /// In Go's words; `line` gives the line to tell for a line of the text.
    pub(super) fn text(&self, line: impl Fn(usize) -> usize) -> String {
        let listed = self.faults.iter().map(|fault| {
            if self.fatal {
                fault.fatal_text(&line)
            } else {
                let other = fault.other.map(|other| line(other).to_string());
                let other = other.unwrap_or_default();
                format!("line {}: {}{other}", line(fault.line), fault.text)
            }
        });
        let listed: Vec<_> = listed.collect();
        if self.fatal {
            listed.concat()
        } else {
            format!("yaml: construct errors: {}", listed.join("; "))
        }
    }
}

impl Fault {
    fn fatal_text(&self, line: impl Fn(usize) -> usize) -> String {
        let stage = self.stage.unwrap_or("constructor");
        if self.stage == Some("resolver") {
            return format!(
                "go-yaml load error in resolver at <unknown position>: {}",
                self.text
            );
        }
        let (line, column) = (line(self.line), self.column);
        format!(
            "go-yaml load error in {stage} at L{line}.C{column}: {}",
            self.text
        )
    }
}

/// Whether a document fits a type of the table.
pub(super) fn check(
    document: &Tree,
    type_name: &str,
    table: &Table,
    known_fields: bool,
) -> Option<Refusal> {
    let mut walk = Walk {
        table,
        known_fields,
        faults: Vec::new(),
        way: Vec::new(),
        merged: None,
        steps: 0,
        aliased: 0,
        alias_depth: 0,
    };
    match walk.value(document, type_name) {
        Err(fault) => Some(Refusal {
            faults: vec![*fault],
            fatal: true,
        }),
        Ok(_) if walk.faults.is_empty() => None,
        Ok(_) => Some(Refusal {
            faults: walk.faults,
            fatal: false,
        }),
    }
}

/// Whether something was set; `Err` ends the decoding.
type Step = Result<bool, Box<Fault>>;

struct Walk<'t> {
    table: &'t Table,
    known_fields: bool,
    faults: Vec<Fault>,
    way: Vec<EcoString>,
    /// The keys that a merged mapping must not set again.
    merged: Option<HashSet<EcoString>>,
    steps: u32,
    aliased: u32,
    alias_depth: u32,
}

impl Walk<'_> {
    fn value(&mut self, node: &Tree, type_name: &str) -> Step {
        self.count(node)?;
        if let Node::Alias(target) = &node.kind {
            self.alias_depth += 1;
            let set = self.value(target, type_name);
            self.alias_depth -= 1;
            return set;
        }
        let inner = type_name.trim_start_matches('*');
        if node.tag != "!!null"
            && let Some(step) = self.custom(node, inner)
        {
            return step;
        }
        let nullable = inner.len() < type_name.len();
        let kind = self.table.kind(inner);
        match &node.kind {
            Node::Scalar(text) => self.scalar(node, text, inner, &kind, nullable),
            _ if matches!(kind, Kind::Text(_) | Kind::Words(_)) => {
                let what = node.tag.clone();
                let message = format!("cannot construct {what} into {inner} (TextUnmarshaler)");
                Ok(self.fault(node, &message))
            }
            Node::Mapping(pairs) => self.mapping(node, pairs, inner, &kind),
            Node::Sequence(items) => self.sequence(node, items, inner, &kind),
            Node::Alias(_) => Ok(false),
        }
    }

    /// Go gives up where most of the work is aliases.
    fn count(&mut self, node: &Tree) -> Result<(), Box<Fault>> {
        self.steps += 1;
        self.aliased += u32::from(self.alias_depth > 0);
        let (steps, aliased) = (f64::from(self.steps), f64::from(self.aliased));
        let allowed = match self.steps {
            0..=400_000 => 0.99,
            4_000_000.. => 0.10,
            _ => 0.99 - 0.89 * ((steps - 400_000.0) / 3_600_000.0),
        };
        if self.aliased > 100 && self.steps > 1000 && aliased / steps > allowed {
            return Err(Box::new(
                self.at(node, "document contains excessive aliasing"),
            ));
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        node: &Tree,
        text: &str,
        type_name: &str,
        kind: &Kind,
        nullable: bool,
    ) -> Step {
        if type_name == "string" && node.tag == "!!str" {
            return Ok(true);
        }
        let value = match resolve::tagged(&node.tag, text) {
            Ok(value) => value,
            Err(message) => {
                let fault = Fault {
                    message: "a value is not what its tag says".to_owned(),
                    stage: Some("resolver"),
                    ..self.at(node, &message)
                };
                return Err(Box::new(fault));
            }
        };
        if node.tag == "!!binary" && !resolve::is_base64(text) {
            let text = "!!binary value contains invalid base64 data";
            return Err(Box::new(self.at(node, text)));
        }
        if value == Value::Null {
            return Ok(nullable || matches!(kind, Kind::Any | Kind::List(_) | Kind::Map(_)));
        }
        if type_name == "string" && matches!(value, Value::Text(_)) {
            return Ok(true);
        }
        let problem = match kind {
            Kind::Text(format) => formats::check(*format, text),
            Kind::Words(words) => words.check(type_name, text),
            _ => return Ok(self.plain_scalar(node, type_name, kind, &value)),
        };
        match problem {
            None => Ok(true),
            Some(problem) => {
                let set = self.fault(node, &problem.text);
                if let Some(fault) = self.faults.last_mut() {
                    fault.message = problem.message;
                }
                Ok(set)
            }
        }
    }

    fn plain_scalar(&mut self, node: &Tree, type_name: &str, kind: &Kind, value: &Value) -> bool {
        let text = node.text();
        if node.tag == "!!merge" {
            return false;
        }
        let known = matches!(
            &*node.tag,
            "!!str" | "!!int" | "!!bool" | "!!float" | "!!timestamp" | "!!binary"
        );
        let fits = match kind {
            Kind::Any => true,
            Kind::String => known && !matches!(value, Value::Time(_)),
            Kind::Bool => match value {
                Value::Bool(_) => true,
                Value::Text(_) => known && is_old_boolean(text),
                _ => false,
            },
            Kind::Int { least, most } => {
                known && whole(value).is_some_and(|whole| (*least..=*most).contains(&whole))
            }
            Kind::Duration => match value {
                Value::Int(whole) => *whole == 0,
                Value::Text(_) => known && super::text::duration(text).is_some(),
                other => whole(other).is_some_and(|whole| i64::try_from(whole).is_ok()),
            },
            _ => false,
        };
        if !fits {
            self.misfit(node, type_name);
        }
        fits
    }

    fn sequence(&mut self, node: &Tree, items: &[Tree], type_name: &str, kind: &Kind) -> Step {
        let item_type = match kind {
            Kind::List(inner) => inner,
            Kind::Any => "any",
            _ => {
                self.misfit(node, type_name);
                return Ok(false);
            }
        };
        for (at, item) in items.iter().enumerate() {
            self.inside(eco_format!("[{at}]"), |walk| walk.value(item, item_type))?;
        }
        Ok(true)
    }

    /// A value that the type cannot hold.
    fn misfit(&mut self, node: &Tree, type_name: &str) {
        let shown = type_name.replace("]any", "]interface {}");
        let tag = &node.tag;
        let message = format!("cannot construct {tag} into {shown}");
        let text = if tag == "!!map" || tag == "!!seq" {
            message.clone()
        } else {
            let value = node.text();
            let value = match value.get(..7) {
                Some(start) if value.len() > 10 => format!("{start}..."),
                _ => value.to_owned(),
            };
            format!("cannot construct {tag} `{value}` into {shown}")
        };
        self.fault(node, &text);
        if let Some(fault) = self.faults.last_mut() {
            fault.message = message;
        }
    }

    /// Notes a fault; nothing was set.
    fn fault(&mut self, node: &Tree, text: &str) -> bool {
        let fault = self.at(node, text);
        self.faults.push(fault);
        false
    }

    fn at(&self, node: &Tree, text: &str) -> Fault {
        Fault {
            line: node.line,
            column: node.column,
            text: text.to_owned(),
            message: text.to_owned(),
            way: self.way.clone(),
            other: None,
            stage: None,
        }
    }

    fn inside<T>(&mut self, step: EcoString, look: impl FnOnce(&mut Self) -> T) -> T {
        self.way.push(step);
        let found = look(self);
        self.way.pop();
        found
    }
}

/// A whole number, also where it is written as a fraction.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Int(whole) => Some(*whole),
        #[allow(clippy::cast_possible_truncation)] // only whole numbers are converted
        Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e19 => Some(*float as i128),
        _ => None,
    }
}

/// The whole number that a field of Go's gets from a number.
pub(super) fn number<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    whole(value).and_then(|whole| T::try_from(whole).ok())
}

fn is_old_boolean(text: &str) -> bool {
    ["y", "yes", "on", "n", "no", "off"].iter().any(|word| {
        let mut title = word.to_string();
        title[..1].make_ascii_uppercase();
        text == *word || text == title || text == word.to_ascii_uppercase()
    })
}
