//! The shard's half of the access log: lines gather in a chunk, full or old chunks go through a
//! bounded channel to one writer thread (`shard::log_writer`), empty chunks come back. A line is
//! never split over chunks. When the channel is full the chunk's lines are dropped and counted:
//! the shard never waits for a disk. In the steady state nothing is allocated.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::base::{
    Moment,
    limits::{LOG_CHUNK_BYTES, LOG_CHUNK_WAIT, LOG_CHUNKS_MAX},
};

/// A chunk goes when less than this is left in it: a common line then never makes it grow.
const LINE_BYTES_COMMON: usize = 4_096;
/// Empty chunks on their way back to one shard.
const SPARE_CHUNKS_MAX: usize = 4;

/// Whole lines on their way to the writer.
#[derive(Debug)]
pub struct Chunk {
    /// The lines, each ended by a line feed.
    pub bytes: Vec<u8>,
    /// How many lines there are.
    pub lines: u64,
    shard: usize,
}

/// One shard's access log.
#[derive(Debug)]
pub struct AccessLog {
    bytes: Vec<u8>,
    lines: u64,
    since: Option<Moment>,
    dropped: u64,
    shard: usize,
    chunks: SyncSender<Chunk>,
    spare: Receiver<Vec<u8>>,
}

/// The writer's end of every shard's access log.
#[derive(Debug)]
pub struct Chunks {
    chunks: Receiver<Chunk>,
    spare: Vec<SyncSender<Vec<u8>>>,
}

/// The access logs of `shards` shards, and the end that the writer reads.
#[must_use]
pub fn channel(shards: usize) -> (Vec<AccessLog>, Chunks) {
    let (chunks, received) = sync_channel(LOG_CHUNKS_MAX);
    let (logs, spare) = (0..shards).map(|shard| one(shard, chunks.clone())).unzip();
    (logs, Chunks { chunks: received, spare })
}

fn one(shard: usize, chunks: SyncSender<Chunk>) -> (AccessLog, SyncSender<Vec<u8>>) {
    let (back, spare) = sync_channel(SPARE_CHUNKS_MAX);
    let log = AccessLog {
        bytes: Vec::with_capacity(LOG_CHUNK_BYTES),
        lines: 0,
        since: None,
        dropped: 0,
        shard,
        chunks,
        spare,
    };
    (log, back)
}

impl AccessLog {
    /// Adds one line: `render` appends its text, the line feed is added here. Sends the chunk when
    /// it is full or older than [`LOG_CHUNK_WAIT`].
    pub fn record(&mut self, now: Moment, render: impl FnOnce(&mut Vec<u8>)) {
        render(&mut self.bytes);
        self.bytes.push(b'\n');
        self.lines += 1;
        self.since.get_or_insert(now);
        if self.bytes.len() + LINE_BYTES_COMMON > LOG_CHUNK_BYTES {
            self.send();
        } else {
            self.send_due(now);
        }
    }

    /// When [`AccessLog::send_due`] has something to do; `None` while the chunk is empty.
    #[must_use]
    pub fn due(&self) -> Option<Moment> {
        self.since.map(|since| since + LOG_CHUNK_WAIT)
    }

    /// Sends a chunk that is older than [`LOG_CHUNK_WAIT`]; the shard calls it now and then.
    pub fn send_due(&mut self, now: Moment) {
        if self.due().is_some_and(|due| due <= now) {
            self.send();
        }
    }

    /// Sends what there is; at shutdown, before the log is dropped.
    pub fn send(&mut self) {
        if self.lines == 0 {
            return;
        }
        self.since = None;
        let lines = std::mem::take(&mut self.lines);
        let bytes = std::mem::take(&mut self.bytes);
        let chunk = Chunk { bytes, lines, shard: self.shard };
        self.bytes = match self.chunks.try_send(chunk) {
            Ok(()) => self.spare.try_recv().unwrap_or_else(|_| Vec::with_capacity(LOG_CHUNK_BYTES)),
            Err(TrySendError::Full(chunk) | TrySendError::Disconnected(chunk)) => {
                self.dropped += chunk.lines;
                emptied(chunk.bytes)
            }
        };
    }

