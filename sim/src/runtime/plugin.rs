//! The kernel as a plugin of madsim.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use madsim::Config;
use madsim::plugin::Simulator;
use madsim::rand::GlobalRng;
use madsim::time::TimeHandle;
use send_wrapper::SendWrapper;

use super::Shared;
use crate::message::Message;
use crate::world::World;

/// A madsim simulator, like madsim's own network and file system. Code inside the runtime finds the world through it. The
/// reference is weak because a leaked madsim task may keep the plugin alive.
pub(super) struct Kernel<M: Message, N: Message> {
    /// madsim requires `Send` and `Sync`, but a runtime and its plugins never leave their thread.
    world: SendWrapper<RefCell<WeakWorld<M, N>>>,
}

type WeakWorld<M, N> = Weak<RefCell<World<M, N>>>;

impl<M: Message, N: Message> Simulator for Kernel<M, N> {
    fn new(_: &GlobalRng, _: &TimeHandle, _: &Config) -> Self {
        Kernel { world: SendWrapper::new(RefCell::new(Weak::new())) }
    }
}

impl<M: Message, N: Message> Kernel<M, N> {
    /// Sets the world of this runtime.
    pub fn host(&self, world: &Shared<M, N>) {
        *self.world.borrow_mut() = Rc::downgrade(world);
    }

    /// Returns the world of this runtime.
    pub fn world(&self) -> Shared<M, N> {
        self.world.borrow().upgrade().expect("the world lives as long as its runtime runs")
    }
}
