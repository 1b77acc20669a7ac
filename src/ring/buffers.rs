//! A buffer group: blocks of one shelf lent to the kernel, a window of them at a time. The
//! window is small so that the same warm blocks go round; it grows when the kernel runs dry.

use std::{io, rc::Rc};

use super::kernel::Kernel;
use crate::base::{Block, Buffer, Shelf, Supply};

/// The two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupId {
    /// Heads, small bodies, idle clients.
    Small,
    /// Streaming bodies, and all that comes from an upstream whose answers are long.
    Large,
}

impl GroupId {
    /// The group to receive from: small blocks while the large ones are all but used up.
    pub(super) fn unless_dry(self, supply: [Supply; 2]) -> Self {
        if supply[self as usize] == Supply::Dry { Self::Small } else { self }
    }

    pub(super) const fn number(self) -> u16 {
        match self {
            Self::Small => 0,
            Self::Large => 1,
        }
    }
}

pub(super) struct Group {
    id: GroupId,
    shelf: Rc<Shelf>,
    /// By buffer number: the block that the kernel may write.
    lent: Vec<Option<Rc<Block>>>,
    /// Buffer numbers that the kernel does not have.
    idle: Vec<u16>,
    window: usize,
    opened: bool,
}

impl Group {
    pub(super) fn new(id: GroupId, shelf: Rc<Shelf>, entries: u16, window: usize) -> Self {
        let lent = (0..entries).map(|_| None).collect();
        let idle = (0..entries).rev().collect();
        Self { id, shelf, lent, idle, window, opened: false }
    }

    /// Registers the group with the kernel, the first time.
    pub(super) fn open(&mut self, kernel: &mut dyn Kernel) -> io::Result<()> {
        if self.opened {
            return Ok(());
        }
        let entries = u16::try_from(self.lent.len()).expect("made from a u16");
        kernel.open_group(self.id.number(), entries)?;
        self.opened = true;
        Ok(())
    }

    /// Blocks that the kernel may write now.
    pub(super) const fn published(&self) -> usize {
        self.lent.len() - self.idle.len()
    }

    /// How many blocks there are: see [`Shelf::supply`].
    pub(super) fn supply(&self, was: Supply) -> Supply {
        self.shelf.supply(was)
    }

    /// Tops the window up from the shelf: as late as possible, so that the blocks that were
    /// dropped last, which are still in the cache, go out first.
    pub(super) fn refill(&mut self, kernel: &mut dyn Kernel) {
        while self.opened && self.published() < self.window {
            let Some(&number) = self.idle.last() else { return };
            let Some(mut block) = self.shelf.take() else { return };
            self.idle.pop();
            let bytes = Rc::get_mut(&mut block).expect("a block on the shelf is held once");
            let bytes = bytes.bytes_mut();
            let length = u32::try_from(bytes.len()).expect("a block is smaller than 4 GiB");
            // SAFETY: the block is held by nobody else, and `lent` keeps it untouched until a
            // completion names its number.
            unsafe { kernel.provide(self.id.number(), number, bytes.as_mut_ptr(), length) };
            self.lent[usize::from(number)] = Some(block);
        }
    }

    /// The kernel filled this buffer with `filled` bytes and let go of it.
    pub(super) fn take(&mut self, number: u16, filled: usize) -> Option<Buffer> {
        let block = self.lent.get_mut(usize::from(number))?.take()?;
        self.idle.push(number);
        Some(Buffer::new(block, filled))
    }

    /// The kernel ran dry: a larger window from now on.
    pub(super) fn widen(&mut self) {
        if self.published() < self.window / 2 {
            self.window = (self.window * 2).min(self.lent.len());
        }
    }

    /// The kernel may still write the blocks: they are given up instead of reused.
    pub(super) fn leak(&mut self) {
        for block in self.lent.iter_mut().filter_map(Option::take) {
            std::mem::forget(block);
        }
    }

    /// The kernel is gone: the blocks go home.
    pub(super) fn take_back(&mut self) {
        for number in 0..self.lent.len() {
            if let Some(block) = self.lent[number].take() {
                self.idle.push(u16::try_from(number).expect("made from a u16"));
                self.shelf.give_back(block);
            }
        }
    }
}
