//! `tuning/check.sh`: prints every row, knows good from bad, and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tuning() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tuning")
}

fn check_sh(root: Option<&Path>, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.arg(tuning().join("check.sh")).args(arguments);
    if let Some(root) = root {
        command.env("CHECK_ROOT", root);
    }
    command.output().unwrap()
}

/// Rows by name; the state is the last word.
fn rows(output: &Output) -> BTreeMap<String, (String, String)> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let states = ["ok", "differs", "unknown"];
    let row = |line: &str| {
        let state = line.split_whitespace().last()?.to_owned();
        let (name, rest) = (line.get(..42)?, line.get(43..69)?);
        states.contains(&state.as_str()).then(|| (name.trim().into(), (rest.trim().into(), state)))
    };
    text.lines().filter_map(row).collect()
}

const ROWS: &[&str] = &[
    "kernel.io_uring_disabled",
    "fs.file-max",
    "fs.nr_open",
    "kernel.numa_balancing",
    "transparent_hugepage",
    "net.core.somaxconn",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.ip_local_port_range (width)",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_fin_timeout",
    "net.core.netdev_max_backlog",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.tcp_rmem (max)",
    "net.ipv4.tcp_wmem (max)",
    "net.ipv4.tcp_congestion_control",
    "net.core.default_qdisc",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.core.busy_poll",
    "net.core.busy_read",
    "nofile",
    "memlock (bytes)",
    "cpufreq governor",
    "deepest C-state (us to leave)",
    "SMT active",
    "receive queues (RSS)",
    "XPS",
    "interrupts on more than one core",
    "receive ring",
    "transmit ring",
    "adaptive receive coalescing",
    "napi_defer_hard_irqs",
    "gro_flush_timeout (ns)",
    "NUMA node of the card",
];

#[track_caller]
fn assert_every_row(output: &Output) {
    let rows = rows(output);
    for name in ROWS {
        assert!(rows.contains_key(*name), "no row {name}: {rows:#?}");
    }
    assert_eq!(rows.len(), ROWS.len() + 1, "a row for RPS and no other: {rows:#?}");
    assert!(rows.keys().any(|name| name.starts_with("RPS (")), "{rows:#?}");
}

/// What the script looks at on this host, as far as it can be read.
fn settings() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for name in ROWS.iter().map(|row| row.split(' ').next().unwrap()) {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        if let Ok(text) = fs::read_to_string(&path) {
            found.insert(path, text);
        }
    }
    found
}

