//! The types of expressions, as far as they are certain.

use super::Problem;
use super::parse::{Kind, Node};
use crate::template::decode::nearest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Double,
    String,
    Strings,
    Disk,
    Unsure,
}

const UNITS: [&str; 12] = [
    "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "kB", "MB", "GB", "TB", "PB", "EB",
];

/// What Talos 1.14 tells of a disk.
const FIELDS: [(&str, Type); 19] = [
    ("size", Type::Uint),
    ("io_size", Type::Uint),
    ("sector_size", Type::Uint),
    ("readonly", Type::Bool),
    ("model", Type::String),
    ("serial", Type::String),
    ("modalias", Type::String),
    ("wwid", Type::String),
    ("bus_path", Type::String),
    ("sub_system", Type::String),
    ("transport", Type::String),
    ("rotational", Type::Bool),
    ("cdrom", Type::Bool),
    ("dev_path", Type::String),
    ("pretty_size", Type::String),
    ("secondary_disks", Type::Strings),
    ("uuid", Type::String),
    ("symlinks", Type::Strings),
    ("firmware_version", Type::String),
];

/// The functions that there are, beside those that bind names.
const FUNCTIONS: [&str; 26] = [
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "glob",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "dyn",
    "type",
    "duration",
    "timestamp",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
];

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bool => "a bool",
            Self::Int => "an int",
            Self::Uint => "a uint",
            Self::Double => "a double",
            Self::String => "a string",
            Self::Strings => "a list",
            Self::Disk => "a disk",
            Self::Unsure => "something",
        }
    }

    /// CEL's name.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Strings => "list(string)",
            Self::Disk => "talos.resource.definitions.block.DiskSpec",
            Self::Unsure => "dyn",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

/// A walk that notes what does not fit and goes on.
#[derive(Default)]
pub(super) struct Check {
    pub problems: Vec<Problem>,
}

impl Check {
    pub(super) fn of(&mut self, node: &Node) -> Type {
        match &node.kind {
            Kind::Bool => Type::Bool,
            Kind::Int => Type::Int,
            Kind::Uint => Type::Uint,
            Kind::Double => Type::Double,
            Kind::String => Type::String,
            Kind::Other => Type::Unsure,
            Kind::Name(name) => self.named(node, name),
            Kind::Field(inner, field) => self.field(node, inner, field),
            Kind::Index(inner, index) => {
                let (inner, index) = (self.of(inner), self.of(index));
                match (inner, index) {
                    (Type::Strings, Type::Int) => Type::String,
                    (Type::Disk, index) if index != Type::Unsure => {
                        self.mismatch(node, "_[_]", "[", &[inner, index])
                    }
                    _ => Type::Unsure,
                }
            }
            Kind::Call(name, arguments, is_method) => self.call(node, name, arguments, *is_method),
            Kind::List(items) => {
                let types: Vec<Type> = items.iter().map(|item| self.of(item)).collect();
                let texts = !types.is_empty() && types.iter().all(|item| *item == Type::String);
                if texts { Type::Strings } else { Type::Unsure }
            }
            Kind::Unary(sign, inner) => {
                let inner = self.of(inner);
                match (sign, inner) {
                    (_, Type::Unsure) | ('!', Type::Bool) | ('-', Type::Int | Type::Double) => {
                        inner
                    }
                    ('!', _) => self.mismatch(node, "!_", "!", &[inner]),
                    _ => self.mismatch(node, "-_", "-", &[inner]),
                }
            }
            Kind::Logical(operator, sides) => {
                for side in sides {
                    let kind = self.of(side);
                    if !matches!(kind, Type::Bool | Type::Unsure) {
                        let said = format!("expected type 'bool' but found '{}'", kind.said());
                        let name = kind.name();
                        self.note(
                            side,
                            format!("`{operator}` needs true or false, not {name}"),
                            said,
                        );
                    }
                }
                Type::Bool
            }
            Kind::Binary(operator, left, right) => {
                let sides = [self.of(left), self.of(right)];
                self.binary(node, operator, sides)
            }
            Kind::Choice(condition, yes, no) => {
                let kinds = [self.of(condition), self.of(yes), self.of(no)];
                match kinds {
                    [Type::Bool | Type::Unsure, yes, no] if yes == no => yes,
                    [Type::Bool | Type::Unsure, ..] => Type::Unsure,
                    _ => self.mismatch(node, "_?_:_", "?", &kinds),
                }
            }
        }
    }

    fn named(&mut self, node: &Node, name: &str) -> Type {
        // Types are values, too.
        let types = [
            "bool",
            "int",
            "uint",
            "double",
            "string",
            "bytes",
            "list",
            "map",
            "type",
            "null_type",
            "google",
            "talos",
            "dyn",
            "optional_type",
        ];
        match name {
            "disk" => Type::Disk,
            "system_disk" => Type::Bool,
            unit if UNITS.contains(&unit) => Type::Uint,
            other if types.contains(&other) => Type::Unsure,
            _ => {
                let known = "known are disk, system_disk and units like GiB";
                let message = format!("there is no `{name}` here; {known}");
                let said = format!("undeclared reference to '{name}' (in container '')");
                self.note(node, message, said)
            }
        }
    }

