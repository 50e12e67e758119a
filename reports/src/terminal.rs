//! Tables for the terminal.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{
    Attribute, Cell as Field, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
};
use fencepost_scenarios::property::Property;

use crate::faults;
use crate::grid::{Cell, Finding, Grid};
use crate::summary::{HEADINGS, Summary};
use crate::text::{UNKNOWN_NOTE, clipped, touched_holder, violations, visible};

/// The properties that a run shows; the others are in the report.
const KEY: [Property; 3] = [Property::EffectExclusion, Property::NoLostUpdate, Property::NoOversell];
const LONGEST_LOCK: usize = 24;
const LONGEST_SCENARIO: usize = 26;
/// The width that a table adds to each column.
const PADDING: usize = 3;
/// Below this width, the second table omits columns that the report has.
const WIDE: u16 = 132;
/// The columns of [`HEADINGS`] in the narrow second table.
const NARROW: [usize; 5] = [1, 2, 4, 5, 6];
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// The capabilities of the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Columns of text.
    pub width: u16,
    /// Whether to use colours: not with `NO_COLOR` or into a pipe.
    pub colour: bool,
}

/// Renders the tables at the end of a run.
pub fn tables(cells: &[Cell], terminal: Terminal) -> String {
    let grid = Grid::new(cells);
    let mut text = match grid.scenarios.as_slice() {
        [] => return String::new(),
        [scenario] => by_property(&grid, scenario, terminal) + &fault_effects(&grid, scenario, terminal),
        _ => KEY.iter().map(|property| by_scenario(&grid, *property, terminal)).collect(),
    };
    if text.contains('?') {
        text.push_str(&format!("{UNKNOWN_NOTE}\n\n"));
    }
    text.push_str(&costs(&grid, terminal));
    text.push_str(&not_applicable(cells, terminal));
    text
}

/// Lists the reasons why cells were not run.
fn not_applicable(cells: &[Cell], terminal: Terminal) -> String {
    let mut reasons: BTreeMap<&str, [BTreeSet<String>; 2]> = BTreeMap::new();
    for (header, _) in cells.iter().filter(|(header, _)| !header.applicable) {
        let [locks, scenarios] = reasons.entry(header.reason.as_deref().unwrap_or_default()).or_default();
        locks.insert(clipped(&header.lock, LONGEST_LOCK));
        scenarios.insert(clipped(&header.scenario, LONGEST_SCENARIO));
    }
    if reasons.is_empty() {
        return String::new();
    }
    let mut table = new_table(terminal);
    table.set_header(["not applicable because", "lock", "scenario"]);
    for (reason, [locks, scenarios]) in reasons {
        let listed = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        table.add_row([visible(reason), listed(locks), listed(scenarios)]);
    }
    titled("not applicable", &table)
}

/// Renders the results of one scenario, with a column for each property.
fn by_property(grid: &Grid, scenario: &str, terminal: Terminal) -> String {
    let mut table = new_table(terminal);
    let checked: Vec<Property> = KEY.into_iter().filter(|property| grid.is_checked(*property)).collect();
    let names = checked.iter().map(|property| property.name().to_owned());
    table.set_header(headings(names.chain(["effect-exclusion when a fault hit the holder".into()])));
    for lock in &grid.locks {
        let findings = checked.iter().map(|property| grid.finding(lock, scenario, *property));
        let hit = grid.cell(lock, scenario).filter(|(header, _)| header.applicable);
        let hit = hit.map_or_else(|| "n/a".into(), |(_, result)| touched_holder(result.touched_holder()));
        table.add_row(row(lock, findings.map(field).chain([plain(hit)])));
    }
    keep_names_whole(&mut table);
    titled(&format!("{}: violated cases", clipped(scenario, 60)), &table)
}

/// Renders the effect of the faults of one scenario.
fn fault_effects(grid: &Grid, scenario: &str, terminal: Terminal) -> String {
    let rows = faults::rows(grid, scenario);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = new_table(terminal);
    let names = faults::HEADINGS.iter().map(|name| Field::new(name).set_alignment(CellAlignment::Right));
    table.set_header([Field::new("fault"), Field::new("kind")].into_iter().chain(names));
    for fault in rows {
        let named = [clipped(fault.name, LONGEST_SCENARIO), visible(fault.kind)].map(Field::new);
        table.add_row(named.into_iter().chain(fault.texts().map(plain)));
    }
    titled("faults, over all locks", &table)
}

