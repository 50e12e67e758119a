//! Reports are deterministic, fetch nothing, and escape hostile names.

use std::fs;
use std::path::{Path, PathBuf};

use fencepost_models::Verification;
use fencepost_reports::Report;
use fencepost_reports::comparison::{Side, comparison_json, comparison_text};
use fencepost_reports::failures::Counterexample;
use fencepost_reports::plot::{self, Figure, themed};
use fencepost_reports::tables as files;
use fencepost_reports::terminal::{Terminal, tables};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::compare::{Change, Comparison, Difference};

mod synthetic;

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "]]></style><script>",
    "=HYPERLINK(\"http://evil\")|x",
    "gc\n\u{202e}esuap\u{2066}\u{1b}[31m\u{0}",
    "مرحبا-قفل",
    "&lt;b&gt;; rm -rf ~ #",
];

fn hostile() -> Report {
    let mut report = synthetic::report(&synthetic::LOCKS, 12);
    report.title = HOSTILE[0].into();
    report.command = HOSTILE[1].into();
    report.notes = HOSTILE.map(str::to_owned).to_vec();
    let long = "x".repeat(5_000);
    for (at, (header, _)) in report.cells.iter_mut().enumerate() {
        let name = HOSTILE[at % HOSTILE.len()];
        let (lock, scenario) = (header.lock.clone(), header.scenario.clone());
        header.lock = if lock == "none" { long.clone() } else { format!("{name}{lock}") };
        header.scenario =
            if scenario == "calm" { long.clone() } else { format!("{}{scenario}", HOSTILE[scenario.len() % 8]) };
        header.about = name.into();
        header.reason = header.reason.as_ref().map(|_| name.into());
        header.family = HOSTILE[3].into();
        header.workload = name.into();
        // Plots compare cells without a guard.
        if at % 5 == 0 {
            header.guard = Some(name.into());
        }
        header.setting = name.into();
        header.faults.iter_mut().for_each(|fault| (fault.name, fault.kind) = (name.into(), name.into()));
    }
    let counterexample = Counterexample {
        smallest: Some(HOSTILE[0].into()),
        causes: HOSTILE.map(str::to_owned).to_vec(),
        headline: Some(HOSTILE[1].into()),
        ..Counterexample::default()
    };
    let keys = report.cells.iter().map(|(header, _)| (header.scenario.clone(), header.lock.clone()));
    report.counterexamples = keys.map(|key| (key, counterexample.clone())).collect();
    report.environment = vec![(HOSTILE[0].into(), HOSTILE[3].into())];
    report
}

/// Returns all plots of a report.
fn plots(report: &Report) -> Vec<Figure> {
    let cells = &report.cells;
    let draw = [
        plot::oversell,
        plot::shown_and_hidden,
        plot::dose_response,
        plot::contention,
        plot::acquire_latency,
        plot::messages,
        plot::throughput,
        plot::takeover,
        plot::heatmap,
        plot::families,
        plot::guards,
    ];
    draw.into_iter().filter_map(|draw| draw(cells)).chain(plot::availability(cells)).collect()
}

fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

/// Returns every file below a directory with its bytes, sorted by path.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Returns the names of all tags of a page or drawing. Attribute values contain no `<`, which is always escaped.
fn tags(markup: &str) -> Vec<&str> {
    let inner = markup.split('<').skip(1);
    inner.map(|rest| rest.split([' ', '>', '/', '\n']).next().unwrap()).filter(|tag| !tag.is_empty()).collect()
}

