//! Tells the control loop that a file which the plan was compiled from has changed.
//!
//! Folders are watched, not files: editors and deployments replace files by renaming. Only whole
//! changes count (a written file is closed, a new one is moved in): a log that grows in the same
//! folder wakes nobody. Several events close together are one change.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
    thread,
};

use inotify::{Event as FileEvent, EventMask, Inotify, WatchDescriptor, WatchMask, Watches};

use super::Event;

/// Room for the events of one read: some hundred with short names.
const EVENT_BYTES: usize = 16 * 1024;

/// A watch on a set of files; ends when dropped.
pub(super) struct Watch {
    files: Vec<PathBuf>,
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
        let mut folders = Vec::new();
        for folder in files.iter().map(|file| folder_of(file)).collect::<BTreeSet<_>>() {
            let watch = watches.add(&folder, mask).map_err(|error| explain(&folder, &error))?;
            folders.push(watch);
        }
        let names = files.iter().filter_map(|file| file.file_name().map(ToOwned::to_owned));
        let names: BTreeSet<OsString> = names.collect();
        let count = folders.len();
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || listen(inotify, &names, count, &events))
            .map_err(|error| explain(Path::new("the files"), &error))?;
        Ok(Self { files: files.to_vec(), watches, folders })
    }

    /// Whether these are the files that it watches.
    pub(super) fn is_on(&self, files: &[PathBuf]) -> bool {
        self.files == files
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
fn listen(
    mut inotify: Inotify,
    names: &BTreeSet<OsString>,
    mut folders: usize,
    told: &Sender<Event>,
) {
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
/// A mounted ConfigMap changes by a link named `..data` that is swapped beside the files.
fn concerns(event: &FileEvent<&OsStr>, names: &BTreeSet<OsString>) -> bool {
    let named = event.name.is_some_and(|name| names.contains(name) || name == "..data");
    named || event.mask.contains(EventMask::Q_OVERFLOW)
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn explain(folder: &Path, error: &io::Error) -> String {
    format!(
        "cannot watch {} for changes: {error}; changes are taken at SIGHUP only",
        folder.display()
    )
}
