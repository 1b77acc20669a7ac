//! Can this machine run the ring? Asked before anything else; each answer is a sentence with its
//! remedy. glommio would panic instead: it makes three rings of its own per executor, so the
//! probe makes as many as all executors together will need.

use std::{
    ffi::CStr,
    fs,
    io::{self, Write},
};

use io_uring::{IoUring, Probe, opcode};

use super::{
    kernel::is_out_of_descriptors,
    uring::{self, Uring},
};
use crate::base::{Problem, Severity};

/// The oldest kernel with all that the driver needs (multishot receive and `DEFER_TASKRUN` are
/// of 6.0 and 6.1).
const KERNEL_MIN: (u32, u32) = (6, 1);
/// Descriptors below which a gateway makes no sense: listeners, rings, and a few connections.
const DESCRIPTORS_MIN: u64 = 1_024;
/// Rings of one executor: glommio's three and the driver's.
const GLOMMIO_RINGS: usize = 3;
/// Entries that glommio gives each of its rings at our `ring_depth`, generously.
const GLOMMIO_ENTRIES: u32 = 128;

/// Checks kernel, io_uring, locked memory and descriptors for `executors` executors. Raises the
/// soft descriptor limit to the hard one.
///
/// # Errors
/// What is missing and the remedy; the program should exit with code 78.
pub fn probe(executors: usize) -> Result<(), Problem> {
    check_kernel(&release())?;
    let _rings = check_rings(executors)?;
    check_operations()?;
    check_descriptors()
}

fn problem(message: impl Into<String>, fix: impl Into<String>) -> Problem {
    let (message, fix) = (message.into(), fix.into());
    Problem { severity: Severity::Error, place: None, message, fix }
}

fn check_kernel(release: &str) -> Result<(), Problem> {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= KERNEL_MIN {
        return Ok(());
    }
    let (major, minor) = KERNEL_MIN;
    Err(problem(
        format!("the kernel is Linux {release}; the ring needs {major}.{minor} or newer"),
        "boot a newer kernel (Debian 12, Ubuntu 24.04 and RHEL 10 have one)",
    ))
}

/// The release of the running kernel, `6.1.0-18-amd64`; empty when uname(2) fails.
fn release() -> String {
    // SAFETY: utsname is plain bytes, for which zero is a value.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: uname writes terminated strings into the struct that it is given.
    let release = unsafe {
        if libc::uname(&raw mut names) != 0 {
            return String::new();
        }
        CStr::from_ptr(names.release.as_ptr())
    };
    release.to_string_lossy().into_owned()
}

/// Makes all rings at once: limits count them together.
fn check_rings(executors: usize) -> Result<Vec<IoUring>, Problem> {
    let mut rings = Vec::new();
    for _ in 0..executors * GLOMMIO_RINGS {
        rings.push(IoUring::new(GLOMMIO_ENTRIES).map_err(|error| explain(&error, executors))?);
    }
    for _ in 0..executors {
        rings.push(uring::open_own().map_err(|error| explain(&error, executors))?);
    }
    Uring::new().and_then(|mut kernel| kernel.try_group()).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::EINVAL) => problem(
                "the kernel's io_uring has no provided-buffer rings",
                "boot Linux 6.1 or newer without a restricted io_uring",
            ),
            _ => explain(&error, executors),
        }
    })?;
    Ok(rings)
}

fn explain(error: &io::Error, executors: usize) -> Problem {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            problem("this kernel was built without io_uring", "use a kernel with CONFIG_IO_URING=y")
        }
        Some(libc::EPERM | libc::EACCES) => explain_refusal(
            fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default().trim(),
        ),
        Some(libc::ENOMEM) => problem(
            format!(
                "the kernel refuses the memory of {} rings: the locked-memory limit is {} KiB",
                executors * (GLOMMIO_RINGS + 1),
                limit(libc::RLIMIT_MEMLOCK).0 / 1024,
            ),
            "raise it (LimitMEMLOCK=infinity in the unit file, or ulimit -l unlimited) or start \
             fewer shards",
        ),
        Some(errno) if is_out_of_descriptors(errno) => problem(
            "descriptors ran out while making the rings",
            "raise the limit (LimitNOFILE=1048576 in the unit file, or ulimit -n)",
        ),
        Some(libc::EINVAL) => problem(
            "the kernel's io_uring lacks SINGLE_ISSUER or DEFER_TASKRUN",
            "boot Linux 6.1 or newer",
        ),
        _ => problem(format!("io_uring does not start: {error}"), ""),
    }
}

