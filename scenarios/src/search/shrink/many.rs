//! Shrinks many cases on all cores. Each is shrunk by one thread alone, so nothing depends on how many there are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::{Effort, Failing, NotShrunk, Shrunk, shrink};
use crate::registry::Registry;

/// Shrinks all of these. `sink` gets each result as soon as it is there, with its index.
pub fn shrink_all(
    registry: &Registry,
    failing: &[Failing<'_>],
    effort: Effort,
    threads: usize,
    mut sink: impl FnMut(usize, Result<Shrunk, NotShrunk>),
) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, results) = channel();
        for _ in 0..threads.clamp(1, failing.len().max(1)) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(failing) = failing.get(index) else { return };
                    if sender.send((index, shrink(registry, failing, effort))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        results.iter().for_each(|(index, result)| sink(index, result));
    });
}
