//! One HTTP/2 stream in the shape of a connection of its own.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use ::http::uri::Scheme;
use bytes::{Buf, Bytes};
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
    server::SendResponse,
};

use super::{Link, broken, client::Place, held::Held, text};
use crate::{
    base::{Buffer, Moment},
    net::{Outgoing, Stream},
    ring::Sleep,
};

/// One HTTP/2 stream. Dropping it before its answer ended resets it.
pub(in crate::net) struct Lane {
    link: Rc<Link>,
    inward: RefCell<Inward>,
    outward: RefCell<Outward>,
    deadline: Cell<Option<Moment>>,
    /// When the last of a request was sent.
    asked: Cell<Moment>,
    /// Runs while somebody waits, to the moment beside it.
    alarm: RefCell<Option<(Moment, Sleep)>>,
    /// Room that is reserved for the next pieces.
    room: RefCell<Option<Held>>,
    /// Among the lanes of a connection to an upstream.
    _place: Option<Place>,
}

/// Head and body on their way in.
struct Inward {
    source: Source,
    /// Handed on, and not yet given back to the peer's window: whoever asks for more is done
    /// with what he had.
    unreleased: usize,
    trailers: Option<Vec<u8>>,
    ended: bool,
}

enum Source {
    /// A request's own answer, not asked for yet.
    Later,
    Head(ResponseFuture),
    Body(RecvStream),
}

/// Head and body on their way out.
struct Outward {
    stage: Stage,
    /// Body that the peer's windows have no room for.
    waiting: VecDeque<Piece>,
    /// Nothing follows what waits but these trailers.
    last: Option<Option<Vec<u8>>>,
}

enum Stage {
    /// A request is to be sent; the place is the lane's on its connection.
    Ask(SendRequest<Piece>),
    Head(SendResponse<Piece>),
    Body(SendStream<Piece>),
    /// All was said, or nothing more can be.
    Ended,
}

/// A piece of a body, as h2 sends it.
pub(super) struct Piece {
    bytes: PieceBytes,
    /// Its part of the connection's account, with the last piece of a block.
    _held: Option<Held>,
}

enum PieceBytes {
    Text(Bytes),
    Block(Buffer),
}

impl Lane {
    /// The stream of a request that came in.
    pub(super) fn answering(
        link: Rc<Link>,
        body: RecvStream,
        respond: SendResponse<Piece>,
    ) -> Self {
        let ended = body.is_end_stream();
        let inward = Inward { source: Source::Body(body), unreleased: 0, trailers: None, ended };
        Self::new(link, inward, Stage::Head(respond), None)
    }

    /// The stream of a request that is to go out.
    pub(super) fn asking(link: Rc<Link>, requests: SendRequest<Piece>, place: Place) -> Self {
        let source = Source::Later;
        let inward = Inward { source, unreleased: 0, trailers: None, ended: false };
        Self::new(link, inward, Stage::Ask(requests), Some(place))
    }

    fn new(link: Rc<Link>, inward: Inward, stage: Stage, place: Option<Place>) -> Self {
        Self {
            asked: Cell::new(link.runtime.now()),
            link,
            inward: RefCell::new(inward),
            outward: RefCell::new(Outward { stage, waiting: VecDeque::new(), last: None }),
            deadline: Cell::new(None),
            alarm: RefCell::new(None),
            room: RefCell::new(None),
            _place: place,
        }
    }

    /// The stream of the whole connection.
    pub(in crate::net) fn connection(&self) -> &Stream {
        &self.link.stream
    }

    pub(in crate::net) fn set_deadline(&self, deadline: Option<Moment>) {
        self.deadline.set(deadline);
    }

    pub(in crate::net) fn poll_receive(
        &self,
        cx: &Context<'_>,
    ) -> Poll<io::Result<Option<Buffer>>> {
        let cx = &mut Context::from_waker(cx.waker());
        match self.inward.borrow_mut().poll(cx) {
            Poll::Ready(received) => Poll::Ready(received),
            Poll::Pending => {
                let error = ready!(self.poll_deadline(cx));
                self.link.unanswered(self.asked.get());
                Poll::Ready(Err(error))
            }
        }
    }

    /// Lines of trailers that followed the body, with the empty one.
    pub(in crate::net) fn take_trailers(&self) -> Option<Vec<u8>> {
        self.inward.borrow_mut().trailers.take()
    }

    pub(in crate::net) fn start_send(&self, outgoing: Outgoing) {
        self.send(outgoing);
    }

    /// Nothing follows `outgoing` but `trailers`: lines, without the empty one.
    pub(in crate::net) fn start_last(&self, outgoing: Outgoing, trailers: Option<Vec<u8>>) {
        self.outward.borrow_mut().last = Some(trailers);
        self.send(outgoing);
    }

