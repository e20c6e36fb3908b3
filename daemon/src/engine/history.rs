//! Replaced files: taken up again if an editor still writes to them, then moved into
//! the history.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use super::Engine;
use super::pairing::Due;
use super::work::Job;
use crate::cycle::{Start, cycle};
use crate::disk::{Disk, Displaced, Late, Lock, ReadError};
use crate::error::chain;
use crate::record;
use crate::store::{Batch, Keep, NewEntry, Store};
use crate::sync::Digest;

/// How long a replaced file waits for an editor that still has it open.
pub(super) const LATE: Duration = Duration::from_secs(5);

/// A replaced file that an editor may still have open.
pub(super) struct LateWriter {
    /// When it is looked at.
    pub(super) at: Instant,
    pub(super) source: Utf8PathBuf,
    pub(super) replica: usize,
    pub(super) displaced: Displaced,
    /// Where the store has the base that the editor has.
    pub(super) base: Option<Digest>,
}

/// Moves replaced files into the history.
pub(super) struct Archive {
    keeper: Keeper,
    /// Takes the work off the engine, for which an edit may be waiting.
    thread: Option<(mpsc::Sender<Kept>, JoinHandle<()>)>,
}

/// Replaced files with the sources of their pairings, and the time.
type Kept = (Vec<(Utf8PathBuf, Displaced)>, u64);

#[derive(Clone)]
struct Keeper {
    disk: Arc<dyn Disk>,
    store: Arc<dyn Store>,
    root: Utf8PathBuf,
}

impl Archive {
    pub(super) fn new(disk: Arc<dyn Disk>, store: Arc<dyn Store>, root: &Utf8Path) -> Self {
        Self { keeper: Keeper { disk, store, root: root.to_owned() }, thread: None }
    }

    /// Works on a thread of its own from now on.
    pub(super) fn start(&mut self) -> std::io::Result<()> {
        let (sender, receiver) = mpsc::channel::<Kept>();
        let keeper = self.keeper.clone();
        let work = move || {
            for (displaced, time_ms) in receiver {
                keeper.keep(&displaced, time_ms);
            }
        };
        let thread = std::thread::Builder::new().name("archive".to_owned()).spawn(work)?;
        self.thread = Some((sender, thread));
        Ok(())
    }

    fn keep(&self, displaced: Vec<(Utf8PathBuf, Displaced)>, time_ms: u64) {
        if displaced.is_empty() {
            return;
        }
        let kept = (displaced, time_ms);
        let left = match &self.thread {
            Some((sender, _)) => sender.send(kept).err().map(|err| err.0),
            None => Some(kept),
        };
        if let Some((displaced, time_ms)) = left {
            self.keeper.keep(&displaced, time_ms);
        }
    }

    /// Finishes what was begun.
    pub(super) fn stop(&mut self) {
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
    fn keep(&self, displaced: &[(Utf8PathBuf, Displaced)], time_ms: u64) {
        let mut batch = Batch::default();
        let mut kept = Vec::new();
        for (source, displaced) in displaced {
            match self.copy(displaced, time_ms) {
                Ok(Some(entry)) => {
                    batch.history.push((source.to_string(), entry));
                    kept.push(displaced);
                }
                Ok(None) => {}
                Err(reason) => tracing::error!("{reason}; kept as `{}`", displaced.path),
            }
        }
        if kept.is_empty() {
            return;
        }
        if let Err(err) = self.store.sync_blobs().and_then(|()| self.store.commit(batch)) {
            tracing::error!("{}; replaced files are kept where they are", chain(&err));
            return;
        }
        for displaced in kept {
            if let Err(err) = self.disk.discard(displaced) {
                tracing::warn!("{}", chain(&err));
            }
        }
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
            reason: "replaced".to_owned(),
        }))
    }
}

impl Engine {
    /// Looks whether an editor saved into a file after it was replaced.
    pub(super) fn look_for_late_writers(&mut self, now: Instant) {
        let (ripe, rest): (Vec<LateWriter>, Vec<LateWriter>) =
            std::mem::take(&mut self.displaced).into_iter().partition(|late| late.at <= now);
        self.displaced = rest;
        self.finish_displaced(&ripe, now);
    }

