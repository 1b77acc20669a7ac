//! Quotas over real sockets: exact over shards, restarts, crashes and full disks.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::harness::{
    Answer, Client, Folder, Gateway, Launch, Route, Upstream, eventually, exchange, has, ok,
    openapi, ringway,
};

/// Keys, plans and their quota before one upstream, with a state folder that outlives gateways.
pub(crate) struct Stand {
    upstream: Upstream,
    pub(crate) folder: Folder,
    /// Of the plan `gold`, in YAML's flow form.
    pub(crate) quota: String,
    pub(crate) shards: usize,
}

pub(crate) const ALICE: &str = "alice-alice-alice-alice";
pub(crate) const BOB: &str = "bob-bob-bob-bob-bob-bob";

impl Stand {
    pub(crate) fn new(quota: &str) -> Self {
        let upstream = Upstream::answering(ok("pets"));
        Self { upstream, folder: Folder::new(), quota: quota.to_owned(), shards: 2 }
    }

    pub(crate) fn state(&self) -> String {
        self.folder.join("state").display().to_string()
    }

    pub(crate) fn journal(&self) -> std::path::PathBuf {
        self.folder.join("state/journal")
    }

    pub(crate) fn file(&self) -> String {
        format!(
            "stateFolder: {}\naccessLog: {{destination: access.log}}\napiKeys:\n\
             \x20 - {{name: alice, id: alice-1, value: {ALICE}}}\n\
             \x20 - {{name: bob, value: {BOB}}}\n\
             usagePlans:\n  - name: Gold plan\n    id: gold\n    quota: {}\n\
             \x20   apiStages: [{{api: pets, stage: $default}}]\n    apiKeys: [alice, bob]\n{}",
            self.state(),
            self.quota,
            Self::APIS
        )
    }

    const APIS: &'static str = "apis: [{name: pets, definition: api.yaml}]\n";

    pub(crate) fn definition(&self) -> String {
        let uri = format!("http://{}/", self.upstream.address());
        let text = openapi(&[Route::new("GET", "/pets", uri)]);
        let schemes = "components: {securitySchemes: {key: {type: apiKey, name: x-api-key, \
                       in: header}}}\nsecurity: [{key: []}]\npaths:";
        text.replace("paths:", schemes)
    }

    pub(crate) fn launch_with(&self, file: &str) -> Launch {
        let launch = Launch::file("gateway.yaml", file).beside("api.yaml", &self.definition());
        launch.shards(self.shards)
    }

    pub(crate) fn launch(&self) -> Launch {
        self.launch_with(&self.file())
    }

    #[track_caller]
    pub(crate) fn start(&self) -> Gateway {
        self.launch().start()
    }
}

pub(crate) fn request(key: &str) -> String {
    format!("GET /pets HTTP/1.1\r\nhost: it\r\nx-api-key: {key}\r\n\r\n")
}

/// One request on a connection of its own: whichever shard it meets.
pub(crate) fn call(gateway: &Gateway, key: &str) -> Answer {
    exchange(gateway.address, request(key))
}

/// Requests until the quota is used up; how many were let through.
#[track_caller]
pub(crate) fn spend(gateway: &Gateway, key: &str, most: u64) -> u64 {
    let mut client = Client::connect(gateway.address);
    for served in 0..most {
        let answer = client.ask(request(key));
        if answer.status != 200 {
            assert_eq!((answer.status, answer.text().as_str()), EXHAUSTED);
            return served;
        }
    }
    most
}

const EXHAUSTED: (u16, &str) = (429, "{\"message\":\"Limit Exceeded\"}");

pub(crate) fn today() -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn admin(gateway: &Gateway, line: &str, body: &str) -> Answer {
    let length = body.len();
    let text = format!("{line} HTTP/1.1\r\nhost: it\r\ncontent-length: {length}\r\n\r\n{body}");
    exchange(gateway.admin, text)
}

pub(crate) fn patch(gateway: &Gateway, target: &str, path: &str, value: &str) -> Answer {
    let body = format!(
        "{{\"patchOperations\":[{{\"op\":\"replace\",\"path\":\"{path}\",\"value\":\"{value}\"}}]}}"
    );
    admin(gateway, &format!("PATCH {target}"), &body)
}

