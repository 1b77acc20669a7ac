//! A bounded free list for things whose allocation is worth keeping: heads with their lists of
//! fields, output text. Taking from it allocates only while it is cold. A loan is two pointers
//! wide, so that what travels through many hands is cheap to hand on.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
    rc::Rc,
};

/// A bounded free list of `T`; cheap to clone, lives on one shard.
pub struct Pool<T>(Rc<Kept<T>>);

struct Kept<T> {
    free: RefCell<Vec<Box<T>>>,
    kept_max: usize,
    clear: fn(&mut T),
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Default> Pool<T> {
    /// A pool that keeps at most `kept_max` values; `clear` empties one on its way back.
    #[must_use]
    pub fn new(kept_max: usize, clear: fn(&mut T)) -> Self {
        Self(Rc::new(Kept { free: RefCell::default(), kept_max, clear }))
    }

    /// A value from the list, or a new one when the list is empty.
    #[must_use]
    pub fn take(&self) -> Pooled<T> {
        let value = self.0.free.borrow_mut().pop().unwrap_or_default();
        Pooled { value: Some(value), pool: self.clone() }
    }
}

/// A value on loan from a [`Pool`]; goes back, cleared, when dropped.
pub struct Pooled<T> {
    value: Option<Box<T>>,
    pool: Pool<T>,
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_deref().expect("present until dropped")
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_deref_mut().expect("present until dropped")
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        let Some(mut value) = self.value.take() else { return };
        let kept = &*self.pool.0;
        (kept.clear)(&mut value);
        let mut free = kept.free.borrow_mut();
        if free.len() < kept.kept_max {
            free.push(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_cleared_with_its_capacity() {
        let pool: Pool<Vec<u8>> = Pool::new(1, Vec::clear);
        let mut first = pool.take();
        first.extend_from_slice(&[1; 100]);
        drop(first);
        let again = pool.take();
        assert!(again.is_empty());
        assert!(again.capacity() >= 100);
    }

    #[test]
    fn the_list_keeps_no_more_than_its_bound() {
        let pool: Pool<Vec<u8>> = Pool::new(1, Vec::clear);
        let (one, two) = (pool.take(), pool.take());
        drop((one, two));
        assert_eq!(pool.0.free.borrow().len(), 1);
    }
}