    fn send(&self, outgoing: Outgoing) {
        // The pieces count for themselves from here on.
        self.room.replace(None);
        self.asked.set(self.link.runtime.now());
        if let Some(answer) = self.outward.borrow_mut().take(outgoing, &self.link) {
            self.inward.borrow_mut().source = Source::Head(answer);
        }
    }

    pub(in crate::net) fn poll_sent(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let cx = &mut Context::from_waker(cx.waker());
        match self.outward.borrow_mut().poll(cx, &self.link) {
            Poll::Ready(sent) => return Poll::Ready(sent),
            Poll::Pending => {}
        }
        let error = ready!(self.poll_deadline(cx));
        self.link.stalled();
        Poll::Ready(Err(error))
    }

    /// Ready when all was taken and there is room for more; it is reserved then.
    pub(in crate::net) fn poll_room(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        if self.room.borrow().is_some() || !self.link.is_of_client() {
            return Poll::Ready(Ok(()));
        }
        match self.link.held.poll_room(cx) {
            Poll::Ready(held) => {
                self.room.replace(Some(held));
                return Poll::Ready(Ok(()));
            }
            Poll::Pending => {}
        }
        let error = ready!(self.poll_deadline(&mut Context::from_waker(cx.waker())));
        self.link.stalled();
        Poll::Ready(Err(error))
    }

    /// Ready when the peer gave the stream up, or the connection broke.
    pub(in crate::net) fn poll_failure(&self, cx: &Context<'_>) -> Poll<()> {
        let cx = &mut Context::from_waker(cx.waker());
        match &mut self.outward.borrow_mut().stage {
            Stage::Head(respond) => respond.poll_reset(cx).map(drop),
            Stage::Body(stream) => stream.poll_reset(cx).map(drop),
            Stage::Ask(_) | Stage::Ended => Poll::Pending,
        }
    }

