//! Chains of causes and timelines are complete, ordered and deterministic, and escape all names.

use std::sync::Arc;

use fencepost_reports::case_json::explained_json;
use fencepost_reports::case_record::CaseRecord;
use fencepost_reports::explain::{Cause, CauseKind, Chain, chains, most_severe, render_causes};
use fencepost_reports::timeline::{self, Theme};
use fencepost_scenarios::file;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;

/// The scenario of the book's first picture.
const PAUSED: &str = include_str!("../examples/gc-pause.toml");

/// A typical shrunk case: all latencies are equal, so the late write and a read happen in the same nanosecond.
const TIED: &str = r#"
name = "tied"
run_for = "6s"
locks = ["redis-set-px"]
[clients]
count = 2
orders = 2
think = "0s"
hold = "0s"
prepare = "0s"
retry_delay = "5s"
wait_at_most = "60s"
[lock]
effective = "2s"
[workload.inventory]
stock = 1
[network]
latency = "1ms"
[[fault.pause]]
name = "gc"
target = "client-1"
on = { client = "client-1", event = "read", nth = 1 }
lasts = "5s"
"#;

fn cell(text: &str, lock: &str, bugs: &[&str]) -> Cell {
    let registry = Registry::standard();
    let scenario = file::scenario(&registry, "case.toml", text).expect("a scenario");
    let bugs: Vec<String> = bugs.iter().map(|bug| (*bug).to_owned()).collect();
    Cell::new(&Arc::new(scenario), registry.lock(lock).expect("a lock"), &bugs)
}

fn paused() -> CaseRecord {
    CaseRecord::watch(&cell(PAUSED, "redis-set-px", &[]), 0)
}

fn tied() -> CaseRecord {
    CaseRecord::watch(&cell(TIED, "redis-set-px:docs", &[]), 3)
}

fn assert_in_order(chain: &Chain, parts: &[&str]) {
    let texts: Vec<&str> = chain.causes.iter().map(|cause| cause.text.as_str()).collect();
    let mut rest = texts.iter();
    for part in parts {
        assert!(rest.any(|text| text.contains(part)), "`{part}` is missing or out of order in {texts:#?}");
    }
}

#[test]
fn a_stale_write_is_explained_from_the_grant_to_the_lost_update() {
    let chains = chains(&paused());
    let chain = most_severe(&chains).expect("a violation");
    let parts = [
        "client-1 acquired the lock",
        "client-1 was paused until 15.027 s (gc)",
        "client-1's lease expired on redis-1's clock",
        "client-2 acquired the lock while client-1, paused, believed it held the lock",
        "accepted client-2's write",
        "accepted client-1's write as version 2, based on version 0: client-2's version 1 is lost",
    ];
    assert_in_order(chain, &parts);
    let pause = chain.causes.iter().find(|cause| cause.kind == CauseKind::Fault).expect("the pause");
    assert_eq!(pause.node.as_deref(), Some("client-1"));
    assert!(pause.until.is_some_and(|until| until > pause.at));
    assert!(render_causes(&chains).contains("◀ effect-exclusion and no-lost-update"), "{}", render_causes(&chains));
}

#[test]
fn events_of_one_nanosecond_are_explained_in_order() {
    let chains = chains(&tied());
    let chain = most_severe(&chains).expect("a violation");
    let parts = [
        "client-2 read the data (version 0)",
        "accepted client-1's write as version 1",
        "accepted client-2's write as version 2, based on version 0: client-1's version 1 is lost",
    ];
    assert_in_order(chain, &parts);
    let texts = render_causes(&chains);
    let line = |part: &str| texts.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {texts}"));
    assert!(line("client-1's write").ends_with("◀ effect-exclusion"), "{texts}");
    assert!(line("client-2's write").ends_with("◀ no-lost-update"), "{texts}");
    assert!(!line("client-2 read").contains('◀'), "{texts}");
}

