//! Marks of ownership. They stand where the thing lives: in a client record's note, in a mapping's
//! description. What carries no mark of this site is not ours.

use std::fmt;
use std::net::Ipv4Addr;

const OPEN: &str = "[omni-bootstrap ";
const CLOSE: char = ']';

/// What a reservation of ours says about itself: whose it is, and what undo needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Site name of `bootstrap.yaml`.
    pub site: String,
    /// Cluster.
    pub cluster: String,
    /// Machine set id.
    pub machine_set: String,
    /// Machine request id, or machine UUID for listed machines.
    pub machine: String,
    /// Whether the record was made for it, rather than changed.
    pub made_record: bool,
    /// The address reserved before, where there was one.
    pub before: Option<Ipv4Addr>,
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{OPEN}site={} cluster={} set={} machine={} record={}",
            self.site,
            self.cluster,
            self.machine_set,
            self.machine,
            if self.made_record { "made" } else { "changed" },
        )?;
        if let Some(before) = self.before {
            write!(f, " before={before}")?;
        }
        write!(f, "{CLOSE}")
    }
}

impl Reservation {
    /// Finds the mark of `site` in a note.
    pub fn find(note: &str, site: &str) -> Option<Self> {
        note.lines()
            .filter_map(Self::parse)
            .find(|mark| mark.site == site)
    }

    /// The first mark in a note, whosever it is.
    pub fn any(note: &str) -> Option<Self> {
        note.lines().find_map(Self::parse)
    }

    fn parse(line: &str) -> Option<Self> {
        let inner = line.trim().strip_prefix(OPEN)?.strip_suffix(CLOSE)?;
        let field = |name: &str| {
            inner
                .split(' ')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
        };
        Some(Self {
            site: field("site")?,
            cluster: field("cluster")?,
            machine_set: field("set")?,
            machine: field("machine")?,
            made_record: field("record")? == "made",
            before: field("before").and_then(|address| address.parse().ok()),
        })
    }

    /// A note with this mark as its last line and everything a person wrote kept.
    pub fn added_to(&self, note: Option<&str>) -> String {
        let kept = Self::removed_from(note.unwrap_or_default(), &self.site);
        if kept.is_empty() {
            self.to_string()
        } else {
            format!("{kept}\n{self}")
        }
    }

    /// A note without the marks of `site`.
    pub fn removed_from(note: &str, site: &str) -> String {
        let kept: Vec<&str> = note
            .lines()
            .filter(|line| Self::parse(line).is_none_or(|mark| mark.site != site))
            .collect();
        kept.join("\n").trim_end().to_owned()
    }
}

/// The mark in the description of a PCI mapping that we made.
pub fn mapping(site: &str) -> String {
    format!("{OPEN}site={site}{CLOSE}")
}

/// Whether a description carries the mark of `site`.
pub fn is_mapping_ours(description: Option<&str>, site: &str) -> bool {
    description.is_some_and(|text| text.contains(&mapping(site)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Reservation {
        Reservation {
            site: "home".into(),
            cluster: "labber".into(),
            machine_set: "labber-workers".into(),
            machine: "labber-workers-abc123".into(),
            made_record: true,
            before: None,
        }
    }

    #[test]
    fn a_mark_is_found_among_what_people_wrote() {
        let note = mark().added_to(Some("rack 3\nask Ann"));
        assert_eq!(note.lines().count(), 3);
        assert_eq!(Reservation::find(&note, "home"), Some(mark()));
        assert_eq!(Reservation::find(&note, "other"), None);
        assert_eq!(Reservation::removed_from(&note, "home"), "rack 3\nask Ann");
    }

    #[test]
    fn the_marks_of_two_sites_stand_side_by_side() {
        let other = Reservation {
            site: "lab".into(),
            ..mark()
        };
        let note = mark().added_to(Some(&other.added_to(None)));
        assert_eq!(Reservation::find(&note, "lab"), Some(other));
        assert_eq!(Reservation::find(&note, "home"), Some(mark()));
    }

    #[test]
    fn marking_twice_leaves_one_mark() {
        let changed = Reservation {
            before: Some(Ipv4Addr::new(10, 0, 0, 9)),
            made_record: false,
            ..mark()
        };
        let note = changed.added_to(Some(&mark().added_to(None)));
        assert_eq!(note.lines().count(), 1);
        assert_eq!(Reservation::find(&note, "home"), Some(changed));
    }
}
