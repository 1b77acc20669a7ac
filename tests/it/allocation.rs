//! A proxied keep-alive request in the steady state makes no heap allocation.
//!
//! The gateway runs inside a child process that is this test binary again, with a counting
//! allocator and nothing else to do; both peers are in the parent.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    env,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use ringway::{
    cli::Start,
    config::{self, Overrides, Source},
};

use crate::harness::{Client, Folder, Upstream, ok, proxy_all};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call is the system allocator's, with its arguments unchanged.
#[expect(unsafe_code, reason = "an allocator that counts cannot be written otherwise")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract; the block is the system allocator's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `realloc`'s contract; the block is the system allocator's.
        unsafe { System.realloc(block, layout, size) }
    }
}

const DOCUMENT: &str = "RINGWAY_IT_ALLOCATION_DOCUMENT";

/// The child: serves, and answers each byte on standard input with the count so far.
#[test]
#[ignore = "the child of steady_state_requests_allocate_nothing"]
fn serve_and_count() {
    let Ok(document) = env::var(DOCUMENT) else { return };
    thread::spawn(move || {
        let overrides = Overrides {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            admin: Some("127.0.0.1:0".parse().unwrap()),
            shards: Some(1),
            stage_variables: Vec::new(),
        };
        let source = Source::File(PathBuf::from(document));
        let loaded = config::load(&source, &overrides);
        let _ = ringway::serve::run(Start { source, overrides, loaded: Some(loaded) });
    });
    let mut byte = [0];
    while std::io::stdin().read(&mut byte).unwrap() > 0 {
        let count = ALLOCATIONS.load(Ordering::Relaxed);
        std::io::stdout().write_all(format!("count {count}\n").as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

struct Counter {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Counter {
    fn count(&mut self) -> u64 {
        self.ask.write_all(b"?").unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "the child ended");
            // The test runner's own words may stand on the same line.
            if let Some((_, count)) = line.trim().rsplit_once("count ") {
                return count.parse().unwrap();
            }
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn steady_state_requests_allocate_nothing() {
    const REQUESTS: u64 = 10_000;
    const ROUNDS_MAX: usize = 8;
    let upstream = Upstream::start(|mut peer| {
        let answer = ok("pets");
        while peer.head().is_some() && peer.send(&answer) {}
    });
    let folder = Folder::new();
    let document = folder.write("api.yaml", &proxy_all(upstream.address()));
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "allocation::serve_and_count", "--nocapture"])
        .env(DOCUMENT, &document)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = said
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("listening on http://")?.1.trim().parse().ok())
        .expect("the child listens");
    let _reader = thread::spawn(move || said.for_each(drop));
    let (ask, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut counter = Counter { child, ask, told };
    let mut client = Client::connect(address);
    let mut get = |count: u64| {
        for _ in 0..count {
            assert_eq!(client.get("/pets?type=cat").status, 200);
        }
    };
    get(1_000);
    let mut round = || {
        let (before, started) = (counter.count(), Instant::now());
        get(REQUESTS);
        let made = counter.count() - before;
        (made, u64::try_from(started.elapsed().as_millis()).unwrap() / 10)
    };
    // glommio's reactor is let run at each tick of its preemption timer (10 ms), busy or not, and
    // allocates a few entries then: per time, not per request. A round that other tests slow down
    // cannot tell the two apart, so there is another one.
    let allowed = |ticks: u64| 8 * ticks + 100;
    let told = (0..ROUNDS_MAX).map(|_| round()).find(|(_, ticks)| allowed(*ticks) < REQUESTS);
    let (made, ticks) = told.expect("a round fast enough to tell");
    let allowed = allowed(ticks);
    assert!(made < allowed, "{made} allocations in {REQUESTS} requests and {ticks} ticks");
}
