//! Paths into resources, in the form that `kubectl` and `omnictl` take: `{.spec.nodeips[*]}`.
//!
//! Text outside of braces is printed as it is. Inside stand fields (`.a`, `['a']`), items (`[0]`, `[-1]`, `[1:3]`,
//! `[0,2]`), all of them (`[*]`, `.*`), anything below (`..a`), filters (`[?(@.a=="b")]`), literals (`"\n"`) and
//! `range … end`.

mod evaluate;
mod parse;

use serde_json::Value;

/// A path, or several with text between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    /// For each value of the path, the parts.
    Range(Vec<Step>, Vec<Part>),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// The whole document.
    Root,
    Field(String),
    All,
    /// Everything below, itself included.
    Below,
    Index(i64),
    Slice(Option<i64>, Option<i64>, i64),
    Union(Vec<Step>),
    Filter(Operand, Comparison, Operand),
    /// Items for which the path gives something.
    Exists(Vec<Step>),
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Path(Vec<Step>),
    Value(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A field that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not found")]
pub struct NotFound(String);

impl Template {
    /// Reads a template; a path without braces is taken for one in braces.
    ///
    /// # Errors
    /// What is wrong with it, and at which character.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::template(text).map(|parts| Self { parts })
    }

    /// The values it gives, those of a literal included, in order; what a document lacks is left out.
    pub fn values(&self, document: &Value) -> Vec<Value> {
        let mut values = Vec::new();
        // Nothing is missing where missing fields are allowed.
        let _ = evaluate::parts(&self.parts, document, document, true, &mut values);
        values
    }

    /// The same where each field has to be there.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn required(&self, document: &Value) -> Result<Vec<Value>, NotFound> {
        let mut values = Vec::new();
        evaluate::parts(&self.parts, document, document, false, &mut values)?;
        Ok(values)
    }

    /// As it stands in a cell of a table: values of one path with a space between them.
    pub fn cell(&self, document: &Value) -> String {
        let mut text = String::new();
        for part in &self.parts {
            let mut values = Vec::new();
            let one = std::slice::from_ref(part);
            let _ = evaluate::parts(one, document, document, true, &mut values);
            let shown: Vec<String> = values.iter().map(shown).collect();
            text.push_str(&shown.join(" "));
        }
        text
    }
}

/// A value as a template prints it: texts bare, all else as JSON in one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "spec": {
                "name": "a b", "count": 3, "on": true, "none": null,
                "nodeips": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
                "disks": [{"dev": "sda", "size": 10}, {"dev": "sdb", "size": 20, "tags": {"x": "y"}}],
            },
            "metadata": {"labels": {"omni.sidero.dev/cluster": "home", "plain": "z"}},
        })
    }

    #[test]
    fn paths_give_what_kubectl_gives() {
        for (path, expected) in [
            ("{.spec.name}", "a b"),
            (".spec.count", "3"),
            ("spec.count", "3"),
            ("{$.spec.on}", "true"),
            ("{.spec['name']}", "a b"),
            ("{.spec[\"name\"]}", "a b"),
            ("{.metadata.labels['omni.sidero.dev/cluster']}", "home"),
            ("{.metadata.labels.omni\\.sidero\\.dev/cluster}", "home"),
            (
                "{.spec.nodeips}",
                r#"["192.0.2.1","192.0.2.2","192.0.2.3"]"#,
            ),
            ("{.spec.nodeips[0]}", "192.0.2.1"),
            ("{.spec.nodeips[-1]}", "192.0.2.3"),
            ("{.spec.nodeips[*]}", "192.0.2.1 192.0.2.2 192.0.2.3"),
            ("{.spec.nodeips[:]}", "192.0.2.1 192.0.2.2 192.0.2.3"),
            ("{.spec.nodeips[1:]}", "192.0.2.2 192.0.2.3"),
            ("{.spec.nodeips[0:2]}", "192.0.2.1 192.0.2.2"),
            ("{.spec.nodeips[::2]}", "192.0.2.1 192.0.2.3"),
            ("{.spec.nodeips[0,2]}", "192.0.2.1 192.0.2.3"),
            ("{.spec.disks[*].dev}", "sda sdb"),
            ("{.spec.disks[*]['dev','size']}", "sda 10 sdb 20"),
            ("{..dev}", "sda sdb"),
            ("{.spec.disks[?(@.size>10)].dev}", "sdb"),
            ("{.spec.disks[?(@.dev=='sda')].size}", "10"),
            ("{.spec.disks[?(@.dev!=\"sda\")].size}", "20"),
            ("{.spec.disks[?(@.tags)].dev}", "sdb"),
            ("{.spec.disks[?(@.tags.x==\"y\")].dev}", "sdb"),
            ("{.spec.disks[1].tags.*}", "y"),
            ("n={.spec.count}, on={.spec.on}{\"\\n\"}", "n=3, on=true\n"),
            (
                "{range .spec.disks[*]}{.dev}:{.size};{end}",
                "sda : 10 ; sdb : 20 ;",
            ),
            ("{.spec.missing}", ""),
            ("{.spec.none}", ""),
        ] {
            let template = Template::parse(path).unwrap();
            assert_eq!(template.cell(&document()), expected, "{path}");
        }
    }

    #[test]
    fn a_missing_field_is_named_where_it_has_to_be_there() {
        let missing = Template::parse("{.spec.missing.deeper}").unwrap();
        assert_eq!(missing.values(&document()), [] as [Value; 0]);
        assert_eq!(
            missing.required(&document()).unwrap_err().to_string(),
            "missing is not found"
        );
        let below = Template::parse("{..missing}").unwrap();
        assert_eq!(below.required(&document()).unwrap(), [] as [Value; 0]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, expected) in [
            ("{.spec", "the brace at character 1 is not closed"),
            ("{.spec[}", "`[` at character 7 is not closed"),
            (
                "{.spec[x]}",
                "`x` in brackets is no number, quoted name, `*` or filter",
            ),
            ("{.}x{", "the brace at character 5 is not closed"),
            ("{range .a[*]}{.b}", "a `range` without its `end`"),
            ("{end}", "an `end` without its `range`"),
            ("{.a[?(@.b=)]}", "a value is missing in the filter `@.b=`"),
            ("{'abc}", "a quote is not closed"),
        ] {
            assert_eq!(Template::parse(path).unwrap_err(), expected, "{path}");
        }
    }
}
