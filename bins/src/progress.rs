//! Progress: live on a terminal, plain lines elsewhere, JSON lines for programs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api_transport::Clock;
use bootstrap_core::apply::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::args::Format;
use crate::output::clean;

/// How progress is shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Live lines on standard error.
    pub live: bool,
    /// Nothing but what is wrong.
    pub quiet: bool,
    /// JSON lines on standard output instead.
    pub format: Format,
}

/// Shows events until their sender is gone.
pub async fn show(mut events: UnboundedReceiver<Event>, style: Style, clock: Arc<dyn Clock>) {
    let began = clock.now();
    let mut lines = Lines::new(style);
    while let Some(event) = events.recv().await {
        if style.format == Format::Json {
            json_line(&event);
        } else {
            lines.show(&event, clock.now().saturating_sub(began));
        }
    }
    lines.clear();
}

/// Runs work while what it reports is told as it comes.
pub async fn tell_while<T>(
    work: impl Future<Output = T>,
    mut events: UnboundedReceiver<Event>,
    mut tell: impl FnMut(&Event),
) -> T {
    let mut work = std::pin::pin!(work);
    let result = loop {
        tokio::select! {
            biased;
            Some(event) = events.recv() => tell(&event),
            result = &mut work => break result,
        }
    };
    while let Ok(event) = events.try_recv() {
        tell(&event);
    }
    result
}

/// A line with the time since the beginning.
pub fn stamped(at: Duration, text: &str) -> String {
    let seconds = at.as_secs();
    format!("{:>4}:{:02}  {text}", seconds / 60, seconds % 60)
}

#[expect(clippy::print_stdout, reason = "one JSON line an event, as asked for")]
fn json_line(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        println!("{line}");
    }
}

struct Lines {
    style: Style,
    all: MultiProgress,
    machines: BTreeMap<String, ProgressBar>,
}

impl Lines {
    fn new(style: Style) -> Self {
        let target = if style.live && !style.quiet {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            style,
            all: MultiProgress::with_draw_target(target),
            machines: BTreeMap::new(),
        }
    }

    fn show(&mut self, event: &Event, at: Duration) {
        match event {
            // What is done follows within moments; a line for the beginning as well would be noise.
            Event::Started { .. } => {}
            Event::Done { id, detail } => self.line(at, &format!("{id}: {detail}")),
            Event::Failed { id, error } => self.line(at, &format!("{id}: failed: {error}")),
            Event::Waiting { what } => self.line(at, &format!("waiting for {what}")),
            Event::Note { text } => self.line(at, text),
            Event::Machine { machine, step } => self.machine(at, machine, step),
            Event::Stuck {
                machine,
                step,
                seconds,
                last_task,
                causes,
            } => {
                self.line(
                    at,
                    &format!(
                        "{machine} has been at this step for {} minutes: {step}",
                        seconds / 60
                    ),
                );
                if let Some(task) = last_task {
                    self.line(at, &format!("  last task of its VM: {task}"));
                }
                for cause in causes {
                    self.line(at, &format!("  likely: {cause}"));
                }
            }
        }
    }

    fn machine(&mut self, at: Duration, machine: &str, step: &str) {
        if !self.style.live {
            self.line(at, &format!("{machine}: {step}"));
            return;
        }
        let bar = self.machines.entry(machine.to_owned()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new_spinner());
            if let Ok(look) = ProgressStyle::with_template("{spinner} {prefix}  {msg}") {
                bar.set_style(look);
            }
            bar.set_prefix(clean(machine));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        bar.set_message(clean(step));
    }

    #[expect(
        clippy::print_stderr,
        reason = "progress for people goes to standard error"
    )]
    fn line(&self, at: Duration, text: &str) {
        if self.style.quiet {
            return;
        }
        let text = stamped(at, &clean(text));
        if self.style.live {
            self.all.suspend(|| eprintln!("{text}"));
        } else {
            eprintln!("{text}");
        }
    }

    fn clear(&self) {
        for bar in self.machines.values() {
            bar.finish_and_clear();
        }
    }
}
