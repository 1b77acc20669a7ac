//! Bounded mailboxes: messages from other threads to one shard. Sending wakes the shard's ring
//! through its bell; it does not wait for a control tick.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::Poll,
};

use super::executor::Runtime;
use crate::{base::Moment, ring::Bell};

/// The sending end; any thread may hold a clone.
pub struct Sender<M> {
    shared: Arc<Shared<M>>,
}

/// The receiving end; belongs to one shard.
pub struct Mailbox<M> {
    shared: Arc<Shared<M>>,
}

struct Shared<M> {
    messages: Mutex<Messages<M>>,
    bound: usize,
    /// The bell of the shard that receives; known from its first `receive` on.
    bell: OnceLock<Arc<Bell>>,
}

struct Messages<M> {
    waiting: VecDeque<M>,
    /// The receiving end is gone.
    closed: bool,
}

/// The mailbox was full, or its shard is gone; the message comes back.
pub struct Full<M>(pub M);

impl<M> fmt::Debug for Full<M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the mailbox is full")
    }
}

/// A mailbox that holds at most `bound` messages.
#[must_use]
pub fn mailbox<M: Send>(bound: usize) -> (Sender<M>, Mailbox<M>) {
    let messages = Mutex::new(Messages { waiting: VecDeque::new(), closed: false });
    let shared = Arc::new(Shared { messages, bound, bell: OnceLock::new() });
    (Sender { shared: Arc::clone(&shared) }, Mailbox { shared })
}

impl<M> Clone for Sender<M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<M: Send> Sender<M> {
    /// Puts a message in and wakes the receiver.
    ///
    /// # Errors
    /// Gives the message back when the mailbox is full or nobody will look into it again.
    pub fn try_send(&self, message: M) -> Result<(), Full<M>> {
        self.send_once(message, |_| false)
    }

    /// The same, unless a message that is the same to the receiver waits already: then this one is
    /// dropped.
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub fn send_once(&self, message: M, is_same: impl Fn(&M) -> bool) -> Result<(), Full<M>> {
        let mut messages = self.shared.lock();
        if messages.waiting.iter().any(is_same) {
            return Ok(());
        }
        if messages.closed || messages.waiting.len() == self.shared.bound {
            return Err(Full(message));
        }
        messages.waiting.push_back(message);
        drop(messages);
        // Before the receiver's first look there is nobody to wake, and it will look.
        if let Some(bell) = self.shared.bell.get() {
            bell.ring();
        }
        Ok(())
    }
}

impl<M: Send> Mailbox<M> {
    /// The next message, in the order of sending. All calls must be on the same runtime.
    pub async fn receive(&self, runtime: &Runtime) -> M {
        self.shared.bell.get_or_init(|| Arc::clone(runtime.driver().bell()));
        std::future::poll_fn(|context| match self.try_receive() {
            Some(message) => Poll::Ready(message),
            None => {
                runtime.driver().wake_on_bell(context.waker());
                Poll::Pending
            }
        })
        .await
    }

    /// The next message; `None` when there is none by then.
    pub async fn receive_until(&self, runtime: &Runtime, deadline: Moment) -> Option<M> {
        let mut message = pin!(self.receive(runtime));
        let mut timeout = pin!(runtime.sleep_until(deadline));
        std::future::poll_fn(|context| match message.as_mut().poll(context) {
            Poll::Ready(message) => Poll::Ready(Some(message)),
            Poll::Pending => timeout.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// A message that is there already.
    #[must_use]
    pub fn try_receive(&self) -> Option<M> {
        self.shared.lock().waiting.pop_front()
    }
}

impl<M> Drop for Mailbox<M> {
    fn drop(&mut self) {
        let mut messages = self.shared.lock();
        messages.closed = true;
        let left = std::mem::take(&mut messages.waiting);
        drop(messages);
        drop(left);
    }
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, Messages<M>> {
        // A panic while holding the lock cannot leave the queue broken.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
