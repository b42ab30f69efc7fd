//! From steps to values.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Comparison, NotFound, Operand, Part, Step};

pub(super) fn parts(
    parts: &[Part],
    document: &Value,
    at: &Value,
    lenient: bool,
    values: &mut Vec<Value>,
) -> Result<(), NotFound> {
    for part in parts {
        match part {
            Part::Text(text) => values.push(Value::String(text.clone())),
            Part::Path(path) => {
                let found = walk(path, document, vec![at], lenient)?;
                values.extend(found.into_iter().cloned());
            }
            Part::Range(path, body) => {
                for item in walk(path, document, vec![at], lenient)? {
                    self::parts(body, document, item, lenient, values)?;
                }
            }
        }
    }
    Ok(())
}

fn walk<'v>(
    path: &[Step],
    document: &'v Value,
    mut values: Vec<&'v Value>,
    mut lenient: bool,
) -> Result<Vec<&'v Value>, NotFound> {
    for step in path {
        // Below a value there are many that lack the field that is looked for.
        lenient |= matches!(step, Step::Below);
        let mut next = Vec::new();
        for value in values {
            take(step, document, value, lenient, &mut next)?;
        }
        values = next;
    }
    Ok(values)
}

fn take<'v>(
    step: &Step,
    document: &'v Value,
    value: &'v Value,
    lenient: bool,
    next: &mut Vec<&'v Value>,
) -> Result<(), NotFound> {
    match step {
        Step::Root => next.push(document),
        Step::Field(name) => match value.get(name) {
            Some(field) => next.push(field),
            None if lenient => {}
            None => return Err(NotFound(name.clone())),
        },
        Step::All => children(value, next),
        Step::Below => below(value, next),
        Step::Index(index) => match value.as_array() {
            Some(items) => match place(*index, items.len()).and_then(|at| items.get(at)) {
                Some(item) => next.push(item),
                None if lenient => {}
                None => return Err(NotFound(format!("[{index}]"))),
            },
            None if lenient => {}
            None => return Err(NotFound(format!("[{index}]"))),
        },
        Step::Slice(from, to, step) => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            next.extend(slice(items, *from, *to, *step));
        }
        Step::Union(steps) => {
            for step in steps {
                take(step, document, value, lenient, next)?;
            }
        }
        Step::Filter(left, comparison, right) => {
            let mut items = Vec::new();
            children(value, &mut items);
            next.extend(items.into_iter().filter(|item| {
                let (left, right) = (
                    operand(left, document, item),
                    operand(right, document, item),
                );
                left.zip(right)
                    .is_some_and(|(left, right)| holds(&left, *comparison, &right))
            }));
        }
        Step::Exists(path) => {
            let mut items = Vec::new();
            children(value, &mut items);
            next.extend(items.into_iter().filter(|item| {
                walk(path, document, vec![item], true).is_ok_and(|found| !found.is_empty())
            }));
        }
    }
    Ok(())
}

fn children<'v>(value: &'v Value, next: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => next.extend(items),
        Value::Object(fields) => next.extend(fields.values()),
        _ => {}
    }
}

fn below<'v>(value: &'v Value, next: &mut Vec<&'v Value>) {
    next.push(value);
    let mut inner = Vec::new();
    children(value, &mut inner);
    for value in inner {
        below(value, next);
    }
}

/// Negative indices count from the end.
fn place(index: i64, length: usize) -> Option<usize> {
    if index < 0 {
        length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
    } else {
        usize::try_from(index).ok()
    }
}

fn slice(
    items: &[Value],
    from: Option<i64>,
    to: Option<i64>,
    step: i64,
) -> impl Iterator<Item = &Value> {
    let bound = |index: Option<i64>, default: usize| {
        index.map_or(default, |index| {
            place(index, items.len()).unwrap_or(0).min(items.len())
        })
    };
    let (from, to) = (bound(from, 0), bound(to, items.len()));
    let step = usize::try_from(step).unwrap_or(1).max(1);
    items.get(from..to).unwrap_or_default().iter().step_by(step)
}

fn operand(operand: &Operand, document: &Value, item: &Value) -> Option<Value> {
    match operand {
        Operand::Value(value) => Some(value.clone()),
        Operand::Path(path) => {
            // A path in a filter begins at the item, or at `$`.
            let found = walk(path, document, vec![item], true).ok()?;
            found.first().map(|value| (*value).clone())
        }
    }
}

fn holds(left: &Value, comparison: Comparison, right: &Value) -> bool {
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (left, right) => (left == right).then_some(Ordering::Equal),
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}
