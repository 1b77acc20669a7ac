//! Names to be found without case: a table of their hashes, which allocates nothing when asked.
//!
//! The table is at most half full, and who asks cannot add to it. The texts stay with the caller.

/// Open addressing by the hash of a name, with linear probing.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// A power of two of them, at least half of them vacant; or none at all.
    slots: Box<[Slot]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    /// The name's number.
    number: u32,
}

const VACANT: Slot = Slot { hash: 0, number: u32::MAX };

impl Table {
    /// An empty table for `count` names.
    pub(super) fn with_room_for(count: usize) -> Self {
        let slots = if count == 0 { 0 } else { (2 * count).next_power_of_two() };
        Self { slots: vec![VACANT; slots].into() }
    }

    /// Whether nothing can be found in it.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds a name under a number of its own, below `u32::MAX`.
    pub(super) fn insert(&mut self, number: u32, name: &[u8]) {
        let (hash, mask) = (hash(name), self.slots.len() - 1);
        let mut place = hash as usize;
        while self.slots[place & mask].number != VACANT.number {
            place += 1;
        }
        self.slots[place & mask] = Slot { hash, number };
    }

    /// The number of a name; `text` tells what was inserted under a number.
    #[inline]
    pub(super) fn find<'t>(&self, name: &[u8], text: impl Fn(u32) -> &'t [u8]) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let hash = hash(name);
        let mut place = hash as usize;
        loop {
            let slot = self.slots[place & mask];
            if slot.number == VACANT.number {
                return None;
            }
            if slot.hash == hash && text(slot.number).eq_ignore_ascii_case(name) {
                return Some(slot.number);
            }
            place += 1;
        }
    }
}

/// The same for every case of a name: 0x20 makes capitals small. It also makes a few other bytes
/// the same, which no name has; the comparison tells them apart.
#[inline]
fn hash(name: &[u8]) -> u32 {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    const FACTOR: u64 = 0x517C_C1B7_2722_0A95;
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ (word | SMALL)).wrapping_mul(FACTOR);
    let (words, rest) = name.as_chunks::<8>();
    let state = words.iter().fold(0, |state, word| mix(state, u64::from_le_bytes(*word)));
    let tail = rest.iter().fold(rest.len() as u64, |tail, byte| tail << 8 | u64::from(*byte));
    (mix(state, tail) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash that does not spread names makes a lookup a scan.
    #[test]
    fn ten_thousand_names_are_spread_over_the_table() {
        let name = |index| format!("tenant-{index}.api.example.com");
        let names: Vec<String> = (0..10_000).map(name).collect();
        let mut table = Table::with_room_for(names.len());
        for (number, name) in (0..).zip(&names) {
            table.insert(number, name.as_bytes());
        }
        let mask = table.slots.len() - 1;
        let steps = |(place, slot): (usize, &Slot)| (place.wrapping_sub(slot.hash as usize)) & mask;
        let taken = table.slots.iter().enumerate().filter(|slot| slot.1.number != VACANT.number);
        let steps: Vec<usize> = taken.map(steps).collect();
        assert_eq!(steps.len(), 10_000);
        assert!(steps.iter().sum::<usize>() < 10_000, "{}", steps.iter().sum::<usize>());
        assert!(steps.iter().max() < Some(&40), "{:?}", steps.iter().max());
        for (number, name) in (0..).zip(&names) {
            let found =
                table.find(name.to_uppercase().as_bytes(), |at| names[at as usize].as_bytes());
            assert_eq!(found, Some(number));
        }
    }
}
