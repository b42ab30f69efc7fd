//! Tables as omnictl lays them out: columns as wide as they need to be, three spaces between them.

use bootstrap_core::resource::definition::Definition;
use bootstrap_core::resource::jsonpath::Template;
use bootstrap_core::resource::print;
use omni_client::Resource;

use super::format::Event;
use crate::output::clean;

const GAP: usize = 3;

/// Rows that were not printed yet, and how wide columns were so far.
pub(super) struct Table {
    display: String,
    columns: Vec<Template>,
    events: bool,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
}

impl Table {
    pub(super) fn new(definition: &Definition, events: bool) -> Self {
        let mut header: Vec<String> = ["NAMESPACE", "TYPE", "ID", "VERSION"]
            .map(str::to_owned)
            .into();
        if events {
            header.insert(0, "*".to_owned());
        }
        let titles = definition.columns.iter();
        header.extend(titles.map(|(title, _)| clean(&title.to_uppercase())));
        Self {
            display: definition.display.clone(),
            columns: definition
                .columns
                .iter()
                .map(|(_, path)| path.clone())
                .collect(),
            events,
            widths: vec![0; header.len()],
            rows: vec![header],
        }
    }

    pub(super) fn add(&mut self, resource: &Resource, event: Option<Event>) {
        let metadata = &resource.metadata;
        let mut row = Vec::new();
        if self.events {
            row.push(event.map_or("", Event::symbol).to_owned());
        }
        row.extend([
            clean(&metadata.namespace),
            self.display.clone(),
            clean(&metadata.id),
            print::version(metadata),
        ]);
        if !self.columns.is_empty() {
            let spec = &print::json(resource)["spec"];
            row.extend(self.columns.iter().map(|path| clean(&path.cell(spec))));
        }
        self.rows.push(row);
    }

    /// The rows since the last time. Columns never get narrower: what is shown live stays aligned.
    pub(super) fn text(&mut self) -> String {
        let rows = std::mem::take(&mut self.rows);
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in rows {
            let last = row.len().saturating_sub(1);
            for (at, cell) in row.iter().enumerate() {
                text.push_str(cell);
                if at < last {
                    let gap = self.widths[at] + GAP - cell.chars().count();
                    text.extend(std::iter::repeat_n(' ', gap));
                }
            }
            text.push('\n');
        }
        text
    }
}
