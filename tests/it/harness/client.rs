//! The scripted client: raw bytes out, strictly read answers in, every step with a deadline.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    time::Duration,
};

use super::{
    PATIENCE,
    answer::{self, Answer, Fault},
    show,
};

/// One connection to the gateway.
pub(crate) struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let output = TcpStream::connect_timeout(&address, PATIENCE)?;
        output.set_nodelay(true)?;
        Self::on(output)
    }

    /// Over a Unix socket; std's TCP stream reads and writes any stream's descriptor.
    pub(crate) fn try_connect_unix(path: &Path) -> io::Result<Self> {
        Self::on(OwnedFd::from(UnixStream::connect(path)?).into())
    }

    #[track_caller]
    pub(crate) fn connect_unix(path: &Path) -> Self {
        Self::try_connect_unix(path).unwrap()
    }

    fn on(output: TcpStream) -> io::Result<Self> {
        output.set_read_timeout(Some(PATIENCE))?;
        output.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { input: BufReader::with_capacity(65_536, output.try_clone()?), output })
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.output.write_all(bytes.as_ref())
    }

    /// Sends `size` bytes at a time with a pause between them: as many segments.
    pub(crate) fn send_split(&mut self, bytes: &[u8], size: usize, pause: Duration) {
        for piece in bytes.chunks(size) {
            self.send(piece);
            std::thread::sleep(pause);
        }
    }

    /// The next answer, to a request of any method but HEAD and CONNECT.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    #[track_caller]
    pub(crate) fn answer_to(&mut self, method: &str) -> Answer {
        match self.try_answer_to(method) {
            Ok(answer) => answer,
            Err(fault) => panic!("no answer to {method}: {fault:?}"),
        }
    }

    pub(crate) fn try_answer_to(&mut self, method: &str) -> Result<Answer, Fault> {
        answer::read_answer(&mut self.input, method)
    }

    /// Sends one request and reads its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(&request);
        let method = request.as_ref().split(|byte| *byte == b' ').next().unwrap();
        self.answer_to(&String::from_utf8_lossy(method))
    }

    /// A plain GET on this connection.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(format!("GET {target} HTTP/1.1\r\nhost: it\r\n\r\n"))
    }

    /// Fails unless the gateway now ends the connection and sends nothing more.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self) {
        let mut rest = Vec::new();
        match self.input.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "bytes before the end: {}", show(&rest)),
            Err(error) => {
                let is_reset = error.kind() == io::ErrorKind::ConnectionReset;
                assert!(is_reset && rest.is_empty(), "not closed: {error}; {}", show(&rest));
            }
        }
    }

    /// Fails if a byte (or the end) comes within `time`.
    #[track_caller]
    pub(crate) fn assert_silent(&mut self, time: Duration) {
        self.set_patience(time);
        match self.input.fill_buf() {
            Ok(bytes) => panic!("not silent: {:?}", show(bytes)),
            Err(error) => assert!(
                matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
                "{error}"
            ),
        }
        self.set_patience(PATIENCE);
    }

    /// Exactly these many raw bytes (a tunnel's, say).
    #[track_caller]
    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.input.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Everything until the end, a reset counting as the end.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.input.read_to_end(&mut rest);
        rest
    }

    /// How long one read may wait.
    pub(crate) fn set_patience(&self, time: Duration) {
        self.output.set_read_timeout(Some(time)).unwrap();
    }

    pub(crate) fn finish_sending(&self) {
        let _ = self.output.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset instead of a FIN.
    pub(crate) fn reset(self) {
        let _ = socket2::SockRef::from(&self.output).set_linger(Some(Duration::ZERO));
    }

    /// The connection's own end of a second thread: one sends while the other reads.
    pub(crate) fn sender(&self) -> TcpStream {
        self.output.try_clone().unwrap()
    }

    /// Asks for as small a receive buffer as the kernel gives: a reader that is truly slow.
    pub(crate) fn shrink_receive_buffer(&self) {
        socket2::SockRef::from(&self.output).set_recv_buffer_size(4096).unwrap();
    }
}

/// One request on a connection of its own.
#[track_caller]
pub(crate) fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(address).ask(request)
}
