//! Ctrl-C: what was found so far is said before the program ends.

use std::sync::{Arc, Mutex, PoisonError};

use super::screen::print;

/// What shells say of a program that was interrupted: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// What is said when the user interrupts.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWords(Arc<Mutex<Words>>);

#[derive(Debug, Default)]
struct Words {
    out: String,
    err: String,
}

impl LastWords {
    /// Says nothing at first. Where signals cannot be handled the program ends at once, as it would anyway.
    pub(super) fn none() -> Self {
        let words = LastWords::default();
        let of_handler = words.clone();
        let _ = ctrlc::set_handler(move || of_handler.say_and_exit());
        words
    }

    /// From now on these: a result for stdout, and what it is for stderr.
    pub(super) fn are(&self, out: impl Into<String>, err: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Words { out: out.into(), err: err.into() };
    }

    fn say_and_exit(&self) {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to tell if this fails.
        let _ = print(&words.out);
        if !words.err.is_empty() {
            eprintln!("{}", words.err);
        }
        std::process::exit(INTERRUPTED);
    }
}