/// Used today and remaining, as the private port tells.
#[track_caller]
pub(crate) fn usage(gateway: &Gateway, key: &str) -> (u64, u64) {
    let today = today();
    let target = format!("/usageplans/gold/usage?startDate={today}&endDate={today}&keyId={key}");
    let answer = admin(gateway, &format!("GET {target}"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let number = |at: usize| value["values"][key][0][at].as_u64().unwrap();
    (number(0), number(1))
}

#[test]
fn a_quota_is_exact_over_shards_and_connections() {
    let stand = Stand::new("{limit: 300, period: DAY}");
    let gateway = stand.start();
    let served: u64 = thread::scope(|scope| {
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(|| spend(&gateway, ALICE, 300))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(served, 300);
    let refused = call(&gateway, ALICE);
    assert_eq!((refused.status, refused.text().as_str()), EXHAUSTED);
    assert_eq!(spend(&gateway, BOB, 5), 5, "each key has its own");
    eventually("the port tells what was used", || usage(&gateway, "alice-1") == (300, 0));
    eventually("of both", || usage(&gateway, "bob") == (5, 295));
}

#[test]
fn a_clean_end_keeps_the_counters_exact() {
    let stand = Stand::new("{limit: 10000, period: MONTH}");
    let mut gateway = stand.start();
    assert_eq!(spend(&gateway, ALICE, 137), 137);
    gateway.signal("TERM");
    assert!(gateway.wait().success(), "{}", gateway.said());
    let gateway = stand.start();
    assert_eq!(usage(&gateway, "alice-1"), (137, 9_863));
    assert_eq!(usage(&gateway, "bob"), (0, 10_000));
}

/// Clients without pause until the gateway is gone; counts answers before they are read.
fn hammer(address: SocketAddr, served: &AtomicU64) {
    let Ok(mut client) = Client::try_connect(address) else { return };
    loop {
        if client.try_send(request(ALICE)).is_err() {
            return;
        }
        match client.try_answer_to("GET") {
            Ok(answer) if answer.status == 200 => {
                served.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => {
                assert_eq!((answer.status, answer.text().as_str()), EXHAUSTED);
                return;
            }
            Err(_) => return,
        }
    }
}

/// Killed in the middle of the run, again and again: over all lives together never above the limit,
/// and what each crash costs is at most what was reserved.
#[test]
fn kill_9_lets_nothing_through_twice() {
    const LIMIT: u64 = 10_000;
    const CHUNK: u64 = LIMIT / 100;
    let stand = Stand::new(&format!("{{limit: {LIMIT}, period: MONTH}}"));
    let served = AtomicU64::new(0);
    let lives = 4;
    for life in 1..=lives {
        let mut gateway = stand.start();
        let address = gateway.address;
        thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(|| hammer(address, &served))));
            if life < lives {
                let before = served.load(Ordering::Relaxed);
                let enough = before + 400 * life;
                eventually("some are served", || served.load(Ordering::Relaxed) > enough);
                gateway.signal("KILL");
                gateway.wait();
            }
        });
        let served = served.load(Ordering::Relaxed);
        assert!(served <= LIMIT, "{served} after {life} lives");
    }
    // Reserved were at most a chunk and a half beyond what was leased, and answers were lost.
    let served = served.load(Ordering::Relaxed);
    let lost = (lives - 1) * (2 * CHUNK + 4 * 64);
    assert!(served >= LIMIT - lost, "only {served} of {LIMIT}");
}

#[test]
fn a_key_that_is_switched_stays_so() {
    let stand = Stand::new("{limit: 1000, period: DAY}");
    let mut gateway = stand.start();
    let refused = |gateway: &Gateway, status: u16| {
        for _ in 0..20 {
            assert_eq!(call(gateway, ALICE).status, status);
        }
        assert_eq!(call(gateway, BOB).status, 200);
    };
    refused(&gateway, 200);
    let answer = patch(&gateway, "/apikeys/alice-1", "/enabled", "false");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().contains("\"enabled\":false,\"enabledInFile\":true"), "{answer:?}");
    // On all shards as soon as their mailboxes are read.
    eventually("it is refused", || (0..20).all(|_| call(&gateway, ALICE).status == 403));
    assert_eq!(exchange(gateway.admin, "POST /reload HTTP/1.1\r\nhost: it\r\n\r\n").status, 200);
    refused(&gateway, 403);
    gateway.signal("KILL");
    gateway.wait();
    let mut gateway = stand.start();
    refused(&gateway, 403);
    gateway.signal("TERM");
    gateway.wait();
    let gateway = stand.start();
    refused(&gateway, 403);
    let told = admin(&gateway, "GET /apikeys/alice-1", "").text();
    assert!(told.contains("\"enabled\":false,\"enabledInFile\":true"), "{told}");
    assert!(!told.contains(ALICE), "the value is nobody's to read");
    assert_eq!(patch(&gateway, "/apikeys/alice-1", "/enabled", "true").status, 200);
    eventually("it is served", || (0..20).all(|_| call(&gateway, ALICE).status == 200));
}

