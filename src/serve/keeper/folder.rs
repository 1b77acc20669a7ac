//! The state folder: the journal of quotas, a file of usage for each day, and the lock that keeps
//! two processes from sharing them. Blocking IO, done by the keeper's thread.
//!
//! | file | what it is |
//! |---|---|
//! | `lock` | locked (`flock`) while a gateway uses the folder; its process id |
//! | `journal` | reservations, counters, extensions, switched keys |
//! | `usage-2026-11-26` | a day that is over |

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufWriter, ErrorKind, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use crate::{
    base::{
        Problem,
        limits::{JOURNAL_BATCH_RECORDS_MAX, JOURNAL_GROWTH_BYTES_MAX, USAGE_DAYS_KEPT},
    },
    ledger::{
        AccountId, Subject,
        journal::{self, RECORD_BYTES, Record, Replay},
        period::Day,
        quota::{ClosedDay, Counters},
    },
};

/// A gateway that is being replaced gets this long to end.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_STEP: Duration = Duration::from_millis(50);
const JOURNAL: &str = "journal";
const USAGE: &str = "usage-";

/// The folder, locked, with its journal open for more.
pub(super) struct StateFolder {
    path: PathBuf,
    /// `None` after a failure: what the file holds then is not known, and it is made anew.
    journal: Option<File>,
    /// In the journal, with its header.
    records: u64,
    /// Of which are known to be on the disk.
    synced: u64,
    /// The journal's records when it was made.
    made: u64,
    /// Bytes written to it so far.
    pub(super) bytes: u64,
    /// Held as long as the folder is used.
    lock: File,
}

/// Why a folder was not taken over.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another process uses it; later it may have ended.
    InUse(Problem),
    /// It cannot be used, or what is in it cannot be trusted.
    Unusable(Problem),
}

impl Refused {
    /// The sentence.
    pub(crate) fn problem(self) -> Problem {
        match self {
            Self::InUse(problem) | Self::Unusable(problem) => problem,
        }
    }
}

/// What was in the folder.
#[derive(Debug)]
pub(super) struct Found {
    /// Quota accounts; what was reserved is used.
    pub(super) accounts: Vec<Counters>,
    /// Days that may not have a file yet.
    pub(super) closed: Vec<ClosedDay>,
    /// Keys that were switched, and to what.
    pub(super) switched: BTreeMap<Subject, bool>,
    /// What a power cut left incomplete of the last batch.
    pub(super) torn_bytes: usize,
}

impl StateFolder {
    /// Makes the folder where it is missing, locks it and reads its journal. The journal is made
    /// anew by the first [`Self::rewrite`], which has to come before anything is appended.
    ///
    /// # Errors
    /// When another process keeps it, when it cannot be used, when the journal is damaged.
    pub(super) fn open(path: &Path) -> Result<(Self, Found), Refused> {
        let cannot = |error: io::Error| Refused::Unusable(unusable(path, &error));
        make(path).map_err(cannot)?;
        let lock = lock(path, LOCK_WAIT)?;
        remove_unfinished(path).map_err(cannot)?;
        let (replay, torn_bytes) = read_journal(path).map_err(|fault| fault.told(path))?;
        let switched = replay.switched.clone();
        let (accounts, closed) = replay.finish();
        let found = Found { accounts, closed, switched, torn_bytes };
        let (path, journal) = (path.to_owned(), None);
        Ok((Self { path, journal, records: 0, synced: 0, made: 0, bytes: 0, lock }, found))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the journal is to be made anew before anything can be appended.
    pub(super) const fn is_broken(&self) -> bool {
        self.journal.is_none()
    }

    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) {
        self.journal = OpenOptions::new().write(true).open("/dev/full").ok();
    }

    /// Whether the journal has grown enough to be made anew.
    pub(super) const fn has_grown(&self) -> bool {
        let grown = (self.records - self.made) * RECORD_BYTES as u64;
        grown > JOURNAL_GROWTH_BYTES_MAX && self.records > 2 * self.made
    }

