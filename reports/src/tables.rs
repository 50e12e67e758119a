//! Renders tables for other programs: CSV and Markdown.

use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::results::{CellHeader, CellResult, shown_metric};

use crate::grid::{Cell, Finding, Grid};
use crate::guide::{Part, guide};
use crate::pool::{FaultGroup, Measure, Pooled, unguarded_cells};
use crate::summary::{HEADINGS, Summary};
use crate::text::{of, violations, visible};

/// Renders the counts of every property in every cell, one line each.
pub fn properties_csv(cells: &[Cell]) -> String {
    let mut csv = String::from(
        "scenario,lock,applicable,effective_expiry_s,dose,cases,\
         property,holds,violated,unknown,not_applicable,rate,lower95,upper95,first_seed\r\n",
    );
    for (header, result) in cells {
        for (property, count) in result.properties().filter(|_| header.applicable) {
            let (rate, interval) = (count.rate(), count.ci95());
            let mut fields = leading(header, result);
            fields.extend([property.name().to_owned(), count.holds.to_string(), count.violated.to_string()]);
            fields.extend([count.unknown.to_string(), count.not_applicable.to_string(), optional(rate)]);
            fields.extend([
                format!("{:.6}", interval.lower),
                format!("{:.6}", interval.upper),
                optional(count.first_seed),
            ]);
            csv.push_str(&csv_line(&fields));
        }
        if !header.applicable {
            let mut fields = leading(header, result);
            fields.resize(15, String::new());
            csv.push_str(&csv_line(&fields));
        }
    }
    csv
}

/// Renders every metric of every cell, one line each.
pub fn metrics_csv(cells: &[Cell]) -> String {
    let mut csv = String::from(
        "scenario,lock,applicable,effective_expiry_s,dose,cases,metric,samples,total,mean,p50,p95,max\r\n",
    );
    for (header, result) in cells.iter().filter(|(header, _)| header.applicable) {
        for (stored, tally) in result.metrics() {
            let (name, scale) = shown_metric(stored);
            let shown = |stored: f64| scale.apply(stored).to_string();
            let mut fields = leading(header, result);
            fields.extend([name.into_owned(), tally.samples().to_string(), shown(tally.total() as f64)]);
            fields.extend([tally.mean().map_or_else(String::new, shown), shown(tally.percentile(50) as f64)]);
            fields.extend([shown(tally.percentile(95) as f64), shown(tally.max() as f64)]);
            csv.push_str(&csv_line(&fields));
        }
    }
    csv
}

