//! Tasks that run beside the main code of a process, and signals between them.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Spawned code, before or after its host has taken it over.
pub(crate) struct Spawned {
    /// False once its task has been dropped.
    pub alive: Rc<Cell<bool>>,
    pub code: Code,
}

pub(crate) type Code = Pin<Box<dyn Future<Output = ()>>>;

/// A handle on code that runs beside the main code of a process. Dropping it cancels the code.
#[must_use = "the code ends when its task is dropped"]
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

/// Wakes one part of a process's code from another. Only one part can wait at a time.
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<SignalState>);

#[derive(Debug, Default)]
struct SignalState {
    raised: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Signal {
    /// Wakes the part that waits, or the next part that will.
    pub fn raise(&self) {
        self.0.raised.set(true);
        if let Some(waiting) = self.0.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }

    /// Waits until it is raised, then lowers it.
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
