//! The real watcher: the system's events where there are any, polling elsewhere.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use notify::{
    Config as NotifyConfig, ErrorKind, Event, PollWatcher, RecommendedWatcher, RecursiveMode,
    Watcher as NotifyWatcher,
};
use tokio::sync::mpsc::UnboundedSender;

use super::confirm::Confirm;
use super::file_system::without_events;
use super::mode::Reason;
use super::{WatchError, WatchEvent, WatchMode, Watcher, translate};
use crate::config::{Config, Poll};

/// Watches folders with the means of the system.
///
/// Falls back to polling, folder by folder: on file systems that don't report
/// what other machines do, and when the system has no more watches to give.
#[derive(Debug)]
pub struct FolderWatcher(Folders<RecommendedWatcher>);

impl FolderWatcher {
    /// Starts a watcher of nothing, which sends its events to `events`.
    ///
    /// The channel is unbounded because the thread that reads the system's queue
    /// must never wait: the queue overflows, and then events are lost.
    pub fn start(config: &Config, events: UnboundedSender<WatchEvent>) -> Result<Self, WatchError> {
        Folders::start(config.poll, config.poll_interval, events).map(Self)
    }
}

impl Watcher for FolderWatcher {
    fn watch(&mut self, folder: &Utf8Path) -> Result<(), WatchError> {
        self.0.watch(folder)
    }

    fn unwatch(&mut self, folder: &Utf8Path) {
        self.0.unwatch(folder);
    }

    fn mode(&self) -> WatchMode {
        self.0.mode()
    }
}

/// [`FolderWatcher`], for any watcher of notify, so that a test can have one
/// whose limits are reached.
#[derive(Debug)]
pub(super) struct Folders<N> {
    native: Option<N>,
    /// Made when the first folder needs it: it has a thread of its own.
    poller: Option<PollWatcher>,
    poll: Poll,
    interval: Duration,
    events: UnboundedSender<WatchEvent>,
    /// Folders that the system reports about.
    reported: BTreeSet<Utf8PathBuf>,
    /// Folders that are polled. On network file systems a folder is both: the
    /// system reports what this machine does there, and does so at once.
    polled: BTreeSet<Utf8PathBuf>,
    /// Why the last folder that is polled is.
    reason: Option<Reason>,
}

impl<N: NotifyWatcher> Folders<N> {
    pub(super) fn start(
        poll: Poll,
        interval: Duration,
        events: UnboundedSender<WatchEvent>,
    ) -> Result<Self, WatchError> {
        let mut res = Self {
            native: None,
            poller: None,
            poll,
            interval,
            events,
            reported: BTreeSet::new(),
            polled: BTreeSet::new(),
            reason: None,
        };
        if poll == Poll::Always {
            res.reason = Some(Reason::Configured);
            return Ok(res);
        }
        match native(&res.events) {
            Ok(native) => res.native = Some(native),
            Err(error) if poll == Poll::Auto => {
                res.reason = Some(Reason::NoInstance(error.to_string()));
            }
            Err(error) => return Err(WatchError::NotStarted(error.to_string())),
        }
        Ok(res)
    }
}

impl<N: NotifyWatcher + Send> Watcher for Folders<N> {
    fn watch(&mut self, folder: &Utf8Path) -> Result<(), WatchError> {
        check_folder(folder)?;
        let mut reason = match self.poll {
            Poll::Auto => without_events(folder).map(Reason::FileSystem),
            Poll::Always | Poll::Never => None,
        };
        match self.native.as_mut().map(|it| it.watch(folder.as_ref(), RecursiveMode::NonRecursive))
        {
            Some(Ok(())) => {
                self.reported.insert(folder.to_owned());
                if reason.is_none() {
                    self.stop_polling(folder);
                    return Ok(());
                }
            }
            // The poller does it all, for the reason given at the start.
            None => reason = reason.or_else(|| self.reason.clone()),
            Some(Err(error)) => {
                self.reported.remove(folder);
                match error.kind {
                    ErrorKind::MaxFilesWatch if self.poll == Poll::Auto => {
                        reason = reason.or(Some(Reason::NoWatchLeft));
                    }
                    // Where it has to be polled anyway, polling is enough.
                    _ if reason.is_some() => (),
                    _ => return Err(watch_error(folder, error)),
                }
            }
        }
        self.start_polling(folder)?;
        self.reason = reason;
        Ok(())
    }

    fn unwatch(&mut self, folder: &Utf8Path) {
        let both = self.reported.union(&self.polled);
        let below: Vec<Utf8PathBuf> = both.filter(|it| it.starts_with(folder)).cloned().collect();
        for folder in below {
            self.unwatch_one(&folder);
        }
    }

