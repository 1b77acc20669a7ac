//! The real program as a child process: started on free ports, watched, ended on drop.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{Client, Folder, PATIENCE, eventually};

/// How the gateway is started: a document and flags; see [`Launch::start`].
pub(crate) struct Launch {
    folder: Folder,
    arguments: Vec<String>,
    limits: String,
    wrapper: Vec<String>,
    shards: usize,
    listens_as_written: bool,
    variables: Vec<(String, String)>,
}

impl Launch {
    /// `ringway run` with no FILE: the demo.
    pub(crate) fn demo() -> Self {
        Self {
            folder: Folder::new(),
            arguments: vec!["run".to_owned()],
            limits: String::new(),
            wrapper: Vec::new(),
            shards: 1,
            listens_as_written: false,
            variables: Vec::new(),
        }
    }

    /// `ringway run FILE` with that text (a gateway file or an OpenAPI document) as `name`.
    pub(crate) fn file(name: &str, text: &str) -> Self {
        let mut launch = Self::demo();
        let path = launch.folder.write(name, text);
        launch.arguments.push(path.display().to_string());
        launch
    }

    /// Another file beside it.
    pub(crate) fn beside(self, name: &str, text: &str) -> Self {
        self.folder.write(name, text);
        self
    }

    pub(crate) fn beside_bytes(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.folder.join(name), bytes).unwrap();
        self
    }

    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }

    pub(crate) fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// No `--listen`: where the file says.
    pub(crate) fn listeners_of_file(mut self) -> Self {
        self.listens_as_written = true;
        self
    }

    /// The access log goes to this file of its folder.
    pub(crate) fn logging(self, name: &str) -> Self {
        let path = self.folder.join("gateway.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("accessLog: {{destination: {name}}}\n{text}")).unwrap();
        self
    }

    /// A variable of its environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lowers a limit of the process, in `ulimit`'s words: `-n 64`.
    pub(crate) fn ulimit(mut self, words: &str) -> Self {
        self.limits = format!("{}ulimit {words} && ", self.limits);
        self
    }

    /// Has it started by this program, which has to `exec` what is behind its own words.
    pub(crate) fn by(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Gateway {
        match self.try_start() {
            Ok(gateway) => gateway,
            Err((status, text)) => panic!("ringway did not start ({status:?}):\n{text}"),
        }
    }

    /// Like `start`; how it ended and what it said where it did not come to listen.
    pub(crate) fn try_start(mut self) -> Result<Gateway, (Option<ExitStatus>, String)> {
        let shards = self.shards.to_string();
        for (flag, value) in
            [("--listen", "127.0.0.1:0"), ("--admin", "127.0.0.1:0"), ("--shards", &shards)]
        {
            let is_left_out = flag == "--listen" && self.listens_as_written;
            if !is_left_out && !self.arguments.iter().any(|argument| argument == flag) {
                self.arguments.extend([flag.to_owned(), value.to_owned()]);
            }
        }
        let mut command = command(&self.limits, &self.wrapper, &self.arguments);
        command.envs(self.variables.iter().cloned());
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(Stdio::null());
        let mut child = spawn(command);
        let said = Arc::new(Mutex::new(String::new()));
        let deaf = Arc::new(AtomicBool::new(false));
        let lines = listen_to(child.stderr.take().unwrap(), &said, &deaf);
        let addresses = wait_for_addresses(&lines);
        let Some(Listening { address, tls, admin }) = addresses else {
            let _ = child.kill();
            let status = child.wait().ok();
            thread::sleep(Duration::from_millis(50));
            return Err((status, said.lock().unwrap().clone()));
        };
        Ok(Gateway { child, address, tls, admin, said, deaf, folder: self.folder })
    }
}

/// A running gateway; killed on drop.
pub(crate) struct Gateway {
    child: Child,
    /// Its first address.
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS.
    pub(crate) tls: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    said: Arc<Mutex<String>>,
    deaf: Arc<AtomicBool>,
    pub(crate) folder: Folder,
}

impl Gateway {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Closes the reading end of its standard error, once it has written one more line.
    pub(crate) fn stop_listening(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// Sends a signal by name: `HUP`, `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(status.success(), "kill -{name} {id}: {status}");
    }

    /// Waits until the process has ended.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_at_most(PATIENCE)
    }

    #[track_caller]
    pub(crate) fn wait_at_most(&mut self, time: Duration) -> ExitStatus {
        let end = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "still running after {time:?}:\n{}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What its private port says in `/metrics`.
    #[track_caller]
    pub(crate) fn metrics(&self) -> String {
        Client::connect(self.admin).get("/metrics").text()
    }

    /// The sum of one of those numbers over all shards.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        let text = self.metrics();
        let is_it =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        let values: Vec<u64> = text.lines().filter(is_it).map(value).collect();
        assert!(!values.is_empty(), "no {name} in:\n{text}");
        values.iter().sum()
    }

    #[track_caller]
    pub(crate) fn await_number(&self, name: &str, expected: u64) {
        eventually(&format!("{name} is {expected}"), || self.number(name) == expected);
    }

    /// Resident memory in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// CPU time used so far, user and system, in clock ticks (10 ms each).
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let after = stat.rsplit_once(") ").unwrap().1;
        let mut fields = after.split(' ').skip(11).map(|field| field.parse::<u64>().unwrap());
        fields.next().unwrap() + fields.next().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- what ringway wrote to standard error:\n{}---", self.said());
        }
    }
}

