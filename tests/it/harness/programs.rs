//! Programs that nobody here wrote: whether they are there, what they say, servers of another make.

use std::{
    env,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use super::{Folder, eventually};

/// Whether the program is there; where CI runs, it has to be.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    found || is_skipped(&format!("{program} is missing"))
}

/// Says so, and fails where CI runs.
fn is_skipped(why: &str) -> bool {
    assert!(env::var("CI").is_err(), "{why}");
    eprintln!("SKIPPED: {why}");
    false
}

/// Runs a program to its end; whether it succeeded, and its output.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) -> (bool, Vec<u8>) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    if !output.status.success() {
        eprintln!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
    (output.status.success(), output.stdout)
}

/// A server process of another make; killed on drop.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> Self {
        Self::start_until(command, || TcpStream::connect(address).is_ok())
    }

    pub(crate) fn start_until(command: &mut Command, listens: impl FnMut() -> bool) -> Self {
        let server = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("the server listens", listens);
        server
    }

    /// nginx with its files in `folder`; `server` is what its one server does.
    pub(crate) fn nginx(folder: &Folder, server: &str, listens: impl FnMut() -> bool) -> Self {
        let root = folder.path().display();
        let config = format!(
            "daemon off; master_process off; pid {root}/pid; error_log {root}/errors;\n\
             events {{}}\nhttp {{ access_log off; client_body_temp_path {root}/a;\n\
             proxy_temp_path {root}/b; fastcgi_temp_path {root}/c; uwsgi_temp_path {root}/d;\n\
             scgi_temp_path {root}/e; server {{ {server} }} }}\n"
        );
        let config = folder.write("nginx.conf", &config);
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.join("errors")).arg("-c").arg(config);
        Self::start_until(&mut command, listens)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the Python clients need.
const PACKAGES: [&str; 5] = [
    "httpx[http2]>=0.27",
    "grpcio>=1.60",
    "botocore>=1.34",
    "pyjwt[crypto]>=2.8",
    "requests>=2.31",
];
const MODULES: &str = "import botocore, cryptography, grpc, h2, httpx, jwt, requests; from \
                       botocore.auth import get_current_datetime";

/// A Python with httpx, h2, grpcio, botocore, PyJWT and requests: `RINGWAY_PYTHON`, or the
/// machine's own where it has them, or one of our own below `target/`, made once with pip.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(find_python) {
        Ok(python) => Some(python),
        Err(why) => {
            is_skipped(why);
            None
        }
    }
}

fn find_python() -> Result<PathBuf, String> {
    let works = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", MODULES]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = own.join("bin/python");
    let named = env::var("RINGWAY_PYTHON").map(PathBuf::from).ok();
    let candidates = [named, Some(python.clone()), Some(PathBuf::from("python3"))];
    if let Some(found) = candidates.into_iter().flatten().find(|python| works(python)) {
        return Ok(found);
    }
    let own = own.display().to_string();
    let steps: [(&str, Vec<&str>); 2] = [
        ("python3", vec!["-m", "venv", "--clear", &own]),
        (python.to_str().unwrap(), [&["-m", "pip", "install", "--quiet"], &PACKAGES[..]].concat()),
    ];
    for (program, arguments) in steps {
        let output = Command::new(program).args(&arguments).output();
        if !output.as_ref().is_ok_and(|output| output.status.success()) {
            return Err(format!(
                "no Python with {}: {program} {arguments:?}: {output:?}",
                PACKAGES.join(", ")
            ));
        }
    }
    if works(&python) { Ok(python) } else { Err(format!("{MODULES} fails in {own}")) }
}
