//! The timestamps that Go's yaml recognises in plain scalars.

/// The time as Go prints it (RFC 3339, fraction without trailing zeros), if the text is one.
pub(super) fn normalise(text: &str) -> Option<String> {
    let mut rest = Cursor(text);
    let year = rest.number(4, 4)?;
    rest.literal('-')?;
    let month = rest.number(1, 2)?;
    rest.literal('-')?;
    let day = rest.number(1, 2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.0.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let zoned = match rest.0.chars().next() {
        Some('T' | 't') => true,
        Some(' ') => false,
        _ => return None,
    };
    rest.0 = &rest.0[1..];
    let time = rest.time()?;
    let zone = if zoned { rest.zone()? } else { "Z".to_owned() };
    rest.0.is_empty().then(|| format!("{date}T{time}{zone}"))
}

struct Cursor<'text>(&'text str);

impl Cursor<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self
            .0
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        number.parse().ok()
    }

    fn literal(&mut self, expected: char) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn time(&mut self) -> Option<String> {
        let hour = self.number(1, 2)?;
        self.literal(':')?;
        let minute = self.number(1, 2)?;
        self.literal(':')?;
        let second = self.number(1, 2)?;
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(format!(
            "{hour:02}:{minute:02}:{second:02}{}",
            self.fraction()
        ))
    }

    /// Go keeps nine digits and prints none that are trailing zeros.
    fn fraction(&mut self) -> String {
        let Some(after) = self.0.strip_prefix(['.', ',']) else {
            return String::new();
        };
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return String::new();
        }
        let (fraction, rest) = after.split_at(digits);
        self.0 = rest;
        let kept = fraction[..digits.min(9)].trim_end_matches('0');
        if kept.is_empty() {
            String::new()
        } else {
            format!(".{kept}")
        }
    }

    fn zone(&mut self) -> Option<String> {
        if self.literal('Z').is_some() {
            return Some("Z".to_owned());
        }
        let sign = self
            .0
            .chars()
            .next()
            .filter(|sign| matches!(sign, '+' | '-'))?;
        self.0 = &self.0[1..];
        let hours = self.number(2, 2)?;
        self.literal(':')?;
        let minutes = self.number(2, 2)?;
        if hours > 24 || minutes > 60 {
            return None;
        }
        let total = hours * 60 + minutes;
        Some(if total == 0 {
            "Z".to_owned()
        } else {
            format!("{sign}{:02}:{:02}", total / 60, total % 60)
        })
    }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}
