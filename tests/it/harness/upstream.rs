//! The scripted upstream: a thread per connection runs the test's script and records what came.

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{PATIENCE, answer};

/// One request as the upstream received it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: String,
    /// In wire order, names as sent.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Request {
    /// The only field of that name; two are a failure.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name));
        let first = found.next();
        assert!(found.next().is_none(), "{name} stands there twice: {self:?}");
        first.map(|field| field.1.as_str())
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some()
    }
}

/// One connection from the gateway, for the script.
pub(crate) struct Peer {
    /// Which connection this is, counted from 0.
    pub(crate) number: usize,
    input: BufReader<TcpStream>,
    output: TcpStream,
    record: Arc<Record>,
}

impl Peer {
    /// The next request with its whole body, recorded; `None` when the gateway has closed.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let mut request = self.head()?;
        self.read_body(&mut request)?;
        self.record.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// The next request's head alone: the body stays unread. Not recorded.
    pub(crate) fn head(&mut self) -> Option<Request> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.input.read_line(&mut head) {
                Ok(read) if read > 0 => {}
                _ => return None,
            }
        }
        let (line, fields) = head.split_once("\r\n").unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let [method, target, version] = words[..] else {
            panic!("the gateway sent a bad request line: {line:?}");
        };
        Some(Request {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            fields: answer::parse_fields(fields),
            body: Vec::new(),
            trailers: Vec::new(),
        })
    }

    /// The body that belongs to `request`'s head.
    pub(crate) fn read_body(&mut self, request: &mut Request) -> Option<()> {
        if request.is_chunked() {
            assert_eq!(request.field("content-length"), None, "both framings: {request:?}");
            (request.body, request.trailers) = answer::read_chunked(&mut self.input).ok()?;
            return Some(());
        }
        let length = request.field("content-length").map_or(0, |text| text.parse().unwrap());
        request.body = vec![0; length];
        self.input.read_exact(&mut request.body).ok()
    }

    /// Adds a request that was read in parts to the record.
    pub(crate) fn record(&self, request: &Request) {
        self.record.requests.lock().unwrap().push(request.clone());
    }

    /// Errors are the gateway's right (it may have gone): they end the script's sends quietly.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.output.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends `size` bytes at a time with a pause between them.
    pub(crate) fn send_split(&mut self, bytes: &[u8], size: usize, pause: Duration) {
        for piece in bytes.chunks(size) {
            if !self.send(piece) {
                return;
            }
            thread::sleep(pause);
        }
    }

    /// Up to that many raw bytes; empty at the end.
    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let read = self.input.read(&mut bytes).unwrap_or(0);
        bytes.truncate(read);
        bytes
    }

    /// Waits until the gateway closes (or time is up); whether it did.
    pub(crate) fn wait_for_close(&mut self) -> bool {
        matches!(self.input.fill_buf(), Ok(bytes) if bytes.is_empty())
    }

    /// Ends the connection with a reset instead of a FIN.
    pub(crate) fn reset(self) {
        self.record.streams.lock().unwrap().remove(&self.number);
        let _ = socket2::SockRef::from(&self.output).set_linger(Some(Duration::ZERO));
    }
}

/// What an upstream saw.
#[derive(Default)]
struct Record {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    is_over: AtomicBool,
    streams: Mutex<HashMap<usize, TcpStream>>,
}

/// A listening upstream; on drop it stops and closes every connection.
pub(crate) struct Upstream {
    address: SocketAddr,
    record: Arc<Record>,
    acceptor: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Runs `script` once per connection, on a thread of its own.
    pub(crate) fn start(script: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), script).unwrap()
    }

    /// The same at a chosen address: an upstream that comes back.
    pub(crate) fn start_at(
        address: SocketAddr,
        script: impl Fn(Peer) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = listen(address)?;
        let address = listener.local_addr()?;
        let record = Arc::new(Record::default());
        let (seen, script) = (Arc::clone(&record), Arc::new(script));
        let accept = move || {
            while let Ok((stream, _)) = listener.accept() {
                if seen.is_over.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream, &seen, Arc::clone(&script));
            }
        };
        let acceptor = thread::Builder::new().stack_size(128 * 1024).spawn(accept)?;
        Ok(Self { address, record, acceptor: Some(acceptor) })
    }

    /// The same on a Unix socket at `path`; its address is nobody's.
    pub(crate) fn start_unix(
        path: &Path,
        script: impl Fn(Peer) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let record = Arc::new(Record::default());
        let (seen, script) = (Arc::clone(&record), Arc::new(script));
        let accept = move || {
            // std's TCP stream reads and writes any stream's descriptor.
            while let Ok((stream, _)) = listener.accept() {
                serve(OwnedFd::from(stream).into(), &seen, Arc::clone(&script));
            }
        };
        thread::Builder::new().stack_size(128 * 1024).spawn(accept)?;
        Ok(Self { address: (Ipv4Addr::UNSPECIFIED, 0).into(), record, acceptor: None })
    }

    /// Answers every request with the same bytes and keeps the connection.
    pub(crate) fn answering(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        Self::start(move |mut peer| while peer.request().is_some() && peer.send(&bytes) {})
    }

    /// Answers every request with 200 and the request's body.
    pub(crate) fn echoing() -> Self {
        Self::start(|mut peer| {
            while let Some(request) = peer.request() {
                if !peer.send(ok(&request.body)) {
                    return;
                }
            }
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every recorded request, in the order in which they were complete.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.record.requests.lock().unwrap().clone()
    }

    /// The only request so far; none or more is a failure.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].clone()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.record.connections.load(Ordering::SeqCst)
    }

    /// Connections whose script has not ended.
    pub(crate) fn open(&self) -> usize {
        self.record.open.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.record.is_over.store(true, Ordering::SeqCst);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = TcpStream::connect_timeout(&self.address, PATIENCE);
            let _ = acceptor.join();
        }
        for (_, stream) in self.record.streams.lock().unwrap().drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A 200 with that body and its length.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Like `TcpListener::bind`, with a backlog that a burst of connections does not fill.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

fn serve(
    stream: TcpStream,
    seen: &Arc<Record>,
    script: Arc<impl Fn(Peer) + Send + Sync + 'static>,
) {
    let number = seen.connections.fetch_add(1, Ordering::SeqCst);
    let Ok((output, kept)) = stream.try_clone().and_then(|one| Ok((one, stream.try_clone()?)))
    else {
        return;
    };
    let _ = output.set_nodelay(true);
    let _ = output.set_read_timeout(Some(PATIENCE * 4));
    let _ = output.set_write_timeout(Some(PATIENCE * 4));
    seen.streams.lock().unwrap().insert(number, kept);
    seen.open.fetch_add(1, Ordering::SeqCst);
    let input = BufReader::with_capacity(65_536, stream);
    let peer = Peer { number, input, output, record: Arc::clone(seen) };
    let record = Arc::clone(seen);
    let run = move || {
        // First, so that it is dropped last: also a script that fails an assertion has ended.
        let _leave = Leave(record, number);
        script(peer);
    };
    thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap();
}

/// A script's end: lets go of the copy of the connection that `Upstream::drop` would shut down.
struct Leave(Arc<Record>, usize);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.streams.lock().unwrap().remove(&self.1);
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
