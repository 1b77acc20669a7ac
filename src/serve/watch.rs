//! Tells the control loop that a file which the plan was compiled from has changed.
//!
//! Folders are watched, not files: editors and deployments replace files by renaming. Only whole
//! changes count (a written file is closed, a new one is moved in): a log that grows in the same
//! folder wakes nobody. Several events close together are one change.
//!
//! A folder among the files (certificates) is watched as a whole: whatever changes in it.
//!
//! A path may lead over symbolic links (`current -> releases/42`, a mounted ConfigMap): the folder
//! of each is watched too, and the way is looked up again after each change.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    thread,
};

use inotify::{Event as FileEvent, EventMask, Inotify, WatchDescriptor, WatchMask, Watches};

use super::Event;

/// Room for the events of one read: some hundred with short names.
const EVENT_BYTES: usize = 16 * 1024;

/// Symbolic links on the way to one file, as many as Linux follows.
const LINKS_MAX: usize = 40;

/// Folders and the names in them whose change may change what the watched files hold; no name
/// stands for all of them.
type Places = BTreeSet<(PathBuf, Option<OsString>)>;
/// The same by watch.
type Names = BTreeMap<i32, BTreeSet<Option<OsString>>>;

/// A watch on a set of files; ends when dropped.
pub(super) struct Watch {
    places: Places,
    watches: Watches,
    folders: Vec<WatchDescriptor>,
}

impl Watch {
    /// Watches `files` and sends [`Event::FileChanged`] to `events`.
    ///
    /// # Errors
    /// One sentence, when the kernel refuses a watch (`fs.inotify.max_user_watches`).
    pub(super) fn on(files: &[PathBuf], events: Sender<Event>) -> Result<Self, String> {
        let inotify = Inotify::init().map_err(|error| explain(Path::new("the files"), &error))?;
        let mut watches = inotify.watches();
        let mask =
            WatchMask::CLOSE_WRITE | WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVED_TO;
        let places = places_of(files);
        let mut folders = Vec::new();
        let mut names = Names::new();
        let mut missing = None;
        for (folder, name) in &places {
            match watches.add(folder, mask) {
                Ok(watch) => {
                    let number = watch.get_watch_descriptor_id();
                    names.entry(number).or_default().insert(name.clone());
                    // Two paths may name one folder.
                    if !folders.contains(&watch) {
                        folders.push(watch);
                    }
                }
                // Where a link leads nowhere, the link is watched.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing = Some(explain(folder, &error));
                }
                Err(error) => return Err(explain(folder, &error)),
            }
        }
        if folders.is_empty() {
            return Err(missing.unwrap_or_default());
        }
        let count = folders.len();
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || listen(inotify, &names, count, &events))
            .map_err(|error| explain(Path::new("the files"), &error))?;
        Ok(Self { places, watches, folders })
    }

    /// Whether these are the files that it watches, and the ways to them are the same.
    pub(super) fn is_on(&self, files: &[PathBuf]) -> bool {
        self.places == places_of(files)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for folder in self.folders.drain(..) {
            // A folder that is gone took its watch along.
            let _ = self.watches.remove(folder);
        }
    }
}

/// Reads events until the last of `folders` watches is removed.
fn listen(mut inotify: Inotify, names: &Names, mut folders: usize, told: &Sender<Event>) {
    let mut buffer = [0; EVENT_BYTES];
    while folders > 0 {
        let events = match inotify.read_events_blocking(&mut buffer) {
            Ok(events) => events,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        for event in events {
            folders -= usize::from(event.mask.contains(EventMask::IGNORED));
            // The loop is gone only when the process is ending.
            if concerns(&event, names) && told.send(Event::FileChanged).is_err() {
                return;
            }
        }
    }
}

/// Too many events at once are told as an overflow: then nobody knows, so it is a change.
fn concerns(event: &FileEvent<&OsStr>, names: &Names) -> bool {
    let named = || {
        let names = names.get(&event.wd.get_watch_descriptor_id())?;
        let name = event.name?.to_owned();
        Some(names.contains(&None) || names.contains(&Some(name)))
    };
    event.mask.contains(EventMask::Q_OVERFLOW) || named().unwrap_or(false)
}

fn places_of(files: &[PathBuf]) -> Places {
    let mut places = Places::new();
    for file in files {
        follow(file, &mut places);
    }
    places
}

/// Walks a path as the kernel does, and notes each symbolic link and the file at the end.
fn follow(file: &Path, places: &mut Places) {
    let parts = |path: &Path| path.iter().map(ToOwned::to_owned).collect::<VecDeque<_>>();
    let mut folder = PathBuf::from(".");
    let mut ahead = parts(file);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        let here = folder.join(&name);
        let target = fs::read_link(&here).ok().filter(|_| links < LINKS_MAX);
        if target.is_some() || ahead.is_empty() {
            places.insert((folder.clone(), Some(name)));
        }
        match target {
            Some(target) => {
                links += 1;
                let behind = std::mem::replace(&mut ahead, parts(&target));
                ahead.extend(behind);
            }
            None => folder = here,
        }
    }
    if folder.is_dir() {
        places.insert((folder, None));
    }
}

fn explain(folder: &Path, error: &io::Error) -> String {
    format!(
        "cannot watch {} for changes: {error}; changes are taken at SIGHUP only",
        folder.display()
    )
}
