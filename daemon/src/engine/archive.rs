//! Moves replaced files into the history, on a thread of its own, and forgets what is old.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Disk, Displaced, Late, Lock, ReadError};
use crate::error::chain;
use crate::planted::{Bug, is_planted};
use crate::store::{Batch, Keep, NewEntry, Store};
use crate::sync::Digest;

/// Moves replaced files into the history, and forgets what is old.
pub(super) struct Archive {
    keeper: Keeper,
    /// Takes the work off the engine, for which an edit may be waiting.
    thread: Option<(mpsc::Sender<Kept>, JoinHandle<()>)>,
    /// Forgets old versions, for which nothing waits.
    collector: Option<JoinHandle<()>>,
}

/// Replaced files with the sources of their pairings, and the time.
type Kept = (Vec<(Utf8PathBuf, Displaced)>, u64);

#[derive(Clone)]
struct Keeper {
    disk: Arc<dyn Disk>,
    store: Arc<dyn Store>,
    root: Utf8PathBuf,
    /// What could not be moved, and stays where it is until it can.
    failed: Arc<Mutex<Vec<(Utf8PathBuf, Displaced)>>>,
}

impl Archive {
    pub(super) fn new(disk: Arc<dyn Disk>, store: Arc<dyn Store>, root: &Utf8Path) -> Self {
        let keeper = Keeper { disk, store, root: root.to_owned(), failed: Arc::default() };
        Self { keeper, thread: None, collector: None }
    }

    /// Works on a thread of its own from now on.
    pub(super) fn start(&mut self) -> std::io::Result<()> {
        let (sender, receiver) = mpsc::channel::<Kept>();
        let keeper = self.keeper.clone();
        let work = move || {
            for (displaced, time_ms) in receiver {
                keeper.keep(displaced, time_ms);
            }
        };
        let thread = std::thread::Builder::new().name("archive".to_owned()).spawn(work)?;
        self.thread = Some((sender, thread));
        Ok(())
    }

    pub(super) fn keep(&self, displaced: Vec<(Utf8PathBuf, Displaced)>, time_ms: u64) {
        if displaced.is_empty() {
            return;
        }
        let kept = (displaced, time_ms);
        let left = match &self.thread {
            Some((sender, _)) => sender.send(kept).err().map(|err| err.0),
            None => Some(kept),
        };
        if let Some((displaced, time_ms)) = left {
            self.keeper.keep(displaced, time_ms);
        }
    }

    /// Forgets old versions, on a thread of its own if there are threads.
    pub(super) fn collect(&mut self, keep: Keep, live: BTreeSet<Digest>, time_ms: u64) {
        if self.collector.as_ref().is_some_and(|it| !it.is_finished()) {
            return;
        }
        self.end_collector();
        let store = Arc::clone(&self.keeper.store);
        let collect = move || match store.collect(&keep, &live, time_ms) {
            Ok(collected) => tracing::debug!(?collected, "forgot old versions"),
            Err(err) => tracing::warn!("{}", chain(&err)),
        };
        if self.thread.is_none() {
            collect();
            return;
        }
        match std::thread::Builder::new().name("collector".to_owned()).spawn(collect) {
            Ok(thread) => self.collector = Some(thread),
            Err(err) => tracing::warn!("cannot forget old versions: {err}"),
        }
    }

    fn end_collector(&mut self) {
        if self.collector.take().is_some_and(|it| it.join().is_err()) {
            tracing::error!("the thread that forgets old versions ended early");
        }
    }

    /// Returns what could not be moved.
    pub(super) fn take_failed(&self) -> Vec<(Utf8PathBuf, Displaced)> {
        let mut failed = self.keeper.failed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *failed)
    }

    /// Returns once everything that was given to it is in the history.
    pub(super) fn drain(&mut self) {
        if self.thread.is_some() {
            self.end_thread();
            if let Err(err) = self.start() {
                tracing::warn!("the thread of the history can't be started: {err}");
            }
        }
    }

    /// Finishes what was begun.
    pub(super) fn stop(&mut self) {
        self.end_thread();
        self.end_collector();
    }

    fn end_thread(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            if thread.join().is_err() {
                tracing::error!("the thread of the history ended early");
            }
        }
    }
}

impl Keeper {
    /// Moves replaced files into the history. One for which that fails stays where it
    /// is.
    fn keep(&self, displaced: Vec<(Utf8PathBuf, Displaced)>, time_ms: u64) {
        let mut batch = Batch::default();
        let mut kept = Vec::new();
        for (source, displaced) in displaced {
            if is_planted(Bug::UnlinkBeforeStored) {
                self.disk.discard(&displaced).ok();
            }
            match self.copy(&displaced, time_ms) {
                Ok(Some(entry)) => {
                    batch.history.push((source.to_string(), entry));
                    kept.push((source, displaced));
                }
                Ok(None) => {}
                Err(reason) => {
                    tracing::error!("{reason}; kept as `{}`", displaced.path);
                    self.fail([(source, displaced)]);
                }
            }
        }
        if kept.is_empty() {
            return;
        }
        if let Err(err) = self.store.sync_blobs().and_then(|()| self.store.commit(batch)) {
            tracing::error!("{}; replaced files are kept where they are", chain(&err));
            self.fail(kept);
            return;
        }
        for (source, displaced) in kept {
            match self.disk.discard(&displaced) {
                Ok(Late::Unchanged | Late::Gone) => {}
                // Somebody saved just now.
                Ok(Late::Changed(_)) => self.fail([(source, displaced)]),
                Err(err) => {
                    tracing::warn!("{}", chain(&err));
                    self.fail([(source, displaced)]);
                }
            }
        }
    }

    fn fail(&self, displaced: impl IntoIterator<Item = (Utf8PathBuf, Displaced)>) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).extend(displaced);
    }

    /// Copies a replaced file into the store, if it is still there.
    fn copy(&self, displaced: &Displaced, time_ms: u64) -> Result<Option<NewEntry>, String> {
        let contents = match self.disk.read(&displaced.path, u64::MAX, Lock::None) {
            Ok(contents) => contents,
            Err(ReadError::Absent { .. }) => return Ok(None),
            Err(err) => return Err(chain(&err)),
        };
        let digest = self.store.put_blob(&contents.bytes).map_err(|err| chain(&err))?;
        let replica = displaced.origin.strip_prefix(&self.root).unwrap_or(&displaced.origin);
        Ok(Some(NewEntry {
            time_ms,
            replica: replica.to_owned(),
            digest,
            len: contents.bytes.len() as u64,
            reason: "replaced by a merge with another save".to_owned(),
            revision: None,
        }))
    }
}
