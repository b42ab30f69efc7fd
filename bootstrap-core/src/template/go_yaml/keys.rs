//! The order in which Go's yaml writes the keys of a map.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Value;

type Pair = (Value, Value);

/// Go's order is no total order (numbers wrap, letters and digits compare by what precedes them), so the
/// pairs are brought into a fixed order first and merged by hand: the result never depends on the order
/// they were written in, and an inconsistent comparison cannot upset the sort.
pub(super) fn sort<T>(pairs: Vec<(Value, T)>) -> Vec<(Value, T)> {
    if pairs.len() < 2 {
        return pairs;
    }
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    let fixed: Vec<_> = pairs
        .iter()
        .map(|(key, _)| (rank(key), super::writer::key_text(key)))
        .collect();
    order.sort_by(|a, b| fixed[*a].cmp(&fixed[*b]));
    drop(fixed);
    let order = merge_sort(&pairs, order);
    let mut pairs: Vec<_> = pairs.into_iter().map(Some).collect();
    order
        .into_iter()
        .filter_map(|at| pairs[at].take())
        .collect()
}

/// One pair for a key, the last: to Go `1` and `01` are the same.
pub(super) fn unique(pairs: Vec<Pair>) -> Vec<Pair> {
    let mut places: HashMap<(u8, String), usize> = HashMap::new();
    let mut kept: Vec<Pair> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let is_number = matches!(
            &key,
            Value::Null | Value::Int(_) | Value::Float(_) | Value::Bool(_)
        );
        let is_nan = matches!(&key, Value::Float(float) if float.is_nan());
        if is_number && !is_nan {
            let place = places.entry((rank(&key), super::writer::key_text(&key).into_owned()));
            match place {
                Entry::Occupied(place) => {
                    kept[*place.get()] = (key, value);
                    continue;
                }
                Entry::Vacant(place) => {
                    place.insert(kept.len());
                }
            }
        }
        kept.push((key, value));
    }
    kept
}

fn merge_sort<T>(pairs: &[(Value, T)], mut left: Vec<usize>) -> Vec<usize> {
    if left.len() < 2 {
        return left;
    }
    let right = merge_sort(pairs, left.split_off(left.len() / 2));
    let left = merge_sort(pairs, left);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if compare(&pairs[*b].0, &pairs[*a].0) == Ordering::Less {
            right.next()
        } else {
            left.next()
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (number(a), number(b), a, b) {
        (Some(x), Some(y), _, _) => x.total_cmp(&y).then(rank(a).cmp(&rank(b))),
        (_, _, Value::Text(x), Value::Text(y)) => natural(x, y),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Booleans count as 0 and 1 among the numbers.
#[allow(clippy::cast_precision_loss)] // Go compares them as float64 too
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Int(whole) => Some(*whole as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

/// The order of Go's reflect kinds.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Bool(_) => 0,
        Value::Int(whole) if i64::try_from(*whole).is_ok() => 1,
        Value::Int(_) => 2,
        Value::Float(_) => 3,
        Value::Null => 4,
        Value::Sequence(_) => 5,
        Value::Mapping(_) => 6,
        Value::Text(_) | Value::Literal(_) | Value::Quoted(_) | Value::Bare(_) => 7,
        Value::Time(_) => 8,
    }
}

/// Letters after everything else, runs of digits by their number.
fn natural(left: &str, right: &str) -> Ordering {
    let same = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(one, other)| one == other);
    let at = left.floor_char_boundary(same.count());
    let (before, left, right) = (&left[..at], &left[at..], &right[at..]);
    let (Some(one), Some(other)) = (left.chars().next(), right.chars().next()) else {
        return left.len().cmp(&right.len());
    };
    let after_digit = before.chars().next_back().is_some_and(is_digit);
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (true, true) => one.cmp(&other),
        (true, false) if after_digit => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if after_digit => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            // Zeros inside a longer number are digits of it, not leading ones.
            let inside = (one == '0' || other == '0')
                && before
                    .chars()
                    .rev()
                    .take_while(|character| is_digit(*character))
                    .any(|digit| digit != '0');
            let (left_number, left_length) = run(left, inside);
            let (right_number, right_length) = run(right, inside);
            left_number
                .cmp(&right_number)
                .then(left_length.cmp(&right_length))
                .then(one.cmp(&other))
        }
    }
}

fn is_digit(character: char) -> bool {
    character.is_numeric() && !character.is_alphabetic()
}

/// The number that a text begins with, with Go's wrapping arithmetic, and how many digits it has.
fn run(text: &str, inside: bool) -> (i64, usize) {
    let mut number = i64::from(inside);
    let mut length = 0;
    for digit in text.chars().take_while(|character| is_digit(*character)) {
        let digit = i64::from(u32::from(digit)) - i64::from(u32::from('0'));
        number = number.wrapping_mul(10).wrapping_add(digit);
        length += 1;
    }
    (number, length)
}
