//! Lines of a cluster's status in colour, the colours omnictl has.

use bootstrap_core::cluster_status::{Line, Tone};

use super::clean;

/// A line as it is printed.
pub fn line(line: &Line, color: bool) -> String {
    let mut text = line.branch.clone();
    for part in &line.parts {
        let said = clean(&part.text);
        match code(part.tone) {
            Some(code) if color => {
                text.push_str("\u{1b}[");
                text.push_str(code);
                text.push('m');
                text.push_str(&said);
                text.push_str("\u{1b}[0m");
            }
            _ => text.push_str(&said),
        }
    }
    text
}

fn code(tone: Tone) -> Option<&'static str> {
    Some(match tone {
        Tone::Plain => return None,
        Tone::Title | Tone::Unknown => "33",
        Tone::Good => "32",
        Tone::Moving => "93",
        Tone::Bad => "31",
        Tone::Alarming => "91",
        Tone::Name => "36",
        Tone::Held => "34",
        Tone::Remark | Tone::Fleeting => "2",
    })
}
