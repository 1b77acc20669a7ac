//! Real files, /dev/full, FIFOs: each in a directory of its own that goes with the test.

use std::{
    fs,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Command,
    sync::{Mutex, mpsc::channel},
};

use super::*;
use crate::{
    base::Moment,
    telemetry::access_log::{self, AccessLog},
};

const NOW: Moment = Moment(1);
const FINISH: Duration = Duration::from_secs(10);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("ringway-log-{name}-{id}"));
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

struct Rig {
    log: AccessLog,
    writer: LogWriter,
    told: Receiver<String>,
}

fn start(path: &Path) -> Rig {
    let (mut logs, chunks) = access_log::channel(1);
    let (tell, told) = channel();
    let tell = move |sentence: &str| tell.send(sentence.to_owned()).expect("the test listens");
    let writer =
        LogWriter::start(LogTarget::File(path.to_owned()), chunks, tell).expect("the log opens");
    Rig { log: logs.pop().expect("one shard"), writer, told }
}

impl Rig {
    fn line(&mut self, text: &str) {
        self.log.record(NOW, |out| out.extend_from_slice(text.as_bytes()));
        self.log.send();
    }

    /// Waits, bounded, until as many lines went through the writer.
    #[track_caller]
    fn wait(&self, written: u64, failed: u64) {
        for _ in 0..2_000 {
            if self.writer.counts() == (LogCounts { written, failed }) {
                return;
            }
            thread::park_timeout(Duration::from_millis(5));
        }
        panic!("wanted {written} written, {failed} failed: {:?}", self.writer.counts());
    }

    #[track_caller]
    fn finish(self) {
        drop(self.log);
        assert!(self.writer.finish(FINISH), "the writer did not end");
    }
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

#[test]
fn lines_reach_the_file_in_order_and_are_appended() {
    let folder = Folder::new("append");
    let path = folder.file("access.log");
    fs::write(&path, "before\n").expect("written");
    let mut rig = start(&path);
    for number in 0..1_000 {
        rig.log.record(NOW, |out| out.extend_from_slice(number.to_string().as_bytes()));
    }
    rig.log.send();
    rig.wait(1_000, 0);
    rig.finish();
    let numbers = (0..1_000).map(|number| format!("{number}\n")).collect::<String>();
    assert_eq!(fs::read_to_string(&path).expect("read"), format!("before\n{numbers}"));
}

#[test]
fn all_that_was_sent_is_written_at_the_end() {
    let folder = Folder::new("end");
    let path = folder.file("access.log");
    let mut rig = start(&path);
    rig.line("last words");
    rig.finish();
    assert_eq!(fs::read_to_string(&path).expect("read"), "last words\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
    let (_, chunks) = access_log::channel(1);
    let target = LogTarget::File("/nonexistent-folder/access.log".into());
    let error = LogWriter::start(target, chunks, |_| {}).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_full_disk_drops_counts_and_tells_once() {
    let mut rig = start(Path::new("/dev/full"));
    for _ in 0..10 {
        rig.line("lost");
    }
    rig.wait(0, 10);
    let told = rig.told.recv().expect("told");
    assert!(told.contains("/dev/full: No space left on device"), "{told}");
    assert!(rig.told.try_recv().is_err(), "told twice");
    rig.finish();
}

#[test]
fn after_a_rotation_lines_go_to_the_new_file() {
    let folder = Folder::new("rotate");
    let (path, old) = (folder.file("access.log"), folder.file("access.log.1"));
    let mut rig = start(&path);
    rig.line("one");
    rig.wait(1, 0);
    fs::rename(&path, &old).expect("renamed");
    rig.line("two");
    rig.wait(2, 0);
    rig.writer.reopen();
    rig.line("three");
    rig.wait(3, 0);
    rig.finish();
    assert_eq!(fs::read_to_string(&old).expect("read"), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).expect("read"), "three\n");
}

#[test]
fn a_rotation_that_cannot_open_keeps_the_old_file() {
    let folder = Folder::new("keep");
    fs::create_dir(folder.file("logs")).expect("made");
    let mut rig = start(&folder.file("logs/access.log"));
    fs::rename(folder.file("logs"), folder.file("gone")).expect("renamed");
    rig.writer.reopen();
    rig.line("one");
    rig.wait(1, 0);
    // It said that lines are dropped, and then that the missing file works again.
    let told = rig.told.recv().expect("told");
    assert!(told.contains("No such file") && told.contains("the file from before"), "{told}");
    assert!(rig.told.try_recv().is_err());
    rig.finish();
    let text = fs::read_to_string(folder.file("gone/access.log")).expect("read");
    assert_eq!(text, "one\n");
}

#[test]
fn a_fifo_that_nobody_reads_delays_nobody_and_works_when_a_reader_comes() {
    let folder = Folder::new("fifo");
    let path = folder.file("fifo");
    make_fifo(&path);
    let mut rig = start(&path);
    rig.line("nobody reads");
    rig.wait(0, 1);
    assert!(rig.told.recv().expect("told").contains("No such device or address"));
    let mut reader =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("opened");
    rig.line("somebody reads");
    rig.wait(1, 1);
    assert!(rig.told.recv().expect("told").contains("works again; 1 lines were dropped"));
    let mut text = [0; 100];
    let count = reader.read(&mut text).expect("read");
    assert_eq!(&text[..count], b"somebody reads\n");
    drop(reader);
    rig.line("broken pipe");
    rig.wait(1, 2);
    rig.finish();
}

/// The FIFO fills in the middle of a line; its reader must see whole lines only, later.
#[test]
fn a_line_torn_by_a_slow_reader_is_mended_first() {
    let folder = Folder::new("torn");
    let path = folder.file("fifo");
    make_fifo(&path);
    let mut reader =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("opened");
    let mut rig = start(&path);
    // A pipe holds 64 KiB: these two chunks do not fit.
    let long = "x".repeat(40_000);
    rig.log.record(NOW, |out| out.extend_from_slice(long.as_bytes()));
    rig.log.record(NOW, |out| out.extend_from_slice(long.as_bytes()));
    rig.log.record(NOW, |out| out.extend_from_slice(long.as_bytes()));
    rig.log.send();
    rig.wait(2, 1);
    let mut text = Vec::new();
    drop(reader.read_to_end(&mut text));
    assert!(!text.ends_with(b"\n"), "the pipe was large enough: the test shows nothing");
    rig.line("after");
    rig.wait(3, 1);
    drop(reader.read_to_end(&mut text));
    let lines: Vec<usize> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len).collect();
    assert_eq!(lines, [40_001, 40_001, 6]);
    rig.finish();
}

#[test]
fn a_writer_stuck_in_the_kernel_is_left_behind_within_the_bound() {
    let (mut logs, chunks) = access_log::channel(1);
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    // The telling blocks as a write to a dead disk would.
    let tell = move |_: &str| drop(released.lock().map(|released| released.recv()));
    let writer = LogWriter::start(LogTarget::File("/dev/full".into()), chunks, tell).expect("open");
    logs[0].record(NOW, |out| out.extend_from_slice(b"lost"));
    logs[0].send();
    drop(logs);
    assert!(!writer.finish(Duration::from_millis(50)));
    drop(release);
    assert!(writer.finish(FINISH));
}
