//! Tasks that run concurrently with a process's main code, and signals between them.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Spawned code.
pub(crate) struct Spawned {
    /// False once the task has been dropped or its code has returned.
    pub alive: Rc<Cell<bool>>,
    pub code: Code,
}

pub(crate) type Code = Pin<Box<dyn Future<Output = ()>>>;

/// A handle to code that runs concurrently with a process's main code. Dropping the handle cancels the code.
#[must_use = "dropping the task cancels its code"]
#[derive(Debug)]
pub struct Task {
    alive: Rc<Cell<bool>>,
}

impl Task {
    pub(crate) fn new(code: impl Future<Output = ()> + 'static) -> (Task, Spawned) {
        let alive = Rc::new(Cell::new(true));
        (Task { alive: alive.clone() }, Spawned { alive, code: Box::pin(code) })
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.alive.set(false);
    }
}

/// Wakes one part of a process's code from another. Only one part can wait on a signal at a time.
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<SignalState>);

#[derive(Debug, Default)]
struct SignalState {
    raised: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Signal {
    /// Wakes the waiting part, or the next one to wait.
    pub fn raise(&self) {
        self.0.raised.set(true);
        if let Some(waiting) = self.0.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }

    /// Waits until the signal is raised, then clears it.
    pub async fn raised(&self) {
        poll_fn(|cx| {
            if self.0.raised.take() {
                return Poll::Ready(());
            }
            *self.0.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
