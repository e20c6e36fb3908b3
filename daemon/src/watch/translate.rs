//! What an event of notify means for nbsync.

use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use notify::Event;
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RenameMode};

use super::{WatchEvent, is_ignored_name};

/// Whether the system says when a file that was written is closed.
///
/// Then the writes before it are not told: they come in the middle of a save,
/// when the file is empty or half there. A file that is written and kept open is
/// found by the sweep over known files.
const HAS_CLOSE_WRITE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether an event says nothing at all: somebody opened or read a file, maybe
/// we ourselves. notify 8 can't mask these.
pub(super) fn is_noise(event: &Event) -> bool {
    matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write))
        || matches!(event.kind, EventKind::Other) && !event.need_rescan()
}

/// Tells what is worth a look at once: the ends of saves, folders that appear,
/// and what went.
///
/// Not that a file was made: it is still empty, and has its own end. Not that
/// both ends of a rename are known: notify has just told them one by one.
pub(super) fn at_once(event: &Event, send: impl FnMut(WatchEvent)) {
    if event.need_rescan() {
        let mut send = send;
        return send(WatchEvent::Overflow);
    }
    let paths = event.paths.iter();
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => tell(paths, touched, send),
        EventKind::Create(CreateKind::Folder) => tell(paths, appeared, send),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => tell(paths, arrived, send),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
            tell(paths, gone, send);
        }
        EventKind::Modify(ModifyKind::Name(RenameMode::Any)) => tell(paths, look, send),
        _ => (),
    }
}

/// Tells a debounced event, when what it is about is a moment old.
pub(super) fn confirmed(event: &Event, send: impl FnMut(WatchEvent)) {
    let paths = event.paths.iter();
    match event.kind {
        EventKind::Access(_) => tell(paths, touched, send),
        // What was linked into the folder has no other event than its creation. A
        // mode that changed may make a file or folder readable.
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Metadata(_)) | EventKind::Any => {
            tell(paths, arrived, send);
        }
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any | ModifyKind::Other) => {
            if !HAS_CLOSE_WRITE {
                tell(paths, touched, send);
            }
        }
        // For an exchange both ends have one name.
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => tell(paths, look, send),
        EventKind::Other => (),
    }
}

/// Tells what the poller found. A folder is reported as modified when anything
/// in it comes or goes; that is told by the poll of the folder itself.
pub(super) fn polled(event: &Event, send: impl FnMut(WatchEvent)) {
    let paths = event.paths.iter();
    match event.kind {
        EventKind::Create(_) => tell(paths, arrived, send),
        EventKind::Remove(_) => tell(paths, gone, send),
        EventKind::Modify(_) => tell(paths.filter(|path| !is_folder(path)), touched, send),
        _ => (),
    }
}

/// Tells about each path that can be a name of ours.
///
/// A path that isn't UTF-8 can't be synced; the walk reports it.
fn tell<'a>(
    paths: impl Iterator<Item = &'a std::path::PathBuf>,
    meaning: fn(&Utf8Path) -> WatchEvent,
    mut send: impl FnMut(WatchEvent),
) {
    for path in paths.filter_map(|path| Utf8Path::from_path(path)) {
        if !path.file_name().is_some_and(is_ignored_name) {
            send(meaning(path));
        }
    }
}

fn touched(path: &Utf8Path) -> WatchEvent {
    WatchEvent::Touched(path.to_owned())
}

fn appeared(path: &Utf8Path) -> WatchEvent {
    WatchEvent::Appeared(path.to_owned())
}

fn gone(path: &Utf8Path) -> WatchEvent {
    WatchEvent::Gone(path.to_owned())
}

/// inotify knows whether a folder or a file was moved in, notify doesn't say.
fn arrived(path: &Utf8Path) -> WatchEvent {
    let path = Utf8PathBuf::from(path);
    if is_folder(path.as_std_path()) {
        WatchEvent::Appeared(path)
    } else {
        WatchEvent::Touched(path)
    }
}

/// For events that tell that something came or went, but not which.
fn look(path: &Utf8Path) -> WatchEvent {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => appeared(path),
        Ok(_) => touched(path),
        Err(_) => gone(path),
    }
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}
