//! The page has the diagram of every failing cell, inline or packed, up to its size limit. Names in it are escaped.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use fencepost_reports::Report;
use fencepost_reports::case_record::CaseRecord;
use fencepost_reports::failures::Counterexample;
use fencepost_scenarios::file;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

mod synthetic;

const PAUSED: &str = include_str!("../examples/gc-pause.toml");

/// Returns a report in which every cell has the diagram made from its index.
fn drawn(diagram: impl Fn(usize) -> String) -> Report {
    let mut report = synthetic::report(&synthetic::LOCKS, 20);
    let counterexample = |at| Counterexample { diagram: Some(diagram(at)), ..Counterexample::default() };
    let keys =
        report.cells.iter().enumerate().map(|(at, (h, _))| ((h.scenario.clone(), h.lock.clone()), counterexample(at)));
    report.counterexamples = keys.collect();
    report
}

fn small(at: usize) -> String {
    format!("<svg class=\"fptl\"><text>{at}</text></svg>")
}

/// Returns a diagram that hardly compresses, different for each index.
fn noise(at: usize) -> String {
    let mut state = at as u64 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    let text: String = (0..8_000).map(|_| next()).collect();
    format!("<svg class=\"fptl\"><text>{text}</text></svg>")
}

/// Returns the articles of a page by anchor.
fn articles(page: &str) -> BTreeMap<&str, &str> {
    let articles = page.split("<article class=\"failure\" id=\"").skip(1);
    articles.filter_map(|rest| rest.split_once("</article>")?.0.split_once('"')).collect()
}

/// Returns the diagrams of the packed block, by anchor.
fn unpacked(page: &str) -> BTreeMap<String, String> {
    let Some((_, rest)) = page.split_once("<script id=\"diagrams\" type=\"text/plain\">") else {
        return BTreeMap::new();
    };
    let deflated = BASE64_STANDARD.decode(rest.split('<').next().unwrap_or_default()).expect("base64");
    let lines = miniz_oxide::inflate::decompress_to_vec(&deflated).expect("a deflated stream");
    let lines = String::from_utf8(lines).expect("text");
    lines.lines().map(|line| line.split_once('\t').expect("a tab")).map(|(a, b)| (a.into(), b.into())).collect()
}

#[test]
fn every_failing_cell_has_its_diagram_inline_or_packed() {
    let report = drawn(small);
    let page = report.html();
    assert_eq!(page, report.html());
    let (articles, packed) = (articles(&page), unpacked(&page));
    let mut inline = BTreeMap::new();
    for (at, (header, _)) in report.cells.iter().enumerate() {
        let anchor = format!("f.{}.{}", header.scenario, header.lock);
        let Some(article) = articles.get(anchor.as_str()) else { continue };
        if article.contains(&small(at)) {
            *inline.entry(&header.lock).or_insert(0) += 1;
            assert!(!packed.contains_key(&anchor) && !article.contains("--timeline"), "{anchor}");
        } else {
            assert_eq!(packed.get(&anchor), Some(&small(at)), "{anchor}");
            assert!(article.contains("class=\"undrawn\"") && article.contains("--timeline FILE.svg"), "{article}");
        }
    }
    assert_eq!(articles.len(), packed.len() + inline.len());
    assert!(packed.len() > inline.len() && inline.len() > 3, "{inline:?}");
    assert!(inline.values().all(|count| *count == 1), "{inline:?}");
}

#[test]
fn an_article_without_its_diagram_gives_the_reason() {
    let page = drawn(noise).html();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    let (articles, packed) = (articles(&page), unpacked(&page));
    let left_out = articles.values().filter(|article| article.contains("did not fit into the page")).count();
    let inline = articles.values().filter(|article| article.contains("<svg")).count();
    assert!(left_out > 0 && inline > 3 && !packed.is_empty(), "{left_out} {inline} {}", packed.len());
    assert_eq!(articles.len(), left_out + inline + packed.len());
}

#[test]
fn a_report_without_diagrams_has_no_block() {
    let page = synthetic::report(&synthetic::LOCKS, 20).html();
    assert!(!page.contains("id=\"diagrams\"") && !page.contains("--timeline FILE.svg"));
}

#[test]
fn names_in_a_diagram_are_escaped() {
    let about = "about = \"</text></svg></script><script>alert(1)</script><img src=x onerror=y>&\\t\\n\\u202e ";
    let scenario = PAUSED.replace("about = \"", about);
    let registry = Registry::standard();
    let scenario = file::scenario(&registry, "case.toml", &scenario).expect("a scenario");
    let lock = registry.lock("redis-set-px").expect("a lock");
    let run = CaseRecord::watch(&Cell::new(&Arc::new(scenario), lock, &[]), 0);
    let diagram = Counterexample::from_record(&run).diagram.expect("a diagram");
    let page = drawn(|_| diagram.clone()).html();
    let packed = unpacked(&page);
    assert!(packed.len() > 3 && packed.values().all(|svg| *svg == diagram), "no line is split");
    assert!(diagram.contains("&lt;script&gt;") && !diagram.contains("<script") && !diagram.contains("<img"));
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
}
