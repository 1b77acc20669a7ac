//! Tells the control loop that a file which the plan was compiled from has changed.
//!
//! Folders are watched, not files: editors and deployments replace files by renaming. Several
//! events close together are one change.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::mpsc::Sender,
};

use notify::{Event as FileEvent, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::Event;

/// A watch on a set of files; ends when dropped.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
    files: Vec<PathBuf>,
}

impl Watch {
    /// Watches `files` and sends [`Event::FileChanged`] to `events`.
    ///
    /// # Errors
    /// One sentence, when the kernel refuses a watch (`fs.inotify.max_user_watches`).
    pub(super) fn on(files: &[PathBuf], events: Sender<Event>) -> Result<Self, String> {
        let names: BTreeSet<OsString> =
            files.iter().filter_map(|file| file.file_name().map(ToOwned::to_owned)).collect();
        let tell = move |event: Result<FileEvent, notify::Error>| {
            if event.is_ok_and(|event| concerns(&event, &names)) {
                // The loop is gone only when the process is ending.
                let _ = events.send(Event::FileChanged);
            }
        };
        let mut watcher =
            notify::recommended_watcher(tell).map_err(|error| explain(Path::new("."), &error))?;
        let folders: BTreeSet<PathBuf> = files.iter().map(|file| folder_of(file)).collect();
        for folder in folders {
            watcher
                .watch(&folder, RecursiveMode::NonRecursive)
                .map_err(|error| explain(&folder, &error))?;
        }
        Ok(Self { _watcher: watcher, files: files.to_vec() })
    }
}

impl Watch {
    /// Whether these are the files that it watches.
    pub(super) fn is_on(&self, files: &[PathBuf]) -> bool {
        self.files == files
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn concerns(event: &FileEvent, names: &BTreeSet<OsString>) -> bool {
    let changes = matches!(
        event.kind,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Any
    );
    // A mounted ConfigMap changes by a link named `..data` that is swapped beside the files.
    changes
        && event
            .paths
            .iter()
            .filter_map(|path| path.file_name())
            .any(|name| names.contains(name) || name == "..data")
}

fn explain(folder: &Path, error: &notify::Error) -> String {
    format!(
        "cannot watch {} for changes: {error}; changes are taken at SIGHUP only",
        folder.display()
    )
}