#[test]
fn the_second_copy_of_a_message_violates_no_duplicate() {
    let text = include_str!("../../scenarios/suites/scenarios/datagrams.toml");
    let chains = chains(&CaseRecord::watch(&cell(text, "redis-set-px:docs", &[]), 3));
    let chain = chains.iter().find(|chain| chain.property == Property::NoDuplicate).expect("a duplicate");
    assert_in_order(chain, &["accepted order 13, as version 10", "accepted order 13 again, as version 11"]);
    let wrote: Vec<&Cause> = chain.causes.iter().filter(|cause| cause.kind == CauseKind::Wrote).collect();
    assert!(wrote.len() == 2 && wrote[0].at == wrote[1].at, "{wrote:#?}");
    assert!(wrote[0].violates.is_empty() && wrote[1].violates == [Property::NoDuplicate]);
}

#[test]
fn every_chain_is_short_in_order_and_ends_in_its_violation() {
    for chain in chains(&paused()) {
        assert!((3..=9).contains(&chain.causes.len()), "{chain:#?}");
        assert!(chain.causes.is_sorted_by_key(|cause| cause.at));
        let broken = chain.causes.iter().find(|cause| cause.violates.contains(&chain.property)).expect("a violation");
        assert_eq!(broken.at, chain.at);
    }
}

/// One shipped case for each of these properties. Other tests have histories written by hand.
#[test]
fn shipped_violations_are_explained() {
    const BUGS: [(&str, &str, u64, &str, Property); 3] = [
        (
            include_str!("../../scenarios/suites/bugs/bug-redlock-no-second-read.toml"),
            "redlock:paper",
            0,
            "redlock-no-second-read",
            Property::ValidityExclusion,
        ),
        (
            include_str!("../../scenarios/suites/bugs/bug-fence-refuses-equal.toml"),
            "lease-server",
            0,
            "fence-refuses-equal",
            Property::Fencing,
        ),
        (
            include_str!("../../scenarios/suites/bugs/bug-curator-release-forgets.toml"),
            "zookeeper",
            0,
            "curator-release-forgets",
            Property::Progress,
        ),
    ];
    for (text, lock, seed, bug, property) in BUGS {
        let run = CaseRecord::watch(&cell(text, lock, &[bug]), seed);
        let chains = chains(&run);
        let chain = chains.iter().find(|chain| chain.property == property).expect(bug);
        assert!((3..=9).contains(&chain.causes.len()), "{chain:#?}");
        assert!(timeline::themed(&run, Some(property), Theme::Auto).len() < 60_000, "{bug}");
    }
}

#[test]
fn a_release_that_ends_anothers_grant_is_explained() {
    let run = CaseRecord::watch(&cell(&PAUSED.replace("15s", "10s"), "redis-set-px-del", &[]), 0);
    let chains = chains(&run);
    let chain = chains.iter().find(|chain| chain.property == Property::OwnerRelease).expect("a foreign release");
    assert_in_order(chain, &["client-2 acquired", "client-1 released the lock", "release ended the grant of client-2"]);
}

#[test]
fn json_has_the_causes_of_each_violation() {
    let cell = cell(PAUSED, "redis-set-px", &[]);
    let json = explained_json(&cell, 0, &CaseRecord::watch(&cell, 0));
    for violation in json["violations"].as_array().expect("violations") {
        let causes = violation["causes"].as_array().expect("causes");
        assert!(causes.iter().all(|cause| cause["text"].is_string() && cause["at_ns"].is_u64()));
        assert!(causes.iter().any(|cause| cause["violates"][0] == violation["property"]), "{violation}");
    }
}

#[test]
fn a_timeline_is_deterministic_and_small() {
    let svg = timeline::svg(&paused());
    assert_eq!(svg, timeline::svg(&paused()));
    assert!(svg.len() < 40_000, "{} bytes", svg.len());
    for part in ["client-1", "client-2", "redis-1", "store", "paused 15.0 s (gc)", "stale write", "10.0 s later"] {
        assert!(svg.contains(part), "{part}");
    }
}