    /// Appends records, so that they are on the disk; at most a batch.
    ///
    /// # Errors
    /// When that is not certain. The journal is broken then.
    pub(super) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        self.append_unsynced(records)?;
        self.sync()
    }

    /// Appends records that need not survive a power cut. They are of one batch with the next.
    ///
    /// # Errors
    /// When they could not be written. The journal is broken then.
    pub(super) fn append_unsynced(&mut self, records: &[Record]) -> io::Result<()> {
        debug_assert!(records.len() <= JOURNAL_BATCH_RECORDS_MAX);
        let more = self.records - self.synced + records.len() as u64;
        if more > JOURNAL_BATCH_RECORDS_MAX as u64 {
            self.sync()?;
        }
        let mut bytes = Vec::with_capacity(records.len() * RECORD_BYTES);
        records.iter().for_each(|record| journal::write(&mut bytes, record, self.synced));
        let mut journal = self.journal.take().ok_or(ErrorKind::BrokenPipe)?;
        journal.write_all(&bytes)?;
        self.journal = Some(journal);
        self.records += records.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// After a failure nothing is known of what was written before: the kernel may have dropped it.
    fn sync(&mut self) -> io::Result<()> {
        let journal = self.journal.take().ok_or(ErrorKind::BrokenPipe)?;
        journal.sync_data()?;
        self.journal = Some(journal);
        self.synced = self.records;
        Ok(())
    }

    /// Whether the journal still has its name: somebody may have removed it. It is broken then.
    ///
    /// # Errors
    /// When it has not.
    pub(super) fn check(&mut self) -> io::Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        if journal.metadata()?.nlink() == 0 {
            self.journal = None;
            return Err(io::Error::new(ErrorKind::NotFound, "its journal was removed"));
        }
        Ok(())
    }

    /// Makes the journal anew of these records. When that fails, the old one is there still.
    ///
    /// # Errors
    /// When it is not certain that they are on the disk.
    pub(super) fn rewrite(&mut self, records: &[Record]) -> io::Result<()> {
        self.journal = None;
        if self.lock.metadata()?.nlink() == 0 {
            // The folder was removed, and nobody could see that it is in use.
            make(&self.path)?;
            let refused = |refused: Refused| io::Error::other(refused.problem().message);
            self.lock = lock(&self.path, Duration::ZERO).map_err(refused)?;
        }
        let journal = write_new(&self.path, JOURNAL, records)?;
        self.journal = Some(journal);
        self.made = records.len() as u64 + 1;
        (self.records, self.synced) = (self.made, self.made);
        self.bytes += self.made * RECORD_BYTES as u64;
        Ok(())
    }

    /// Writes days that are over; what a day's file has already of an account stays. Where a file
    /// is damaged it is put aside, and a sentence says so.
    ///
    /// # Errors
    /// When that is not certain to be on the disk.
    pub(super) fn write_days(&self, closed: &[ClosedDay]) -> io::Result<Vec<String>> {
        let mut told = Vec::new();
        let days: BTreeSet<Day> = closed.iter().map(|closed| closed.day).collect();
        for day in days {
            let new = closed.iter().filter(|closed| closed.day == day);
            let mut all: BTreeMap<AccountId, ClosedDay> = BTreeMap::new();
            let known = match read_day(&self.path, day) {
                Ok(known) => known,
                Err(Fault::Io(error)) => return Err(error),
                Err(Fault::Damaged { file, at, what }) => {
                    let aside = self.path.join(format!("{USAGE}{day}.damaged"));
                    fs::rename(&file, &aside)?;
                    told.push(format!(
                        "usage of {day} is lost in part: {}, byte {at}: {what}; it is kept as {}",
                        file.display(),
                        aside.display()
                    ));
                    Vec::new()
                }
            };
            for closed in known.iter().chain(new) {
                all.entry(closed.id).or_insert(*closed);
            }
            let records: Vec<Record> = all.into_values().map(Record::Day).collect();
            write_new(&self.path, &format!("{USAGE}{day}"), &records)?;
        }
        Ok(told)
    }

    /// Removes files of days that nobody is told of any more.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(super) fn prune(&self, today: Day) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let day = name.to_str().and_then(day_of);
            if day.is_some_and(|day| day < today.back(USAGE_DAYS_KEPT)) {
                fs::remove_file(self.path.join(name))?;
            }
        }
        Ok(())
    }
}

