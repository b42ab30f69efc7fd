//! How a status that changes is shown: redrawn on a terminal, changed lines elsewhere, the whole tree for those who
//! compare with omnictl.

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::time::Instant;

use bootstrap_core::cluster_status::{Line, Report, lines, omnictl_lines};
use bootstrap_core::ports::PortError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Screen, paint};
use crate::progress::stamped;

/// Where reports go.
pub(super) struct View {
    style: Style,
    compat: bool,
    began: Instant,
    last: Vec<Line>,
}

enum Style {
    Silent,
    Live(ProgressBar),
    Changes(HashSet<String>),
    Whole,
}

impl View {
    /// Shows nothing.
    pub(super) fn silent() -> Self {
        Self::with(Style::Silent, false)
    }

    /// As standard output allows.
    pub(super) fn new(screen: &Screen, compat: bool) -> Self {
        let live = std::io::stdout().is_terminal() && screen.live;
        let style = match (live, compat) {
            (true, _) => Style::Live(bar()),
            (false, true) => Style::Whole,
            (false, false) => Style::Changes(HashSet::new()),
        };
        Self::with(style, compat)
    }

    fn with(style: Style, compat: bool) -> Self {
        Self {
            style,
            compat,
            began: Instant::now(),
            last: Vec::new(),
        }
    }

    /// Takes a look, or an error that may pass.
    pub(super) fn show(&mut self, seen: Result<&Report, &PortError>, screen: &mut Screen) {
        let elapsed = self.began.elapsed();
        let report = match seen {
            Ok(report) => report,
            Err(error) => {
                if !self.compat && matches!(self.style, Style::Changes(_)) {
                    screen.note(&stamped(elapsed, &error.to_string()));
                }
                return;
            }
        };
        let lines = if self.compat {
            omnictl_lines(report)
        } else {
            lines(report)
        };
        match &mut self.style {
            // Looks are a second apart, and so are redraws.
            Style::Live(bar) => bar.set_message(painted(&lines, screen.color)),
            Style::Whole if lines != self.last => screen.print(&painted(&lines, screen.color)),
            Style::Whole | Style::Silent => {}
            Style::Changes(known) if known.is_empty() => {
                known.extend(lines.iter().map(Line::news));
                screen.print(&painted(&lines, screen.color));
            }
            Style::Changes(known) => {
                for line in lines.iter().filter(|line| !known.contains(&line.news())) {
                    let flat = Line {
                        branch: String::new(),
                        ..line.clone()
                    };
                    screen.print(&stamped(elapsed, &paint::line(&flat, screen.color)));
                }
                *known = lines.iter().map(Line::news).collect();
            }
        }
        // Whoever reads it wants it now.
        let _ = screen.flush();
        self.last = lines;
    }

    /// Leaves the last state on a terminal.
    pub(super) fn end(&mut self, screen: &mut Screen) {
        if let Style::Live(bar) = &self.style {
            bar.finish_and_clear();
            screen.print(&painted(&self.last, screen.color));
        }
    }
}

fn bar() -> ProgressBar {
    let target = ProgressDrawTarget::stdout();
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(look) = ProgressStyle::with_template("{msg}") {
        bar.set_style(look);
    }
    bar
}

fn painted(lines: &[Line], color: bool) -> String {
    lines
        .iter()
        .map(|line| paint::line(line, color) + "\n")
        .collect()
}
