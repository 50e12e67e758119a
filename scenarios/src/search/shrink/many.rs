//! Shrinks many cases on several threads. Each case is shrunk by one thread, so results do not depend on
//! the number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use super::{Effort, Failing, NotShrunk, Shrunk, shrink};
use crate::run::registry::Registry;

/// Shrinks all of these cases. `sink` receives each result and its index, in order of completion.
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