/// How a command that ends by itself ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) said: String,
}

/// Runs `ringway` with these arguments in `folder` to its end.
#[track_caller]
pub(crate) fn ringway(folder: &Path, arguments: &[&str]) -> Ran {
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let mut command = command("", &[], &arguments);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command);
    let mut error = child.stderr.take().unwrap();
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        let _ = error.read_to_end(&mut said);
        said
    });
    let mut output = Vec::new();
    let _ = child.stdout.take().unwrap().read_to_end(&mut output);
    let code = child.wait().unwrap().code();
    let said = reader.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code, output: text(&output), said: text(&said) }
}

/// `RINGWAY_BIN` chooses another build (a release, say); else the one cargo made for this test.
fn command(limits: &str, wrapper: &[String], arguments: &[String]) -> Command {
    let program =
        env::var("RINGWAY_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringway").to_owned());
    let dies_with_us = Path::new("/usr/bin/setpriv").exists();
    let mut words = Vec::new();
    if dies_with_us {
        words.extend(["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"].map(str::to_owned));
    }
    words.extend(["sh".to_owned(), "-c".to_owned(), format!("{limits}exec \"$0\" \"$@\"")]);
    words.extend_from_slice(wrapper);
    words.push(program);
    words.extend_from_slice(arguments);
    let mut command = Command::new(&words[0]);
    // Colours and terminal widths are for people.
    command.args(&words[1..]).env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// Spawns on a thread that lives as long as this process: the death signal that `setpriv` asks
/// for comes when the *thread* that started the child ends, and a test's thread ends early.
fn spawn(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<Child>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, received) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in received {
                reply.send(command.spawn().unwrap()).unwrap();
            }
        });
        Mutex::new(orders)
    });
    let (reply, child) = mpsc::channel();
    spawner.lock().unwrap().send((command, reply)).unwrap();
    child.recv().unwrap()
}

/// Collects standard error line by line, for the test and for the wait below.
fn listen_to(
    error: ChildStderr,
    said: &Arc<Mutex<String>>,
    deaf: &Arc<AtomicBool>,
) -> mpsc::Receiver<String> {
    let (lines, received) = mpsc::channel();
    let (said, deaf) = (Arc::clone(said), Arc::clone(deaf));
    thread::spawn(move || {
        for line in BufReader::new(error).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut text = said.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
            drop(text);
            let _ = lines.send(line);
            if deaf.load(Ordering::Relaxed) {
                return;
            }
        }
    });
    received
}

/// Where it listens.
struct Listening {
    address: SocketAddr,
    tls: Vec<SocketAddr>,
    admin: SocketAddr,
}

/// For that of a Unix socket, which the test knows, 0.0.0.0:0.
/// Its addresses, once the private one was printed, which comes last; `None` when it ended first.
fn wait_for_addresses(lines: &mpsc::Receiver<String>) -> Option<Listening> {
    let end = Instant::now() + PATIENCE;
    let (mut address, mut tls) = (None, Vec::new());
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).ok()?;
        let after = |words: &str| {
            let rest = line.split_once(words)?.1;
            if rest.starts_with("unix:") {
                return Some((Ipv4Addr::UNSPECIFIED, 0).into());
            }
            let text = rest.split(|letter: char| letter.is_whitespace()).next()?;
            let text = text.trim_start_matches("http://").trim_end_matches(['/', ',', '.']);
            text.parse().ok()
        };
        tls.extend(after("listening on https://"));
        address = address.or_else(|| after("listening on "));
        if let Some(admin) = after("private port on ") {
            return Some(Listening { address: address.or(tls.first().copied())?, tls, admin });
        }
    }
}
