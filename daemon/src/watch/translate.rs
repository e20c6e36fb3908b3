//! What an event of notify means for nbsync.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use notify::Event;
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RenameMode};

use super::names::jupytext_target;
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

/// Tells debounced events, each meaning once: a new file was made and written and
/// closed, but one look is enough.
pub(super) fn all_confirmed(events: impl Iterator<Item = Event>, mut send: impl FnMut(WatchEvent)) {
    let mut told = HashSet::new();
    for event in events {
        confirmed(&event, |event| {
            if told.insert(event.clone()) {
                send(event);
            }
        });
    }
}

/// Tells a debounced event, when what it is about is a moment old.
fn confirmed(event: &Event, send: impl FnMut(WatchEvent)) {
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
    paths: impl Iterator<Item = &'a PathBuf>,
    meaning: fn(&Utf8Path) -> WatchEvent,
    mut send: impl FnMut(WatchEvent),
) {
    for path in paths.filter_map(|path| Utf8Path::from_path(path)) {
        if let Some(target) = jupytext_target(path) {
            send(WatchEvent::Replacing(target));
        } else if !path.file_name().is_some_and(is_ignored_name) {
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

#[cfg(test)]
mod tests {
    use notify::event::{DataChange, Flag, MetadataKind, RemoveKind};

    use super::*;

    const NAME: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    /// What an event of a path that isn't there means at once, and confirmed.
    #[track_caller]
    fn check(kind: EventKind, now: Option<WatchEvent>, later: Option<WatchEvent>) {
        let event = event(kind, "/none/a.py");
        let mut told = Vec::new();
        at_once(&event, |event| told.push(event));
        assert_eq!(told, now.into_iter().collect::<Vec<_>>(), "at once");
        told.clear();
        confirmed(&event, |event| told.push(event));
        assert_eq!(told, later.into_iter().collect::<Vec<_>>(), "confirmed");
    }

    #[test]
    fn ends_of_saves_are_told_at_once() {
        let touched = || Some(touched("/none/a.py".into()));
        let gone = || Some(gone("/none/a.py".into()));
        check(CLOSE, touched(), touched());
        check(NAME, touched(), gone());
        check(EventKind::Create(CreateKind::File), None, touched());
        check(EventKind::Remove(RemoveKind::File), gone(), gone());
        check(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), None, touched());
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        check(written, None, if HAS_CLOSE_WRITE { None } else { touched() });
    }

    #[test]
    fn new_folder_is_told_at_once() {
        let appeared = Some(appeared("/none/a.py".into()));
        let touched = Some(touched("/none/a.py".into()));
        check(EventKind::Create(CreateKind::Folder), appeared, touched);
        let mut told = Vec::new();
        at_once(&event(NAME, "/proc"), |event| told.push(event));
        assert_eq!(told, [WatchEvent::Appeared("/proc".into())], "moved in");
    }

    #[test]
    fn one_meaning_is_confirmed_once() {
        let events =
            [EventKind::Create(CreateKind::File), CLOSE].map(|kind| event(kind, "/none/a"));
        let mut told = Vec::new();
        all_confirmed(events.into_iter(), |event| told.push(event));
        assert_eq!(told, [touched("/none/a".into())]);
    }

    #[test]
    fn opening_and_reading_is_noise() {
        assert!(is_noise(&event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/a")));
        assert!(is_noise(&event(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/a")));
        assert!(!is_noise(&event(CLOSE, "/a")));
    }

    #[test]
    fn lost_events_are_told_once() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(!is_noise(&event));
        let mut told = Vec::new();
        at_once(&event, |event| told.push(event));
        confirmed(&event, |event| told.push(event));
        assert_eq!(told, [WatchEvent::Overflow]);
    }
}
