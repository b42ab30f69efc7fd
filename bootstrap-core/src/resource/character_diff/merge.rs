//! Pieces brought into their shortest form.

use super::{Kind, Piece, common_prefix, common_suffix};

/// Joins neighbours, takes what goes and comes alike out of changes, and moves lone changes to where they save a piece.
pub(super) fn merge(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut pieces = joined(pieces);
    while moved(&mut pieces) {
        pieces = joined(pieces);
    }
    pieces
}

/// One piece each that goes and comes between pieces that stay.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    let (mut gone, mut new, mut edits) = (Vec::new(), Vec::new(), 0);
    for (kind, text) in pieces.into_iter().chain([(Kind::Same, Vec::new())]) {
        match kind {
            Kind::Gone => {
                gone.extend(text);
                edits += 1;
            }
            Kind::New => {
                new.extend(text);
                edits += 1;
            }
            Kind::Same => {
                let mut same = text;
                if edits > 1 && !gone.is_empty() && !new.is_empty() {
                    let before = common_prefix(&new, &gone);
                    stay(&mut all, new.drain(..before).collect());
                    gone.drain(..before);
                    let after = common_suffix(&new, &gone);
                    let mut end = new.split_off(new.len() - after);
                    gone.truncate(gone.len() - after);
                    end.extend(same);
                    same = end;
                }
                for (kind, text) in [(Kind::Gone, &mut gone), (Kind::New, &mut new)] {
                    if !text.is_empty() {
                        all.push((kind, std::mem::take(text)));
                    }
                }
                stay(&mut all, same);
                edits = 0;
            }
        }
    }
    all
}

fn stay(all: &mut Vec<Piece>, text: Vec<char>) {
    match all.last_mut() {
        _ if text.is_empty() => {}
        Some((Kind::Same, last)) => last.extend(text),
        _ => all.push((Kind::Same, text)),
    }
}

/// A change between two pieces that stay can be moved over one of them where it has the same text at its other end.
fn moved(pieces: &mut Vec<Piece>) -> bool {
    let mut any = false;
    let mut at = 1;
    while at + 1 < pieces.len() {
        if let [(Kind::Same, before), (kind, change), (Kind::Same, after)] =
            &pieces[at - 1..=at + 1]
        {
            if change.ends_with(before) {
                let kept = &change[..change.len() - before.len()];
                let change = [before, kept].concat();
                let after = [&before[..], after].concat();
                let kind = *kind;
                pieces.splice(at - 1..=at + 1, [(kind, change), (Kind::Same, after)]);
                any = true;
            } else if change.starts_with(after) {
                let before = [&before[..], after].concat();
                let change = [&change[after.len()..], after].concat();
                let kind = *kind;
                pieces.splice(at - 1..=at + 1, [(Kind::Same, before), (kind, change)]);
                any = true;
            }
        }
        at += 1;
    }
    any
}