    /// Keeps what replaced files held, takes up what was saved into them later, and
    /// removes them.
    pub(super) fn finish_displaced(&mut self, ripe: &[LateWriter], now: Instant) {
        let mut all = Vec::new();
        for late in ripe {
            let mut displaced = late.displaced.clone();
            match self.parts.disk.recheck(&displaced) {
                Ok(Late::Changed(bytes)) => {
                    tracing::info!(notebook = %late.source, "an editor saved into a replaced file");
                    displaced.digest = Digest::of(&bytes);
                    self.merge_late(late, bytes, now);
                }
                Ok(Late::Unchanged | Late::Gone) => {}
                Err(err) => tracing::warn!("{}", chain(&err)),
            }
            all.push((late.source.clone(), displaced));
        }
        self.archive.keep(all, self.now_ms());
    }

    /// Takes up replaced files that an earlier process left behind.
    pub(super) fn recover(&mut self) {
        let folders: std::collections::BTreeSet<Utf8PathBuf> = self
            .pairings
            .keys()
            .filter_map(|source| source.parent())
            .map(|folder| self.parts.tree.absolute(folder))
            .collect();
        for folder in folders {
            let found = match self.parts.disk.recover(&folder) {
                Ok(found) => found,
                Err(err) => {
                    tracing::warn!("{}", chain(&err));
                    continue;
                }
            };
            let all = found
                .into_iter()
                .map(|displaced| {
                    let origin = self.parts.tree.relative(&displaced.origin);
                    let source = origin.and_then(|origin| self.by_path.get(origin)).cloned();
                    (source.unwrap_or_default(), displaced)
                })
                .collect();
            self.archive.keep(all, self.now_ms());
        }
    }

    /// Forgets old versions.
    pub(super) fn collect(&mut self) {
        let live = self.pairings.values().filter_map(|pairing| pairing.base).collect();
        match self.parts.store.collect(&Keep::default(), &live, self.now_ms()) {
            Ok(collected) => tracing::debug!(?collected, "forgot old versions"),
            Err(err) => tracing::warn!("{}", chain(&err)),
        }
    }

    /// Merges what an editor saved into a replaced file, as an edit of what it had.
    fn merge_late(&mut self, late: &LateWriter, bytes: Vec<u8>, now: Instant) {
        let base = late.base.and_then(|digest| self.parts.store.blob(digest).ok().flatten());
        let base = base.and_then(|bytes| record::from_bytes(&bytes).ok()).map(Arc::new);
        let (Some(base), Ok(text)) = (base, String::from_utf8(bytes)) else { return };
        let Some(pairing) = self.pairings.get(&late.source) else { return };
        if base.replicas.len() != pairing.replicas.len() {
            return;
        }
        let all: Vec<usize> = (0..pairing.replicas.len()).collect();
        let mut replicas = pairing.replicas.clone();
        for (replica, base) in replicas.iter_mut().zip(&base.replicas) {
            // Everything is compared with what the editor had.
            replica.digest = Some(Digest::of(base.document.text().as_bytes()));
            replica.stamp = None;
        }
        let start = Start {
            replicas: &replicas,
            base: Some(Arc::clone(&base)),
            stored: None,
            is_complete: false,
            touched: &all,
            is_meant: true,
            is_missing: true,
            late: Some((late.replica, text.into())),
        };
        let (end, displaced) = cycle(&self.context(), &start);
        let job = Job {
            number: self.number(),
            replicas: replicas.clone(),
            base: Some(Arc::clone(&base)),
            stored: None,
            is_complete: false,
            touched: all,
            due: Due::new(now),
            now,
        };
        self.apply(&late.source.clone(), job, end, displaced);
    }

    pub(super) fn now_ms(&self) -> u64 {
        let now = self.parts.clock.system_time();
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
    }
}
