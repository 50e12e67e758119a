//! Draws the text around the lanes: the title above, the chain of causes and the key below.

use super::WIDTH;
use super::arrows;
use super::marks::numbered;
use super::metrics::{fitting, wrapped};
use super::paper::{Anchor, Paper};
use super::view::DiagramView;
use crate::explain::Chain;
use crate::text::{counted, listed, moment};

const MARGIN: f64 = 28.0;
const ROW: f64 = 22.0;
const TEXT: f64 = 14.0;
/// The left edge of the text of a cause.
const WORDS: f64 = 150.0;

pub(super) struct Legend {
    title: String,
    subtitle: String,
    rows: Vec<Row>,
    key: String,
}

/// A row of the chain. Long text continues in the next row.
struct Row {
    number: Option<(usize, bool)>,
    time: String,
    words: String,
    breaks: String,
}

impl Legend {
    pub fn new(view: &DiagramView<'_>, chain: Option<&Chain>, all: &[Chain]) -> Legend {
        let mut rows = Vec::new();
        let chains: Vec<&Chain> = all.iter().collect();
        for (index, cause) in view.causes.iter().enumerate() {
            let here = chain.map_or(Vec::new(), |chain| chain.violated_by(cause, &chains));
            let breaks = if here.is_empty() { String::new() } else { format!("◂ {} violated", listed(&here)) };
            let mut lines = wrapped(&cause.text, TEXT, WIDTH - WORDS - MARGIN).into_iter();
            let first = lines.next().unwrap_or_default();
            let number = Some((index + 1, view.is_wrong(cause)));
            rows.push(Row { number, time: moment(cause.at), words: first, breaks: String::new() });
            rows.extend(lines.map(|words| Row { number: None, time: String::new(), words, breaks: String::new() }));
            rows.extend((!breaks.is_empty()).then(|| Row {
                number: None,
                time: String::new(),
                words: String::new(),
                breaks,
            }));
        }
        let title = chain.map_or("No property was violated".to_owned(), |chain| chain.headline(view.record));
        Legend { title, subtitle: subtitle(view), rows, key: key(view) }
    }

    pub fn head_height(&self) -> f64 {
        84.0
    }

    pub fn foot_height(&self) -> f64 {
        self.rows.len() as f64 * ROW + 56.0
    }

    pub fn describe(&self, paper: &mut Paper) {
        let row_text = |row: &Row| [&row.time, &row.words, &row.breaks].map(String::as_str).join(" ").trim().to_owned();
        let chain: Vec<String> = self.rows.iter().map(row_text).collect();
        paper.describe(&self.title, &chain.join(". "));
    }

    pub fn head(&self, paper: &mut Paper) {
        paper.text(MARGIN, 36.0, "t1", Anchor::Start, &fitting(&self.title, 22.0, WIDTH - 2.0 * MARGIN));
        paper.text(MARGIN, 58.0, "t2 mu", Anchor::Start, &fitting(&self.subtitle, 13.0, WIDTH - 2.0 * MARGIN));
    }

    pub fn foot(&self, paper: &mut Paper, top: f64) {
        let mut y = top + 18.0;
        for row in &self.rows {
            if let Some((number, violates)) = row.number {
                numbered(paper, (MARGIN + 10.0, y - 4.5), number, violates);
                paper.text(WORDS - 14.0, y, "tx mu", Anchor::End, &row.time);
            }
            if row.breaks.is_empty() {
                paper.text(WORDS, y, "tx", Anchor::Start, &row.words);
            } else {
                paper.text(WORDS, y, "rd tx", Anchor::Start, &row.breaks);
            }
            y += ROW;
        }
        paper.text(MARGIN, y + 12.0, "sm mu", Anchor::Start, &fitting(&self.key, 11.0, WIDTH - 2.0 * MARGIN));
    }
}

fn subtitle(view: &DiagramView<'_>) -> String {
    match view.record.about.is_empty() {
        true => view.record.title.clone(),
        false => format!("{}  ·  {}", view.record.title, view.record.about),
    }
}

/// Explains the signs that the drawing contains.
fn key(view: &DiagramView<'_>) -> String {
    let mut parts = vec!["bar: what a client believes", "thin bar: what a server has granted", "arrow: message"];
    if view.messages.iter().any(|message| view.record.is_late(message)) {
        parts.push("dashed arrow: late");
    }
    if view.spans.iter().any(|span| span.fault.kind.pauses()) {
        parts.push("hatched: paused");
    }
    if view.spans.iter().any(|span| span.fault.kind.crashes()) {
        parts.push("✗ and dashed frame: crashed, down");
    }
    if arrows::lost(view).next().is_some() {
        parts.push("✗ on an arrow: lost");
    }
    parts.push("time is not to scale");
    let mut key = parts.join("  ·  ");
    if view.left_out > 0 {
        key += &format!("  ·  {} not involved", counted(view.left_out, "other node"));
    }
    key
}
