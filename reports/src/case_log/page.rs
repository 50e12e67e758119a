//! Lays out a log: heading, columns, marks and verdicts.

use std::fmt::Write;

use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::run::case::node_name;
use fencepost_sim::{NodeId, SimTime, TraceHash};

use super::LogOptions;
use super::builder::{Item, Line};
use crate::case_record::CaseRecord;
use crate::text::{grouped, visible};

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// The widths of the columns before the text.
struct Columns {
    time: usize,
    node: usize,
    clocks: usize,
}

/// Renders the whole log.
pub(super) fn render(record: &CaseRecord, items: &[Item], options: LogOptions) -> String {
    let mut page = Page { text: String::new(), columns: Columns::fitting(items, record.report.ended), options };
    page.head(record);
    items.iter().for_each(|item| page.item(item));
    page.verdicts(record);
    page.text
}

impl Columns {
    fn fitting(items: &[Item], ended: SimTime) -> Columns {
        let lines = || items.iter().filter_map(|item| if let Item::Line(line) = item { Some(line) } else { None });
        let widest = |column: fn(&Line) -> &str| lines().map(|line| column(line).chars().count()).max().unwrap_or(0);
        Columns { time: ended.to_string().len(), node: widest(|line| &line.node), clocks: widest(|line| &line.clocks) }
    }

    fn width(&self) -> usize {
        let clocks = if self.clocks == 0 { 0 } else { self.clocks + 2 };
        2 + self.time + 2 + self.node + 2 + clocks
    }
}

struct Page {
    text: String,
    columns: Columns,
    options: LogOptions,
}

impl Page {
    fn head(&mut self, record: &CaseRecord) {
        self.put(BOLD, &record.title);
        self.text.push('\n');
        self.paragraph("", &record.about);
        if let Some(choice) = &record.choice {
            self.paragraph("", &format!("This case of the swarm drew {choice}."));
        }
        if !record.report.evidence.is_empty() {
            let marks = "▶ marks lines about a violated property. Times are true time.";
            let clocks = " Beside a node: how far its own clocks are ahead.";
            self.paragraph("", &format!("{marks}{}", if self.columns.clocks > 0 { clocks } else { "" }));
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Heading { at, text } => {
                self.text.push('\n');
                self.put(BOLD, &format!("── {at} ── {text}"));
                self.text.push('\n');
            }
            Item::Note { text, .. } => {
                let indent = " ".repeat(self.columns.time + 1);
                self.wrapped(DIM, &format!("{indent}… "), text);
            }
            Item::Line(line) => self.line(line),
        }
    }

    fn line(&mut self, line: &Line) {
        let Columns { time, node, clocks } = self.columns;
        let mark = if line.marked { "▶" } else { " " };
        let mut head = format!("{mark} {:>time$}  {:<node$}  ", line.at.to_string(), line.node);
        if clocks > 0 {
            write!(head, "{:<clocks$}  ", line.clocks).expect("writing to a string cannot fail");
        }
        self.wrapped(if line.marked { BOLD } else { "" }, &head, &visible(&line.text));
    }

    fn verdicts(&mut self, record: &CaseRecord) {
        let report = &record.report;
        self.text.push('\n');
        let names = |node: NodeId| node_name(&report.nodes, node);
        for evidence in &report.evidence {
            self.paragraph(RED, &format!("VIOLATED {}: {}.", evidence.property.name(), evidence.render(&names)));
        }
        let verdicts = &report.result.verdicts;
        for (verdict, word) in
            [(Verdict::Holds, "holds"), (Verdict::Unknown, "unknown"), (Verdict::NotApplicable, "not applicable")]
        {
            let those = verdicts.iter().filter(|(_, v)| *v == verdict);
            let those: Vec<&str> = those.map(|(property, _)| property.name()).collect();
            if !those.is_empty() {
                self.paragraph("", &format!("{word}: {}", those.join(", ")));
            }
        }
        let (trace, events) = (TraceHash(report.result.trace), grouped(report.result.events.into()));
        self.paragraph("", &format!("trace {trace}, {events} events, ended at {}", report.ended));
    }

    /// Writes `head` and `words`. If `words` are too long for one line, they continue with a hanging indent.
    fn wrapped(&mut self, style: &str, head: &str, words: &str) {
        let indent = if head.trim().is_empty() { 0 } else { self.columns.width().max(head.chars().count()) };
        let indent = if head.trim_end().ends_with('…') { head.chars().count() } else { indent };
        let mut text = head.to_owned();
        for (index, row) in rows(words, self.options.width.map(|width| width.saturating_sub(indent))).iter().enumerate()
        {
            if index > 0 {
                text += &format!("\n{}", " ".repeat(indent));
            }
            text += row.trim_end();
        }
        self.put(style, text.trim_end());
        self.text.push('\n');
    }

    fn paragraph(&mut self, style: &str, words: &str) {
        let rows = rows(words, self.options.width);
        self.put(style, &rows.join("\n"));
        self.text.push('\n');
    }

    fn put(&mut self, style: &str, text: &str) {
        match self.options.colour && !style.is_empty() {
            true => write!(self.text, "{style}{text}{PLAIN}").expect("writing to a string cannot fail"),
            false => self.text.push_str(text),
        }
    }
}

/// Rows are never narrower than this, even on a narrower terminal.
const NARROWEST: usize = 30;

/// Wraps text into rows of at most this many characters.
fn rows(words: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.map(|width| width.max(NARROWEST)) else { return vec![words.to_owned()] };
    let mut rows = vec![String::new()];
    for word in words.split(' ') {
        let row = rows.last_mut().expect("`rows` is never empty");
        if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > width {
            rows.push(word.to_owned());
        } else {
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_the_width_and_lose_no_word() {
        let words = "client-1 paused until 15.027 s (gc), with its clocks running";
        assert_eq!(rows(words, None), [words]);
        let broken = rows(words, Some(40));
        assert!(broken.len() == 2 && broken.iter().all(|row| row.chars().count() <= 40));
        assert_eq!(broken.join(" "), words);
    }
}
