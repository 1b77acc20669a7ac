use super::*;

fn account(number: u64) -> AccountId {
    AccountId::new(LimitId(number << 40), Subject(u128::from(number) << 100 | 7))
}

fn reservation(number: u64, period: u32, day: u32, reserved: u64) -> Record {
    let (id, period, day) = (account(number), Day(period), Day(day));
    Record::Reservation(Ask { id, period, day, reserved, limit: 100 })
}

fn counters(number: u64) -> Counters {
    Counters {
        id: account(number),
        first: Day(3),
        period: Day(20_000),
        day: Day(20_001),
        limit: u64::MAX,
        extension: -5,
        used: 70,
        reserved: 80,
        used_today: 9,
    }
}

fn all() -> [Record; 5] {
    let (id, day) = (account(3), Day(7));
    [
        reservation(1, 5, 6, u64::MAX),
        Record::Counters(counters(2)),
        Record::Day(ClosedDay { id, day, used: 8, remaining: 9 }),
        Record::Extension(Extension { id, period: day, extension: i64::MIN }),
        Record::Switch { key: Subject(u128::MAX), enabled: true },
    ]
}

/// A file of these batches, of which the first was there from its start.
fn file(batches: &[&[Record]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let settled = batches.first().map_or(0, |batch| batch.len());
    write(&mut bytes, &Record::Header { records: settled as u64 }, 0);
    for batch in batches {
        let first = (bytes.len() / RECORD_BYTES) as u64;
        batch.iter().for_each(|record| write(&mut bytes, record, first));
    }
    bytes
}

#[test]
fn records_are_read_as_they_were_written() {
    let bytes = file(&[&all()]);
    assert_eq!(bytes.len(), 6 * RECORD_BYTES);
    assert_eq!(read(&bytes), Ok(Content { records: all().to_vec(), torn_bytes: 0 }));
    assert_eq!(read(&file(&[])), Ok(Content { records: Vec::new(), torn_bytes: 0 }));
}

#[track_caller]
fn check_damage(bytes: &[u8], record: usize, what: &str) {
    match read(bytes) {
        Err(damage) => {
            assert_eq!((damage.at / RECORD_BYTES, damage.what.contains(what)), (record, true));
        }
        Ok(content) => panic!("taken for sound: {content:?}"),
    }
}

#[test]
fn a_torn_end_is_dropped() {
    let records = all();
    let bytes = file(&[&records[..2], &records[2..3], &records[3..]]);
    for length in 4 * RECORD_BYTES..bytes.len() {
        let content = read(&bytes[..length]).expect("torn, not damaged");
        assert_eq!(content.records, records[..length / RECORD_BYTES - 1]);
        assert_eq!(content.torn_bytes, length % RECORD_BYTES);
    }
    // The file had its new length, but not all its new content: zeros.
    let mut bytes = file(&[&records[..2], &records[2..]]);
    let end = bytes.len();
    bytes[end - 2 * RECORD_BYTES..].fill(0);
    let content = read(&bytes).expect("torn");
    assert_eq!((content.records.len(), content.torn_bytes), (3, 2 * RECORD_BYTES));
    // A sector in the middle of the last batch is missing: the others count.
    let mut bytes = file(&[&records[..2], &records[2..]]);
    bytes[4 * RECORD_BYTES + 50] ^= 1;
    let content = read(&bytes).expect("torn");
    assert_eq!(content.records, [records[0], records[1], records[2], records[4]]);
    assert_eq!(content.torn_bytes, RECORD_BYTES);
}

#[test]
fn damage_elsewhere_is_told_with_its_place() {
    let records = all();
    let sound = file(&[&records[..2], &records[2..3], &records[3..]]);
    // Each bit of each record but those of the last batch.
    for at in RECORD_BYTES..4 * RECORD_BYTES {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        check_damage(&bytes, at / RECORD_BYTES, "checksum is wrong");
    }
    for at in 0..RECORD_BYTES {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        check_damage(&bytes, 0, "does not begin as a journal");
    }
    // The last that was there from the start was on the disk before the file had its name.
    let mut bytes = file(&[&records]);
    let last = bytes.len() - RECORD_BYTES;
    bytes[last + 20] ^= 1;
    check_damage(&bytes, 5, "checksum is wrong");
    // The header promises two records.
    check_damage(&sound[..3 * RECORD_BYTES - 1], 2, "shorter than it was");
    check_damage(&sound[..RECORD_BYTES], 1, "shorter than it was");
    check_damage(&[], 0, "does not begin");
    check_damage(b"{}\n", 0, "does not begin");
    check_damage(&[0; 4 * RECORD_BYTES], 0, "does not begin");
}

#[test]
fn more_damage_than_a_batch_can_leave_is_damage() {
    let batch = vec![reservation(1, 1, 1, 1); JOURNAL_BATCH_RECORDS_MAX + 1];
    let mut bytes = file(&[&[], &batch]);
    bytes[2 * RECORD_BYTES..].fill(0);
    let content = read(&bytes).expect("a batch");
    assert_eq!(content.records.len(), 1);
    bytes[RECORD_BYTES..].fill(0);
    check_damage(&bytes, 1, "more is unreadable");
}

#[test]
fn a_record_of_a_later_version_is_no_damage_of_the_disk() {
    let mut bytes = file(&[&all()]);
    let mut later = bytes[RECORD_BYTES..2 * RECORD_BYTES].to_vec();
    later[0] = b'Z';
    let sum = crc32c(later[..CHECKSUM_AT].iter().copied());
    later[CHECKSUM_AT..].copy_from_slice(&sum.to_le_bytes());
    bytes.extend(later);
    check_damage(&bytes, 6, "this version does not know");
}

#[test]
fn whatever_the_bytes_are_reading_ends() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = file(&[&all(), &all(), &all()]);
        for _ in 0..random.usize(..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(..=bytes.len()));
        if let Ok(content) = read(&bytes) {
            let mut replay = Replay::default();
            content.records.iter().for_each(|record| replay.add(record));
            drop(replay.finish());
        }
    }
}

