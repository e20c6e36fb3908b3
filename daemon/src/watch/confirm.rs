//! Tells each event a second time, once it is a moment old.
//!
//! The debouncer of notify is a delay line: it merges the events of a path and
//! hands them out when they are [`DELAY`] old. nbsync acts on the end of a save
//! at once (0.05 ms instead of 87 ms) and takes the delayed event as a second
//! look, for whatever the first one came too early for.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use notify::{Config, Event, EventHandler, RecursiveMode, WatcherKind};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};

use super::{WatchEvent, translate};

/// How old an event is when it is told again.
const DELAY: Duration = Duration::from_millis(75);

/// How often the debouncer looks, or `None` for a quarter of [`DELAY`].
///
/// Its thread wakes at every tick for ever (notify-debouncer-full 0.7). Where
/// the end of a save has an event of its own nobody waits for the second look,
/// so it may be late.
const TICK: Option<Duration> = if cfg!(target_os = "linux") { Some(DELAY) } else { None };

/// The debouncer's end of the events: give it each event as it comes.
pub(super) struct Confirm {
    handler: Box<dyn EventHandler>,
    /// Its drop ends the debouncer's thread.
    _debouncer: Debouncer<Tap, NoCache>,
}

impl Confirm {
    /// Starts a debouncer that tells `sink` what delayed events mean.
    ///
    /// No cache of file ids: renames are put together by inotify's cookies, and
    /// filling the cache would walk and stat the whole tree.
    pub(super) fn start(mut sink: impl FnMut(WatchEvent) + Send + 'static) -> notify::Result<Self> {
        let deliver = move |res: DebounceEventResult| {
            // Errors don't come this way, see `add`.
            let events = res.into_iter().flatten().map(|event| event.event);
            translate::all_confirmed(events, &mut sink);
        };
        let debouncer =
            new_debouncer_opt::<_, Tap, _>(DELAY, TICK, deliver, NoCache, Config::default())?;
        let handler = TAPPED
            .take()
            .ok_or_else(|| notify::Error::generic("the debouncer didn't make its watcher"))?;
        Ok(Self { handler, _debouncer: debouncer })
    }

    /// Takes an event, to be told again.
    pub(super) fn add(&mut self, event: Event) {
        self.handler.handle_event(Ok(event));
    }
}

thread_local! {
    /// The handler of the debouncer that was made last on this thread.
    static TAPPED: RefCell<Option<Box<dyn EventHandler>>> = const { RefCell::new(None) };
}

/// A watcher that watches nothing, but gets hold of the debouncer's handler.
///
/// A debouncer makes its watcher itself, without a way to pass anything in, and
/// every event would go through the delay. It calls `new` before it returns, on
/// the same thread, so a thread-local is enough to get the handler out.
#[derive(Debug)]
struct Tap;

impl notify::Watcher for Tap {
    fn new<F: EventHandler>(handler: F, _config: Config) -> notify::Result<Self> {
        TAPPED.replace(Some(Box::new(handler)));
        Ok(Self)
    }

    fn watch(&mut self, _path: &Path, _mode: RecursiveMode) -> notify::Result<()> {
        Ok(())
    }

    fn unwatch(&mut self, _path: &Path) -> notify::Result<()> {
        Ok(())
    }

    fn kind() -> WatcherKind {
        WatcherKind::NullWatcher
    }
}