/// Returns the texts of a drawing with their positions.
fn texts_of(svg: &str) -> Vec<(f64, f64, String)> {
    let attribute = |text: &str, name: &str| -> f64 {
        let rest = text.split(&format!("{name}=\"")).nth(1).unwrap_or_default();
        rest.split('"').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
    };
    let texts = svg.split("<text ").skip(1).filter_map(|rest| rest.split("</text>").next());
    texts
        .filter_map(|text| text.split_once('>'))
        .map(|(attributes, text)| (attribute(attributes, "x"), attribute(attributes, "y"), text.to_owned()))
        .collect()
}

/// Returns the position of the first text that equals `wanted`.
fn position_of(svg: &str, wanted: &str) -> (f64, f64) {
    let found = texts_of(svg).into_iter().find(|(.., text)| text == wanted);
    found.map(|(x, y, _)| (x, y)).unwrap_or_else(|| panic!("`{wanted}` is not in the drawing"))
}

/// Returns the x positions of crosses in rings, which mark violations.
fn crosses(svg: &str) -> Vec<f64> {
    let rings =
        svg.split("<circle class=\"rg\" cx=\"").skip(1).filter(|rest| rest.contains(" r=\"11\"/><path class=\"al\""));
    let own = rings.filter(|rest| rest.split("/>").next().is_some_and(|ring| ring.ends_with(" r=\"11\"")));
    own.filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
}

#[test]
fn events_of_one_nanosecond_are_drawn_side_by_side() {
    let svg = timeline::svg(&tied());
    for number in 1..=9 {
        let drawn = texts_of(&svg).iter().filter(|(.., text)| *text == number.to_string()).count();
        assert_eq!(drawn, 2, "{number} must be in the drawing and below it");
    }
    let [read, stale] =
        ["7", "8"].map(|number| texts_of(&svg).into_iter().rfind(|word| word.2 == number && word.0 > 100.0));
    let (Some(read), Some(stale)) = (read, stale) else { panic!("7 and 8 are in the drawing") };
    assert!(stale.0 - read.0 >= 20.0, "{read:?} {stale:?}");
    assert!(svg.contains("stale write v0 → v1") && svg.contains(">write v0 → v2, v1 lost"));
    assert_eq!(crosses(&svg).len(), 2, "the late write, and the one that overwrote it");
    assert_eq!(crosses(&svg)[0], stale.0);
}

#[test]
fn arrows_end_at_the_edge_of_a_servers_grant() {
    let svg = timeline::svg(&tied());
    let lane = position_of(&svg, "redis-1").1 - 5.0;
    let arrows = svg.split("marker-end=").skip(1).filter_map(|rest| rest.split('"').nth(3));
    let heads: Vec<f64> = arrows.filter_map(|path| path.rsplit([' ', 'V']).next()?.parse().ok()).collect();
    assert!(heads.contains(&(lane + 10.0)), "client-1's release reaches client-2's grant from below: {heads:?}");
}

#[test]
fn labels_of_a_crowded_timeline_do_not_overlap() {
    let text = include_str!("../../scenarios/suites/scenarios/client-pauses.toml");
    let record = CaseRecord::watch(&cell(text, "redlock:paper", &[]), 17);
    let svg = timeline::themed(&record, Some(Property::EffectExclusion), timeline::Theme::Auto);
    let [first, second] = ["paused 10.2 s (gc)", "paused 8.5 s (gc)"].map(|label| position_of(&svg, label));
    assert!((first.1 - second.1).abs() > 10.0, "{first:?} {second:?}");
    let [read, later] = ["read v19", "3.4 s later"].map(|label| position_of(&svg, label));
    assert!(later.1 - read.1 > 12.0, "{read:?} {later:?}");
    assert_eq!(crosses(&svg), [position_of(&svg, "9").0], "the number is aligned with its mark");
    let granted = svg.split("granted to client-4</text>").next().expect("a label");
    assert!(granted.rsplit("<").nth(1).is_some_and(|behind| behind.starts_with("rect class=\"nw\"")), "{granted}");
}

