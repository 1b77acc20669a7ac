//! The journal of quotas: records of one length with a checksum each, and what they add up to.
//! Bytes in and out; the file is the keeper's.
//!
//! ```text
//! 0      kind, a letter
//! 1..4   zeros
//! 4..12  the number of the first record that was written together with this one
//! 12..92 fields by kind, little-endian, zeros behind
//! 92..96 CRC32c of all before
//! ```
//!
//! Records that are written together are one *batch*: it is on the disk when `fdatasync` returns,
//! and before that any of its records may be missing. So damage in the last batch is what a power
//! cut leaves, and its other records count; damage before it is not, and ends the replay: counters
//! would be lost. The first record says how many behind it were there when the file got its name.
//!
//! A day's file of usage has the same form, with [`Record::Day`] only.

use std::collections::BTreeMap;

use super::{
    period::Day,
    quota::{Ask, ClosedDay, Counters, Extension},
    terms::{AccountId, LimitId, Subject},
};
use crate::base::{crc32c, limits::JOURNAL_BATCH_RECORDS_MAX};

/// The length of every record.
pub const RECORD_BYTES: usize = 96;
const MAGIC: [u8; 16] = *b"ringway quotas 1";
const FIELDS_AT: usize = 12;
const CHECKSUM_AT: usize = RECORD_BYTES - 4;

/// What is told of in one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The first of every file: so many records follow that were there from its start.
    Header {
        /// How many.
        records: u64,
    },
    /// Requests may be let through up to this.
    Reservation(Ask),
    /// An account as it is.
    Counters(Counters),
    /// A day that is over.
    Day(ClosedDay),
    /// What remains was changed.
    Extension(Extension),
    /// A key was switched on or off, whatever its file says.
    Switch {
        /// Which.
        key: Subject,
        /// To what.
        enabled: bool,
    },
}

/// Appends a record; `batch` is the number, from 0, of the first record of its batch.
pub fn write(out: &mut Vec<u8>, record: &Record, batch: u64) {
    let start = out.len();
    out.extend([record.kind(), 0, 0, 0]);
    out.extend(batch.to_le_bytes());
    record.write_fields(out);
    out.resize(start + CHECKSUM_AT, 0);
    let sum = crc32c(out[start..].iter().copied());
    out.extend(sum.to_le_bytes());
}

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    /// Its records, without the header.
    pub records: Vec<Record>,
    /// Bytes of its last batch that a power cut has left incomplete.
    pub torn_bytes: usize,
}

/// A file that cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where it starts, in bytes from the file's start.
    pub at: usize,
    /// What it is.
    pub what: &'static str,
}

