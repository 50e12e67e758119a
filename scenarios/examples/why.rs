//! why
use fencepost_scenarios::{
    case,
    cell::Cell,
    file,
    property::{Property, Verdict},
    recorder::*,
    registry::Registry,
};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
struct P(bool);
impl Watcher for P {
    fn see(&mut self, s: &Sighting<'_>) {
        if self.0 || s.event.is_some() {
            println!("{} {}", s.at, s.what)
        }
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let registry = Registry::standard();
    let text = std::fs::read_to_string(&a[1]).unwrap();
    let s = Arc::new(file::scenario(&registry, &a[1], &text).unwrap());
    let cell = Cell::new(&s, registry.lock(&a[2]).unwrap(), &[]);
    let p = Property::named(&a[3]).unwrap();
    for seed in 0..10000 {
        let r = case::run(&cell, seed, None);
        if r.outcome.verdict(p) == Verdict::Violated {
            println!("seed {seed}");
            if a.len() > 4 {
                case::run(&cell, seed, Some(Rc::new(RefCell::new(P(a[4] == "all")))));
            }
            for e in &r.evidence {
                println!("{:?}: {e}", e.property)
            }
            break;
        }
    }
}