/// The folder is no place to keep anything in.
pub(super) fn unusable(folder: &Path, error: &io::Error) -> Problem {
    let message = format!("the state folder {} cannot be used: {error}", folder.display());
    let fix = "quotas are counted there: name a folder that this user may write to, \
               `stateFolder: /path` in the gateway file";
    Problem::of_process(message, fix)
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What a crash left of files that were about to get their names. The folder may hold other
/// files, which stay.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let unfinished = name.to_str().and_then(|name| name.strip_suffix(".new"));
        if unfinished.is_some_and(|name| name == JOURNAL || day_of(name).is_some()) {
            fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

/// The day that a file of this name is of.
fn day_of(name: &str) -> Option<Day> {
    name.strip_prefix(USAGE)?.parse().ok()
}

/// Writes a file beside its place and puts it there when it is on the disk.
fn write_new(folder: &Path, name: &str, records: &[Record]) -> io::Result<File> {
    let beside = folder.join(format!("{name}.new"));
    let written = write_whole(&beside, records).and_then(|file| {
        fs::rename(&beside, folder.join(name))?;
        File::open(folder)?.sync_all()?;
        Ok(file)
    });
    if written.is_err() {
        // A full disk has the more room for the next attempt.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn write_whole(path: &Path, records: &[Record]) -> io::Result<File> {
    let file = private().truncate(true).open(path)?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    let header = Record::Header { records: records.len() as u64 };
    for record in std::iter::once(&header).chain(records) {
        bytes.clear();
        journal::write(&mut bytes, record, 0);
        out.write_all(&bytes)?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file)
}

/// To write a file for this user only. Not where a link leads: whoever else may write to the folder
/// would have this user's files overwritten.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options
}

/// Why a file's content is not known.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It cannot be read.
    Io(io::Error),
    /// Its content cannot be trusted.
    Damaged {
        /// Which.
        file: PathBuf,
        /// Where, in bytes.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

impl Fault {
    fn told(self, folder: &Path) -> Refused {
        Refused::Unusable(match self {
            Self::Io(error) => unusable(folder, &error),
            Self::Damaged { file, at, what } => {
                let file = file.display();
                let message = format!("{file}, byte {at}: {what}; what quotas have used is in it");
                let fix = format!(
                    "restore the file from a backup, or, to begin all quotas of their periods \
                     anew and with every key as its file says: mv {file} {file}.damaged"
                );
                Problem::of_process(message, fix)
            }
        })
    }
}

/// What the journal of a folder adds up to, and how much of its end is torn; nothing where there is
/// none. Takes no lock: while a gateway writes, its last batch may look torn.
///
/// # Errors
/// When it cannot be read or trusted.
pub(crate) fn read_journal(folder: &Path) -> Result<(Replay, usize), Fault> {
    let mut replay = Replay::default();
    let Some(content) = read(folder.join(JOURNAL))? else { return Ok((replay, 0)) };
    content.records.iter().for_each(|record| replay.add(record));
    Ok((replay, content.torn_bytes))
}

/// A day's usage, account by account.
///
/// # Errors
/// When its file cannot be read or trusted.
pub(crate) fn read_day(folder: &Path, day: Day) -> Result<Vec<ClosedDay>, Fault> {
    let Some(content) = read(folder.join(format!("{USAGE}{day}")))? else { return Ok(Vec::new()) };
    let closed = content.records.into_iter().filter_map(|record| match record {
        Record::Day(closed) => Some(closed),
        _ => None,
    });
    Ok(closed.collect())
}

fn read(file: PathBuf) -> Result<Option<journal::Content>, Fault> {
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Fault::Io(error)),
    };
    let damaged = |journal::Damage { at, what }| Fault::Damaged { file, at, what };
    journal::read(&bytes).map(Some).map_err(damaged)
}

/// Waits for a gateway that is about to end.
fn lock(folder: &Path, wait: Duration) -> Result<File, Refused> {
    let cannot = |error: io::Error| Refused::Unusable(unusable(folder, &error));
    let mut file = private().read(true).open(folder.join("lock")).map_err(cannot)?;
    let deadline = clock() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
            Err(TryLockError::WouldBlock) if clock() < deadline => thread::park_timeout(LOCK_STEP),
            Err(TryLockError::WouldBlock) => return Err(Refused::InUse(in_use(folder, file))),
        }
    }
    // For people; a full disk does not take it.
    let emptied = file.set_len(0).and_then(|()| file.rewind());
    let _ = emptied.and_then(|()| writeln!(file, "{}", process::id()));
    Ok(file)
}

fn in_use(folder: &Path, mut lock: File) -> Problem {
    let mut owner = String::new();
    let _ = lock.read_to_string(&mut owner);
    let owner = match owner.trim() {
        "" => "another process".to_owned(),
        id => format!("process {id}"),
    };
    let (folder, seconds) = (folder.display(), LOCK_WAIT.as_secs());
    let message = format!("{owner} uses the state folder {folder} and did not end in {seconds} s");
    let fix = "end that process, or give this gateway a folder of its own: `stateFolder: /path` \
               in its file";
    Problem::of_process(message, fix)
}

#[expect(clippy::disallowed_methods, reason = "no shard waits here, and there is no shard's clock")]
fn clock() -> Instant {
    Instant::now()
}
