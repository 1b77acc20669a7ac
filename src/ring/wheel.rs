//! A hierarchical timer wheel: six levels of 64 slots, ticks of 2^20 ns (about a millisecond).
//! Inserting, removing and firing cost the same however many timers there are. It reads no
//! clock: time is an argument. A timer never fires early and at most two ticks late.

use crate::base::Moment;

const LEVELS: usize = 6;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const TICK_BITS: u32 = 20;
const NONE: u32 = u32::MAX;
/// Ticks that the wheel can tell apart; a timer farther off is looked at again on the way.
const HORIZON: u64 = 1 << (SLOT_BITS * LEVELS as u32);

/// A timer's handle, valid until it fired or was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerId(u32);

/// Timers that carry a `T`.
pub(super) struct Wheel<T> {
    /// Everything up to this tick has fired.
    elapsed: u64,
    heads: [[u32; SLOTS]; LEVELS],
    occupied: [u64; LEVELS],
    timers: Vec<Timer<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Timer<T> {
    tick: u64,
    next: u32,
    previous: u32,
    /// Level and slot, as `level * SLOTS + slot`.
    place: u16,
    what: T,
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel that starts at `now`.
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            elapsed: now.0 >> TICK_BITS,
            heads: [[NONE; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            timers: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Timers in the wheel.
    pub(super) const fn len(&self) -> usize {
        self.timers.len() - self.free.len()
    }

    /// Adds a timer; one that is already due fires at the next tick.
    pub(super) fn insert(&mut self, at: Moment, what: T) -> TimerId {
        let tick = at.0.div_ceil(1 << TICK_BITS);
        let timer = Timer { tick, next: NONE, previous: NONE, place: 0, what };
        let id = match self.free.pop() {
            Some(id) => {
                self.timers[id as usize] = timer;
                id
            }
            None => {
                self.timers.push(timer);
                u32::try_from(self.timers.len() - 1).expect("fewer than 4 billion timers")
            }
        };
        self.link(id);
        TimerId(id)
    }

    /// Takes a timer out before it fired.
    pub(super) fn remove(&mut self, id: TimerId) {
        self.unlink(id.0);
        self.free.push(id.0);
    }

    /// Fires all that is due at `now`, in no particular order within one tick.
    pub(super) fn advance(&mut self, now: Moment, fired: &mut Vec<T>) {
        let now = now.0 >> TICK_BITS;
        while let Some((level, slot, tick)) = self.next_slot() {
            if tick > now {
                break;
            }
            self.elapsed = tick;
            self.empty_slot(level, slot, fired);
        }
        self.elapsed = self.elapsed.max(now);
    }

    /// When [`Wheel::advance`] must be called next; nothing fires before.
    pub(super) fn next(&self) -> Option<Moment> {
        let (_, _, tick) = self.next_slot()?;
        Some(Moment(tick.saturating_mul(1 << TICK_BITS)))
    }

    fn empty_slot(&mut self, level: usize, slot: usize, fired: &mut Vec<T>) {
        let mut id = std::mem::replace(&mut self.heads[level][slot], NONE);
        self.occupied[level] &= !(1 << slot);
        while id != NONE {
            let timer = self.timers[id as usize];
            if timer.tick <= self.elapsed {
                fired.push(timer.what);
                self.free.push(id);
            } else {
                self.link(id);
            }
            id = timer.next;
        }
    }

    /// The occupied slot that comes first, and the tick at which it begins. Of two that begin
    /// together the coarser: its timers may belong into the finer.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        (0..LEVELS).rev().filter_map(|level| self.next_slot_of(level)).min_by_key(|found| found.2)
    }

    fn next_slot_of(&self, level: usize) -> Option<(usize, usize, u64)> {
        if self.occupied[level] == 0 {
            return None;
        }
        let shift = SLOT_BITS * u32::try_from(level).expect("six levels");
        let here = (self.elapsed >> shift) as usize % SLOTS;
        // A timer is never in the slot that the hand is in, so the search starts after it.
        let turned = self.occupied[level].rotate_right(u32::try_from(here).expect("below 64"));
        let ahead = match turned & !1 {
            0 => SLOTS as u64,
            later => u64::from(later.trailing_zeros()),
        };
        let tick = ((self.elapsed >> shift) + ahead) << shift;
        let slot = (here + usize::try_from(ahead).expect("at most 64")) % SLOTS;
        Some((level, slot, tick))
    }

    fn link(&mut self, id: u32) {
        let timer = &self.timers[id as usize];
        let tick = timer.tick.clamp(self.elapsed + 1, self.elapsed + HORIZON / 2);
        let differing = (self.elapsed ^ tick) | (SLOTS as u64 - 1);
        let level = ((63 - differing.leading_zeros()) / SLOT_BITS) as usize;
        let level = level.min(LEVELS - 1);
        let slot = (tick >> (SLOT_BITS as usize * level)) as usize % SLOTS;
        let next = std::mem::replace(&mut self.heads[level][slot], id);
        self.occupied[level] |= 1 << slot;
        if next != NONE {
            self.timers[next as usize].previous = id;
        }
        let timer = &mut self.timers[id as usize];
        timer.next = next;
        timer.previous = NONE;
        timer.place = u16::try_from(level * SLOTS + slot).expect("384 slots");
    }

    fn unlink(&mut self, id: u32) {
        let Timer { next, previous, place, .. } = self.timers[id as usize];
        let (level, slot) = (place as usize / SLOTS, place as usize % SLOTS);
        if next != NONE {
            self.timers[next as usize].previous = previous;
        }
        if previous != NONE {
            self.timers[previous as usize].next = next;
            return;
        }
        self.heads[level][slot] = next;
        if next == NONE {
            self.occupied[level] &= !(1 << slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TICK: u64 = 1 << TICK_BITS;

    /// Random inserts, removals and steps, beside a sorted map.
    fn run(seed: u64, start: u64) {
        println!("wheel seed {seed} start {start}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut now = Moment(start);
        let mut wheel = Wheel::new(now);
        let mut model: BTreeMap<(u64, u32), TimerId> = BTreeMap::new();
        let mut fired = Vec::new();
        for name in 0..2_000_u32 {
            match random.u8(0..10) {
                0..5 => {
                    let at = now.0 + (random.u64(0..TICK) << random.u32(0..30));
                    model.insert((at, name), wheel.insert(Moment(at), name));
                }
                5 if !model.is_empty() => {
                    let nth = random.usize(0..model.len());
                    let key = *model.keys().nth(nth).expect("within");
                    wheel.remove(model.remove(&key).expect("present"));
                }
                6 => now = wheel.next().map_or(now, |next| next.max(now)),
                _ => now.0 += random.u64(0..TICK) << random.u32(0..28),
            }
            wheel.advance(now, &mut fired);
            for name in fired.drain(..) {
                let key = *model.keys().find(|key| key.1 == name).expect("fires once");
                assert!(key.0 <= now.0, "timer {name} fired early");
                model.remove(&key);
            }
            let late = model.keys().next().filter(|key| key.0 + 2 * TICK < now.0);
            assert_eq!(late, None, "late at {now:?}");
            assert_eq!(wheel.len(), model.len());
            if let Some(next) = wheel.next() {
                let first = model.keys().next().expect("as many as in the wheel").0;
                assert!(next.0 <= first.max(now.0) + 2 * TICK, "would sleep too long");
            }
        }
    }

    #[test]
    fn it_agrees_with_a_sorted_map() {
        for seed in 0..40 {
            run(seed, 0);
            run(seed, (HORIZON - 3) * TICK);
        }
    }

    #[test]
    fn nothing_fires_early_and_the_wait_reaches_the_timer() {
        let mut wheel = Wheel::new(Moment(0));
        wheel.insert(Moment(100 * TICK + 1), 7);
        let mut fired = Vec::new();
        let mut steps = 0;
        while let Some(next) = wheel.next() {
            assert!(fired.is_empty());
            wheel.advance(next, &mut fired);
            steps += 1;
        }
        assert_eq!(fired, [7]);
        assert_eq!(wheel.elapsed, 101);
        assert!(steps <= LEVELS);
    }
}
