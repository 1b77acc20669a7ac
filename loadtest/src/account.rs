//! What a process used, from the kernel's own accounting: CPU time of all its threads in
//! nanoseconds, resident memory, open descriptors. The whole tree under a process id counts.

use std::{fs, io, path::Path};

/// CPU nanoseconds so far of `pid` and its descendants, over all threads that still live.
///
/// `/proc/PID/task/TID/schedstat` has nanoseconds where `stat` has ticks of 10 ms.
pub(crate) fn cpu_nanoseconds(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for process in tree(pid)? {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            sum += used_by(&thread?.path())?;
        }
    }
    Ok(sum)
}

/// Resident bytes of `pid` and its descendants (shared pages count each time).
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for process in tree(pid)? {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        sum += 1024 * first_number(line)?;
    }
    Ok(sum)
}

/// Open descriptors of one process.
pub(crate) fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// The thread of `pid` that has used the most CPU: a gateway's shard.
pub(crate) fn busiest_thread(pid: u32) -> io::Result<u32> {
    let mut busiest = (0, pid);
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?;
        let used = used_by(&thread.path())?;
        let Some(id) = thread.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        busiest = busiest.max((used, id));
    }
    Ok(busiest.1)
}

/// Nanoseconds of CPU of one thread; a thread that has just ended has none.
fn used_by(thread: &Path) -> io::Result<u64> {
    match fs::read_to_string(thread.join("schedstat")) {
        Ok(text) => first_number(&text),
        Err(error) if is_gone(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// /proc says this of a thread or process that ended between its listing and its reading.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

fn first_number(text: &str) -> io::Result<u64> {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.parse().map_err(|_| io::Error::other(format!("/proc said {text:?}, not a number")))
}

/// `root` and every process below it.
fn tree(root: u32) -> io::Result<Vec<u32>> {
    let mut pairs = vec![];
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that has just ended is not part of the tree any more.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        pairs.extend(parent_of(&stat).map(|parent| (parent, pid)));
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(pairs.iter().filter(|pair| pair.0 == parent).map(|pair| pair.1));
        next += 1;
    }
    Ok(found)
}

/// The fourth field; the second is a name that may contain spaces and parentheses.
fn parent_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        assert_eq!(parent_of("12 (a) b) (c) S 7 12 12 0"), Some(7));
        assert_eq!(parent_of("nothing"), None);
    }

    #[test]
    fn work_shows_in_the_account() {
        // A process of its own: this one's threads are other tests, which come and go.
        let mut busy = std::process::Command::new("sh");
        let mut busy = busy.args(["-c", "while :; do :; done"]).spawn().unwrap();
        let pid = busy.id();
        let before = cpu_nanoseconds(pid).unwrap();
        let works = |_: &u32| cpu_nanoseconds(pid).unwrap() > before + 1_000_000;
        let worked = (0..1_000_000).find(works);
        let told = (resident_bytes(pid), descriptors(pid), busiest_thread(pid));
        busy.kill().unwrap();
        busy.wait().unwrap();
        assert!(worked.is_some(), "its work does not show");
        assert!(told.0.unwrap() > 1 << 16);
        assert!(told.1.unwrap() >= 3);
        assert_eq!(told.2.unwrap(), pid);
    }
}
