//! The access log's writer: one thread that takes chunks of lines from every shard and writes
//! them to stdout or a file. It may wait for a disk; no shard waits for it.
//!
//! A line is written whole or not at all: when a write stops in the middle of a line (disk full),
//! the rest of that line is kept and written first when writing works again; all other lines of
//! the chunk are dropped and counted. Every chunk is a new attempt, so recovery needs no action.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{base::limits::LOG_COMPLAINT_WAIT, telemetry::access_log::Chunks};

/// A pipe or FIFO whose reader is slow gets this long for each attempt.
const PIPE_WAIT: Duration = Duration::from_millis(250);
const PIPE_STEP: Duration = Duration::from_millis(5);
/// How often the thread looks for a wish to reopen when no lines come.
const IDLE_WAIT: Duration = Duration::from_millis(200);

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// A file to append to, made when missing; or a FIFO.
    File(PathBuf),
}

/// Lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Written whole.
    pub written: u64,
    /// Taken from a shard and not written.
    pub failed: u64,
}

/// The running writer, as the control thread holds it.
pub struct LogWriter {
    shared: Arc<Shared>,
    ended: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct Shared {
    written: AtomicU64,
    failed: AtomicU64,
    reopen: AtomicBool,
}

impl LogWriter {
    /// Starts the thread. `tell` gets the sentences for the operator, at most one in
    /// [`LOG_COMPLAINT_WAIT`].
    ///
    /// # Errors
    /// When the file cannot be opened (a FIFO without a reader is no error: it may come) or the
    /// thread cannot be started.
    pub fn start(
        target: LogTarget,
        chunks: Chunks,
        tell: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let sink = match open(&target) {
            Ok(sink) => Some(sink),
            Err(error) if is_readerless_fifo(&error) => None,
            Err(error) => return Err(error),
        };
        let shared = Arc::new(Shared::default());
        let (end, ended) = sync_channel::<()>(1);
        let writing = Writing {
            target,
            sink,
            torn: Vec::new(),
            shared: Arc::clone(&shared),
            complaint: Complaint { tell: Box::new(tell), last: None, open: false, since: 0 },
        };
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            writing.run(&chunks);
            drop(end);
        })?;
        Ok(Self { shared, ended: Mutex::new(ended) })
    }

    /// Opens the file anew before the next chunk: after a log rotation (SIGHUP).
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
    }

    /// Lines so far.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        LogCounts {
            written: self.shared.written.load(Ordering::Relaxed),
            failed: self.shared.failed.load(Ordering::Relaxed),
        }
    }

    /// Waits until all that the shards sent is written, at most `wait`; the shards' logs must be
    /// dropped by then. True when the thread ended; else it is left behind, stuck in the kernel.
    #[must_use]
    pub fn finish(&self, wait: Duration) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
    }
}

/// Non-blocking, so that a FIFO without a reader fails instead of hanging; files do not care.
/// Standard output is written through a descriptor of our own, past std's line buffer, which
/// would take bytes that it then cannot write.
fn open(target: &LogTarget) -> io::Result<File> {
    match target {
        LogTarget::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        LogTarget::File(path) => {
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o640).custom_flags(libc::O_NONBLOCK);
            options.open(path)
        }
    }
}