#[test]
fn this_host_is_shown_and_left_alone() {
    let before = settings();
    let output = check_sh(None, &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_every_row(&output);
    if Path::new("/proc/sys/net").exists() {
        assert!(!before.is_empty());
        let shown = &rows(&output)["net.core.somaxconn"].0;
        assert_eq!(
            Some(shown.as_str()),
            before.get(Path::new("/proc/sys/net/core/somaxconn")).map(|t| t.trim())
        );
    }
    assert_eq!(settings(), before);
}

/// The words that could change something do not occur as commands.
#[test]
fn nothing_in_the_script_writes() {
    let script = fs::read_to_string(tuning().join("check.sh")).unwrap();
    let code = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    for line in code {
        for word in ["sysctl -w", "tee ", "sed -i", "ethtool -G", "ethtool -C", "ethtool -L", "rm "]
        {
            assert!(!line.contains(word), "{line}");
        }
        let redirected = line.replace("2>/dev/null", "").replace(">/dev/null", "");
        let redirected = redirected.replace("2>&1", "").replace(">&2", "");
        assert!(!redirected.contains('>'), "redirects: {line}");
    }
}

/// A host without any of the files: every row is there, nothing is known, nothing differs.
#[test]
fn an_unknown_host_is_unknown() {
    let root = host("empty", &[]);
    let output = check_sh(Some(&root), &["--strict"]);
    assert_every_row(&output);
    let known: Vec<_> = rows(&output).into_iter().filter(|row| row.1.1 != "unknown").collect();
    // No core is seen, so any number of queues would do; none is seen either.
    assert!(known.is_empty(), "{known:?}");
    assert!(output.status.success());
}

#[track_caller]
fn check(name: &str, files: &[(&str, &str)], row: &str, current: &str, state: &str) {
    let output = check_sh(Some(&host(name, files)), &["--interface", "eth9"]);
    let rows = rows(&output);
    assert_eq!(rows[row], (current.to_owned(), state.to_owned()), "{name}: {row}");
    assert!(output.status.success());
}

#[test]
fn limits_are_judged_at_the_limit_and_beyond() {
    let file = "proc/sys/net/core/somaxconn";
    check("at", &[(file, "4096\n")], "net.core.somaxconn", "4096", "ok");
    check("below", &[(file, "4095\n")], "net.core.somaxconn", "4095", "differs");
    let file = "proc/sys/fs/file-max";
    let huge = "9223372036854775807";
    check("huge", &[(file, huge)], "fs.file-max", huge, "ok");
    let file = "proc/sys/net/ipv4/tcp_fin_timeout";
    check("thirty", &[(file, "30")], "net.ipv4.tcp_fin_timeout", "30", "ok");
    check("later", &[(file, "31")], "net.ipv4.tcp_fin_timeout", "31", "differs");
    let file = "proc/sys/net/ipv4/ip_local_port_range";
    let row = "net.ipv4.ip_local_port_range (width)";
    check("wide", &[(file, "10240\t60239\n")], row, "50000", "ok");
    check("narrow", &[(file, "10240\t60238\n")], row, "49999", "differs");
    let file = "proc/sys/net/ipv4/tcp_rmem";
    check("rmem", &[(file, "4096\t131072\t6291456\n")], "net.ipv4.tcp_rmem (max)", "6291456", "ok");
}

#[test]
fn words_queues_and_states_are_read() {
    let file = "sys/kernel/mm/transparent_hugepage/enabled";
    check(
        "thp",
        &[(file, "[always] madvise never\n")],
        "transparent_hugepage",
        "always",
        "differs",
    );
    let idle = [
        ("sys/devices/system/cpu/cpu0/cpuidle/state0/latency", "1"),
        ("sys/devices/system/cpu/cpu1/cpuidle/state1/latency", "10"),
        ("sys/devices/system/cpu/cpu1/cpuidle/state2/latency", "133"),
        ("sys/devices/system/cpu/cpu1/cpuidle/state2/disable", "1"),
    ];
    check("idle", &idle, "deepest C-state (us to leave)", "10", "ok");
    check("deep", &idle[..3], "deepest C-state (us to leave)", "133", "differs");
    let card = [
        ("sys/devices/system/cpu/cpu0/online", "1"),
        ("sys/devices/system/cpu/cpu1/online", "1"),
        ("sys/class/net/eth9/queues/rx-0/rps_cpus", "00000000,00000003"),
        ("sys/class/net/eth9/device/msi_irqs/41", "msix"),
        ("proc/irq/41/smp_affinity_list", "0-1"),
    ];
    check("queues", &card, "receive queues (RSS)", "1", "differs");
    check("rps", &card, "RPS (fewer queues than cores)", "on", "ok");
    check("irq", &card, "interrupts on more than one core", "1", "differs");
    let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files   1024   4096   files\n\
        Max locked memory   unlimited   unlimited   bytes\n";
    check("nofile", &[("proc/self/limits", limits)], "nofile", "1024", "differs");
    check("memlock", &[("proc/self/limits", limits)], "memlock (bytes)", "unlimited", "ok");
}

#[test]
fn strict_fails_only_where_something_differs() {
    let bad = host("strict", &[("proc/sys/kernel/io_uring_disabled", "2\n")]);
    assert!(check_sh(Some(&bad), &[]).status.success());
    assert_eq!(check_sh(Some(&bad), &["--strict"]).status.code(), Some(1));
    assert_eq!(check_sh(None, &["--nonsense"]).status.code(), Some(2));
}

/// Every row's subject has its reason in the README.
#[test]
fn the_readme_explains_every_sysctl() {
    let readme = fs::read_to_string(tuning().join("README.md")).unwrap();
    for row in ROWS.iter().filter(|row| row.contains('.')) {
        let name = row.split(' ').next().unwrap();
        // `net.core.rmem_max`, `wmem_max` share a row.
        let last = name.rsplit('.').next().unwrap();
        assert!(readme.contains(name) || readme.contains(&format!("`{last}`")), "{name}");
    }
}

#[test]
fn shellcheck_has_no_complaint() {
    let Ok(output) = Command::new("shellcheck").arg(tuning().join("check.sh")).output() else {
        println!("SKIPPED: shellcheck is not installed (apt install shellcheck)");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A made-up host: these files under /proc and /sys and no others.
fn host(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosts").join(name);
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}
