//! Slots in chunks that never move, found by place and generation. An old key finds nothing.

use super::kernel::Key;

const CHUNK: usize = 128;

/// A growing table of `T`, at most `places_max` of them.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Place<T>>>,
    free: Vec<u32>,
    places_max: usize,
    used: usize,
}

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    /// An empty table; its keys fit a [`super::kernel::Token`].
    pub(super) fn new(places_max: usize) -> Self {
        assert!(places_max <= 1 << 28);
        Self { chunks: Vec::new(), free: Vec::new(), places_max, used: 0 }
    }

    /// How many values are in it.
    pub(super) const fn len(&self) -> usize {
        self.used
    }

    /// Puts a value in; gives it back when the table is full.
    pub(super) fn insert(&mut self, value: T) -> Result<Key, T> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => match self.grow() {
                Some(index) => index,
                None => return Err(value),
            },
        };
        let place = &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK];
        place.value = Some(value);
        self.used += 1;
        Ok(Key { index, generation: place.generation })
    }

    fn grow(&mut self) -> Option<u32> {
        if self.used == self.places_max {
            return None;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut().expect("one was pushed if there was none");
        chunk.push(Place { generation: 0, value: None });
        u32::try_from(before + chunk.len() - 1).ok()
    }

    /// The value of this key, if the key is still current.
    pub(super) fn find(&mut self, key: Key) -> Option<&mut T> {
        let place = self.chunks.get_mut(key.index as usize / CHUNK)?;
        let place = place.get_mut(key.index as usize % CHUNK)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// Takes the value out; its place gets a new generation.
    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.chunks.get_mut(key.index as usize / CHUNK)?;
        let place = place.get_mut(key.index as usize % CHUNK)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        self.used -= 1;
        Some(value)
    }

    /// The keys of all values.
    pub(super) fn keys(&self) -> Vec<Key> {
        let places = self.chunks.iter().flatten().enumerate();
        let used = places.filter(|(_, place)| place.value.is_some());
        used.filter_map(|(index, place)| {
            let index = u32::try_from(index).ok()?;
            Some(Key { index, generation: place.generation })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_finds_nothing() {
        let mut slab = Slab::new(300);
        let one = slab.insert("one").expect("room");
        assert_eq!(slab.remove(one), Some("one"));
        let two = slab.insert("two").expect("room");
        assert_eq!(two.index, one.index);
        assert_eq!(slab.find(one), None);
        assert_eq!(slab.remove(one), None);
        assert_eq!(slab.find(two), Some(&mut "two"));
    }

    #[test]
    fn it_is_full_at_its_bound() {
        let mut slab = Slab::new(CHUNK + 1);
        let keys: Vec<_> = (0..=CHUNK).map(|n| slab.insert(n).expect("room")).collect();
        assert_eq!(slab.insert(0), Err(0));
        assert_eq!(slab.keys(), keys);
        slab.remove(keys[3]);
        assert!(slab.insert(3).is_ok());
        assert_eq!(slab.len(), CHUNK + 1);
    }
}