    fn field(&mut self, node: &Node, inner: &Node, field: &str) -> Type {
        // Names with dots, such as those of types.
        if let Kind::Name(name) = &inner.kind
            && matches!(name.as_str(), "google" | "talos")
        {
            return Type::Unsure;
        }
        match self.of(inner) {
            Type::Disk => {
                if let Some((_, kind)) = FIELDS.iter().find(|(name, _)| *name == field) {
                    return *kind;
                }
                let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                let hint = match nearest(field, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", names.join(", ")),
                };
                let message = format!("a disk has no field `{field}`; {hint}");
                self.note(node, message, format!("undefined field '{field}'"))
            }
            Type::Unsure => Type::Unsure,
            other => {
                let message = format!("{} has no field `{field}`", other.name());
                let said = format!("type '{}' does not support field selection", other.said());
                self.note(node, message, said)
            }
        }
    }

    fn binary(&mut self, node: &Node, operator: &str, sides: [Type; 2]) -> Type {
        let [left, right] = sides;
        let same = left == right;
        let unsure = left == Type::Unsure || right == Type::Unsure;
        let ordered = left.is_number() || matches!(left, Type::String | Type::Bool);
        let joined = left.is_number() || matches!(left, Type::String | Type::Strings);
        let fits = match operator {
            "==" | "!=" => same,
            "<" | "<=" | ">" | ">=" => same && ordered,
            "in" => matches!(sides, [Type::String, Type::Strings]),
            "+" => same && joined,
            "%" => same && matches!(left, Type::Int | Type::Uint),
            _ => same && left.is_number(),
        };
        let is_sum = matches!(operator, "+" | "-" | "*" | "/" | "%");
        if unsure {
            return if is_sum { Type::Unsure } else { Type::Bool };
        }
        if fits {
            return if is_sum { left } else { Type::Bool };
        }
        let said = match operator {
            "in" => "@in".to_owned(),
            other => format!("_{other}_"),
        };
        self.mismatch(node, &said, operator, &sides)
    }

    fn call(&mut self, node: &Node, name: &str, arguments: &[Node], is_method: bool) -> Type {
        // These bind names of their own.
        let macros = [
            "all",
            "exists",
            "exists_one",
            "existsOne",
            "map",
            "filter",
            "has",
            "bind",
        ];
        if macros.contains(&name) {
            return Type::Unsure;
        }
        let types: Vec<Type> = arguments.iter().map(|argument| self.of(argument)).collect();
        if !FUNCTIONS.contains(&name) {
            let said = format!("undeclared reference to '{name}' (in container '')");
            return self.note(node, format!("there is no function `{name}`"), said);
        }
        let texts = types
            .iter()
            .all(|kind| matches!(kind, Type::String | Type::Unsure));
        let mut unsure = types.contains(&Type::Unsure);
        let result = match (name, is_method, types.len()) {
            ("startsWith" | "endsWith" | "contains" | "matches", true, 2)
            | ("matches" | "glob", false, 2) => {
                unsure |= texts;
                Type::Bool
            }
            ("size", _, 1) => {
                unsure |= matches!(types[0], Type::String | Type::Strings);
                Type::Int
            }
            _ => return Type::Unsure,
        };
        if unsure {
            return result;
        }
        let said: Vec<&str> = types.iter().map(|kind| kind.said()).collect();
        let said = match said.split_first() {
            Some((target, rest)) if is_method => format!("{target}.({})", rest.join(", ")),
            _ => format!("({})", said.join(", ")),
        };
        let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
        let message = format!("`{name}` does not take {}", names.join(" and "));
        let said = format!("found no matching overload for '{name}' applied to '{said}'");
        self.note(node, message, said)
    }

    fn mismatch(&mut self, node: &Node, said: &str, sign: &str, types: &[Type]) -> Type {
        if types.contains(&Type::Unsure) {
            return Type::Unsure;
        }
        let names: Vec<&str> = types.iter().map(|kind| kind.name()).collect();
        let message = match names.as_slice() {
            [one] => format!("{one} does not go with `{sign}`"),
            names => format!("{} do not go with `{sign}`", names.join(" and ")),
        };
        let kinds: Vec<&str> = types.iter().map(|kind| kind.said()).collect();
        let kinds = kinds.join(", ");
        let said = format!("found no matching overload for '{said}' applied to '({kinds})'");
        self.note(node, message, said)
    }

    /// Notes a problem; what depends on it is not judged.
    fn note(&mut self, node: &Node, message: String, said: String) -> Type {
        self.problems.push(Problem {
            at: node.at,
            message,
            said: Some(said),
        });
        Type::Unsure
    }
}