#[test]
fn lost_messages_stop_between_lanes_and_the_key_explains_their_cross() {
    let text = include_str!("../../scenarios/suites/scenarios/datagrams.toml");
    let svg = timeline::svg(&CaseRecord::watch(&cell(text, "redlock:paper", &[]), 1));
    let lanes = ["redis-1", "redis-2", "redis-3", "redis-4", "redis-5", "client-4", "store"];
    let lanes = lanes.map(|name| position_of(&svg, name).1);
    let lost: Vec<f64> = texts_of(&svg).iter().filter(|word| word.2 == "lost").map(|word| word.1).collect();
    assert!(!lost.is_empty() && svg.contains("✗ on an arrow: lost"));
    assert!(lost.iter().all(|y| lanes.iter().all(|lane| (lane - y).abs() > 25.0)), "{lost:?} {lanes:?}");
}

#[test]
fn the_store_is_at_the_bottom_even_without_servers() {
    let svg = timeline::svg(&CaseRecord::watch(&cell(&PAUSED.replace("redis-set-px\"", "none\""), "none", &[]), 0));
    assert!(position_of(&svg, "store").1 > position_of(&svg, "client-2").1);
}

#[test]
fn a_single_omitted_node_is_singular() {
    let svg =
        timeline::svg(&CaseRecord::watch(&cell(&TIED.replace("count = 2", "count = 3"), "redis-set-px:docs", &[]), 3));
    assert!(svg.contains("1 other node not involved"), "{}", texts_of(&svg).last().expect("a key").2);
}

#[test]
fn several_timelines_can_share_a_page() {
    let svg = timeline::svg(&paused());
    let ids = svg.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
    assert!(ids.clone().count() > 2 && ids.clone().all(|id| id.starts_with("fptl")), "{:?}", ids.collect::<Vec<_>>());
    let style = svg.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).expect("a style");
    let rules = style.split('}').map(|rule| rule.rsplit('{').nth(1).unwrap_or_default());
    for rule in rules.filter(|rule| !rule.is_empty()) {
        assert!(rule.split(',').all(|selector| selector.trim().starts_with(".fptl")), "{rule}");
    }
    assert!(!svg.contains("href") && !svg.contains("<script"));
}

#[test]
fn names_from_a_file_are_escaped() {
    // Fault names are validated when a file is read, but `about` may contain any text.
    let about = "about = \"</text></title></svg><script>alert(1)</script><img src=x onerror=y>&\\u202e ";
    let run = CaseRecord::watch(&cell(&PAUSED.replace("about = \"", about), "redis-set-px", &[]), 0);
    let page = timeline::html(&run);
    for bad in ["<script", "<img", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("&lt;script&gt;") && page.matches("</svg>").count() == 1);
}

#[test]
fn a_case_without_violations_has_a_timeline_too() {
    let run = CaseRecord::watch(&cell(PAUSED, "sql-for-update", &[]), 0);
    assert!(render_causes(&chains(&run)).is_empty());
    assert!(timeline::svg(&run).contains("No property was violated"));
}

#[test]
fn the_extension_of_a_file_selects_its_format() {
    let run = paused();
    let file = |name: &str| timeline::file(&run, std::path::Path::new(name), Theme::Dark);
    assert!(file("a.svg").expect("an SVG").starts_with(b"<svg"));
    assert!(file("a.html").expect("a page").starts_with(b"<!DOCTYPE html>"));
    assert!(file("a.gif").is_err());
    #[cfg(feature = "png")]
    assert!(file("a.png").expect("a PNG").starts_with(b"\x89PNG"));
}
