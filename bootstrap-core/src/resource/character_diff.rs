//! A difference character by character, coloured for terminals: what `omnictl apply -v` prints for an update.
//!
//! It is Myers' difference with the shortcuts and the clean-up that the library in omnictl has, so that the same
//! characters are marked.

mod merge;
mod split;

/// What happens to a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    Gone,
    New,
}

type Piece = (Kind, Vec<char>);

/// The old text with what goes in red and what comes in green, line by line.
pub fn coloured(old: &str, new: &str) -> String {
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let mut text = String::new();
    for (kind, piece) in pieces(&old, &new) {
        let piece: String = piece.into_iter().collect();
        let color = match kind {
            Kind::Same => {
                text.push_str(&piece);
                continue;
            }
            Kind::Gone => "31",
            Kind::New => "32",
        };
        let lines: Vec<String> = piece
            .split('\n')
            .map(|line| format!("\u{1b}[{color}m{line}\u{1b}[0m"))
            .collect();
        text.push_str(&lines.join("\n"));
    }
    text
}

/// What is alike at both ends is set aside first.
fn pieces(old: &[char], new: &[char]) -> Vec<Piece> {
    let before = common_prefix(old, new);
    let after = common_suffix(&old[before..], &new[before..]);
    let mut all = Vec::new();
    if before > 0 {
        all.push((Kind::Same, old[..before].to_vec()));
    }
    all.extend(changed(
        &old[before..old.len() - after],
        &new[before..new.len() - after],
    ));
    if after > 0 {
        all.push((Kind::Same, old[old.len() - after..].to_vec()));
    }
    merge::merge(all)
}

/// Pieces of two texts that begin and end differently.
fn changed(old: &[char], new: &[char]) -> Vec<Piece> {
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    if old.is_empty() {
        return vec![(Kind::New, new.to_vec())];
    }
    if new.is_empty() {
        return vec![(Kind::Gone, old.to_vec())];
    }
    let (long, short, kind) = if old.len() > new.len() {
        (old, new, Kind::Gone)
    } else {
        (new, old, Kind::New)
    };
    if let Some(at) = find(long, short) {
        return vec![
            (kind, long[..at].to_vec()),
            (Kind::Same, short.to_vec()),
            (kind, long[at + short.len()..].to_vec()),
        ];
    }
    if short.len() == 1 {
        return vec![(Kind::Gone, old.to_vec()), (Kind::New, new.to_vec())];
    }
    if let Some(half) = split::half(old, new) {
        let mut all = pieces(half.old.0, half.new.0);
        all.push((Kind::Same, half.same.to_vec()));
        all.extend(pieces(half.old.1, half.new.1));
        return all;
    }
    match split::middle(old, new) {
        Some((x, y)) => {
            let mut all = pieces(&old[..x], &new[..y]);
            all.extend(pieces(&old[x..], &new[y..]));
            all
        }
        None => vec![(Kind::Gone, old.to_vec()), (Kind::New, new.to_vec())],
    }
}

fn common_prefix(left: &[char], right: &[char]) -> usize {
    left.iter()
        .zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}

fn common_suffix(left: &[char], right: &[char]) -> usize {
    let pairs = left.iter().rev().zip(right.iter().rev());
    pairs.take_while(|(left, right)| left == right).count()
}

fn find(long: &[char], short: &[char]) -> Option<usize> {
    long.windows(short.len()).position(|window| window == short)
}

#[cfg(test)]
mod tests {
    use super::coloured;

    #[test]
    fn recorded_differences_are_marked_alike() {
        let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/golden");
        for case in [
            "44-apply-update",
            "45-apply-update-dry-run",
            "46-apply-no-change",
        ] {
            let recorded = std::fs::read_to_string(format!("{cases}/{case}/stdout")).unwrap();
            let (_, recorded) = recorded.split_once("\n\n").unwrap();
            let recorded = recorded.strip_suffix("\n\n").unwrap();
            // Either text is what was printed without the other's pieces.
            let without = |color: &str| {
                let mut text = String::new();
                let mut rest = recorded;
                while let Some((before, after)) = rest.split_once("\u{1b}[") {
                    text.push_str(before);
                    let (piece, after) = after.split_once("\u{1b}[0m").unwrap();
                    let (own, piece) = piece.split_once('m').unwrap();
                    rest = after;
                    if own == color {
                        // The line end between two pieces that go stands outside of both.
                        if let Some(next) = after
                            .strip_prefix('\n')
                            .filter(|next| next.starts_with(&format!("\u{1b}[{color}m")))
                        {
                            rest = next;
                        }
                    } else {
                        text.push_str(piece);
                    }
                }
                text + rest
            };
            assert_eq!(coloured(&without("32"), &without("31")), recorded, "{case}");
        }
    }

    #[test]
    fn ends_and_equal_texts() {
        assert_eq!(coloured("", ""), "");
        assert_eq!(coloured("a", "a"), "a");
        assert_eq!(coloured("", "a"), "\u{1b}[32ma\u{1b}[0m");
        assert_eq!(coloured("ab", "a"), "a\u{1b}[31mb\u{1b}[0m");
        assert_eq!(
            coloured("xäy", "xöy"),
            "x\u{1b}[31mä\u{1b}[0m\u{1b}[32mö\u{1b}[0my"
        );
    }
}
