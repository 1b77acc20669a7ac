//! Streams on the real kernel, over loopback.

use std::{
    cell::Cell,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    rc::Rc,
    sync::mpsc,
    time::Duration,
};

use super::{Listener, Outgoing, Stream};
use crate::{
    base::limits::{LARGE_BLOCK_BYTES, RECEIVE_QUEUE_BYTES_MAX},
    ring::Holdings,
    runtime::{ExecutorSpec, Runtime, start},
};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const WAIT: Duration = Duration::from_secs(20);

fn spec(name: &str) -> ExecutorSpec {
    ExecutorSpec { name: name.to_owned(), cpu: None }
}

fn text(bytes: &[u8]) -> Outgoing {
    Outgoing { text: bytes.to_vec(), pieces: Vec::new() }
}

/// Runs `main` on an executor of its own and waits for its end.
fn on_the_ring<Work: Future<Output = ()> + 'static>(
    main: impl FnOnce(Runtime) -> Work + Send + 'static,
) {
    start(spec("test"), main).expect("io_uring works here").join().expect("no panic");
}

/// Sends back what comes, until the end of the stream.
async fn echo(stream: Stream) -> io::Result<()> {
    while let Some(buffer) = stream.receive().await? {
        let mut outgoing = Outgoing::default();
        outgoing.pieces.push(buffer);
        stream.send(outgoing).await?;
    }
    stream.shutdown_send();
    Ok(())
}

/// An echo server on `listener` until it stops.
async fn serve(runtime: Runtime, listener: Rc<Listener>) {
    while let Ok((stream, _)) = listener.accept().await {
        runtime.spawn(async move {
            let _ = echo(stream).await;
        });
    }
}

fn listen(runtime: &Runtime) -> Rc<Listener> {
    Rc::new(Listener::bind(runtime, LOOPBACK, true).expect("binds"))
}

async fn connect(runtime: &Runtime, to: &Listener) -> Stream {
    let deadline = runtime.now() + WAIT;
    Stream::connect(runtime, to.local_addr(), deadline).await.expect("connects")
}

async fn receive_exactly(stream: &Stream, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        let buffer = stream.receive().await.expect("receives").expect("not yet the end");
        bytes.extend_from_slice(&buffer);
    }
    bytes
}

#[test]
fn a_hundred_connections_echo_at_once() {
    on_the_ring(async |runtime| {
        let listener = listen(&runtime);
        runtime.spawn(serve(runtime.clone(), Rc::clone(&listener)));
        let left = Rc::new(Cell::new(100));
        for name in 0..100_u32 {
            let (runtime_, listener, left) = (runtime.clone(), Rc::clone(&listener), left.clone());
            runtime.spawn(async move {
                let stream = connect(&runtime_, &listener).await;
                for round in 0..20_u32 {
                    let said = format!("connection {name} round {round}");
                    stream.send(text(said.as_bytes())).await.expect("sends");
                    let heard = receive_exactly(&stream, said.len()).await;
                    assert_eq!(heard, said.as_bytes());
                }
                assert!(stream.is_reusable());
                stream.shutdown_send();
                assert!(stream.receive().await.expect("ends well").is_none());
                assert!(!stream.is_reusable());
                left.set(left.get() - 1);
            });
        }
        let deadline = runtime.now() + WAIT;
        while left.get() > 0 && runtime.now() < deadline {
            runtime.sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(left.get(), 0);
        assert_eq!(runtime.panics(), 0);
    });
}
