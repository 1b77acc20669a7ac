//! Child processes that never outlive this program: the guard stops them when dropped (also by a
//! panic), and the kernel kills them when the program is killed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::clock;
use crate::sys::process::{self, Signal};

const TERMINATE_PATIENCE: Duration = Duration::from_secs(2);

/// A running child.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it pinned to `core`, without stdin.
    pub(crate) fn start(command: &mut Command, core: usize) -> io::Result<Self> {
        Self::start_on(command, Some(core))
    }

    /// Starts it on every core that this thread may run on, without stdin.
    pub(crate) fn start_on_all(command: &mut Command) -> io::Result<Self> {
        Self::start_on(command, None)
    }

    fn start_on(command: &mut Command, core: Option<usize>) -> io::Result<Self> {
        let program = command.get_program().to_owned();
        let child = process::spawn(command.stdin(Stdio::null()), core).map_err(|error| {
            io::Error::other(format!("starting {}: {error}", program.display()))
        })?;
        Ok(Self { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipe, if the command asked for one; once.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        process::signal(&self.child, signal)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for the end; `None` when it still runs at `deadline`.
    pub(crate) fn wait_until(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            let ended = self.child.try_wait()?;
            if ended.is_some() || clock::now() >= deadline {
                return Ok(ended);
            }
            clock::pause(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever fails here, it is already gone or `kill` below ends it.
        let _ = self.signal(Signal::Terminate);
        if !matches!(self.wait_until(clock::now() + TERMINATE_PATIENCE), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A folder for generated configurations and logs, removed at the end.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        let name = format!("ringway-loadtest-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the temporary folder is not worth a panic while one may be under way.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