#[test]
fn same_input_gives_the_same_bytes() {
    let report = synthetic::report(&synthetic::LOCKS, 20);
    let (first, second) = (directory("first"), directory("second"));
    report.write(&first).unwrap();
    report.write(&second).unwrap();
    let strip = |dir: &Path| -> Vec<_> {
        files(dir).into_iter().map(|(path, bytes)| (path.strip_prefix(dir).unwrap().to_owned(), bytes)).collect()
    };
    let written = strip(&first);
    assert_eq!(written, strip(&second));
    let has = |name: &str| written.iter().any(|(path, _)| path == Path::new(name));
    for name in ["report.html", "plots/heatmap-effect-exclusion.svg", "tables/properties.csv", "tables/locks.md"] {
        assert!(has(name), "{name}");
    }
    for name in
        ["junit.xml", "tables/guide.md", "tables/comparison.csv", "plots/takeover.svg", "plots/availability-1.svg"]
    {
        assert!(has(name), "{name}");
    }
    assert_eq!(has("plots/dose-response.png"), cfg!(feature = "png"));
}

#[test]
fn a_write_error_names_the_path() {
    let dir = directory("occupied");
    fs::write(&dir, "a file").unwrap();
    let error = synthetic::report(&["none"], 1).write(&dir).unwrap_err().to_string();
    assert!(error.contains("occupied"), "{error}");
}

#[test]
fn page_fetches_nothing_and_runs_only_its_own_script() {
    let page = synthetic::report(&synthetic::LOCKS, 20).html();
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    assert!(!page.contains("unsafe-"));
    assert_eq!(page.matches("<script>").count(), 1);
    for forbidden in ["<script ", "javascript:", "@import", "url(", "src=", "<link", " style=", " onclick="] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let svg_namespace = page.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(page.matches("http").count(), svg_namespace + page.matches("http-equiv").count());
}

#[test]
fn page_has_commands_bounds_and_links() {
    let page = synthetic::report(&synthetic::LOCKS, 200).html();
    for needed in [
        "fencepost run standard --seeds 200",
        "fencepost replay gc-pause/redlock/",
        "n/a",
        "the lock hands out no tokens",
        "not production risks",
        "in most cases no fault touched anything, with every lock.",
        "≤ 1.8 %",
        "prefers-color-scheme:dark",
        "var(--s0)",
        "<br>≤ 1.8 %",
        " cens.</",
        "cens.)",
        "href=\"#f.gc-pause.redlock\"",
        "id=\"f.gc-pause.redlock\"",
    ] {
        assert!(page.contains(needed), "{needed}");
    }
    assert!(!page.contains("safe<"), "no lock is called safe");
}

#[test]
fn page_compares_documented_promises_with_measurements() {
    let page = synthetic::report(&synthetic::LOCKS, 20).html();
    let section = page.split_once("id=\"requirements\"").expect("the page has the section").1;
    for needed in ["highly available", "under conditions", "redis.io, Distributed Locks with Redis", "violated in"] {
        assert!(section.contains(needed), "{needed}");
    }
    let mut report = synthetic::report(&synthetic::LOCKS, 20);
    report.locks[1].verification = Verification::Documentation;
    assert!(report.html().contains("checked against documentation only"));
    report.locks.clear();
    assert!(!report.html().contains("id=\"promises\""), "without lock metadata there are no promises");
}