#[test]
fn what_remains_can_be_extended_and_cut() {
    let stand = Stand::new("{limit: 20, period: WEEK, offset: 3}");
    let mut gateway = stand.start();
    assert_eq!(spend(&gateway, ALICE, 100), 20);
    let target = "/usageplans/gold/keys/alice-1/usage";
    let answer = patch(&gateway, target, "/remaining", "15");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("\"alice-1\":[[20,15]]"), "{answer:?}");
    // A shard may believe for a moment that nothing is left.
    let mut more = 0;
    eventually("more is let through", || {
        more += u32::from(call(&gateway, ALICE).status == 200);
        more == 15
    });
    assert_eq!(spend(&gateway, ALICE, 100), 0);
    gateway.signal("KILL");
    gateway.wait();
    let gateway = stand.start();
    assert_eq!(usage(&gateway, "alice-1").1, 0);
    assert_eq!(spend(&gateway, ALICE, 100), 0);
    assert_eq!(patch(&gateway, target, "/remaining", "0").status, 200);
    assert_eq!(patch(&gateway, "/usageplans/gold/keys/bob/usage", "/remaining", "2").status, 200);
    assert_eq!(spend(&gateway, BOB, 100), 2);
}

#[test]
fn two_gateways_never_share_a_folder() {
    let stand = Stand::new("{limit: 100, period: DAY}");
    let mut first = stand.start();
    assert_eq!(spend(&first, ALICE, 30), 30);
    let (status, said) = stand.launch().try_start().err().expect("the folder is in use");
    assert_eq!(status.and_then(|status| status.code()), Some(75), "{said}");
    let words = format!("process {} uses the state folder {}", first.id(), stand.state());
    assert!(said.contains(&words), "{said}");
    // A successor that starts while the first one ends takes over what it counted.
    first.signal("TERM");
    let second = stand.start();
    assert!(first.wait().success());
    assert_eq!(usage(&second, "alice-1"), (30, 70));
}

#[test]
fn a_torn_end_of_the_journal_is_dropped_and_told() {
    let stand = Stand::new("{limit: 1000, period: DAY}");
    let mut gateway = stand.start();
    assert_eq!(spend(&gateway, ALICE, 55), 55);
    gateway.signal("KILL");
    gateway.wait();
    let mut journal = OpenOptions::new().append(true).open(stand.journal()).unwrap();
    journal.write_all(&[7; 50]).unwrap();
    let gateway = stand.start();
    eventually("it is told", || gateway.said().contains("the last 50 bytes of"));
    assert!(usage(&gateway, "alice-1").0 >= 55);
}

#[test]
fn a_damaged_journal_stops_the_start() {
    let stand = Stand::new("{limit: 1000, period: DAY}");
    let mut gateway = stand.start();
    assert_eq!(spend(&gateway, ALICE, 300), 300);
    gateway.signal("KILL");
    gateway.wait();
    let mut bytes = fs::read(stand.journal()).unwrap();
    bytes[100] ^= 1;
    fs::write(stand.journal(), &bytes).unwrap();
    let (status, said) = stand.launch().try_start().err().expect("it is damaged");
    assert_eq!(status.and_then(|status| status.code()), Some(78), "{said}");
    let journal = stand.journal().display().to_string();
    for words in [&format!("{journal}, byte 96: "), "restore the file from a backup", "mv "] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // As the sentence says.
    fs::rename(stand.journal(), stand.folder.join("state/journal.damaged")).unwrap();
    assert_eq!(usage(&stand.start(), "alice-1"), (0, 1_000));
}

