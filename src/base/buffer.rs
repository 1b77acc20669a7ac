//! Receive buffers. A [`Shelf`] owns blocks of one size, bounded in number; a [`Buffer`] is a
//! range of a filled block, shared by counting. When the last buffer of a block is dropped, the
//! block goes back on its shelf: for the next receive, without touching the allocator.
//!
//! The kernel writes only into blocks that the ring driver holds alone (`Rc::get_mut` shows it).

use std::{
    cell::{Cell, RefCell},
    ops::{Deref, Range},
    rc::{Rc, Weak},
};

/// Blocks of one size, made when first needed, at most `blocks_max` of them.
pub struct Shelf {
    free: RefCell<Vec<Rc<Block>>>,
    block_bytes: usize,
    blocks_max: usize,
    made: Cell<usize>,
    this: Weak<Self>,
}

/// How many blocks of a shelf are to be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Supply {
    /// Enough for everybody.
    #[default]
    Plenty,
    /// Fewer than half of all: nobody may keep many of them now.
    Scarce,
    /// Fewer than an eighth.
    Dry,
}

/// A block of memory that belongs to a shelf. Whoever holds it alone may write it.
pub struct Block {
    bytes: Box<[u8]>,
    home: Weak<Shelf>,
}

impl Block {
    /// The whole block, writable because the caller holds the only reference.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Shelf {
    /// A shelf of blocks of `block_bytes` bytes, at most `blocks_max` of them alive.
    #[must_use]
    pub fn new(block_bytes: usize, blocks_max: usize) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            free: RefCell::new(Vec::new()),
            block_bytes,
            blocks_max,
            made: Cell::new(0),
            this: this.clone(),
        })
    }

    /// The size of one block.
    #[must_use]
    pub const fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Blocks alive, on the shelf or lent.
    #[must_use]
    pub fn blocks_made(&self) -> usize {
        self.made.get()
    }

    /// Blocks that [`Shelf::take`] could hand out now.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.borrow().len() + (self.blocks_max - self.made.get())
    }

    /// How many blocks are to be had. What was said last stays said a little longer, so that it
    /// does not change with every block.
    #[must_use]
    pub fn supply(&self, was: Supply) -> Supply {
        let (available, eighth) = (self.available(), self.blocks_max.div_ceil(8));
        let below = |eighths: usize| available < eighths * eighth;
        let dry = below(if was == Supply::Dry { 2 } else { 1 });
        let scarce = below(if was == Supply::Plenty { 4 } else { 6 });
        match (dry, scarce) {
            (true, _) => Supply::Dry,
            (false, true) => Supply::Scarce,
            (false, false) => Supply::Plenty,
        }
    }

    /// The block that came back last, or a new one; `None` at the bound. The `Rc` is unique.
    pub fn take(&self) -> Option<Rc<Block>> {
        if let Some(block) = self.free.borrow_mut().pop() {
            return Some(block);
        }
        if self.made.get() == self.blocks_max {
            return None;
        }
        self.made.set(self.made.get() + 1);
        let bytes = vec![0; self.block_bytes].into_boxed_slice();
        Some(Rc::new(Block { bytes, home: self.this.clone() }))
    }

    /// Puts a block back that no [`Buffer`] was made of.
    pub fn give_back(&self, block: Rc<Block>) {
        self.free.borrow_mut().push(block);
    }

    /// One buffer with all of `parts` copied in; `None` when they do not fit or at the bound.
    pub fn gather(&self, parts: &[&[u8]]) -> Option<Buffer> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > self.block_bytes {
            return None;
        }
        let mut block = self.take()?;
        let bytes = Rc::get_mut(&mut block).expect("a block on the shelf is held once");
        let mut end = 0;
        for part in parts {
            bytes.bytes[end..end + part.len()].copy_from_slice(part);
            end += part.len();
        }
        Some(Buffer::new(block, end))
    }
}

/// A range of a filled block; reads as `[u8]`. Cloning counts, it does not copy.
#[derive(Clone)]
pub struct Buffer {
    block: Option<Rc<Block>>,
    start: u32,
    end: u32,
}

impl Buffer {
    /// The first `filled` bytes of a block.
    ///
    /// # Panics
    /// When `filled` is more than the block holds.
    #[must_use]
    pub fn new(block: Rc<Block>, filled: usize) -> Self {
        assert!(filled <= block.bytes.len());
        let end = u32::try_from(filled).expect("a block is smaller than 4 GiB");
        Self { block: Some(block), start: 0, end }
    }