/// Reads a whole file.
///
/// # Errors
/// When it is none of ours, or is damaged elsewhere than in its last batch.
pub fn read(bytes: &[u8]) -> Result<Content, Damage> {
    let (chunks, rest) = bytes.as_chunks::<RECORD_BYTES>();
    let first = chunks.first().map(parse);
    let Some(Ok(Some((Record::Header { records: settled }, _)))) = first else {
        let what = "it does not begin as a journal of ringway's quotas does";
        return Err(Damage { at: 0, what });
    };
    let mut records = Vec::with_capacity(chunks.len() - 1);
    let mut holes: Vec<u64> = Vec::new();
    for (number, chunk) in (0..).zip(chunks).skip(1) {
        let at = |number| Damage { at: place(number), what: "a record's checksum is wrong" };
        match parse(chunk) {
            Err(Unknown) => {
                let what = "a record is of a kind that this version does not know";
                return Err(Damage { at: place(number), what });
            }
            Ok(Some((record, batch))) => match holes.first() {
                Some(&hole) if batch > hole => return Err(at(hole)),
                _ => records.push(record),
            },
            Ok(None) if number <= settled => return Err(at(number)),
            Ok(None) => holes.push(number),
        }
    }
    if (chunks.len() as u64) < settled.saturating_add(1) {
        let what = "it is shorter than it was when it was made";
        return Err(Damage { at: bytes.len(), what });
    }
    let is_one_batch = holes.len() <= JOURNAL_BATCH_RECORDS_MAX;
    match holes.first() {
        Some(&hole) if !is_one_batch => {
            let what = "more is unreadable than is ever written together";
            Err(Damage { at: place(hole), what })
        }
        _ => Ok(Content { records, torn_bytes: holes.len() * RECORD_BYTES + rest.len() }),
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(RECORD_BYTES)
}

/// The checksum is right and the kind is none of ours.
struct Unknown;

/// A record and the first of its batch; `None` when its checksum is wrong.
fn parse(bytes: &[u8; RECORD_BYTES]) -> Result<Option<(Record, u64)>, Unknown> {
    let (said, sum) = bytes.split_at(CHECKSUM_AT);
    if crc32c(said.iter().copied()).to_le_bytes() != sum {
        return Ok(None);
    }
    let mut batch = Fields(&said[4..FIELDS_AT]);
    let record = Record::parse(said[0], Fields(&said[FIELDS_AT..])).ok_or(Unknown)?;
    Ok(Some((record, batch.u64())))
}

impl Record {
    const fn kind(&self) -> u8 {
        match self {
            Self::Header { .. } => b'H',
            Self::Reservation(_) => b'R',
            Self::Counters(_) => b'C',
            Self::Day(_) => b'D',
            Self::Extension(_) => b'E',
            Self::Switch { .. } => b'K',
        }
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Header { records } => {
                out.extend(MAGIC);
                out.extend(records.to_le_bytes());
            }
            Self::Reservation(Ask { id, period, day, reserved, limit }) => {
                write_account(out, id);
                [period.0, day.0].iter().for_each(|number| out.extend(number.to_le_bytes()));
                [reserved, limit].iter().for_each(|number| out.extend(number.to_le_bytes()));
            }
            Self::Counters(counters) => {
                let Counters { id, first, period, day, limit, extension, .. } = counters;
                write_account(out, id);
                for number in [first.0, period.0, day.0] {
                    out.extend(number.to_le_bytes());
                }
                let Counters { used, reserved, used_today, .. } = counters;
                for number in [limit, extension.cast_unsigned(), used, reserved, used_today] {
                    out.extend(number.to_le_bytes());
                }
            }
            Self::Day(ClosedDay { id, day, used, remaining }) => {
                write_account(out, id);
                out.extend(day.0.to_le_bytes());
                [used, remaining].iter().for_each(|number| out.extend(number.to_le_bytes()));
            }
            Self::Extension(Extension { id, period, extension }) => {
                write_account(out, id);
                out.extend(period.0.to_le_bytes());
                out.extend(extension.to_le_bytes());
            }
            Self::Switch { key: Subject(key), enabled } => {
                out.extend(key.to_le_bytes());
                out.push(u8::from(enabled));
            }
        }
    }

    fn parse(kind: u8, mut fields: Fields<'_>) -> Option<Self> {
        Some(match kind {
            b'H' => {
                let magic: [u8; 16] = fields.take();
                (magic == MAGIC).then_some(())?;
                Self::Header { records: fields.u64() }
            }
            b'R' => {
                let (id, period, day) = (fields.account(), fields.day(), fields.day());
                Self::Reservation(Ask {
                    id,
                    period,
                    day,
                    reserved: fields.u64(),
                    limit: fields.u64(),
                })
            }
            b'C' => Self::Counters(Counters {
                id: fields.account(),
                first: fields.day(),
                period: fields.day(),
                day: fields.day(),
                limit: fields.u64(),
                extension: fields.u64().cast_signed(),
                used: fields.u64(),
                reserved: fields.u64(),
                used_today: fields.u64(),
            }),
            b'D' => {
                let (id, day) = (fields.account(), fields.day());
                Self::Day(ClosedDay { id, day, used: fields.u64(), remaining: fields.u64() })
            }
            b'E' => {
                let (id, period) = (fields.account(), fields.day());
                let extension = fields.u64().cast_signed();
                Self::Extension(Extension { id, period, extension })
            }
            b'K' => {
                let key = Subject(u128::from_le_bytes(fields.take()));
                let [enabled] = fields.take();
                Self::Switch { key, enabled: enabled != 0 }
            }
            _ => return None,
        })
    }
}

