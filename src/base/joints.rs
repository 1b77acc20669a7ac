//! Blocks to join something in that came in pieces, as TLS records do. Who waits longest for the
//! rest makes room for the next: peers that begin and never end must not keep the others out.
//!
//! What was joined and is whole is not asked to make room: it is on its way to somebody.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::{Rc, Weak},
};

use super::{Buffer, Shelf};

/// A shelf of blocks for what is not whole yet.
pub struct Joints {
    shelf: Rc<Shelf>,
    blocks_max: usize,
    /// The oldest first. Those that are whole, or gone, may still stand here.
    begun: RefCell<VecDeque<Weak<Joint>>>,
}

/// Something that is not whole yet, in a block of its own. Its bytes may be taken away.
pub struct Joint(RefCell<Option<Buffer>>);

impl Joints {
    /// Blocks of `block_bytes` bytes, at most `blocks_max` of them.
    #[must_use]
    pub fn new(block_bytes: usize, blocks_max: usize) -> Self {
        let begun = RefCell::default();
        Self { shelf: Shelf::new(block_bytes, blocks_max), blocks_max, begun }
    }

    /// The shelf.
    #[must_use]
    pub const fn shelf(&self) -> &Rc<Shelf> {
        &self.shelf
    }

    /// One buffer with all of `parts` copied in; for want of a block, in that of the oldest joint.
    /// `None` when they do not fit, or when all blocks hold what is whole.
    pub fn gather(&self, parts: &[&[u8]]) -> Option<Buffer> {
        while self.shelf.available() == 0 {
            let oldest = self.begun.borrow_mut().pop_front()?;
            // Its block goes back on the shelf.
            drop(oldest.upgrade().and_then(|joint| joint.0.take()));
        }
        self.shelf.gather(parts)
    }

    /// Keeps what is not whole yet; it is the youngest.
    pub fn keep(&self, buffer: Buffer) -> Rc<Joint> {
        let mut begun = self.begun.borrow_mut();
        if begun.len() >= 2 * self.blocks_max {
            begun.retain(|joint| joint.strong_count() > 0);
        }
        let joint = Rc::new(Joint(RefCell::new(Some(buffer))));
        begun.push_back(Rc::downgrade(&joint));
        joint
    }
}

impl Joint {
    /// Copies `bytes` in behind what is there. `None` when that was taken away, or they do not fit.
    pub fn append(&self, bytes: &[u8]) -> Option<()> {
        self.0.borrow_mut().as_mut()?.append(bytes).then_some(())
    }

    /// Looks at what is there, which is nothing when it was taken away.
    pub fn look<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(self.0.borrow().as_deref().unwrap_or_default())
    }

    /// What was joined; `None` when it was taken away.
    #[must_use]
    pub fn take(&self) -> Option<Buffer> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_and_what_is_whole_does_not() {
        let joints = Joints::new(8, 2);
        let first = joints.keep(joints.gather(&[b"a", b"b"]).unwrap());
        let second = joints.keep(joints.gather(&[b"cd"]).unwrap());
        assert_eq!(first.append(b"x"), Some(()));
        let third = joints.gather(&[b"ef"]).unwrap();
        assert_eq!(first.append(b"y"), None);
        assert!(first.take().is_none());
        assert_eq!(second.look(<[u8]>::len), 2);
        // One block holds what is whole, the other one makes room; then there is none.
        let fourth = joints.gather(&[b"gh"]).unwrap();
        assert!(second.take().is_none());
        assert!(joints.gather(&[b"ij"]).is_none());
        drop((third, fourth));
        assert_eq!(joints.shelf().available(), 2);
        assert!(joints.gather(&[&[0; 9]]).is_none());
    }

    #[test]
    fn what_is_gone_is_forgotten_in_time() {
        let joints = Joints::new(8, 2);
        let kept = joints.keep(joints.gather(&[b"kept"]).unwrap());
        for _ in 0..1_000 {
            let whole = joints.keep(joints.gather(&[b"x"]).unwrap()).take();
            assert_eq!(whole.as_deref(), Some(&b"x"[..]));
        }
        assert!(joints.begun.borrow().len() <= 4);
        assert_eq!(kept.look(<[u8]>::len), 4);
    }
}
