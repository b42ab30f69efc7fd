//! Where two texts are best taken apart.

use super::{common_prefix, common_suffix, find};

/// Two texts around a long part that both have.
pub(super) struct Half<'t> {
    pub old: (&'t [char], &'t [char]),
    pub new: (&'t [char], &'t [char]),
    pub same: &'t [char],
}

/// A common part at least half as long as the longer text, looked for around its second and third quarter.
pub(super) fn half<'t>(old: &'t [char], new: &'t [char]) -> Option<Half<'t>> {
    let old_is_long = old.len() > new.len();
    let (long, short) = if old_is_long { (old, new) } else { (new, old) };
    if long.len() < 4 || short.len() * 2 < long.len() {
        return None;
    }
    let second = around(long, short, long.len().div_ceil(4));
    let third = around(long, short, long.len().div_ceil(2));
    let (at_long, at_short, length) = match (second, third) {
        (Some(second), Some(third)) if second.2 > third.2 => second,
        (_, Some(third)) => third,
        (second, None) => second?,
    };
    let parts = |text: &'t [char], at: usize| (&text[..at], &text[at + length..]);
    let (of_long, of_short) = (parts(long, at_long), parts(short, at_short));
    let (old, new) = if old_is_long {
        (of_long, of_short)
    } else {
        (of_short, of_long)
    };
    Some(Half {
        old,
        new,
        same: &long[at_long..at_long + length],
    })
}

/// The longest common part around a quarter of the long text that begins at `at`: its places and length.
fn around(long: &[char], short: &[char], at: usize) -> Option<(usize, usize, usize)> {
    let seed = &long[at..at + long.len() / 4];
    let mut best: Option<(usize, usize, usize)> = None;
    let mut from = 0;
    while let Some(found) = find(&short[from..], seed) {
        let place = from + found;
        let after = common_prefix(&long[at..], &short[place..]);
        let before = common_suffix(&long[..at], &short[..place]);
        if best.is_none_or(|(.., length)| length < before + after) {
            best = Some((at - before, place - before, before + after));
        }
        from = place + 1;
    }
    best.filter(|(.., length)| length * 2 >= long.len())
}

/// More edits than these take longer to find than anybody looks at them.
const MOST_EDITS: usize = 4000;

/// Where the shortest ways from both ends meet; `None` where the texts have next to nothing in common.
pub(super) fn middle(old: &[char], new: &[char]) -> Option<(usize, usize)> {
    let most = (old.len() + new.len()).div_ceil(2).min(MOST_EDITS);
    let mut forward = Front::new(old, new, most, false);
    let mut backward = Front::new(old, new, most, true);
    let odd = (old.len() + new.len()) % 2 == 1;
    for steps in 0..most {
        let meeting = forward.advance(steps, odd.then_some(&backward));
        let meeting = meeting.or_else(|| backward.advance(steps, (!odd).then_some(&forward)));
        if let Some(place) = meeting {
            return Some(place);
        }
    }
    None
}

/// The furthest places that so many steps lead to, by diagonal.
struct Front<'t> {
    old: &'t [char],
    new: &'t [char],
    backward: bool,
    furthest: Vec<Option<usize>>,
    /// The index of the diagonal 0.
    zero: isize,
    /// Diagonals that left the grid at one side.
    skip: (isize, isize),
}

impl<'t> Front<'t> {
    fn new(old: &'t [char], new: &'t [char], most: usize, backward: bool) -> Self {
        let zero = most.cast_signed();
        let mut furthest = vec![None; 2 * most + 2];
        if let Some(start) = furthest.get_mut(most + 1) {
            *start = Some(0);
        }
        Self {
            old,
            new,
            backward,
            furthest,
            zero,
            skip: (0, 0),
        }
    }

    fn at(&self, diagonal: isize) -> Option<usize> {
        let index = usize::try_from(self.zero + diagonal).ok()?;
        self.furthest.get(index).copied().flatten()
    }

    /// One step more on each diagonal. Where that meets the other front, the place in both texts.
    fn advance(&mut self, steps: usize, other: Option<&Self>) -> Option<(usize, usize)> {
        let steps = steps.cast_signed();
        let mut diagonal = -steps + self.skip.0;
        while diagonal <= steps - self.skip.1 {
            let (left, right) = (self.at(diagonal - 1), self.at(diagonal + 1));
            let down = diagonal == -steps || (diagonal != steps && left < right);
            let start = if down { right } else { left.map(|x| x + 1) };
            let x = start.unwrap_or_default();
            let Some(mut y) = x.checked_add_signed(-diagonal) else {
                diagonal += 2;
                continue;
            };
            let mut x = x;
            while x < self.old.len() && y < self.new.len() && self.same(x, y) {
                x += 1;
                y += 1;
            }
            if let Some(place) = usize::try_from(self.zero + diagonal)
                .ok()
                .and_then(|index| self.furthest.get_mut(index))
            {
                *place = Some(x);
            }
            if x > self.old.len() {
                self.skip.1 += 2;
            } else if y > self.new.len() {
                self.skip.0 += 2;
            } else if let Some(place) = other.and_then(|other| self.meets(other, diagonal, x, y)) {
                return Some(place);
            }
            diagonal += 2;
        }
        None
    }

    fn same(&self, x: usize, y: usize) -> bool {
        if self.backward {
            self.old[self.old.len() - 1 - x] == self.new[self.new.len() - 1 - y]
        } else {
            self.old[x] == self.new[y]
        }
    }

    fn meets(&self, other: &Self, diagonal: isize, x: usize, y: usize) -> Option<(usize, usize)> {
        let delta = self.old.len().cast_signed() - self.new.len().cast_signed();
        let theirs = other.at(delta - diagonal)?;
        if x + theirs < self.old.len() {
            return None;
        }
        if self.backward {
            // The other front's place, from the beginning.
            let theirs_y = theirs.checked_add_signed(diagonal - delta)?;
            Some((theirs, theirs_y))
        } else {
            Some((x, y))
        }
    }
}