    fn mode(&self) -> WatchMode {
        let reason = self.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        if self.polled.is_empty() && self.native.is_some() {
            WatchMode::Native
        } else if self.reported.is_subset(&self.polled) {
            WatchMode::Polling { reason }
        } else {
            WatchMode::Partial { reason }
        }
    }
}

impl<N: NotifyWatcher> Folders<N> {
    fn unwatch_one(&mut self, folder: &Utf8Path) {
        if self.reported.remove(folder)
            && let Some(native) = &mut self.native
            && let Err(error) = native.unwatch(folder.as_ref())
        {
            // The system has dropped the watch together with the folder.
            tracing::trace!(%folder, %error, "was not watched");
        }
        self.stop_polling(folder);
    }

    fn start_polling(&mut self, folder: &Utf8Path) -> Result<(), WatchError> {
        if self.poller.is_none() {
            let poller = poller(self.interval, &self.events)
                .map_err(|error| WatchError::NotStarted(error.to_string()))?;
            self.poller = Some(poller);
        }
        let Some(poller) = &mut self.poller else { return Ok(()) };
        poller
            .watch(folder.as_ref(), RecursiveMode::NonRecursive)
            .map_err(|error| watch_error(folder, error))?;
        self.polled.insert(folder.to_owned());
        Ok(())
    }

    fn stop_polling(&mut self, folder: &Utf8Path) {
        if self.polled.remove(folder)
            && let Some(poller) = &mut self.poller
            && let Err(error) = poller.unwatch(folder.as_ref())
        {
            tracing::trace!(%folder, %error, "was not polled");
        }
    }
}

/// Refuses links: the system would watch what they point to.
fn check_folder(folder: &Utf8Path) -> Result<(), WatchError> {
    match folder.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(WatchError::NotAFolder { folder: folder.to_owned() }),
        Err(error) if is_gone(&error) => Err(WatchError::Gone { folder: folder.to_owned() }),
        Err(source) => Err(WatchError::Refused { folder: folder.to_owned(), source }),
    }
}

/// Starts the system's watcher. Its thread only sorts events and passes them on.
fn native<N: NotifyWatcher>(events: &UnboundedSender<WatchEvent>) -> notify::Result<N> {
    let sender = events.clone();
    let mut confirm = Confirm::start(move |event| send(&sender, event))?;
    let sender = events.clone();
    let handler = move |res: notify::Result<Event>| match res {
        Ok(event) if translate::is_noise(&event) => (),
        Ok(event) => {
            translate::at_once(&event, |event| send(&sender, event));
            if !event.need_rescan() {
                confirm.add(event);
            }
        }
        Err(error) => send(&sender, WatchEvent::Failed(error.to_string())),
    };
    // Following links is notify's default, and would leave the root.
    N::new(handler, NotifyConfig::default().with_follow_symlinks(false))
}

/// Starts the poller.
///
/// It goes by the whole seconds of modification times, so it finds what comes
/// and goes, and most edits. Hashing contents would read every file in the
/// folders at every turn; the sweep over known files finds the other edits.
fn poller(interval: Duration, events: &UnboundedSender<WatchEvent>) -> notify::Result<PollWatcher> {
    let sender = events.clone();
    let handler = move |res: notify::Result<Event>| match res {
        Ok(event) => translate::polled(&event, |event| send(&sender, event)),
        // Told as an event already, but repeated at every turn until the folder
        // is unwatched.
        Err(error) if matches!(&error.kind, ErrorKind::Io(it) if is_gone(it)) => (),
        Err(error) => send(&sender, WatchEvent::Failed(error.to_string())),
    };
    let config = NotifyConfig::default().with_poll_interval(interval).with_follow_symlinks(false);
    PollWatcher::new(handler, config)
}

/// Sends an event, unless nobody listens any more because the daemon stops.
fn send(events: &UnboundedSender<WatchEvent>, event: WatchEvent) {
    drop(events.send(event));
}

fn watch_error(folder: &Utf8Path, error: notify::Error) -> WatchError {
    let folder = folder.to_owned();
    match error.kind {
        ErrorKind::PathNotFound => WatchError::Gone { folder },
        ErrorKind::MaxFilesWatch => {
            WatchError::Exhausted { folder, reason: Reason::NoWatchLeft.to_string() }
        }
        ErrorKind::Io(error) if is_gone(&error) => WatchError::Gone { folder },
        ErrorKind::Io(source) => WatchError::Refused { folder, source },
        kind => WatchError::Refused {
            folder,
            source: io::Error::other(notify::Error::new(kind).to_string()),
        },
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