#[track_caller]
fn check_replay(records: &[Record], expected: &[(u64, u64, u64)]) -> Vec<ClosedDay> {
    let mut replay = Replay::default();
    records.iter().for_each(|record| replay.add(record));
    let (accounts, closed) = replay.finish();
    let found: Vec<_> = accounts.iter().map(|c| (c.used, c.reserved, c.used_today)).collect();
    assert_eq!(found, expected);
    closed
}

#[test]
fn what_was_reserved_counts_as_used() {
    check_replay(&[reservation(1, 5, 5, 10), reservation(1, 5, 5, 20)], &[(20, 20, 20)]);
    check_replay(&[reservation(1, 5, 5, 20), reservation(1, 5, 5, 10)], &[(20, 20, 20)]);
    check_replay(&[reservation(1, 5, 5, 20), reservation(1, 6, 6, 3)], &[(3, 3, 3)]);
    check_replay(&[reservation(1, 6, 6, 20), reservation(1, 5, 5, 90)], &[(20, 20, 20)]);
    check_replay(&[Record::Counters(counters(1))], &[(80, 80, 19)]);
    let clean = Counters { reserved: 70, ..counters(1) };
    check_replay(&[Record::Counters(clean)], &[(70, 70, 9)]);
    let more = reservation(1, 20_000, 20_001, 95);
    check_replay(&[Record::Counters(clean), more], &[(95, 95, 34)]);
    check_replay(&[more, Record::Counters(clean)], &[(95, 95, 34)]);
    let before = Counters { period: Day(19_000), ..clean };
    check_replay(&[more, Record::Counters(before)], &[(95, 95, 95)]);
}

#[test]
fn a_day_that_ended_unseen_has_at_most_what_was_reserved() {
    let next = reservation(1, 20_000, 20_002, 90);
    let closed = check_replay(&[Record::Counters(counters(1)), next], &[(90, 90, 10)]);
    let (id, day) = (account(1), Day(20_001));
    assert_eq!(closed, [ClosedDay { id, day, used: 19, remaining: u64::MAX - 80 }]);
}

#[test]
fn extensions_and_switches_are_the_last_ones() {
    let extend = |period, extension| {
        Record::Extension(Extension { id: account(1), period: Day(period), extension })
    };
    let switch = |enabled| Record::Switch { key: Subject(4), enabled };
    let mut replay = Replay::default();
    for record in [extend(5, 10), reservation(1, 5, 6, 1), extend(5, 30), switch(false)] {
        replay.add(&record);
    }
    let extension = |replay: &Replay| replay.accounts[&account(1)].extension;
    assert_eq!((extension(&replay), replay.switched[&Subject(4)]), (30, false));
    replay.add(&switch(true));
    replay.add(&extend(4, 50));
    assert_eq!((extension(&replay), replay.switched[&Subject(4)]), (30, true));
    replay.add(&reservation(1, 7, 7, 1));
    assert_eq!(extension(&replay), 0);
}
