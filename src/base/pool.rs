//! A bounded free list for things whose allocation is worth keeping: vectors of header fields,
//! output text. Taking from it allocates only while it is cold.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
    rc::Rc,
};

/// A bounded free list of `T`; cheap to clone, lives on one shard.
pub struct Pool<T> {
    free: Rc<RefCell<Vec<T>>>,
    kept_max: usize,
    clear: fn(&mut T),
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self { free: Rc::clone(&self.free), kept_max: self.kept_max, clear: self.clear }
    }
}

impl<T: Default> Pool<T> {
    /// A pool that keeps at most `kept_max` values; `clear` empties one on its way back.
    #[must_use]
    pub fn new(kept_max: usize, clear: fn(&mut T)) -> Self {
        Self { free: Rc::new(RefCell::new(Vec::new())), kept_max, clear }
    }

    /// A value from the list, or a new one when the list is empty.
    #[must_use]
    pub fn take(&self) -> Pooled<T> {
        let value = self.free.borrow_mut().pop().unwrap_or_default();
        Pooled { value: Some(value), pool: self.clone() }
    }
}

/// A value on loan from a [`Pool`]; goes back, cleared, when dropped.
pub struct Pooled<T> {
    value: Option<T>,
    pool: Pool<T>,
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("present until dropped")
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("present until dropped")
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        let Some(mut value) = self.value.take() else { return };
        (self.pool.clear)(&mut value);
        let mut free = self.pool.free.borrow_mut();
        if free.len() < self.pool.kept_max {
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
        assert_eq!(pool.free.borrow().len(), 1);
    }
}