fn write_account(out: &mut Vec<u8>, id: AccountId) {
    out.extend(id.limit().0.to_le_bytes());
    out.extend(id.subject().0.to_le_bytes());
}

/// Fields, one after the other; zeros behind the last.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((bytes, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *bytes
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn day(&mut self) -> Day {
        Day(u32::from_le_bytes(self.take()))
    }

    fn account(&mut self) -> AccountId {
        let limit = LimitId(self.u64());
        AccountId::new(limit, Subject(u128::from_le_bytes(self.take())))
    }
}

/// What a journal's records add up to.
#[derive(Debug, Default)]
pub struct Replay {
    accounts: BTreeMap<AccountId, Counters>,
    closed: Vec<ClosedDay>,
    /// Keys that were switched, and to what.
    pub switched: BTreeMap<Subject, bool>,
}

impl Replay {
    /// Adds the next record up.
    pub fn add(&mut self, record: &Record) {
        match *record {
            Record::Header { .. } | Record::Day(_) => {}
            Record::Counters(counters) => {
                let known = self.accounts.entry(counters.id).or_insert(counters);
                let is_older = (counters.period, counters.day) < (known.period, known.day);
                if !is_older {
                    // A promise is never taken back but by a file that is made anew.
                    let is_same = counters.period == known.period;
                    let promised = if is_same { known.reserved } else { 0 };
                    *known = Counters { reserved: counters.reserved.max(promised), ..counters };
                }
            }
            Record::Reservation(Ask { id, period, day, reserved, limit }) => {
                if let Some(account) = self.advance(id, period, day) {
                    account.reserved = account.reserved.max(reserved);
                    account.limit = limit;
                }
            }
            Record::Extension(Extension { id, period, extension }) => {
                if let Some(account) = self.advance(id, period, period) {
                    account.extension = extension;
                }
            }
            Record::Switch { key, enabled } => {
                self.switched.insert(key, enabled);
            }
        }
    }

    /// The account in this period, or `None` when it is in a later one.
    fn advance(&mut self, id: AccountId, period: Day, day: Day) -> Option<&mut Counters> {
        let account = self.accounts.entry(id).or_insert(Counters::new(id, period, day));
        if period > account.period || day > account.day {
            use_reserved(account);
        }
        if day > account.day {
            let Counters { id, day, used_today: used, .. } = *account;
            let remaining = account.remaining();
            if used > 0 {
                self.closed.push(ClosedDay { id, day, used, remaining });
            }
        }
        if day > account.day {
            (account.day, account.used_today) = (day, 0);
        }
        if period > account.period {
            let Counters { first, day, used_today, .. } = *account;
            *account = Counters { first, used_today, ..Counters::new(id, period, day) };
        }
        (account.period == period).then_some(account)
    }

    /// Accounts as the gateway has to go on with them after its end, whatever that was: all that
    /// was reserved is used; and days that are over of which nothing exact may be known.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Counters>, Vec<ClosedDay>) {
        self.accounts.values_mut().for_each(use_reserved);
        (self.accounts.into_values().collect(), self.closed)
    }

    /// Accounts as they were counted last: at most what is reserved beyond that is used, too.
    #[must_use]
    pub const fn counted(&self) -> &BTreeMap<AccountId, Counters> {
        &self.accounts
    }
}

fn use_reserved(account: &mut Counters) {
    account.used_today += account.reserved.saturating_sub(account.used);
    account.used = account.used.max(account.reserved);
}

#[cfg(test)]
mod tests;
