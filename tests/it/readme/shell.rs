//! A reader's shell: his checkout, his terminals, with ports and a /tmp of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::blocks::{Block, Kind, matches};
use crate::harness::{Folder, eventually};

/// The ports that the README and the examples print.
const PRINTED: [u16; 5] = [8080, 9901, 9000, 9001, 8443];

/// One section's shell; what it started ends with it.
pub(super) struct Shell {
    folder: Folder,
    ports: [u16; 5],
    terminals: Vec<Child>,
}

impl Shell {
    pub(super) fn new(repository: &Path) -> Self {
        let folder = Folder::new();
        let free = PRINTED.map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = free.map(|listener| listener.local_addr().unwrap().port());
        let shell = Self { folder, ports, terminals: Vec::new() };
        for name in ["examples", "tuning"] {
            shell.copy(&repository.join(name), &shell.folder.join(name));
        }
        for name in ["tmp", "bin"] {
            fs::create_dir(shell.folder.join(name)).unwrap();
        }
        shell.put_programs();
        shell
    }

    /// Starts each line's server and waits until it listens.
    pub(super) fn serve(&mut self, block: &Block) {
        let mut terminal = self.command(&block.commands);
        terminal.stdout(Stdio::null()).stderr(Stdio::null());
        self.terminals.push(terminal.spawn().unwrap());
        for port in self.ports_of(&block.commands) {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let what = format!("README.md:{}: {}", block.line, block.commands);
            eventually(&what, || TcpStream::connect(address).is_ok());
        }
    }

    /// Runs the block and compares what it prints.
    pub(super) fn test(&self, block: &Block) {
        let output = self.command(&block.commands).output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let said = String::from_utf8_lossy(&output.stderr);
        let place = format!("README.md:{}:\n{}", block.line, block.commands);
        let succeeds = block.kind == Kind::Test;
        assert_eq!(output.status.success(), succeeds, "{place}\n{printed}\n{said}");
        let Some(shown) = &block.shown else { return };
        let shown = self.translate(shown);
        let (shown, lines): (Vec<_>, Vec<_>) = (shown.lines().collect(), printed.lines().collect());
        assert!(matches(&shown, &lines), "{place}\nprints:\n{printed}\nand not:\n{shown:#?}");
    }

    fn command(&self, commands: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command
            .args(["120", "bash", "-e", "-c", &self.translate(commands)])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.folder.join("bin").display()))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            // The group is what `drop` ends.
            .process_group(0);
        command
    }

    /// Puts this shell's ports and folder in for those that are printed.
    fn translate(&self, text: &str) -> String {
        let mut text = text.replace("/tmp/", &format!("{}/", self.folder.join("tmp").display()));
        for (printed, port) in PRINTED.iter().zip(self.ports) {
            for before in ["127.0.0.1:", "http.server "] {
                text = text.replace(&format!("{before}{printed}"), &format!("{before}{port}"));
            }
        }
        text
    }

    fn ports_of(&self, commands: &str) -> Vec<u16> {
        let [public, private, first, second, _] = self.ports;
        let known = [
            ("ringway", public),
            ("ringway", private),
            ("http.server 9000", first),
            ("http.server 9001", second),
        ];
        let ports = known.iter().filter(|(word, _)| commands.contains(word)).map(|(_, port)| *port);
        let ports: Vec<u16> = ports.collect();
        assert!(!ports.is_empty(), "where does this listen? {commands}");
        ports
    }

    /// `ringway` listens where this shell's ports are, `pkill` reaches this shell's gateway only.
    fn put_programs(&self) {
        let program = std::env::var("RINGWAY_BIN");
        let program = program.as_deref().unwrap_or(env!("CARGO_BIN_EXE_ringway"));
        let [public, private, ..] = self.ports;
        let pid = self.folder.join("pid").display().to_string();
        let ringway = format!(
            "#!/bin/sh\n\
             case \"$*\" in ''|run|run\\ *) echo $$ >{pid} ;; *) exec {program} \"$@\" ;; esac\n\
             [ $# -gt 0 ] || set -- run\n\
             case \"$*\" in\n\
             *gateway.yaml*|*limits.yaml*) exec {program} \"$@\" ;;\n\
             *http2.yaml*|*tls.yaml*|*private.yaml*|*balancer.yaml*)\n\
             exec {program} \"$@\" --admin 127.0.0.1:{private} ;;\n\
             esac\n\
             exec {program} \"$@\" --listen 127.0.0.1:{public} --admin 127.0.0.1:{private}\n"
        );
        let pkill = format!("#!/bin/sh\nkill \"$1\" \"$(cat {pid})\"\n");
        for (name, text) in [("ringway", ringway), ("pkill", pkill)] {
            let path = self.folder.join("bin").join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn copy(&self, from: &Path, to: &Path) {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let copy = to.join(entry.file_name());
            fs::copy(entry.path(), &copy).unwrap();
            if copy.extension().is_some_and(|extension| extension == "yaml") {
                let text = self.translate(&fs::read_to_string(&copy).unwrap());
                fs::write(&copy, text).unwrap();
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for terminal in &mut self.terminals {
            let group = format!("-{}", terminal.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = terminal.wait();
        }
    }
}
