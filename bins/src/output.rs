//! What is printed: findings with their place in the file, tables, documents. Names that come from elsewhere are
//! stripped of control characters before they reach a terminal.

pub mod diff;
pub mod paint;
mod snippet;

use std::io::{self, IsTerminal as _, Write};

use bootstrap_core::diagnostic::{Diagnostic, Severity};
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::args::{Color, Common, Format};
use crate::run::{Exit, Failure, setting};

/// Standard output and error, and how they want to be written to.
#[derive(Debug)]
pub struct Screen {
    /// Colour on standard output.
    pub color: bool,
    /// Colour on standard error.
    pub color_on_error: bool,
    /// Whether standard error is a terminal, where progress may be live.
    pub live: bool,
    /// Only what is wrong.
    pub quiet: bool,
    out: io::BufWriter<io::Stdout>,
    broken: bool,
}

impl Screen {
    /// As the arguments and the terminal say.
    pub fn new(common: &Common) -> Self {
        let plain = setting("NO_COLOR").is_some();
        let dumb = setting("TERM").is_some_and(|terminal| terminal == "dumb");
        let color = |terminal: bool| match common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain && !dumb,
        };
        let live = io::stderr().is_terminal();
        Self {
            color: color(io::stdout().is_terminal()),
            color_on_error: color(live),
            live: live && !dumb,
            quiet: common.quiet,
            out: io::BufWriter::new(io::stdout()),
            broken: false,
        }
    }

    /// Prints text and a line end to standard output. A reader that went away ends the output, not the work.
    pub fn print(&mut self, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        if !self.broken && write!(self.out, "{text}{end}").is_err() {
            self.broken = true;
        }
    }

    /// Prints a note for people to standard error, unless only what is wrong is asked for.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Prints findings to standard error, those about one file with the line they are about.
    pub fn findings(&mut self, findings: &[Diagnostic]) {
        let shown = findings
            .iter()
            .filter(|finding| !self.quiet || finding.severity == Severity::Error);
        let text = snippet::render(shown, self.color_on_error);
        self.say(&text);
    }

    /// Prints `Error: TEXT` to standard error.
    pub fn error_line(&mut self, text: &str) {
        self.say(&format!("Error: {text}\n"));
    }

    /// Prints a value in one of the forms for programs.
    ///
    /// # Errors
    /// The value cannot be written in that form.
    pub fn document(&mut self, format: Format, value: &impl Serialize) -> Result<(), Failure> {
        let failed =
            |error: &(dyn std::error::Error + 'static)| Failure::new(Exit::Error, error, None);
        let text = match format {
            Format::Yaml => serde_yaml::to_string(value).map_err(|error| failed(&error))?,
            Format::Json | Format::Table => {
                serde_json::to_string_pretty(value).map_err(|error| failed(&error))?
            }
        };
        self.print(&text);
        Ok(())
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        if self.broken {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(())
        }
    }

    fn say(&mut self, text: &str) {
        // What was printed before must stand before.
        let _ = self.out.flush();
        let end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        let _ = write!(io::stderr(), "{text}{end}");
    }
}

/// A table without borders, as wide as it needs to be; cells are cleaned.
pub fn table<R: IntoIterator<Item = String>>(
    headers: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headers.iter().map(|header| header.to_uppercase()));
    for row in rows {
        table.add_row(row.into_iter().map(|cell| clean(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// Text of others made fit for a terminal: no control characters, nothing that turns the direction of writing.
pub fn clean(text: &str) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    text.chars()
        .map(|character| {
            if character.is_whitespace() {
                ' '
            } else {
                character
            }
        })
        .filter(|character| !character.is_control() && !is_invisible(*character))
        .collect()
}

/// Characters without width, and those that reorder text.
pub(crate) fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_write_on_the_terminal() {
        let rows = [vec![
            "\u{1b}[2Jworker\u{202e}-1".to_owned(),
            "a\tb\r\nc".to_owned(),
        ]];
        assert_eq!(
            table(&["name", "note"], rows),
            "NAME         NOTE\n[2Jworker-1  a b  c\n"
        );
    }
}