    /// A copy of `bytes` in a block of its own, which belongs to no shelf and is freed with it.
    /// Whoever calls it bounds how many there are.
    ///
    /// # Panics
    /// With 4 GiB or more.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::empty();
        }
        Self::new(Rc::new(Block { bytes: bytes.into(), home: Weak::new() }), bytes.len())
    }

    /// A buffer of no bytes that belongs to no shelf.
    #[must_use]
    pub const fn empty() -> Self {
        Self { block: None, start: 0, end: 0 }
    }

    /// The size of the whole block that this buffer keeps from its shelf.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.bytes.len())
    }

    /// Drops the first `count` bytes from view.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len());
        self.start += u32::try_from(count).expect("within the block");
        if self.start == self.end {
            *self = Self::empty();
        }
    }

    /// Keeps only the first `count` bytes in view.
    pub fn truncate(&mut self, count: usize) {
        if count < self.len() {
            self.end = self.start + u32::try_from(count).expect("within the block");
        }
    }

    /// Copies `bytes` in behind the view, when this buffer alone holds its block and they fit
    /// there; else changes nothing and says `false`.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let (start, end) = (self.end as usize, self.end as usize + bytes.len());
        let Some(block) = self.block.as_mut().and_then(Rc::get_mut) else { return false };
        let Some(room) = block.bytes.get_mut(start..end) else { return false };
        room.copy_from_slice(bytes);
        self.end = u32::try_from(end).expect("within the block");
        true
    }

    /// The bytes in view, to be changed, when this buffer alone holds its block.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        let range = self.start as usize..self.end as usize;
        self.block.as_mut().and_then(Rc::get_mut).map(|block| &mut block.bytes[range])
    }

    /// A part of the bytes in view, in the same block.
    ///
    /// # Panics
    /// When the range does not lie within the view.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let mut part = self.clone();
        part.truncate(range.end);
        part.advance(range.start);
        part
    }

    /// Splits off and returns the first `count` bytes; the rest stays.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        let mut front = self.clone();
        front.truncate(count);
        self.advance(count);
        front
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.block {
            Some(block) => &block.bytes[self.start as usize..self.end as usize],
            None => &[],
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        if Rc::strong_count(&block) == 1
            && let Some(home) = block.home.upgrade()
        {
            home.give_back(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_home_when_its_last_buffer_is_dropped() {
        let shelf = Shelf::new(16, 1);
        let one = shelf.gather(&[b"head", b"body"]).expect("fits");
        let mut two = one.clone();
        assert_eq!(&*two.split_to(4), b"head");
        assert_eq!(&*two, b"body");
        assert!(shelf.take().is_none());
        drop(one);
        assert_eq!(shelf.available(), 0);
        drop(two);
        assert_eq!(shelf.available(), 1);
        assert_eq!(shelf.blocks_made(), 1);
    }

    /// Of 16 blocks: scarce below 8 until there are 12, dry below 2 until there are 4.
    #[test]
    fn blocks_are_scarce_and_dry_until_there_are_enough_again() {
        let shelf = Shelf::new(4, 16);
        let mut out: Vec<_> = (0..16).map(|_| shelf.take().expect("a block")).collect();
        let mut check = |available: usize, was, expected| {
            out.drain(..available.saturating_sub(shelf.available()))
                .for_each(|block| shelf.give_back(block));
            assert_eq!(shelf.supply(was), expected, "{available} are to be had, was {was:?}");
        };
        check(1, Supply::Scarce, Supply::Dry);
        check(2, Supply::Scarce, Supply::Scarce);
        check(3, Supply::Dry, Supply::Dry);
        check(4, Supply::Dry, Supply::Scarce);
        check(7, Supply::Plenty, Supply::Scarce);
        check(8, Supply::Plenty, Supply::Plenty);
        check(11, Supply::Scarce, Supply::Scarce);
        check(12, Supply::Scarce, Supply::Plenty);
    }

    #[test]
    fn gather_refuses_what_does_not_fit() {
        let shelf = Shelf::new(4, 4);
        assert!(shelf.gather(&[b"1234"]).is_some());
        assert!(shelf.gather(&[b"1234", b"5"]).is_none());
    }

    #[test]
    fn append_needs_room_and_sole_ownership() {
        let shelf = Shelf::new(4, 4);
        let mut buffer = shelf.gather(&[b"ab"]).expect("fits");
        assert!(buffer.append(b"cd"));
        assert!(!buffer.append(b"e"));
        assert_eq!(&*buffer, b"abcd");
        let mut shared = shelf.gather(&[b"x"]).expect("fits");
        let _other = shared.clone();
        assert!(!shared.append(b"y"));
    }

    #[test]
    fn a_buffer_is_changed_by_its_only_holder() {
        let shelf = Shelf::new(8, 1);
        let mut buffer = shelf.gather(&[b"abcd"]).expect("fits");
        buffer.advance(1);
        buffer.bytes_mut().expect("held once").make_ascii_uppercase();
        let part = buffer.part(1..3);
        assert_eq!((&*buffer, &*part), (&b"BCD"[..], &b"CD"[..]));
        assert!(buffer.bytes_mut().is_none());
        assert!(Buffer::empty().bytes_mut().is_none());
        assert!(buffer.part(2..2).is_empty());
    }

    #[test]
    fn a_buffer_that_outlives_its_shelf_is_freed() {
        let shelf = Shelf::new(4, 4);
        let buffer = shelf.gather(&[b"abc"]).expect("fits");
        drop(shelf);
        assert_eq!(&*buffer, b"abc");
    }
}