/// Files may have 4 KiB only, and the signal that would say so is ignored: as on a full disk.
#[test]
fn on_a_full_disk_requests_go_on() {
    let stand = Stand::new("{limit: 2000, period: DAY}");
    let gateway = stand.launch().ulimit("-f 8").by(&["env", "--ignore-signal=XFSZ"]).start();
    assert_eq!(spend(&gateway, ALICE, 3_000), 2_000);
    let said = gateway.said();
    let told = format!("{} cannot be written to: File too large", stand.state());
    assert!(said.contains(&told), "{said}");
    assert!(said.contains("counting goes on in memory"), "{said}");
    let works = format!("{} works again", stand.state());
    eventually("a new journal is small", || gateway.said().contains(&works));
    assert_eq!(usage(&gateway, "alice-1"), (2_000, 0));
    let metrics = exchange(gateway.admin, "GET /metrics HTTP/1.1\r\nhost: it\r\n\r\n").text();
    assert!(metrics.contains("ringway_quota_journal_failing 0\n"), "{metrics}");
    assert!(metrics.contains("ringway_quota_reservations_total "), "{metrics}");
}

#[test]
fn a_disk_that_is_full_at_the_start_is_no_reason_not_to_serve() {
    let stand = Stand::new("{limit: 50, period: DAY}");
    let mut gateway = stand.start();
    assert_eq!(spend(&gateway, ALICE, 20), 20);
    gateway.signal("TERM");
    gateway.wait();
    let gateway = stand.launch().ulimit("-f 0").by(&["env", "--ignore-signal=XFSZ"]).start();
    let told = format!("{} cannot be written to: File too large", stand.state());
    assert!(gateway.said().contains(&told), "{}", gateway.said());
    assert_eq!(spend(&gateway, ALICE, 100), 30);
    let answer = patch(&gateway, "/apikeys/bob", "/enabled", "false");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("it is in force, but"), "{answer:?}");
    eventually("it is in force", || (0..20).all(|_| call(&gateway, BOB).status == 403));
    let metrics = exchange(gateway.admin, "GET /metrics HTTP/1.1\r\nhost: it\r\n\r\n").text();
    assert!(metrics.contains("ringway_quota_journal_failing 1\n"), "{metrics}");
}

/// The wall clock of a gateway, in the hands of a test (libfaketime).
struct Clock(std::path::PathBuf);

impl Clock {
    /// `None` where there is no libfaketime.
    fn new(folder: &Folder, time: &str) -> Option<Self> {
        has("faketime").then(|| {
            let clock = Self(folder.join("clock"));
            clock.set(time);
            clock
        })
    }

