//! The keeper on a real folder: what survives, what is told, what is refused.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::mpsc::{Sender, channel},
};

use super::*;
use crate::{
    base::WallTime,
    ledger::{
        LimitId, Period,
        journal::{RECORD_BYTES, Record},
        period::Day,
        quota::{Ask, Counters, QuotaTaken, Settled},
    },
    runtime::{Mailbox, mailbox},
};

const WAIT: Duration = Duration::from_secs(20);
const TERMS: QuotaTerms = QuotaTerms { limit: 1_000, period: Period::Month, offset: 0 };

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("ringway-keeper-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// What is in it, sorted.
    fn names(&self) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("read").file_name();
        let names = fs::read_dir(&self.0).expect("there").map(name);
        let mut names: Vec<_> = names.map(|name| name.into_string().expect("ASCII")).collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn account(number: u64) -> AccountId {
    AccountId::new(LimitId(1), Subject(number.into()))
}

/// A keeper with a shard that is this test.
struct Running {
    keeper: Keeper,
    ledger: Arc<Ledger>,
    orders: Mailbox<Order>,
    told: Receiver<String>,
    wall: WallTime,
}

impl Running {
    fn start(folder: &Folder) -> Self {
        Self::try_start(folder).expect("starts")
    }

    fn try_start(folder: &Folder) -> Result<Self, Refused> {
        let (ledger, asks) = Ledger::new(1);
        let ledger = Arc::new(ledger);
        let (tell, told): (Sender<String>, _) = channel();
        let tell = move |sentence: &str| drop(tell.send(sentence.to_owned()));
        let opened = Opened::at(&folder.0, ledger.quotas(), tell.clone())?;
        let (mail, orders) = mailbox(16);
        let keeper = opened.keep(Arc::clone(&ledger), &mut Some(asks), vec![mail], tell);
        let keeper = keeper.map_err(Refused::Unusable)?;
        Ok(Self { keeper, ledger, orders, told, wall: keeping::wall() })
    }

    fn used(&self, number: u64) -> Option<u64> {
        let counters = self.ledger.quotas().counters(account(number), &TERMS, self.wall);
        counters.map(|counters| counters.used)
    }

    /// Requests of an account, each waiting for its promise; how many were let through.
    fn spend(&self, number: u64, requests: u64) -> u64 {
        (0..requests).map(|_| u64::from(self.spend_one(number))).sum()
    }

    fn spend_one(&self, number: u64) -> bool {
        loop {
            let id = account(number);
            let quotas = self.ledger.quotas();
            match quotas.spend(id, &TERMS, self.wall, Settled::default(), 0) {
                QuotaTaken::Granted(_) => return true,
                QuotaTaken::Exhausted => return false,
                QuotaTaken::Unreserved => self.wait_for_order(),
            }
        }
    }

    fn wait_for_order(&self) {
        let end = keeping::clock() + WAIT;
        while self.orders.try_receive().is_none() {
            assert!(keeping::clock() < end, "no order");
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn switch(&self, key: u128, enabled: bool) -> Done {
        let (done, told) = mailbox(1);
        assert!(self.keeper.switch(Subject(key), enabled, done));
        receive(&told)
    }

    fn extend(&self, number: u64, remaining: u64) -> Done {
        let (done, told) = mailbox(1);
        assert!(self.keeper.extend(account(number), TERMS, remaining, done));
        receive(&told)
    }

    fn finish(self, ending: Ending) {
        assert!(self.keeper.finish(ending, WAIT));
    }
}

fn receive(told: &Mailbox<Done>) -> Done {
    let end = keeping::clock() + WAIT;
    loop {
        if let Some(done) = told.try_receive() {
            return done;
        }
        assert!(keeping::clock() < end, "no answer");
        thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn a_clean_end_keeps_the_exact_counters() {
    let folder = Folder::new("clean");
    let running = Running::start(&folder);
    assert_eq!((running.spend(1, 7), running.spend(2, 25)), (7, 25));
    assert!(running.keeper.counts().reservations >= 4);
    running.finish(Ending::Drained);
    let running = Running::start(&folder);
    assert_eq!((running.used(1), running.used(2), running.used(3)), (Some(7), Some(25), None));
    assert_eq!(running.spend(1, 1_100), 993);
    running.finish(Ending::Drained);
}

#[test]
fn any_other_end_counts_what_was_reserved_as_used() {
    let folder = Folder::new("abandoned");
    let running = Running::start(&folder);
    assert_eq!(running.spend(1, 7), 7);
    running.finish(Ending::Abandoned);
    let running = Running::start(&folder);
    let used = running.used(1).expect("known");
    assert!((10..=17).contains(&used), "{used}");
    running.finish(Ending::Drained);
}

/// The journal as a crash leaves it at any byte: the total over both lives is within the limit.
#[test]
fn wherever_the_journal_is_cut_nothing_is_served_twice() {
    let folder = Folder::new("cut");
    let running = Running::start(&folder);
    let mut served = Vec::new();
    for _ in 0..12 {
        let length = fs::metadata(folder.journal()).expect("there").len();
        served.push((length, running.spend(1, 9)));
    }
    let whole = fs::read(folder.journal()).expect("there");
    running.finish(Ending::Abandoned);
    let mut before = 0;
    for (index, (length, requests)) in served.iter().enumerate() {
        // What had been served when the journal was this long.
        let (ledger, _asks) = Ledger::new(1);
        let cut = usize::try_from(*length).expect("short") + index % RECORD_BYTES;
        fs::write(folder.journal(), &whole[..cut.min(whole.len())]).expect("written");
        drop(Opened::at(&folder.0, ledger.quotas(), |_| {}).expect("a torn end at most"));
        let counters = ledger.quotas().counters(account(1), &TERMS, keeping::wall());
        let used = counters.map_or(0, |counters| counters.used);
        assert!(used >= before, "{used} of {before} that were served");
        before += requests;
    }
}

#[test]
fn switched_keys_and_extensions_survive_a_crash_and_a_clean_end() {
    let folder = Folder::new("switched");
    for ending in [Ending::Abandoned, Ending::Drained] {
        let running = Running::start(&folder);
        assert_eq!(running.switch(5, false), Ok(()));
        assert_eq!(running.switch(6, true), Ok(()));
        assert_eq!(running.extend(9, 3), Ok(()));
        assert_eq!(running.spend(9, 5), 3);
        running.finish(ending);
        let running = Running::start(&folder);
        let switches = running.keeper.switches();
        let enabled = |key| switches.is_enabled(Subject(key), key == 5);
        assert_eq!((enabled(5), enabled(6), enabled(7)), (false, true, false));
        assert_eq!(running.spend(9, 5), 0);
        let orders = || running.orders.try_receive();
        assert!(std::iter::from_fn(orders).any(|order| matches!(order, Order::Keys(_))));
        assert_eq!(running.extend(9, 2), Ok(()));
        assert_eq!(running.spend(9, 5), 2);
        running.finish(Ending::Drained);
    }
}

#[test]
fn a_second_process_waits_and_then_says_who_uses_the_folder() {
    let folder = Folder::new("locked");
    let running = Running::start(&folder);
    let told = Running::try_start(&folder).err().expect("refused").problem().to_string();
    let id = std::process::id();
    assert!(told.contains(&format!("process {id} uses the state folder {}", folder.0.display())));
    assert!(told.contains("stateFolder: /path"), "{told}");
    // One that ends while the other waits makes room.
    let waits = thread::scope(|scope| {
        let waiting = scope.spawn(|| Running::try_start(&folder).map(|running| running.used(1)));
        running.spend(1, 3);
        running.finish(Ending::Drained);
        waiting.join().expect("no panic")
    });
    assert_eq!(waits.expect("started"), Some(3));
}

#[test]
fn the_folder_is_for_its_user_only() {
    let folder = Folder::new("modes");
    let running = Running::start(&folder);
    running.spend(1, 1);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    for name in ["journal", "lock"] {
        assert_eq!(mode(&folder.0.join(name)), 0o600, "{name}");
    }
    running.finish(Ending::Drained);
}

#[test]
fn damage_stops_the_start_and_says_where_and_what_to_do() {
    let folder = Folder::new("damaged");
    let running = Running::start(&folder);
    running.spend(1, 500);
    running.finish(Ending::Abandoned);
    let mut bytes = fs::read(folder.journal()).expect("there");
    bytes[2 * RECORD_BYTES + 30] ^= 4;
    fs::write(folder.journal(), &bytes).expect("written");
    let told = Running::try_start(&folder).err().expect("refused").problem().to_string();
    let file = folder.journal().display().to_string();
    for words in [
        &format!("{file}, byte {}", 2 * RECORD_BYTES),
        "checksum is wrong",
        "restore the file from a backup",
        &format!("mv {file} {file}.damaged"),
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(fs::read(folder.journal()).expect("there"), bytes, "nothing was changed");
}

#[test]
fn a_torn_end_is_told_and_dropped() {
    let folder = Folder::new("torn");
    let running = Running::start(&folder);
    running.spend(1, 100);
    running.finish(Ending::Abandoned);
    let bytes = fs::read(folder.journal()).expect("there");
    fs::write(folder.journal(), &bytes[..bytes.len() - 10]).expect("written");
    let running = Running::start(&folder);
    let told = running.told.try_recv().expect("told");
    assert!(told.contains("the last 86 bytes of"), "{told}");
    running.finish(Ending::Drained);
}

#[test]
fn a_folder_that_cannot_be_is_refused() {
    let folder = Folder::new("file");
    fs::write(&folder.0, "").expect("written");
    let told = Running::try_start(&folder).err().expect("refused").problem().to_string();
    assert!(told.contains("cannot be used: File exists"), "{told}");
    let _ = fs::remove_file(&folder.0);
}

/// A journal on `/dev/full`: every write fails as on a full disk.
#[test]
fn on_a_full_disk_counting_goes_on_and_the_disk_catches_up() {
    let folder = Folder::new("full");
    let running = Running::start(&folder);
    // Where new files would have to be made, there is something else.
    fs::rename(&folder.0, folder.0.with_extension("away")).expect("moved");
    fs::write(&folder.0, "").expect("written");
    let full = running.keeper.shared.clone();
    lock(&running.keeper.shared.errands).push(Errand::FillDisk);
    assert_eq!(running.spend(1, 300), 300, "nobody waits");
    assert!(full.is_failing.load(Ordering::Relaxed));
    let told = running.told.recv_timeout(WAIT).expect("told");
    assert!(told.contains("cannot be written to") && told.contains("counting goes on"), "{told}");
    let switched = running.switch(5, false).expect_err("not durable");
    assert!(switched.contains("it is in force, but"), "{switched}");
    assert!(!running.keeper.switches().is_enabled(Subject(5), true));
    assert!(running.told.try_recv().is_err(), "told once");
    // And the disk has room again.
    fs::remove_file(&folder.0).expect("removed");
    fs::rename(folder.0.with_extension("away"), &folder.0).expect("moved");
    let told = running.told.recv_timeout(WAIT).expect("told");
    assert!(told.contains("works again"), "{told}");
    assert!(!running.keeper.counts().is_failing);
    running.finish(Ending::Abandoned);
    let running = Running::start(&folder);
    assert!(running.used(1).is_some_and(|used| used >= 300));
    assert!(!running.keeper.switches().is_enabled(Subject(5), true));
    running.finish(Ending::Drained);
}

/// Of an account that nobody asks for any more.
#[test]
fn a_day_that_is_over_gets_its_file_at_the_next_start() {
    let folder = Folder::new("yesterday");
    let today = Day::of(keeping::wall());
    let counters = |number, day, used_today| Counters {
        limit: 1_000,
        used: 40,
        reserved: 40,
        used_today,
        ..Counters::new(account(number), today.back(9), day)
    };
    let (mut state, _) = StateFolder::open(&folder.0).expect("opened");
    let all = [counters(1, today.back(1), 5), counters(2, today.back(3), 6), counters(3, today, 7)];
    state.rewrite(&all.map(Record::Counters)).expect("made");
    drop(state);
    let running = Running::start(&folder);
    let told = |day| read_day(&folder.0, day).expect("read");
    // In the first seconds after midnight a day is not over.
    let end = keeping::clock() + WAIT;
    while told(today.back(1)).is_empty() || told(today.back(3)).is_empty() {
        assert!(keeping::clock() < end, "no file");
        thread::park_timeout(Duration::from_millis(10));
    }
    let closed = |number, day, used| ClosedDay { id: account(number), day, used, remaining: 960 };
    assert_eq!(told(today.back(1)), [closed(1, today.back(1), 5)]);
    assert_eq!(told(today.back(3)), [closed(2, today.back(3), 6)]);
    assert_eq!(told(today), []);
    running.finish(Ending::Drained);
}

/// Somebody cleans up: all that is known is written to a folder made anew, and nobody else gets it.
#[test]
fn a_folder_that_is_removed_is_made_anew() {
    let folder = Folder::new("removed");
    let running = Running::start(&folder);
    assert_eq!(running.spend(1, 40), 40);
    fs::remove_dir_all(&folder.0).expect("removed");
    let told = running.told.recv_timeout(WAIT).expect("told");
    assert!(told.contains("its journal was removed"), "{told}");
    let told = running.told.recv_timeout(WAIT).expect("told");
    assert!(told.contains("works again"), "{told}");
    assert!(matches!(Running::try_start(&folder), Err(Refused::InUse(_))));
    running.finish(Ending::Drained);
    let running = Running::start(&folder);
    assert_eq!(running.used(1), Some(40));
    running.finish(Ending::Drained);
}

#[test]
fn what_a_crash_left_unfinished_is_removed() {
    let folder = Folder::new("unfinished");
    fs::create_dir(&folder.0).expect("made");
    for name in ["journal.new", "usage-2026-11-26.new"] {
        fs::write(folder.0.join(name), "half").expect("written");
    }
    Running::start(&folder).finish(Ending::Drained);
    assert_eq!(folder.names(), ["journal", "lock"]);
}

/// The file that it leads to got a process id for its content.
#[test]
fn a_link_in_the_folder_is_not_followed() {
    let folder = Folder::new("links");
    fs::create_dir(&folder.0).expect("made");
    let others = folder.0.join("others");
    fs::write(&others, "mine").expect("written");
    for name in ["lock", "journal.new"] {
        let link = folder.0.join(name);
        std::os::unix::fs::symlink(&others, &link).expect("linked");
        match (Running::try_start(&folder), name) {
            (Ok(running), "journal.new") => running.finish(Ending::Drained),
            (Err(Refused::Unusable(problem)), "lock") => {
                assert!(problem.message.contains("symbolic link"), "{problem}");
            }
            _ => panic!("{name}"),
        }
        assert_eq!(fs::read_to_string(&others).expect("there"), "mine", "{name}");
        let _ = fs::remove_file(&link);
    }
}

/// All that ended with `.new` was removed, also where the state folder is the gateway file's own.
#[test]
fn what_others_have_in_the_folder_stays() {
    let folder = Folder::new("others");
    fs::create_dir(&folder.0).expect("made");
    let others = ["gateway.yaml", "gateway.yaml.new", "usage-2026-13-01.new", "x.new"];
    for name in others {
        fs::write(folder.0.join(name), "mine").expect("written");
    }
    Running::start(&folder).finish(Ending::Drained);
    let mut expected = [&["journal", "lock"], &others[..]].concat();
    expected.sort_unstable();
    assert_eq!(folder.names(), expected);
}

#[test]
fn a_journal_that_grows_is_made_anew() {
    let folder = Folder::new("grown");
    let (mut state, _) = StateFolder::open(&folder.0).expect("opened");
    let ask = |reserved| {
        let (id, period, day) = (account(1), Day(20_000), Day(20_001));
        Record::Reservation(Ask { id, period, day, reserved, limit: u64::MAX })
    };
    state.rewrite(&[ask(1)]).expect("made");
    let batch: Vec<Record> = (2..1_002).map(ask).collect();
    while !state.has_grown() {
        state.append(&batch).expect("appended");
    }
    assert!(state.bytes > 4 << 20);
    state.rewrite(&[ask(5_000)]).expect("made");
    assert!(!state.has_grown());
    state.append(&[ask(6_000)]).expect("appended");
    drop(state);
    assert_eq!(fs::metadata(folder.journal()).expect("there").len(), 3 * RECORD_BYTES as u64);
    let (_, found) = StateFolder::open(&folder.0).expect("opened");
    assert_eq!(found.accounts[0].used, 6_000);
}

#[test]
fn days_are_kept_for_ninety_days_each_as_it_was_told_first() {
    let folder = Folder::new("days");
    let (state, _) = StateFolder::open(&folder.0).expect("opened");
    let closed = |number, day, used| ClosedDay {
        id: account(number),
        day: Day(day),
        used,
        remaining: 1_000 - used,
    };
    let first = [closed(1, 20_000, 5), closed(2, 20_000, 6), closed(1, 20_001, 7)];
    assert!(state.write_days(&first).expect("written").is_empty());
    state.write_days(&[closed(1, 20_000, 50), closed(3, 20_000, 8)]).expect("written");
    let days = read_day(&folder.0, Day(20_000)).expect("read");
    assert_eq!(days, [closed(1, 20_000, 5), closed(2, 20_000, 6), closed(3, 20_000, 8)]);
    assert_eq!(read_day(&folder.0, Day(20_002)).expect("none"), []);
    // A damaged day is put aside and told; the day goes on with what is known now.
    let file = folder.0.join(format!("usage-{}", Day(20_001)));
    fs::write(&file, "nonsense").expect("written");
    assert!(matches!(read_day(&folder.0, Day(20_001)), Err(Fault::Damaged { at: 0, .. })));
    let told = state.write_days(&[closed(2, 20_001, 9)]).expect("written");
    assert!(told[0].contains("is lost in part") && told[0].contains(".damaged"), "{told:?}");
    assert_eq!(read_day(&folder.0, Day(20_001)).expect("read"), [closed(2, 20_001, 9)]);
    state.prune(Day(20_090)).expect("pruned");
    assert_eq!(read_day(&folder.0, Day(20_000)).expect("read").len(), 3);
    state.prune(Day(20_091)).expect("pruned");
    assert_eq!(read_day(&folder.0, Day(20_000)).expect("gone"), []);
    assert_eq!(read_day(&folder.0, Day(20_001)).expect("read").len(), 1);
}