/// Renders a matrix of locks and scenarios for a property, split into tables that fit the width.
fn by_scenario(grid: &Grid, property: Property, terminal: Terminal) -> String {
    if !grid.is_checked(property) {
        return String::new();
    }
    columns_that_fit(grid, property, terminal)
        .into_iter()
        .map(|scenarios| {
            let mut table = new_table(terminal);
            table.set_header(headings(scenarios.iter().map(|scenario| clipped(scenario, LONGEST_SCENARIO))));
            for lock in &grid.locks {
                let findings = scenarios.iter().map(|scenario| grid.finding(lock, scenario, property));
                table.add_row(row(lock, findings.map(field)));
            }
            titled(&format!("{}: violated cases", property.name()), &table)
        })
        .collect()
}

fn columns_that_fit<'a>(grid: &Grid<'a>, property: Property, terminal: Terminal) -> Vec<Vec<&'a str>> {
    let lock_width = grid.locks.iter().map(|lock| clipped(lock, LONGEST_LOCK).chars().count()).max().unwrap_or(0);
    let free = usize::from(terminal.width).saturating_sub(lock_width + PADDING);
    let mut tables: Vec<Vec<&str>> = vec![Vec::new()];
    let mut used = 0;
    for scenario in &grid.scenarios {
        let texts = grid.locks.iter().map(|lock| finding_text(grid.finding(lock, scenario, property)).chars().count());
        let heading = clipped(scenario, LONGEST_SCENARIO).chars().count();
        let width = texts.max().unwrap_or(0).max(heading) + PADDING;
        if used > 0 && used + width > free {
            tables.push(Vec::new());
            used = 0;
        }
        used += width;
        tables.last_mut().expect("`tables` is never empty").push(scenario);
    }
    tables
}

/// Renders harm and cost of the locks, over all scenarios shown.
fn costs(grid: &Grid, terminal: Terminal) -> String {
    let shown = |at: &usize| terminal.width >= WIDE || NARROW.contains(at);
    let columns: Vec<usize> = (0..HEADINGS.len()).filter(shown).collect();
    let mut table = new_table(terminal);
    table.set_header(headings(columns.iter().map(|at| HEADINGS[*at].to_owned())));
    for lock in &grid.locks {
        let texts = Summary::of(grid, lock).texts();
        table.add_row(row(lock, columns.iter().map(|at| plain(texts[*at].clone()))));
    }
    keep_names_whole(&mut table);
    titled("harm and cost, over the cells run", &table)
}

pub(crate) fn new_table(terminal: Terminal) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_width(terminal.width);
    if terminal.colour {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

fn keep_names_whole(table: &mut Table) {
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
}

fn headings(names: impl Iterator<Item = String>) -> Vec<Field> {
    let names = names.map(|name| Field::new(name).set_alignment(CellAlignment::Right));
    std::iter::once(Field::new("lock")).chain(names).collect()
}

fn row(lock: &str, fields: impl Iterator<Item = Field>) -> Vec<Field> {
    std::iter::once(Field::new(clipped(lock, LONGEST_LOCK))).chain(fields).collect()
}

fn plain(text: String) -> Field {
    Field::new(text).set_alignment(CellAlignment::Right)
}

fn field(finding: Finding) -> Field {
    let field = plain(finding_text(finding));
    match finding {
        Finding::Checked(_, count) if count.violated > 0 => field.fg(Color::Yellow).add_attribute(Attribute::Bold),
        Finding::Checked(..) => field,
        Finding::Missing | Finding::NotApplicable(_) => field.add_attribute(Attribute::Dim),
    }
}

fn finding_text(finding: Finding) -> String {
    match finding {
        Finding::Missing => "–".into(),
        Finding::NotApplicable(_) => "n/a".into(),
        Finding::Checked(_, count) => violations(&count),
    }
}

pub(crate) fn titled(title: &str, table: &Table) -> String {
    format!("{title}\n{}\n\n", table.trim_fmt())
}
