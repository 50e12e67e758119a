//! Shrinks many cases on several threads. One thread shrinks a case, so the result does not depend on their number.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::{Effort, Failing, NotShrunk, Shrunk, shrink};
use crate::run::registry::Registry;

/// Shrinks all of these cases. `sink` gets each result with its index, in the order in which they finish.
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
