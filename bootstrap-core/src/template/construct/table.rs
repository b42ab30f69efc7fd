//! Go types, read from a table of text.

use std::collections::HashMap;

use super::formats::{self, Format};

pub(in crate::template) type Fields = HashMap<&'static str, &'static str>;

/// The types of one program.
pub(in crate::template) struct Table {
    structs: HashMap<&'static str, Fields>,
    aliases: HashMap<&'static str, &'static str>,
    words: HashMap<&'static str, Words>,
    documents: HashMap<&'static str, Document>,
}

/// A kind of configuration document.
pub(in crate::template) struct Document {
    pub type_name: &'static str,
    /// Documents of this kind are told apart by their names.
    pub named: bool,
    /// It configures the link of its name.
    pub link: bool,
    /// And the link of its peer's name.
    pub peer: bool,
    /// Kinds that it excludes under the same name.
    pub excludes: Vec<&'static str>,
}

/// The words of an enumeration; a range of numbers is `1..252`.
pub(in crate::template) struct Words(&'static str);

/// What a type is underneath.
pub(in crate::template) enum Kind<'t> {
    Any,
    String,
    Bool,
    Int {
        least: i128,
        most: i128,
    },
    Duration,
    List(&'t str),
    Map(&'t str),
    Struct(&'t Fields),
    /// Text of a format, decoded by a method of the type.
    Text(Format),
    Words(&'t Words),
}

impl Table {
    /// Reads a table.
    pub(in crate::template) fn parse(text: &'static str) -> Self {
        let mut table = Self {
            structs: HashMap::new(),
            aliases: HashMap::new(),
            words: HashMap::new(),
            documents: HashMap::new(),
        };
        for (name, fields) in super::custom::ENCODED {
            let fields = fields.split(',').map(|field| (field, "string"));
            table.structs.insert(name, fields.collect());
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(document) = line.strip_prefix('@') {
                table.document(document);
            } else if let Some((name, target)) = line.split_once(" = ") {
                table.aliases.insert(name, target);
            } else if let Some((name, words)) = line.split_once(" < ") {
                table.words.insert(name, Words(words));
            } else if let Some((name, groups)) = line.split_once(':') {
                let fields = groups.split_whitespace().filter_map(|group| {
                    let (type_name, names) = group.split_once('=')?;
                    Some(names.split(',').map(move |name| (name, type_name)))
                });
                table.structs.insert(name, fields.flatten().collect());
            }
        }
        table
    }

    fn document(&mut self, line: &'static str) {
        let mut words = line.split_whitespace();
        if let (Some(kind), Some(type_name)) = (words.next(), words.next()) {
            let mut document = Document {
                type_name,
                named: false,
                link: false,
                peer: false,
                excludes: Vec::new(),
            };
            for word in words {
                match word.strip_prefix('!') {
                    Some(kinds) => document.excludes = kinds.split(',').collect(),
                    None => match word {
                        "named" => document.named = true,
                        "link" => document.link = true,
                        "peer" => document.peer = true,
                        _ => {}
                    },
                }
            }
            self.documents.insert(kind, document);
        }
    }

    /// A document of this kind; `-` is the one without.
    pub(in crate::template) fn kind_of_document(&self, kind: &str) -> Option<&Document> {
        self.documents.get(kind)
    }

    /// What a type is; one that is not known takes anything.
    pub(in crate::template) fn kind<'t>(&'t self, type_name: &'t str) -> Kind<'t> {
        if let Some(inner) = type_name.strip_prefix("[]") {
            return Kind::List(inner);
        }
        if let Some(inner) = type_name.strip_prefix("map[string]") {
            return Kind::Map(inner);
        }
        let int = |least: i128, most: i128| Kind::Int { least, most };
        match type_name {
            "any" => Kind::Any,
            "string" => Kind::String,
            "bool" => Kind::Bool,
            "int" => int(i64::MIN.into(), i64::MAX.into()),
            "int32" => int(i32::MIN.into(), i32::MAX.into()),
            "uint8" => int(0, u8::MAX.into()),
            "uint16" => int(0, u16::MAX.into()),
            "uint32" => int(0, u32::MAX.into()),
            "uint" | "uint64" => int(0, u64::MAX.into()),
            "time.Duration" => Kind::Duration,
            name => self.named(name),
        }
    }

    fn named<'t>(&'t self, name: &'t str) -> Kind<'t> {
        if let Some(fields) = self.structs.get(name) {
            return match fields.get("<inline>") {
                Some(inner) => self.kind(inner),
                None => Kind::Struct(fields),
            };
        }
        if let Some(target) = self.aliases.get(name) {
            return self.kind(target);
        }
        if let Some(words) = self.words.get(name) {
            return Kind::Words(words);
        }
        formats::named(name).map_or(Kind::Any, Kind::Text)
    }
}

impl Words {
    pub(super) fn check(&self, type_name: &str, text: &str) -> Option<formats::Problem> {
        let lower = text.to_lowercase();
        let known = self.0.split(',').any(|word| match word.split_once("..") {
            Some((least, most)) => {
                let number = text.parse::<u32>().ok();
                let (least, most) = (least.parse().unwrap_or(0), most.parse().unwrap_or(0));
                number.is_some_and(|number| {
                    (least..=most).contains(&number) && number.to_string() == text
                })
            }
            // Go looks in the names and in the lowered names for either spelling.
            None => word == text || word.to_lowercase() == lower,
        });
        let name = type_name.rsplit('.').next().unwrap_or_default();
        let hint = format!("no {name}; known are {}", self.0.replace(',', ", "));
        // This one is decoded by hand.
        if name == "FailOverMAC" {
            let fits = self.0.split(',').any(|word| word == text)
                || matches!(text, "" | "0" | "1" | "2" | "+0" | "+1" | "+2");
            let text = format!("invalid fail_over_mac value {text}");
            return (!fits).then(|| formats::Problem::new(text, &hint));
        }
        let text = format!("{text} does not belong to {name} values");
        (!known).then(|| formats::Problem::new(text, &hint))
    }
}

#[cfg(test)]
impl Table {
    /// Every type that a field, an alias or a document mentions and that means nothing.
    pub(in crate::template) fn unknown(&self) -> Vec<&'static str> {
        let fields = self.structs.values().flat_map(HashMap::values).copied();
        let documents = self.documents.values().map(|document| document.type_name);
        let mentioned = fields
            .chain(self.aliases.values().copied())
            .chain(documents);
        mentioned.filter(|name| !self.knows(name)).collect()
    }

    fn knows(&self, name: &str) -> bool {
        let mut inner = name;
        while let Some(next) = inner
            .strip_prefix('*')
            .or_else(|| inner.strip_prefix("[]"))
            .or_else(|| inner.strip_prefix("map[string]"))
        {
            inner = next;
        }
        inner == "any" || !matches!(self.kind(inner), Kind::Any) || super::custom::is_custom(inner)
    }

    pub(in crate::template) fn size(&self) -> (usize, usize) {
        (self.documents.len(), self.structs.len())
    }
}
