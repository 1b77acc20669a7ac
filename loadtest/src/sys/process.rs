//! Processes: which core they run on, who dies with whom, and how many descriptors they may have.
#![expect(unsafe_code, reason = "affinity, prctl, kill and rlimits have no safe form in std")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

/// What to ask of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

/// Pins the calling thread (and whatever it starts later) to one core.
pub(crate) fn pin_to(core: usize) -> io::Result<()> {
    let set = one_core(core);
    // SAFETY: `set` is a live cpu_set_t of the size that is passed; 0 means the calling thread.
    let rc = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Starts `command` pinned to `core`, or with none where this thread may run; the kernel kills it
/// when the thread that started it ends, so that neither a panic nor a second ctrl-c leaves a
/// gateway behind.
pub(crate) fn spawn(command: &mut Command, core: Option<usize>) -> io::Result<Child> {
    let set = core.map(one_core);
    let pinned = move || {
        // SAFETY: async-signal-safe system calls on values that live in this frame, as `pre_exec`
        // asks for: nothing is allocated and no lock is taken.
        let rc = unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)
                | set.as_ref().map_or(0, |set| {
                    libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const *set)
                })
        };
        if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: the closure above keeps to what is allowed between fork and exec.
    unsafe { command.pre_exec(pinned) };
    command.spawn()
}

/// Sends a signal to a child that has not been waited for, so that the id cannot be another's.
pub(crate) fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let number = match signal {
        Signal::Hangup => libc::SIGHUP,
        Signal::Interrupt => libc::SIGINT,
        Signal::Terminate => libc::SIGTERM,
    };
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    // SAFETY: kill takes two integers and touches no memory of ours.
    let rc = unsafe { libc::kill(pid, number) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the descriptor limit towards `want` (children inherit it); says what it is afterwards.
pub(crate) fn raise_descriptor_limit(want: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live rlimit for the kernel to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur >= want {
        return Ok(limit.rlim_cur);
    }
    let hard_enough = libc::rlimit { rlim_cur: want, rlim_max: limit.rlim_max.max(want) };
    let at_most = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
    for wish in [hard_enough, at_most] {
        // SAFETY: `wish` is a live rlimit that the kernel reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wish) } == 0 {
            return Ok(wish.rlim_cur);
        }
    }
    Ok(limit.rlim_cur)
}

/// Makes this thread's timed waits exact (they may be 50 us late by default), for fixed rates.
pub(crate) fn exact_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer; failing only leaves the default slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

fn one_core(core: usize) -> libc::cpu_set_t {
    // SAFETY: cpu_set_t is a plain array of integers, for which all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    assert!(core < 8 * size_of::<libc::cpu_set_t>(), "core {core} does not fit a cpu_set_t");
    // SAFETY: the index was checked against the size of the set.
    unsafe { libc::CPU_SET(core, &mut set) };
    set
}