    /// Lines dropped so far because the writer did not keep up or is gone.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Chunks {
    /// The channel to receive from; it ends when every shard's log is dropped.
    #[must_use]
    pub const fn receiver(&self) -> &Receiver<Chunk> {
        &self.chunks
    }

    /// Gives a written chunk's memory back to its shard; freed when the shard has enough.
    pub fn give_back(&self, chunk: Chunk) {
        let Some(back) = self.spare.get(chunk.shard) else { return };
        // Full or gone: then the memory is simply freed.
        drop(back.try_send(emptied(chunk.bytes)));
    }
}

/// Empties a chunk; one that a giant line made grow is not kept.
fn emptied(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.clear();
    bytes.shrink_to(LOG_CHUNK_BYTES);
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Moment = Moment(1_000_000_000);

    fn pair() -> (AccessLog, Chunks) {
        let (mut logs, chunks) = channel(1);
        (logs.pop().expect("one shard"), chunks)
    }

    fn line(log: &mut AccessLog, now: Moment, text: &[u8]) {
        log.record(now, |out| out.extend_from_slice(text));
    }

    #[test]
    fn a_chunk_waits_until_it_is_old() {
        let (mut log, chunks) = pair();
        assert_eq!(log.due(), None);
        line(&mut log, START, b"one");
        let due = log.due().expect("a line waits");
        assert_eq!(due.since(START), LOG_CHUNK_WAIT);
        log.send_due(START + (LOG_CHUNK_WAIT - Duration::from_nanos(1)));
        assert!(chunks.receiver().try_recv().is_err());
        log.send_due(due);
        let chunk = chunks.receiver().try_recv().expect("sent");
        assert_eq!((chunk.bytes.as_slice(), chunk.lines), (&b"one\n"[..], 1));
        assert_eq!(log.due(), None);
    }

    #[test]
    fn a_full_chunk_goes_at_once_and_holds_whole_lines() {
        let (mut log, chunks) = pair();
        let text = [b'x'; 1_023];
        for _ in 0..LOG_CHUNK_BYTES / 1_024 {
            line(&mut log, START, &text);
        }
        let chunk = chunks.receiver().try_recv().expect("sent");
        assert_eq!(chunk.bytes.len() as u64, chunk.lines * 1_024);
        assert!(chunk.bytes.len() <= LOG_CHUNK_BYTES);
        assert!(chunk.bytes.len() + LINE_BYTES_COMMON > LOG_CHUNK_BYTES);
    }

    #[test]
    fn a_giant_line_is_kept_whole_and_its_memory_is_not() {
        let (mut log, chunks) = pair();
        line(&mut log, START, &vec![b'x'; 3 * LOG_CHUNK_BYTES]);
        let chunk = chunks.receiver().try_recv().expect("sent");
        assert_eq!((chunk.bytes.len(), chunk.lines), (3 * LOG_CHUNK_BYTES + 1, 1));
        chunks.give_back(chunk);
        let spare = log.spare.try_recv().expect("came back");
        assert!(spare.capacity() < 2 * LOG_CHUNK_BYTES);
    }

    #[test]
    fn lines_beyond_the_channel_are_dropped_and_counted() {
        let (mut log, chunks) = pair();
        for _ in 0..LOG_CHUNKS_MAX {
            line(&mut log, START, b"kept");
            log.send();
        }
        assert_eq!(log.dropped(), 0);
        line(&mut log, START, b"dropped");
        line(&mut log, START, b"dropped");
        log.send();
        assert_eq!(log.dropped(), 2);
        drop(chunks.receiver().try_recv());
        line(&mut log, START, b"kept");
        log.send();
        assert_eq!(log.dropped(), 2);
    }

    #[test]
    fn without_a_writer_lines_are_dropped_and_counted() {
        let (mut log, chunks) = pair();
        drop(chunks);
        line(&mut log, START, b"dropped");
        log.send();
        assert_eq!(log.dropped(), 1);
    }

    #[test]
    fn chunks_go_round_without_allocation() {
        let (mut log, chunks) = pair();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            line(&mut log, START, b"text");
            log.send();
            let chunk = chunks.receiver().recv().expect("sent");
            seen.insert(chunk.bytes.as_ptr());
            chunks.give_back(chunk);
        }
        assert!(seen.len() <= 2, "{} different chunks", seen.len());
    }
}