fn leading(header: &CellHeader, result: &CellResult) -> Vec<String> {
    vec![
        header.scenario.clone(),
        header.lock.clone(),
        header.applicable.to_string(),
        optional(header.effective_expiry.map(|expiry| expiry.as_secs_f64())),
        optional(header.dose),
        result.cases().to_string(),
    ]
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn csv_line(fields: &[String]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
    fields.join(",") + "\r\n"
}

/// Escapes a field. Spreadsheets evaluate text that starts like a formula, so such names get a leading apostrophe.
fn csv_field(field: &str) -> String {
    let field = visible(field);
    let formula = field.starts_with(['=', '+', '-', '@']) && field.parse::<f64>().is_err();
    let field = if formula { format!("'{field}") } else { field };
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

/// A lock, and its pooled verdicts by column.
type ComparisonRow<'a> = (&'a str, Vec<Option<Pooled<'a>>>);

/// Returns the names of the columns of the comparison, and a row for each lock.
fn comparison(cells: &[Cell]) -> (Vec<String>, Vec<ComparisonRow<'_>>) {
    let bare = unguarded_cells(cells);
    let grid = Grid::new(bare.iter().copied());
    let checked: Vec<Property> = Property::ALL.into_iter().filter(|property| grid.is_checked(*property)).collect();
    let families = FaultGroup::among(bare.iter().copied());
    let names = checked.iter().map(|property| property.name().to_owned());
    let names = names.chain(families.iter().map(|family| format!("harm: {}", family.name()))).collect();
    let rows = grid.locks.iter().map(|lock| {
        let mine: Vec<&Cell> = grid.row(lock).collect();
        let by_property = checked.iter().map(|property| Pooled::of(mine.iter().copied(), *property));
        let by_family = families.iter().map(|family| {
            Pooled::of(mine.iter().copied().filter(|(header, _)| FaultGroup::of_cell(header) == *family), Measure::Harm)
        });
        (*lock, by_property.chain(by_family).collect())
    });
    (names, rows.collect())
}

/// Renders the comparison, one line for each lock and column.
pub fn comparison_csv(cells: &[Cell]) -> String {
    let (columns, rows) = comparison(cells);
    let mut csv = String::from(
        "lock,column,measure,violated,decided,unknown,rate,lower95,upper95,scenarios,scenarios_violated,worst_scenario\r\n",
    );
    for (lock, pooled) in rows {
        for (column, pooled) in columns.iter().zip(pooled) {
            let mut fields = vec![lock.to_owned(), column.clone()];
            match pooled {
                None => fields.resize(12, String::new()),
                Some(pooled) => {
                    let interval = pooled.count.ci95();
                    fields.extend([pooled.measure.name().to_owned(), pooled.count.violated.to_string()]);
                    fields.extend([pooled.count.decided().to_string(), pooled.count.unknown.to_string()]);
                    fields.extend([pooled.rate(), interval.lower, interval.upper].map(|share| format!("{share:.6}")));
                    fields.extend([pooled.scenarios, pooled.broken].map(|count| count.to_string()));
                    fields.push(pooled.worst.map_or_else(String::new, |(header, _)| header.scenario.clone()));
                }
            }
            csv.push_str(&csv_line(&fields));
        }
    }
    csv
}

/// Renders the comparison as the page shows it.
pub fn comparison_markdown(cells: &[Cell]) -> String {
    let (columns, rows) = comparison(cells);
    let mut lines = vec![
        markdown_row(std::iter::once("lock").chain(columns.iter().map(String::as_str))),
        format!("|---|{}", "---:|".repeat(columns.len())),
    ];
    for (lock, pooled) in rows {
        let fields = pooled.iter().map(|pooled| match pooled {
            None => "n/a".to_owned(),
            Some(pooled) => of(pooled.count.violated, pooled.count.decided(), pooled.count.ci95().upper),
        });
        lines.push(markdown_row(std::iter::once(lock.to_owned()).chain(fields)));
    }
    lines.join("\n") + "\n"
}

/// Renders the decision guide.
pub fn guide_markdown(cells: &[Cell]) -> String {
    let mut markdown = String::new();
    for advice in guide(cells) {
        markdown.push_str(&format!("### {}\n\n", advice.question));
        for sentence in advice.sentences {
            let words = sentence.iter().map(|part| match part {
                Part::Text(words) | Part::Table { words, .. } | Part::Cell { words, .. } => markdown_field(words),
            });
            let words: String = words.collect();
            markdown.push_str(&format!("- {words}\n"));
        }
        markdown.push('\n');
    }
    markdown
}

/// Renders lock × scenario for one property. Returns `None` if the property applies to no cell.
pub fn matrix_markdown(cells: &[Cell], property: Property) -> Option<String> {
    let grid = Grid::new(cells);
    if !grid.is_checked(property) {
        return None;
    }
    let headings = std::iter::once("lock").chain(grid.scenarios.iter().copied());
    let mut lines = vec![markdown_row(headings), format!("|---|{}", "---:|".repeat(grid.scenarios.len()))];
    for lock in &grid.locks {
        let findings = grid.scenarios.iter().map(|scenario| match grid.finding(lock, scenario, property) {
            Finding::Missing => "–".to_owned(),
            Finding::NotApplicable(_) => "n/a".to_owned(),
            Finding::Checked(_, count) => violations(&count),
        });
        lines.push(markdown_row(std::iter::once((*lock).to_owned()).chain(findings)));
    }
    Some(lines.join("\n") + "\n")
}

/// Renders harm and cost by lock.
pub fn locks_markdown(cells: &[Cell]) -> String {
    let grid = Grid::new(cells);
    let mut lines =
        vec![markdown_row(std::iter::once("lock").chain(HEADINGS)), format!("|---|{}", "---:|".repeat(HEADINGS.len()))];
    for lock in &grid.locks {
        let texts = Summary::of(&grid, lock).texts();
        lines.push(markdown_row(std::iter::once((*lock).to_owned()).chain(texts)));
    }
    lines.join("\n") + "\n"
}

fn markdown_row(fields: impl Iterator<Item = impl AsRef<str>>) -> String {
    fields.fold(String::from("|"), |row, field| row + " " + &markdown_field(field.as_ref()) + " |")
}

fn markdown_field(field: &str) -> String {
    let special = |c: char| "\\`*_{}[]<>#|~&".contains(c);
    visible(field).chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreadsheets_and_markdown_get_plain_text() {
        assert_eq!(csv_field("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(csv_field("-1.5"), "-1.5");
        assert_eq!(csv_field("a,\"b\"\n"), "\"a,\"\"b\"\"\u{fffd}\"");
        assert_eq!(markdown_field("a|b<script>"), "a\\|b\\<script\\>");
    }
}