    /// Sets it to a time in UTC, from where it runs on.
    fn set(&self, time: &str) {
        let seconds = |words: &str| {
            let output = Command::new("date").args(["-u", "-d", words, "+%s"]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<i64>().unwrap()
        };
        let beside = self.0.with_extension("new");
        fs::write(&beside, format!("{:+}\n", seconds(time) - seconds("now"))).unwrap();
        fs::rename(&beside, &self.0).unwrap();
    }

    fn give(&self, launch: Launch) -> Launch {
        let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
        let library = folders
            .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
            .find(|library| library.exists())
            .unwrap();
        launch
            .variable("LD_PRELOAD", &library.display().to_string())
            .variable("FAKETIME_TIMESTAMP_FILE", &self.0.display().to_string())
            .variable("FAKETIME_NO_CACHE", "1")
            .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

#[test]
fn periods_begin_at_midnight_and_a_clock_that_goes_back_gives_nothing_twice() {
    let stand = Stand::new("{limit: 30, period: DAY}");
    let Some(clock) = Clock::new(&stand.folder, "2026-03-10 12:00:00") else { return };
    let mut gateway = clock.give(stand.launch()).start();
    assert_eq!(spend(&gateway, ALICE, 100), 30);
    clock.set("2026-03-11 00:10:00");
    // The shards read their clock when something happens.
    let mut served = 0;
    eventually("the next day's quota is served", || {
        served += u32::from(call(&gateway, ALICE).status == 200);
        served == 30
    });
    assert_eq!(spend(&gateway, ALICE, 100), 0);
    for time in ["2026-03-10 23:59:00", "2026-03-01 00:00:00", "2026-03-11 23:00:00"] {
        clock.set(time);
        for _ in 0..10 {
            assert_eq!(call(&gateway, ALICE).status, 429, "{time}");
        }
    }
    let days = |gateway: &Gateway| {
        let query = "startDate=2026-03-09&endDate=2026-03-12&keyId=alice-1";
        admin(gateway, &format!("GET /usageplans/gold/usage?{query}"), "").text()
    };
    // Nothing is known of tomorrow.
    let known = "\"alice-1\":[[0,30],[30,0],[30,0]]";
    eventually("the day that is over is told", || days(&gateway).contains(known));
    gateway.signal("KILL");
    gateway.wait();
    clock.set("2026-03-10 12:00:00");
    let mut gateway = clock.give(stand.launch()).start();
    assert_eq!(spend(&gateway, ALICE, 100), 0, "nor after a restart");
    clock.set("2026-03-12 00:00:30");
    eventually("a new day", || call(&gateway, ALICE).status == 200);
    eventually("three days are told", || {
        days(&gateway).contains("\"alice-1\":[[0,30],[30,0],[30,0],[1,29]]")
    });
    gateway.signal("TERM");
    gateway.wait();
    let flags = ["usage", "gateway.yaml", "--key", "alice-1", "--from", "2026-03-09"];
    let to = ["--to", "2026-03-12"];
    let ran = ringway(gateway.folder.path(), &[&flags[..], &to].concat());
    let expected = "\
PLAN  KEY      DAY         USED  REMAINING  LIMIT
gold  alice-1  2026-03-09     0         30     30
gold  alice-1  2026-03-10    30          0     30
gold  alice-1  2026-03-11    30          0     30
gold  alice-1  2026-03-12     1         29     30
";
    assert_eq!(ran.output, expected, "{ran:?}");
}

/// The folder is made when there is something to keep in it, also by a reload.
#[test]
fn the_first_plan_with_keys_makes_the_folder() {
    let stand = Stand::new("{limit: 10, period: DAY}");
    let text = format!("stateFolder: {}\n{}", stand.state(), Stand::APIS);
    let gateway = stand.launch_with(&text).start();
    thread::sleep(Duration::from_millis(50));
    assert!(!stand.folder.join("state").exists());
    assert_eq!(admin(&gateway, "GET /apikeys", "").text(), "{\"item\":[]}");
    // Where it cannot be made the reload is refused.
    fs::write(stand.folder.join("state"), "").unwrap();
    gateway.folder.write("gateway.yaml", &stand.file());
    let reload = || exchange(gateway.admin, "POST /reload HTTP/1.1\r\nhost: it\r\n\r\n");
    let refused = reload();
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text().contains("cannot be used: File exists"), "{refused:?}");
    assert_eq!(call(&gateway, ALICE).status, 403, "the old plan has no keys");
    fs::remove_file(stand.folder.join("state")).unwrap();
    assert_eq!(reload().status, 200);
    eventually("the new plan serves", || call(&gateway, ALICE).status == 200);
    assert_eq!(spend(&gateway, ALICE, 20), 9);
    assert!(stand.journal().exists());
    // Another folder is another start's.
    let moved = stand.file().replace("stateFolder: ", "stateFolder: /nowhere");
    gateway.folder.write("gateway.yaml", &moved);
    assert_eq!(reload().status, 200);
    let said = || gateway.said().contains("the state folder changed: restart to apply that");
    eventually("the restart is asked for", said);
    assert_eq!(spend(&gateway, ALICE, 20), 0);
}

#[test]
fn without_a_place_for_its_state_the_gateway_does_not_start() {
    let stand = Stand::new("{limit: 10, period: DAY}");
    fs::write(stand.folder.join("state"), "").unwrap();
    let (status, said) = stand.launch().try_start().err().expect("no folder");
    assert_eq!(status.and_then(|status| status.code()), Some(78), "{said}");
    assert!(said.contains("cannot be used: File exists"), "{said}");
    assert!(said.contains("`stateFolder: /path`"), "{said}");
    // systemd's folder is taken where the file names none.
    let place = stand.folder.join("of-systemd").display().to_string();
    let text = stand.file().lines().skip(1).collect::<Vec<_>>().join("\n");
    let gateway = stand.launch_with(&text).variable("STATE_DIRECTORY", &place).start();
    assert_eq!(call(&gateway, ALICE).status, 200);
    assert!(stand.folder.join("of-systemd/journal").exists());
}