/// Writes as much as it can; the bytes written, and what ended it early.
fn write(mut sink: &File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let (mut done, mut patience) = (0, PIPE_WAIT);
    while done < bytes.len() {
        match sink.write(&bytes[done..]) {
            Ok(0) => return (done, Some(ErrorKind::WriteZero.into())),
            Ok(count) => {
                done += count;
                patience = PIPE_WAIT;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && !patience.is_zero() => {
                thread::park_timeout(PIPE_STEP);
                patience = patience.saturating_sub(PIPE_STEP);
            }
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

/// The thread's own state.
struct Writing {
    target: LogTarget,
    sink: Option<File>,
    /// The rest of a line whose first part is already in the file.
    torn: Vec<u8>,
    shared: Arc<Shared>,
    complaint: Complaint,
}

impl Writing {
    fn run(mut self, chunks: &Chunks) {
        loop {
            let chunk = match chunks.receiver().recv_timeout(IDLE_WAIT) {
                Ok(chunk) => Some(chunk),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.shared.reopen.swap(false, Ordering::Acquire) {
                self.reopen();
            }
            let Some(chunk) = chunk else { continue };
            let outcome = self.write(&chunk.bytes);
            self.count(chunk.lines, outcome);
            chunks.give_back(chunk);
        }
    }

    /// Writes a chunk; the lines that were written whole (or whose rest is kept), and the error.
    fn write(&mut self, bytes: &[u8]) -> Result<(), (u64, io::Error)> {
        let sink = match self.sink.take() {
            Some(sink) => sink,
            None => open(&self.target).map_err(|error| (0, error))?,
        };
        let sink = self.sink.insert(sink);
        let (done, error) = write(sink, &self.torn);
        self.torn.drain(..done);
        if let Some(error) = error {
            return Err((0, error));
        }
        let (done, error) = write(sink, bytes);
        let Some(error) = error else { return Ok(()) };
        let (written, rest) = bytes.split_at(done);
        let mut lines = count_lines(written);
        if !written.is_empty() && !written.ends_with(b"\n") {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            self.torn.extend_from_slice(&rest[..end]);
            lines += 1;
        }
        Err((lines, error))
    }

    fn count(&mut self, lines: u64, outcome: Result<(), (u64, io::Error)>) {
        let (written, error) = match outcome {
            Ok(()) => (lines, None),
            Err((written, error)) => (written, Some(error)),
        };
        self.shared.written.fetch_add(written, Ordering::Relaxed);
        self.shared.failed.fetch_add(lines - written, Ordering::Relaxed);
        match error {
            Some(error) => self.complaint.failed(&self.target, lines - written, &error),
            None => self.complaint.works(&self.target),
        }
    }

    /// The old file keeps working when the new one cannot be opened.
    fn reopen(&mut self) {
        if self.target == LogTarget::Stdout {
            return;
        }
        if !self.torn.is_empty() {
            // The old file gets the end of its last line, or else the line was never written.
            let (done, _) = self.sink.as_ref().map_or((0, None), |sink| write(sink, &self.torn));
            if done < self.torn.len() {
                self.shared.written.fetch_sub(1, Ordering::Relaxed);
                self.shared.failed.fetch_add(1, Ordering::Relaxed);
            }
            self.torn.clear();
        }
        match open(&self.target) {
            Ok(sink) => self.sink = Some(sink),
            Err(error) if self.sink.is_some() => self.complaint.kept(&self.target, &error),
            Err(error) => self.complaint.failed(&self.target, 0, &error),
        }
    }
}

/// What the operator is told, not too often.
struct Complaint {
    tell: Box<dyn FnMut(&str) + Send>,
    last: Option<Instant>,
    /// A failure was told, its end was not.
    open: bool,
    /// Lines dropped since that was told.
    since: u64,
}

impl Complaint {
    fn failed(&mut self, target: &LogTarget, lines: u64, error: &io::Error) {
        self.since += lines;
        let now = clock();
        if self.last.is_some_and(|last| now.duration_since(last) < LOG_COMPLAINT_WAIT) {
            return;
        }
        self.last = Some(now);
        self.open = true;
        (self.tell)(&format!(
            "access log: cannot write to {target}: {error}; lines are dropped and counted \
             (ringway_access_log_failed_lines_total) until it works again"
        ));
    }

    /// A reopen failed: the file from before is still written to, whatever its name is now.
    fn kept(&mut self, target: &LogTarget, error: &io::Error) {
        (self.tell)(&format!(
            "access log: cannot open {target} anew: {error}; lines go to the file from before, \
             until the next SIGHUP"
        ));
    }

    fn works(&mut self, target: &LogTarget) {
        if !self.open {
            return;
        }
        self.open = false;
        let lines = std::mem::take(&mut self.since);
        (self.tell)(&format!("access log: {target} works again; {lines} lines were dropped"));
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => out.write_str("standard output"),
            Self::File(path) => path.display().fmt(out),
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Opening a FIFO for writing without waiting fails like this while nobody reads it.
fn is_readerless_fifo(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENXIO)
}

#[expect(clippy::disallowed_methods, reason = "this thread is no shard and has no shard's clock")]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
