//! The page of takeover times says what is measured.

#[path = "../examples/takeover.rs"]
mod example;

#[test]
fn the_page_of_takeover_times_is_true() {
    let stored = include_str!("../../docs/takeover.md");
    assert_eq!(example::page(), stored, "make it anew as it says itself");
}
