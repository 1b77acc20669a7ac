//! Unix sockets on the real kernel, and connections that one executor accepts for another.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Listener, Outgoing, Stream};
use crate::{
    base::Address,
    runtime::{ExecutorSpec, Runtime, mailbox, start},
};

const WAIT: Duration = Duration::from_secs(20);

/// A path of a test's own; the file goes at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("ringway-net-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn address(&self) -> Address {
        Address::Unix(self.0.as_path().into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn on_the_ring<Work: Future<Output = ()> + 'static>(
    main: impl FnOnce(Runtime) -> Work + Send + 'static,
) {
    let spec = ExecutorSpec { name: "test".to_owned(), cpu: None };
    start(spec, main).expect("io_uring works here").join().expect("no panic");
}

fn text(bytes: &[u8]) -> Outgoing {
    Outgoing { text: bytes.to_vec(), pieces: Vec::new() }
}

#[test]
fn bytes_go_both_ways_and_ends_are_known() {
    let place = Place::new("echo");
    let address = place.address();
    on_the_ring(async move |runtime| {
        let listener = Listener::bind(&runtime, &address, false).expect("binds");
        assert_eq!(listener.local_addr(), &address);
        let until = runtime.now() + WAIT;
        let client = Stream::connect(&runtime, &address, until).await.expect("connects");
        let (server, peer) = listener.accept().await.expect("accepts");
        assert_eq!((client.peer(), &peer), (&address, &Address::Unnamed));
        assert_eq!(server.local_addr().expect("bound"), address);
        client.send(text(&[7; 300_000])).await.expect("sends");
        client.shutdown_send();
        let mut received = 0;
        while let Some(buffer) = server.receive().await.expect("receives") {
            received += buffer.len();
        }
        assert_eq!(received, 300_000);
        server.send(text(b"thanks")).await.expect("sends");
        assert_eq!(&*client.receive().await.expect("receives").expect("an answer"), b"thanks");
        drop(server);
        assert!(client.receive().await.expect("ends well").is_none());
    });
}

#[test]
fn nobody_there_is_an_error() {
    let place = Place::new("nobody");
    let address = place.address();
    drop(UnixListener::bind(&place.0).expect("binds"));
    on_the_ring(async move |runtime| {
        let until = runtime.now() + WAIT;
        let error = Stream::connect(&runtime, &address, until).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let nowhere = Address::Unix(Path::new("/nowhere/at/all").into());
        let error = Stream::connect(&runtime, &nowhere, until).await.err().expect("not there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

/// Connecting to a full queue waits, with an end, and without a busy loop.
#[test]
fn a_full_queue_is_waited_for_until_the_deadline() {
    let place = Place::new("full");
    let address = place.address();
    let full = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let full = full.expect("makes one");
    full.bind(&socket2::SockAddr::unix(&place.0).expect("a path")).expect("binds");
    full.listen(0).expect("listens");
    let _first = UnixStream::connect(&place.0).expect("connects");
    on_the_ring(async move |runtime| {
        let until = runtime.now() + Duration::from_millis(150);
        let error = Stream::connect(&runtime, &address, until).await.err().expect("no room");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let before = runtime.now();
        runtime.sleep(Duration::from_millis(50)).await;
        assert!(runtime.now().since(before) < Duration::from_secs(2));
        assert_eq!(runtime.holdings().sockets, 0, "the cancelled connect is gone");
    });
    drop(full);
}

/// What one executor accepts another serves.
#[test]
fn a_connection_is_taken_in_by_another_executor() {
    let place = Place::new("handed");
    let socket = UnixListener::bind(&place.0).expect("binds");
    let (hand, handed) = mailbox(4);
    let spec = |name: &str| ExecutorSpec { name: name.to_owned(), cpu: None };
    let porter = start(spec("porter"), async move |runtime: Runtime| {
        let listener = Listener::adopt(&runtime, socket.into()).expect("adopts");
        for _ in 0..2 {
            let connection = listener.accept_for_others().await.expect("accepts");
            hand.try_send(connection).expect("room");
        }
        assert_eq!(runtime.holdings().sockets, 0);
    });
    let server = start(spec("server"), async move |runtime: Runtime| {
        for _ in 0..2 {
            let connection = handed.receive(&runtime).await;
            let stream = Stream::take_in(&runtime, connection).expect("takes it in");
            assert_eq!(stream.peer(), &Address::Unnamed);
            let heard = stream.receive().await.expect("receives").expect("a greeting");
            stream.send(text(&heard)).await.expect("sends");
        }
    });
    for _ in 0..2 {
        let mut client = UnixStream::connect(&place.0).expect("connects");
        client.set_read_timeout(Some(WAIT)).expect("sets");
        client.write_all(b"hello").expect("writes");
        let mut heard = [0; 5];
        client.read_exact(&mut heard).expect("reads");
        assert_eq!(&heard, b"hello");
    }
    porter.expect("starts").join().expect("ends well");
    server.expect("starts").join().expect("ends well");
}

/// A shard that is gone would have held what was handed to it.
#[test]
fn a_mailbox_that_nobody_looks_into_gives_back() {
    let (sender, mailbox) = mailbox::<std::sync::Arc<()>>(4);
    let message = std::sync::Arc::new(());
    sender.try_send(std::sync::Arc::clone(&message)).expect("room");
    drop(mailbox);
    assert_eq!(std::sync::Arc::strong_count(&message), 1);
    assert!(sender.try_send(message).is_err());
}
