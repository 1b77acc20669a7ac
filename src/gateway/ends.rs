//! Who is at the two ends of a client's connection: as the kernel knows them, or as a PROXY header
//! says. The header comes first on the connection, before TLS.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use super::{Local, connection::Door};
use crate::{
    base::{Buffer, limits::PROXY_HEADER_WAIT},
    net::Stream,
    steps::integrate::ProxyProtocol,
    telemetry::Unproxied,
    wire::proxy_protocol::{self, Fault, Header, Progress},
};

/// What `x-forwarded-port` says of a connection to a Unix socket.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// The two ends of a connection.
pub(super) struct Ends {
    /// The client's.
    pub(super) peer: SocketAddr,
    /// The one that it connected to.
    pub(super) own: SocketAddr,
}

/// The ends of a connection that came in by `door`. `None` when it begins otherwise than it must:
/// that is counted, and it is to be closed.
pub(super) async fn find(local: &Local, door: &Door, stream: &Stream) -> Option<Ends> {
    let known = known(stream, door);
    let ProxyProtocol::From(trusted) = &door.terms.proxy_protocol else { return Some(known) };
    let why = if trusted.contains(known.peer.ip().to_canonical()) {
        match read_header(local, stream).await {
            Ok(Header::Own) => return Some(known),
            Ok(Header::Proxied { source, destination }) => {
                return Some(Ends { peer: source, own: destination });
            }
            Err(why) => why?,
        }
    } else {
        Unproxied::Untrusted
    };
    local.count(|telemetry| telemetry.shard.unproxied[why as usize] += 1);
    None
}

/// As the kernel knows them. Those of a Unix socket have no IP address: both are this machine, and
/// the port is the protocol's.
fn known(stream: &Stream, door: &Door) -> Ends {
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let peer = stream.peer().ip().unwrap_or(here(0));
    let port = if door.face.is_some() { HTTPS_PORT } else { HTTP_PORT };
    let Some(door) = door.local_addr.ip() else { return Ends { peer, own: here(port) } };
    // Behind a wildcard, only the connection knows which address the client came to.
    let asked = || stream.local_addr().ok().and_then(|address| address.ip());
    let own = if door.ip().is_unspecified() { asked() } else { None };
    Ends { peer, own: own.unwrap_or(door) }
}

/// The header; what came behind it is put back. An error of `None` is a peer that has said nothing
/// and left, as those do who only look whether somebody listens.
async fn read_header(local: &Local, stream: &Stream) -> Result<Header, Option<Unproxied>> {
    stream.set_deadline(Some(local.runtime.now() + PROXY_HEADER_WAIT));
    let mut pending = Buffer::empty();
    loop {
        match stream.receive().await {
            Ok(Some(more)) => {
                local.join(&mut pending, more).ok_or(Some(Unproxied::Crowded))?;
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(Some(Unproxied::TooSlow));
            }
            Ok(None) | Err(_) if pending.is_empty() => return Err(None),
            Ok(None) | Err(_) => return Err(Some(Unproxied::Malformed)),
        }
        match proxy_protocol::parse(&pending) {
            Ok(Progress::Complete { header, consumed }) => {
                pending.advance(consumed);
                stream.unread(pending);
                return Ok(header);
            }
            Ok(Progress::Partial) => {}
            Err(Fault::Absent) => return Err(Some(Unproxied::Absent)),
            Err(_) => return Err(Some(Unproxied::Malformed)),
        }
    }
}
