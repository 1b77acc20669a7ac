//! Sockets that systemd passes on, by the names that listeners give them.

use std::os::fd::OwnedFd;

use crate::{
    base::{Address, Problem},
    ring::{self, Inherited},
};

/// What systemd passed and no listener has taken yet.
pub(super) struct InheritedSockets {
    /// In systemd's order; taken ones are `None`.
    sockets: Vec<(String, Option<Inherited>)>,
    /// Why there are none although systemd passed some.
    refused: Option<String>,
}

impl InheritedSockets {
    /// Those of this process, once.
    pub(super) fn of_process() -> Self {
        let (sockets, refused) = match ring::inherited() {
            Ok(sockets) => (sockets, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let named = |socket: Inherited| (socket.name.clone(), Some(socket));
        Self { sockets: sockets.into_iter().map(named).collect(), refused }
    }

    /// All sockets of this name; where none has it and it is a number, the one at that place.
    ///
    /// # Errors
    /// A problem: there is none, it is no listening socket, or another listener has it.
    pub(super) fn take(&mut self, name: &str) -> Result<Vec<(Address, OwnedFd)>, Problem> {
        let places = self.places(name)?;
        let mut taken = Vec::new();
        for place in places {
            let (known, socket) = &mut self.sockets[place];
            let Some(socket) = socket.take() else {
                let message = format!(
                    "systemd:{name}: systemd's socket {place} ({known}) is another listener's too"
                );
                return Err(Problem::of_process(message, "name each socket once"));
            };
            taken.push(socket.socket.map_err(|error| {
                let message = format!(
                    "systemd:{name}: systemd's socket {place} cannot be listened on: {error}"
                );
                Problem::of_process(message, "it takes ListenStream=, with Accept=no")
            })?);
        }
        Ok(taken)
    }

    /// The names of those that nobody has taken: their clients would wait for ever.
    pub(super) fn left(&self) -> impl Iterator<Item = &str> {
        let left = self.sockets.iter().filter(|(_, socket)| socket.is_some());
        left.map(|(name, _)| name.as_str())
    }

    fn places(&self, name: &str) -> Result<Vec<usize>, Problem> {
        let named = |(place, (known, _)): (usize, &(String, _))| (known == name).then_some(place);
        let places: Vec<usize> = self.sockets.iter().enumerate().filter_map(named).collect();
        if !places.is_empty() {
            return Ok(places);
        }
        if let Some(place) = name.parse().ok().filter(|place| *place < self.sockets.len()) {
            return Ok(vec![place]);
        }
        let fix = "the socket unit says FileDescriptorName=; `systemctl status` shows whether the \
                   unit runs";
        let message = match (&self.refused, self.sockets.as_slice()) {
            (Some(why), _) => format!("systemd:{name}: {why}"),
            (None, []) => format!("systemd:{name}: systemd passes no sockets to this process"),
            (None, sockets) => {
                let known: Vec<&str> = sockets.iter().map(|(name, _)| name.as_str()).collect();
                format!("systemd:{name}: systemd passes no such socket, but {}", known.join(", "))
            }
        };
        Err(Problem::of_process(message, fix))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn passed(names: &[&str]) -> InheritedSockets {
        let socket = |name: &&str| {
            let bound = TcpListener::bind("127.0.0.1:0").unwrap();
            let socket = Ok((bound.local_addr().unwrap().into(), bound.into()));
            let inherited = Inherited { name: (*name).to_owned(), socket };
            ((*name).to_owned(), Some(inherited))
        };
        InheritedSockets { sockets: names.iter().map(socket).collect(), refused: None }
    }

    #[track_caller]
    fn check(names: &[&str], asked: &str, expected: Result<usize, &str>) {
        match (passed(names).take(asked), expected) {
            (Ok(found), Ok(count)) => assert_eq!(found.len(), count),
            (Err(problem), Err(part)) => assert!(problem.message.contains(part), "{problem}"),
            (found, _) => panic!("{asked} of {names:?}: {found:?}"),
        }
    }

    #[test]
    fn sockets_are_found_by_name_and_by_place() {
        check(&["http", "admin"], "http", Ok(1));
        check(&["http", "admin", "http"], "http", Ok(2));
        check(&["http", "admin"], "1", Ok(1));
        check(&["1", "admin"], "1", Ok(1));
        check(&["http"], "1", Err("passes no such socket, but http"));
        check(&["http"], "htpp", Err("passes no such socket, but http"));
        check(&[], "http", Err("passes no sockets to this process"));
    }

    #[test]
    fn a_socket_is_taken_once_and_those_left_are_known() {
        let mut sockets = passed(&["http", "admin"]);
        assert_eq!(sockets.take("http").unwrap().len(), 1);
        assert!(sockets.take("0").unwrap_err().message.contains("another listener's too"));
        assert_eq!(sockets.left().collect::<Vec<_>>(), ["admin"]);
    }
}