    /// The answer is cut off, and the peer must see that.
    pub(in crate::net) fn reset(&self) {
        let mut outward = self.outward.borrow_mut();
        outward.waiting.clear();
        match &mut outward.stage {
            Stage::Head(respond) => respond.send_reset(Reason::INTERNAL_ERROR),
            Stage::Body(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
            Stage::Ask(_) | Stage::Ended => {}
        }
        outward.stage = Stage::Ended;
    }

    /// Ready once the deadline has passed.
    fn poll_deadline(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(deadline) = self.deadline.get() else { return Poll::Pending };
        let mut alarm = self.alarm.borrow_mut();
        if alarm.as_ref().is_none_or(|(at, _)| *at != deadline) {
            *alarm = Some((deadline, self.link.runtime.sleep_until(deadline)));
        }
        let Some((_, sleep)) = &mut *alarm else { return Poll::Pending };
        ready!(Pin::new(sleep).poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl Inward {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Buffer>>> {
        let stream = match &mut self.source {
            Source::Body(stream) => stream,
            Source::Head(answer) => {
                let (parts, body) = ready!(Pin::new(answer).poll(cx)).map_err(broken)?.into_parts();
                self.ended = body.is_end_stream();
                self.source = Source::Body(body);
                return Poll::Ready(Ok(Some(text::response_lines(&parts))));
            }
            // The request could not be sent.
            Source::Later => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        };
        if self.unreleased > 0 {
            let bytes = mem::take(&mut self.unreleased);
            stream.flow_control().release_capacity(bytes).map_err(broken)?;
        }
        while !self.ended {
            match ready!(stream.poll_data(cx)) {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => {
                    self.unreleased = bytes.len();
                    return Poll::Ready(Ok(Some(Buffer::copy_of(&bytes))));
                }
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => {
                    let trailers = ready!(stream.poll_trailers(cx)).map_err(broken)?;
                    self.trailers = trailers.as_ref().map(text::trailer_lines);
                    self.ended = true;
                }
            }
        }
        Poll::Ready(Ok(None))
    }
}

impl Outward {
    /// Takes what is to be sent, and sends what there is room for. Of a request: its answer.
    fn take(&mut self, mut outgoing: Outgoing, link: &Link) -> Option<ResponseFuture> {
        let mut begin = 0;
        let mut coming = None;
        if let Stage::Ask(requests) = &mut self.stage {
            let (sent, length) = ask(requests, &outgoing, &link.scheme(), self.last.as_ref());
            begin = length;
            self.stage = Stage::Ended;
            if let Some((answer, stream)) = sent {
                self.stage = stream.map_or(Stage::Ended, Stage::Body);
                coming = Some(answer);
            }
        }
        while let Stage::Head(respond) = &mut self.stage {
            let Some((response, length)) = text::response_of(&outgoing.text[begin..]) else {
                break;
            };
            begin += length;
            link.own_head();
            if response.status().is_informational() {
                // A peer that is gone shows when the answer follows.
                let _ = respond.send_informational(response);
                continue;
            }
            let is_all = is_all(&outgoing, begin, self.last.as_ref());
            self.stage = match respond.send_response(response, is_all) {
                Ok(stream) if !is_all => Stage::Body(stream),
                Ok(_) | Err(_) => Stage::Ended,
            };
        }
        if begin < outgoing.text.len() {
            self.waiting.push_back(Piece::text(Bytes::copy_from_slice(&outgoing.text[begin..])));
        }
        let pieces = outgoing.pieces.drain(..).filter(|piece| !piece.is_empty());
        self.waiting.extend(pieces.map(|piece| Piece::block(piece, link)));
        link.runtime.keep_outgoing(outgoing);
        // What goes wrong shows again when the send is asked about.
        let _ = self.pump(link);
        coming
    }

    /// Ready when nothing waits any more.
    fn poll(&mut self, cx: &mut Context<'_>, link: &Link) -> Poll<io::Result<()>> {
        loop {
            self.pump(link)?;
            if self.waiting.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let Stage::Body(stream) = &mut self.stage else {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            };
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    /// Gives h2 what the windows have room for, and the end behind the last of it.
    fn pump(&mut self, link: &Link) -> io::Result<()> {
        let Stage::Body(stream) = &mut self.stage else { return Ok(()) };
        if !self.waiting.is_empty() {
            stream.reserve_capacity(self.waiting.iter().map(Buf::remaining).sum());
        }
        while let Some(mut piece) = self.waiting.pop_front() {
            let room = stream.capacity();
            if room == 0 {
                self.waiting.push_front(piece);
                return Ok(());
            }
            let sent = piece.split_to(room);
            if piece.has_remaining() {
                self.waiting.push_front(piece);
            }
            let is_last = self.waiting.is_empty() && matches!(self.last, Some(None));
            stream.send_data(sent, is_last).map_err(broken)?;
            if is_last {
                self.stage = Stage::Ended;
                return Ok(());
            }
        }
        let Some(trailers) = self.last.take() else { return Ok(()) };
        let fields = trailers.and_then(|lines| text::fields_of(&lines));
        match fields {
            Some(fields) => {
                link.own_head();
                stream.send_trailers(fields).map_err(broken)?;
            }
            None => stream.send_data(Piece::text(Bytes::new()), true).map_err(broken)?,
        }
        self.stage = Stage::Ended;
        Ok(())
    }
}

/// Nothing of a message follows its head, which is the text up to `begin`.
fn is_all(outgoing: &Outgoing, begin: usize, last: Option<&Option<Vec<u8>>>) -> bool {
    let has_body = begin < outgoing.text.len() || !outgoing.pieces.is_empty();
    !has_body && matches!(last, Some(None))
}

type Asked = Option<(ResponseFuture, Option<SendStream<Piece>>)>;

/// Sends a request's head, the beginning of `outgoing`; says how long its lines are.
fn ask(
    requests: &mut SendRequest<Piece>,
    outgoing: &Outgoing,
    scheme: &Scheme,
    last: Option<&Option<Vec<u8>>>,
) -> (Asked, usize) {
    let Some((request, length)) = text::request_of(&outgoing.text, scheme) else {
        return (None, outgoing.text.len());
    };
    let is_all = is_all(outgoing, length, last);
    let sent = requests.send_request(request, is_all).ok();
    (sent.map(|(answer, stream)| (answer, (!is_all).then_some(stream))), length)
}

impl Piece {
    const fn text(bytes: Bytes) -> Self {
        Self { bytes: PieceBytes::Text(bytes), _held: None }
    }

    fn block(buffer: Buffer, link: &Link) -> Self {
        let held = link.is_of_client().then(|| link.held.hold(buffer.block_bytes()));
        Self { bytes: PieceBytes::Block(buffer), _held: held }
    }

    /// Splits off the first `count` bytes, or all there are.
    fn split_to(&mut self, count: usize) -> Self {
        if count >= self.remaining() {
            return std::mem::replace(self, Self::text(Bytes::new()));
        }
        let bytes = match &mut self.bytes {
            PieceBytes::Text(bytes) => PieceBytes::Text(bytes.split_to(count)),
            PieceBytes::Block(buffer) => PieceBytes::Block(buffer.split_to(count)),
        };
        Self { bytes, _held: None }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.chunk().len()
    }

    fn chunk(&self) -> &[u8] {
        match &self.bytes {
            PieceBytes::Text(bytes) => bytes,
            PieceBytes::Block(buffer) => buffer,
        }
    }

    fn advance(&mut self, count: usize) {
        match &mut self.bytes {
            PieceBytes::Text(bytes) => bytes.advance(count),
            PieceBytes::Block(buffer) => buffer.advance(count),
        }
    }
}
