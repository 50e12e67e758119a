//! Ctrl-C: prints the result so far before the program exits.

use std::sync::{Arc, Mutex, PoisonError};

use super::screen::print;

/// The exit code that shells report for a program stopped by SIGINT: 128 + 2.
const INTERRUPTED: i32 = 130;

/// The text to print when the user interrupts the program.
#[derive(Clone, Debug, Default)]
pub(super) struct InterruptMessage(Arc<Mutex<Texts>>);

#[derive(Debug, Default)]
struct Texts {
    stdout: String,
    stderr: String,
}

impl InterruptMessage {
    /// Installs the handler with an empty message. If signals cannot be handled, Ctrl-C exits without a message.
    pub(super) fn install() -> Self {
        let message = InterruptMessage::default();
        let for_handler = message.clone();
        let _ = ctrlc::set_handler(move || for_handler.print_and_exit());
        message
    }

    /// Replaces the message: a result for stdout, and its explanation for stderr.
    pub(super) fn set(&self, stdout: impl Into<String>, stderr: impl Into<String>) {
        let texts = Texts { stdout: stdout.into(), stderr: stderr.into() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = texts;
    }

    fn print_and_exit(&self) {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A failure to print cannot be reported either.
        let _ = print(&texts.stdout);
        if !texts.stderr.is_empty() {
            eprintln!("{}", texts.stderr);
        }
        std::process::exit(INTERRUPTED);
    }
}
