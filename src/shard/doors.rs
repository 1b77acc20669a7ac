//! Where a shard's clients come in.
//!
//! Most listening sockets are one shard's alone: the kernel spreads a port's connections over the
//! shards' sockets. A Unix socket, or one that systemd passes on, exists once. If every shard
//! accepted on it, the kernel would wake the one that has waited longest, and a multishot accept
//! never leaves its place in that line: 600 of 600 connections went to the first of three shards;
//! with single accepts a burst still goes to whoever runs first (39 of 40). So one shard accepts,
//! and hands the connections round.

use std::{cell::Cell, os::fd::OwnedFd, rc::Rc};

use crate::{
    base::{Address, limits::ACCEPT_QUEUE_MAX},
    gateway::{
        Local,
        connection::{self, Door, FaceInForce, Terms},
    },
    net::{Listener, Stream},
    runtime::{Full, Mailbox, Runtime, Sender, mailbox},
};

/// A listening address, as one shard gets it.
pub struct Entrance {
    /// The address as bound.
    pub address: Address,
    /// What holds of its connections.
    pub terms: Terms,
    /// The name of its face in the plan; `None` when it speaks plain text.
    pub face: Option<String>,
    /// How they come to this shard.
    pub listening: Listening,
}

/// How connections come to a shard.
pub enum Listening {
    /// It accepts them, for itself.
    Own(OwnedFd),
    /// It accepts them, for all shards.
    ForAll(OwnedFd),
    /// Another shard accepts them for all.
    Elsewhere,
}

/// A connection that another shard has accepted.
pub struct Handed {
    connection: OwnedFd,
    /// The place of its entrance, the same on every shard.
    entrance: usize,
}

/// How shards hand connections to each other.
pub struct Handing {
    /// To each shard, by number; this one too.
    pub to: Vec<Sender<Handed>>,
    /// What comes to this one.
    pub own: Mailbox<Handed>,
}

impl Handing {
    /// For each of this many shards.
    #[must_use]
    pub fn among(shards: usize) -> Vec<Self> {
        let (to, own): (Vec<_>, Vec<_>) = (0..shards).map(|_| mailbox(ACCEPT_QUEUE_MAX)).unzip();
        own.into_iter().map(|own| Self { to: to.clone(), own }).collect()
    }
}

/// The doors of one shard, and what its accepting tasks share.
pub(super) struct Doors {
    local: Rc<Local>,
    doors: Vec<Rc<Door>>,
    listeners: Vec<Rc<Listener>>,
    clients_max: usize,
}

impl Doors {
    /// Opens them: from here on connections are served.
    ///
    /// # Errors
    /// When a listening socket cannot be used.
    pub(super) fn open(
        local: &Rc<Local>,
        number: usize,
        entrances: Vec<Entrance>,
        handing: Handing,
        clients_max: usize,
    ) -> std::io::Result<Rc<Self>> {
        let runtime = &local.runtime;
        let (mut doors, mut listeners, mut accepting) = (Vec::new(), Vec::new(), Vec::new());
        for Entrance { address, terms, face, listening } in entrances {
            let (socket, for_all) = match listening {
                Listening::Own(socket) => (Some(socket), false),
                Listening::ForAll(socket) => (Some(socket), true),
                Listening::Elsewhere => (None, false),
            };
            if let Some(socket) = socket {
                let listener = Rc::new(Listener::adopt(runtime, socket)?);
                listeners.push(Rc::clone(&listener));
                accepting.push((doors.len(), listener, for_all));
            }
            let face = face.map(|name| FaceInForce::new(name, &local.installed().plan));
            doors.push(Rc::new(Door::new(address, terms, face)));
        }
        let doors = Rc::new(Self { local: Rc::clone(local), doors, listeners, clients_max });
        for (place, listener, for_all) in accepting {
            let doors = Rc::clone(&doors);
            if for_all {
                let to = handing.to.clone();
                runtime.spawn(async move { doors.hand_round(place, &listener, number, &to).await });
            } else {
                runtime.spawn(async move { doors.accept(place, &listener).await });
            }
        }
        if handing.to.len() > 1 {
            let (doors, runtime) = (Rc::clone(&doors), runtime.clone());
            doors.local.runtime.clone().spawn(doors.receive(runtime, handing.own));
        }
        Ok(doors)
    }

    /// Lets nobody in any more, but those who are waiting.
    pub(super) fn close(&self) {
        self.listeners.iter().for_each(|listener| listener.stop());
    }

    async fn accept(&self, place: usize, listener: &Listener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.welcome(place, stream);
        }
    }

    /// Each shard in turn gets a connection; a shard that is behind with those it has been handed,
    /// or is gone, none.
    async fn hand_round(
        &self,
        entrance: usize,
        listener: &Listener,
        number: usize,
        to: &[Sender<Handed>],
    ) {
        let turn = Cell::new(number);
        while let Ok(connection) = listener.accept_for_others().await {
            let shard = turn.get() % to.len();
            turn.set(shard + 1);
            let mut handed = Handed { connection, entrance };
            // At the end the others may be gone before this one.
            if shard != number && !self.local.is_draining() {
                match to[shard].try_send(handed) {
                    Ok(()) => continue,
                    Err(Full(back)) => handed = back,
                }
            }
            self.take_in(handed);
        }
    }

    async fn receive(self: Rc<Self>, runtime: Runtime, own: Mailbox<Handed>) {
        loop {
            let handed = own.receive(&runtime).await;
            self.take_in(handed);
        }
    }

    fn take_in(&self, handed: Handed) {
        // One that broke on its way, or for which there is no room, has been closed.
        if let Ok(stream) = Stream::take_in(&self.local.runtime, handed.connection) {
            self.welcome(handed.entrance, stream);
        }
    }

    fn welcome(&self, place: usize, stream: Stream) {
        let local = &self.local;
        local.count(|telemetry| telemetry.shard.connections_accepted += 1);
        // At the bound an idle client goes, so that one with a request can come.
        if local.seats.len() >= self.clients_max && !local.seats.dismiss_one(local.runtime.now()) {
            local.count(|telemetry| telemetry.shard.connections_refused += 1);
            return;
        }
        let door = Rc::clone(&self.doors[place]);
        local.runtime.spawn(connection::serve(Rc::clone(local), door, stream));
    }
}