#[test]
fn page_for_all_locks_stays_small() {
    let page = synthetic::report(&synthetic::ALL_LOCKS, 200).html();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

#[test]
fn hostile_names_stay_text_in_the_page() {
    let page = hostile().html();
    let known = [
        "!DOCTYPE",
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "section",
        "h1",
        "h2",
        "p",
        "em",
        "dl",
        "div",
        "dt",
        "dd",
        "code",
        "span",
        "details",
        "summary",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "b",
        "bdi",
        "small",
        "figure",
        "svg",
        "rect",
        "text",
        "polyline",
        "polygon",
        "circle",
        "line",
        "a",
        "nav",
        "ul",
        "ol",
        "li",
        "h3",
        "h4",
        "form",
        "input",
        "label",
        "figcaption",
        "article",
        "br",
    ];
    let (markup, script) = page.split_once("<script>").expect("the page has a script");
    for tag in tags(markup) {
        assert!(known.contains(&tag), "{tag}");
    }
    assert_eq!(page.matches("<style>").count(), 1);
    assert_eq!(script.matches("</script>").count(), 1);
    for hidden in ['\u{202e}', '\u{2066}', '\u{1b}', '\u{0}'] {
        let around = page.find(hidden).map(|at| page[..at].chars().rev().take(120).collect::<String>());
        assert_eq!(around.map(|text| text.chars().rev().collect::<String>()), None, "{hidden:?}");
    }
    assert!(!page.contains(&"x".repeat(10_000)));
    assert!(page.contains("مرحبا-قفل"));
}

#[test]
fn hostile_names_stay_text_in_plots() {
    let mut count = 0;
    for figure in plots(&hostile()) {
        let themed: Vec<String> = figure.panels.iter().map(|(label, svg)| themed(svg, label)).collect();
        for tag in tags(&figure.svg).into_iter().chain(themed.iter().flat_map(|svg| tags(svg))) {
            assert!(["svg", "rect", "text", "polyline", "polygon", "circle", "line"].contains(&tag), "{tag}");
        }
        assert!(!figure.svg.contains("]]>") && !figure.svg.contains('\u{1b}'));
        assert!(figure.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        count += 1;
    }
    assert!(count >= 9, "{count}");
}

#[test]
fn hostile_names_stay_text_in_tables_and_junit() {
    let report = hostile();
    for csv in
        [files::properties_csv(&report.cells), files::metrics_csv(&report.cells), files::comparison_csv(&report.cells)]
    {
        for line in csv.lines() {
            let first = line.trim_start_matches('"');
            assert!(!first.starts_with(['=', '+', '@']) && !line.contains('\u{1b}'), "{line}");
        }
        assert!(csv.contains("'=HYPERLINK("));
    }
    let matrix = files::matrix_markdown(&report.cells, Property::EffectExclusion).expect("the property applies");
    let others = [files::comparison_markdown, files::guide_markdown, files::locks_markdown].map(|of| of(&report.cells));
    for markdown in others.into_iter().chain([matrix]) {
        let bare = markdown.replace("\\<", "");
        assert!(!bare.contains("<script") && !bare.contains("<img") && !bare.contains('\u{1b}'));
    }
    let dir = directory("hostile-junit");
    report.write(&dir).unwrap();
    let junit = fs::read_to_string(dir.join("junit.xml")).unwrap();
    for tag in tags(&junit) {
        let known = ["?xml", "testsuites", "testsuite", "testcase", "failure", "skipped", "system-out"];
        assert!(known.contains(&tag), "{tag}");
    }
    assert!(junit.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn junit_has_a_test_case_for_each_cell() {
    let mut report = synthetic::report(&["none", "redlock"], 20);
    let file = |report: &Report| {
        let dir = directory("junit");
        report.write(&dir).unwrap();
        fs::read_to_string(dir.join("junit.xml")).unwrap()
    };
    let junit = file(&report);
    assert_eq!(junit.matches("<testcase").count(), report.cells.len());
    let failures = junit.matches("<failure").count();
    assert!(failures > 0 && junit.contains(&format!("failures=\"{failures}\"")));
    assert!(junit.contains("to reproduce: fencepost replay gc-pause/none/"), "{junit}");
    for (header, _) in &report.cells {
        for property in fencepost_scenarios::property::Property::ALL {
            report.expected_violations.insert((header.scenario.clone(), header.lock.clone(), property));
        }
    }
    assert!(!file(&report).contains("<failure"), "expected violations are not failures");
}

#[test]
fn rates_at_the_edges_have_their_bounds() {
    let edge = |violated: bool| {
        let mut report = synthetic::report(&["none"], 0);
        report.cells.truncate(1);
        let property = fencepost_scenarios::property::Property::NoLostUpdate;
        let mut result = synthetic::empty_result();
        let verdict = if violated { "violated" } else { "holds" };
        result.verdicts = vec![(property, serde_json::from_value(verdict.into()).unwrap())];
        (0..200).for_each(|seed| report.cells[0].1.add(seed, &result));
        (report.html(), files::comparison_csv(&report.cells))
    };
    let (page, csv) = edge(false);
    assert!(
        page.contains("0</b> of 200<small>≤ 1.8 %</small>") && csv.contains(",0,200,0,0.000000,0.000000,0.018275,"),
        "{csv}"
    );
    let (page, csv) = edge(true);
    assert!(
        page.contains("200</b> of 200<small>98–100 %</small>")
            && csv.contains(",200,200,0,1.000000,0.981725,1.000000,"),
        "{csv}"
    );
}

#[test]
fn hostile_report_can_be_written() {
    hostile().write(&directory("hostile")).unwrap();
}

#[test]
fn hostile_names_cannot_steer_a_terminal() {
    let text = tables(&hostile().cells, Terminal { width: 100, colour: false });
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn hostile_names_stay_text_where_runs_are_compared() {
    let difference = |name: &str| Difference {
        scenario: name.into(),
        lock: name.into(),
        what: Property::EffectExclusion,
        before: (0, 20),
        after: (20, 20),
        first_seed: Some(0),
        pairs: 20,
        only_before: 0,
        only_after: 20,
        p: 0.001,
        p_holm: 0.001,
        q: 0.001,
        change: Change::NewlyViolated,
    };
    let alone: Vec<(String, String)> = HOSTILE.iter().map(|name| (name.to_string(), name.to_string())).collect();
    let comparison = Comparison {
        properties: HOSTILE.map(difference).to_vec(),
        only_before: alone.clone(),
        only_after: alone,
        pairs: 20,
        ..Comparison::default()
    };
    let side = || Side { suite: HOSTILE[5].into(), version: HOSTILE[5].into(), seeds: HOSTILE[5].into(), layout: 1 };
    let text = comparison_text(&comparison, &[side(), side()], &[], Terminal { width: 100, colour: false });
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
    let json = comparison_json(&comparison, &[side(), side()], &[]).to_string();
    let read: serde_json::Value = serde_json::from_str(&json).expect("valid JSON with any names");
    assert_eq!(read["properties"][5]["lock"], HOSTILE[5]);
}

#[test]
fn an_empty_report_can_be_written() {
    let report = Report { title: "empty".into(), ..Report::default() };
    report.write(&directory("empty")).unwrap();
    assert_eq!(tables(&[], Terminal { width: 80, colour: true }), "");
}

#[test]
fn cells_without_cases_can_be_reported() {
    let report = synthetic::report(&synthetic::LOCKS, 0);
    report.write(&directory("no-cases")).unwrap();
    tables(&report.cells, Terminal { width: 80, colour: false });
}

#[test]
fn terminal_tables_keep_to_the_width() {
    let cells = synthetic::report(&synthetic::ALL_LOCKS, 30).cells;
    let one: Vec<_> = cells.iter().filter(|(header, _)| header.scenario == "gc-pause").cloned().collect();
    for width in [80, 100, 140, 200] {
        for cells in [&cells, &one] {
            let text = tables(cells, Terminal { width, colour: false });
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }
}

#[test]
fn terminal_shows_bounds_and_no_colour_unless_requested() {
    let cells = synthetic::report(&synthetic::LOCKS, 200).cells;
    let one: Vec<_> = cells.into_iter().filter(|(header, _)| header.scenario == "gc-pause").collect();
    let plain = tables(&one, Terminal { width: 120, colour: false });
    assert!(plain.contains("0 of 200 (≤ 1.8 %)") && plain.contains("redis-set-px-del"), "{plain}");
    assert!(!plain.contains('\u{1b}'));
    assert!(tables(&one, Terminal { width: 120, colour: true }).contains('\u{1b}'));
}
