//! Code that runs beside the main code of a process, and how the two tell each other.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Code that was spawned and that its host has not taken over yet, or runs.
pub(crate) struct Spawned {
    /// Off when its task was dropped.
    pub alive: Rc<Cell<bool>>,
    pub code: Code,
}

pub(crate) type Code = Pin<Box<dyn Future<Output = ()>>>;

/// Code that runs beside the main code of a process. Dropping this ends it.
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

/// How one part of a process's code lets another go on. One part waits at a time.
#[derive(Clone, Debug, Default)]
pub struct Signal(Rc<SignalState>);

#[derive(Debug, Default)]
struct SignalState {
    raised: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Signal {
    /// Lets whoever waits go on, now or when it comes to wait.
    pub fn raise(&self) {
        self.0.raised.set(true);
        if let Some(waiting) = self.0.waiting.borrow_mut().take() {
            waiting.wake();
        }
    }

    /// Waits until it is raised, and lowers it again.
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
