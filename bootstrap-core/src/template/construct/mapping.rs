//! Mappings into structs and maps.

use std::collections::{HashMap, HashSet};

use ecow::EcoString;

use super::super::go_yaml::tree::{Kind as Node, Tree};
use super::super::text::quote;
use super::table::{Fields, Kind};
use super::{Step, Walk};

type Pairs = [(Tree, Tree)];

/// A key that is there a thousand times makes half a million pairs.
const MOST_REPEATED: usize = 10_000;

impl Walk<'_> {
    pub(super) fn mapping(
        &mut self,
        node: &Tree,
        pairs: &Pairs,
        type_name: &str,
        kind: &Kind,
    ) -> Step {
        if self.repeats(pairs) {
            return Ok(false);
        }
        match kind {
            Kind::Struct(fields) => self.fields(pairs, type_name, fields),
            Kind::Map(inner) => self.entries(pairs, type_name, "string", inner),
            Kind::Any => {
                let texts = pairs
                    .iter()
                    .all(|(key, _)| matches!(&*key.target().tag, "!!str" | "!!merge"));
                self.entries(pairs, "any", if texts { "string" } else { "any" }, "any")
            }
            _ => {
                self.misfit(node, type_name);
                Ok(false)
            }
        }
    }

    /// Keys that are written twice: each pair of them is a fault.
    fn repeats(&mut self, pairs: &Pairs) -> bool {
        let mut seen = HashSet::with_capacity(pairs.len());
        let mut keys = pairs.iter().map(|(key, _)| (key.number(), key.text()));
        if keys.all(|key| seen.insert(key)) {
            return false;
        }
        let mut places: HashMap<(u8, &str), Vec<usize>> = HashMap::new();
        for (at, (key, _)) in pairs.iter().enumerate() {
            let place = places.entry((key.number(), key.text()));
            place.or_default().push(at);
        }
        let repeated = pairs.iter().enumerate().flat_map(|(at, (key, _))| {
            let places = places.get(&(key.number(), key.text()));
            let places = places.map_or(&[][..], Vec::as_slice);
            let later = places.partition_point(|place| *place <= at);
            places[later..].iter().map(move |next| (at, *next))
        });
        for (first, next) in repeated.take(MOST_REPEATED) {
            let (first, next) = (&pairs[first].0, &pairs[next].0);
            let name = quote(next.text());
            self.fault(
                next,
                &format!("mapping key {name} already defined at line "),
            );
            if let Some(fault) = self.faults.last_mut() {
                fault.other = Some(first.line);
            }
        }
        true
    }

    fn fields(&mut self, pairs: &Pairs, type_name: &str, fields: &Fields) -> Step {
        let mut merged = self.merged.take();
        let mut merge = None;
        for (key, value) in pairs {
            if is_merge(key) {
                merge = Some(value);
                continue;
            }
            if !self.value(key, "string")? {
                continue;
            }
            let name = key.target().text();
            if let Some(merged) = &mut merged
                && !merged.insert(name.into())
            {
                continue;
            }
            match fields.get(name) {
                Some(field) => {
                    self.inside(name.into(), |walk| walk.value(value, field))?;
                }
                None if self.known_fields => {
                    self.fault(key, &format!("field {name} not found in type {type_name}"));
                    if let Some(fault) = self.faults.last_mut() {
                        fault.way.push(name.into());
                    }
                }
                None => {}
            }
        }
        self.merged = merged;
        self.merge(pairs, merge, type_name)
    }

    fn entries(
        &mut self,
        pairs: &Pairs,
        type_name: &str,
        key_type: &str,
        value_type: &str,
    ) -> Step {
        let mut merged = self.merged.take();
        let mut merge = None;
        for (key, value) in pairs {
            if is_merge(key) {
                merge = Some(value);
                continue;
            }
            if !self.value(key, key_type)? {
                continue;
            }
            let name = key.target().text();
            if let Some(merged) = &mut merged
                && !merged.insert(name.into())
            {
                continue;
            }
            if key_type == "any" && !matches!(key.target().kind, Node::Scalar(_)) {
                let text =
                    "cannot use a list or a mapping as a map key; try decoding into yaml.Node";
                return Err(Box::new(self.at(key, text)));
            }
            self.inside(name.into(), |walk| walk.value(value, value_type))?;
        }
        self.merged = merged;
        self.merge(pairs, merge, type_name)
    }

    fn merge(&mut self, pairs: &Pairs, merge: Option<&Tree>, type_name: &str) -> Step {
        let Some(merge) = merge else {
            return Ok(true);
        };
        let outer = self.merged.clone();
        if self.merged.is_none() {
            let own = pairs
                .iter()
                .map(|(key, _)| EcoString::from(key.target().text()));
            self.merged = Some(own.collect::<HashSet<_>>());
        }
        let sources = match &merge.kind {
            Node::Sequence(items) => items.as_slice(),
            _ => std::slice::from_ref(merge),
        };
        for source in sources {
            if !matches!(source.target().kind, Node::Mapping(_)) {
                let text = "map merge requires map or sequence of maps as the value";
                return Err(Box::new(self.at(source.target(), text)));
            }
            self.value(source, type_name)?;
        }
        self.merged = outer;
        Ok(true)
    }
}

fn is_merge(key: &Tree) -> bool {
    matches!(key.kind, Node::Scalar(_)) && key.tag == "!!merge"
}