/// Who forbade it: the sysctl, or somebody's seccomp filter.
fn explain_refusal(disabled: &str) -> Problem {
    match disabled {
        "2" => problem(
            "io_uring is disabled on this machine (kernel.io_uring_disabled is 2)",
            "sysctl kernel.io_uring_disabled=0",
        ),
        "1" => problem(
            "io_uring is reserved for a group on this machine (kernel.io_uring_disabled is 1)",
            "sysctl kernel.io_uring_disabled=0, or run as a member of kernel.io_uring_group",
        ),
        _ => problem(
            "io_uring is forbidden to this process, probably by a seccomp filter (containers \
             have one)",
            "allow io_uring_setup, io_uring_enter and io_uring_register in the profile, or run \
             the container with --security-opt seccomp=unconfined",
        ),
    }
}

fn check_operations() -> Result<(), Problem> {
    let ring = IoUring::new(2).map_err(|error| explain(&error, 1))?;
    let mut known = Probe::new();
    ring.submitter().register_probe(&mut known).map_err(|error| explain(&error, 1))?;
    let needed = [
        ("accept", opcode::AcceptMulti::CODE),
        ("recv", opcode::RecvMulti::CODE),
        ("send", opcode::Send::CODE),
        ("sendmsg", opcode::SendMsg::CODE),
        ("connect", opcode::Connect::CODE),
        ("cancel", opcode::AsyncCancel::CODE),
        ("close", opcode::Close::CODE),
        ("poll", opcode::PollAdd::CODE),
    ];
    match needed.iter().find(|(_, code)| !known.is_supported(*code)) {
        None => Ok(()),
        Some((name, _)) => Err(problem(
            format!("the kernel's io_uring has no {name} operation"),
            "boot Linux 6.1 or newer",
        )),
    }
}

fn check_descriptors() -> Result<(), Problem> {
    let (soft, hard) = limit(libc::RLIMIT_NOFILE);
    let wanted = libc::rlimit { rlim_cur: hard, rlim_max: hard };
    // SAFETY: setrlimit reads the struct that it is given.
    if soft < hard && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } != 0 {
        let text =
            format!("ringway: the descriptor limit stays at {soft}: setrlimit was refused\n");
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
    judge_descriptors(limit(libc::RLIMIT_NOFILE).0)
}

/// Descriptors that this process may have open.
#[must_use]
pub fn descriptors_max() -> u64 {
    limit(libc::RLIMIT_NOFILE).0
}

/// Lets the calling thread have less of the cores than others: what it does can wait.
pub fn step_back() {
    const NICE: libc::c_int = 5;
    // SAFETY: setpriority touches no memory; on Linux 0 is the calling thread, and raising the
    // number is always allowed. A failure leaves the thread as it was.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

fn judge_descriptors(have: u64) -> Result<(), Problem> {
    if have >= DESCRIPTORS_MIN {
        return Ok(());
    }
    Err(problem(
        format!("this process may open {have} descriptors; at least {DESCRIPTORS_MIN} are needed"),
        "raise the hard limit (LimitNOFILE=1048576 in the unit file, or ulimit -Hn)",
    ))
}

/// Soft and hard limit.
fn limit(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes the struct that it is given; a failure leaves it zero.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    (limit.rlim_cur, limit.rlim_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(result: Result<(), Problem>, expected: Option<&str>) {
        let said = result.err().map(|problem| problem.to_string());
        match (said, expected) {
            (None, None) => {}
            (Some(said), Some(expected)) => assert!(said.contains(expected), "{said}"),
            (said, expected) => panic!("{said:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn old_kernels_are_told_so() {
        check(check_kernel("6.1.0-18-amd64"), None);
        check(check_kernel("6.18.44-fc"), None);
        check(check_kernel("10.0"), None);
        check(check_kernel("6.0.19"), Some("Linux 6.0.19; the ring needs 6.1"));
        check(check_kernel("5.15.0-91-generic"), Some("newer"));
        check(check_kernel(""), Some("newer"));
    }

    #[test]
    fn every_refusal_has_its_sentence() {
        let of = |error| Err(explain(&io::Error::from_raw_os_error(error), 2));
        check(of(libc::ENOSYS), Some("CONFIG_IO_URING"));
        check(of(libc::ENOMEM), Some("memory of 8 rings"));
        check(of(libc::EMFILE), Some("LimitNOFILE"));
        check(of(libc::EINVAL), Some("DEFER_TASKRUN"));
        check(of(libc::EIO), Some("io_uring does not start"));
        check(Err(explain_refusal("2")), Some("io_uring_disabled is 2"));
        check(Err(explain_refusal("1")), Some("io_uring_group"));
        check(Err(explain_refusal("0")), Some("seccomp"));
        check(Err(explain_refusal("")), Some("seccomp"));
    }

    #[test]
    fn descriptors_are_enough_from_the_limit_on() {
        check(judge_descriptors(DESCRIPTORS_MIN), None);
        check(judge_descriptors(DESCRIPTORS_MIN - 1), Some("may open 1023"));
    }

    #[test]
    fn this_machine_passes() {
        check(probe(2), None);
    }
}
