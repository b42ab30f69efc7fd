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

type Typed = Result<Type, Problem>;

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

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }
}

pub(super) fn of(node: &Node) -> Typed {
    match &node.kind {
        Kind::Bool => Ok(Type::Bool),
        Kind::Int => Ok(Type::Int),
        Kind::Uint => Ok(Type::Uint),
        Kind::Double => Ok(Type::Double),
        Kind::String => Ok(Type::String),
        Kind::Other => Ok(Type::Unsure),
        Kind::Name(name) => named(node, name),
        Kind::Field(inner, field) => of_field(node, inner, field),
        Kind::Index(inner, index) => {
            of(index)?;
            Ok(match of(inner)? {
                Type::Strings => Type::String,
                _ => Type::Unsure,
            })
        }
        Kind::Call(name, arguments, is_method) => call(node, name, arguments, *is_method),
        Kind::List(items) => {
            let types = items.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            let texts = !types.is_empty() && types.iter().all(|item| *item == Type::String);
            Ok(if texts { Type::Strings } else { Type::Unsure })
        }
        Kind::Unary(sign, inner) => unary(node, *sign, of(inner)?),
        Kind::Binary(operator, left, right) => binary(node, operator, of(left)?, of(right)?),
        Kind::Choice(condition, yes, no) => {
            let (condition, yes, no) = (of(condition)?, of(yes)?, of(no)?);
            match condition {
                Type::Bool | Type::Unsure if yes == no => Ok(yes),
                Type::Bool | Type::Unsure => Ok(Type::Unsure),
                other => Err(problem(
                    node,
                    format!("`?` needs true or false, not {}", other.name()),
                )),
            }
        }
    }
}

fn named(node: &Node, name: &str) -> Typed {
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
        "disk" => Ok(Type::Disk),
        "system_disk" => Ok(Type::Bool),
        unit if UNITS.contains(&unit) => Ok(Type::Uint),
        other if types.contains(&other) => Ok(Type::Unsure),
        _ => Err(problem(
            node,
            format!("there is no `{name}` here; known are disk, system_disk and units like GiB"),
        )),
    }
}

fn of_field(node: &Node, inner: &Node, field: &str) -> Typed {
    // Names with dots, such as those of types.
    if let Kind::Name(name) = &inner.kind
        && matches!(name.as_str(), "google" | "talos")
    {
        return Ok(Type::Unsure);
    }
    match of(inner)? {
        Type::Disk => {
            let known = FIELDS.iter().find(|(name, _)| *name == field);
            known.map(|(_, kind)| *kind).ok_or_else(|| {
                let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                let hint = match nearest(field, &names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", names.join(", ")),
                };
                problem(node, format!("a disk has no field `{field}`; {hint}"))
            })
        }
        Type::Unsure => Ok(Type::Unsure),
        other => Err(problem(
            node,
            format!("{} has no field `{field}`", other.name()),
        )),
    }
}

fn unary(node: &Node, sign: char, inner: Type) -> Typed {
    match (sign, inner) {
        (_, Type::Unsure) => Ok(Type::Unsure),
        ('!', Type::Bool) => Ok(Type::Bool),
        ('!', other) => Err(problem(
            node,
            format!("`!` needs true or false, not {}", other.name()),
        )),
        (_, Type::Int | Type::Double) => Ok(inner),
        (_, other) => Err(problem(
            node,
            format!("`-` needs an int or a double, not {}", other.name()),
        )),
    }
}

fn binary(node: &Node, operator: &str, left: Type, right: Type) -> Typed {
    let same = left == right;
    let unsure = left == Type::Unsure || right == Type::Unsure;
    let fits = match operator {
        "&&" | "||" => {
            let logical = |side| matches!(side, Type::Bool | Type::Unsure);
            logical(left) && logical(right)
        }
        "==" | "!=" => unsure || same,
        "<" | "<=" | ">" | ">=" => {
            unsure || (same && (left.is_number() || matches!(left, Type::String | Type::Bool)))
        }
        "in" => matches!(
            (left, right),
            (Type::String | Type::Unsure, Type::Strings) | (_, Type::Unsure)
        ),
        "+" => {
            unsure || (same && (left.is_number() || matches!(left, Type::String | Type::Strings)))
        }
        "%" => unsure || (same && matches!(left, Type::Int | Type::Uint)),
        _ => unsure || (same && left.is_number()),
    };
    if !fits {
        let (left, right) = (left.name(), right.name());
        return Err(problem(
            node,
            format!("{left} and {right} do not go with `{operator}`"),
        ));
    }
    Ok(match operator {
        "+" | "-" | "*" | "/" | "%" if same => left,
        "+" | "-" | "*" | "/" | "%" => Type::Unsure,
        _ => Type::Bool,
    })
}

fn call(node: &Node, name: &str, arguments: &[Node], is_method: bool) -> Typed {
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
        return Ok(Type::Unsure);
    }
    let types = arguments.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    let texts = |from: usize| -> Typed {
        let odd = types
            .iter()
            .skip(from)
            .find(|kind| !matches!(kind, Type::String | Type::Unsure));
        match odd {
            Some(other) => Err(problem(
                node,
                format!("`{name}` needs a string, not {}", other.name()),
            )),
            None => Ok(Type::Bool),
        }
    };
    match (name, is_method, types.as_slice()) {
        ("startsWith" | "endsWith" | "contains" | "matches", true, [_, _])
        | ("matches" | "glob", false, [_, _]) => texts(0),
        ("size", _, [Type::String | Type::Strings]) => Ok(Type::Int),
        _ => Ok(Type::Unsure),
    }
}

fn problem(node: &Node, message: String) -> Problem {
    Problem {
        at: node.at,
        message,
    }
}
