//! Finds notebooks, and folders to watch.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;

use super::Engine;
use super::pairing::{Pairing, PairingRecord};
use crate::config::Layout;
use crate::disk::{Disk, Lock, ReadError};
use crate::error::chain;
use crate::sync::pairing::{WORKDIR, extension, group, stem};

impl Engine {
    /// Takes the pairings from the store.
    pub(super) fn load(&mut self, now: Instant) {
        let records = match self.parts.store.records() {
            Ok(records) => records,
            Err(err) => {
                tracing::error!("{}; the bases are found again from the files", chain(&err));
                return;
            }
        };
        for (source, bytes) in records {
            let record: Result<PairingRecord, _> = serde_json::from_slice(&bytes);
            match record {
                Ok(record) => {
                    if let Some(pairing) = record.into_pairing(&self.parts.config) {
                        let source = pairing.replicas[0].spec.path.clone();
                        let is_complete = pairing.is_complete;
                        self.add(pairing);
                        if !is_complete {
                            self.make_due(&source, now);
                        }
                    }
                }
                Err(err) => tracing::warn!(notebook = %source, "cannot read its record: {err}"),
            }
        }
    }

    fn add(&mut self, pairing: Pairing) {
        let source = pairing.replicas[0].spec.path.clone();
        for replica in &pairing.replicas {
            self.by_path.insert(replica.spec.path.clone(), source.clone());
        }
        self.pairings.insert(source, pairing);
    }

    /// Walks a folder, watches what is in it, and takes up its notebooks.
    pub(super) fn walk_below(&mut self, folder: &Utf8Path, now: Instant) {
        // A folder is watched before it is walked, so that what is written in
        // between is found by one of the two.
        let mut watched = std::collections::BTreeSet::new();
        let mut walk = self.parts.tree.walk_below(folder);
        loop {
            let new: Vec<_> =
                walk.folders.iter().filter(|it| watched.insert((*it).clone())).cloned().collect();
            if new.is_empty() || self.parts.watcher.is_none() {
                break;
            }
            for folder in new {
                self.watch(&folder);
            }
            walk = self.parts.tree.walk_below(folder);
        }
        self.skipped.retain(|path, _| !path.starts_with(folder));
        for skipped in walk.skipped {
            self.skipped.insert(skipped.path, skipped.reason.to_string());
        }
        for unreadable in walk.unreadable {
            let reason = format!("cannot read the folder: {}", unreadable.error);
            self.skipped.insert(unreadable.folder, reason);
        }
        self.discover(walk.candidates, now);
        for link in walk.links {
            let Some(source) = self.by_path.get(&link.path).cloned() else { continue };
            // A save through the link is an event in the folder of its target.
            if let Some(folder) = link.target.parent().map(Utf8Path::to_owned) {
                self.watch(&folder);
            }
            self.by_path.insert(link.target, source);
        }
    }

    pub(super) fn watch(&mut self, folder: &Utf8Path) {
        let path = self.parts.tree.absolute(folder);
        let Some(watcher) = &mut self.parts.watcher else { return };
        if let Err(err) = watcher.watch(&path) {
            tracing::warn!("{}", chain(&err));
            self.skipped.insert(folder.to_owned(), chain(&err));
        }
    }

    /// Takes up those of the candidates that are notebooks.
    pub(super) fn discover(&mut self, candidates: Vec<Utf8PathBuf>, now: Instant) {
        let new: Vec<Utf8PathBuf> = candidates
            .into_iter()
            .filter(|path| !self.by_path.contains_key(path) && !is_in_workdir(path))
            .filter(|path| {
                // What was no notebook still is none if it is the same file.
                let absolute = self.parts.tree.absolute(path);
                let stamp = self.parts.disk.stamp(&absolute).ok().flatten();
                self.plain.get(path).is_none_or(|known| *known != stamp)
            })
            .collect();
        if new.is_empty() {
            return;
        }
        let formats = self.detect(&new);
        let mut found: Vec<(Utf8PathBuf, FormatName)> = Vec::new();
        for (path, format) in new.into_iter().zip(formats) {
            if let Some(format) = format {
                self.plain.remove(&path);
                found.push((path, format));
            } else {
                let absolute = self.parts.tree.absolute(&path);
                let stamp = self.parts.disk.stamp(&absolute).ok().flatten();
                self.plain.insert(path, stamp);
            }
        }
        if self.parts.config.layout == Layout::Sibling {
            self.leave_siblings(&mut found);
        }
        if found.is_empty() {
            return;
        }
        for (path, format) in found {
            self.add(Pairing::new(path.clone(), format));
            self.make_due(&path, now);
        }
        self.refresh_groups(now);
    }

    /// Leaves out shadows that stand beside their source.
    fn leave_siblings(&self, found: &mut Vec<(Utf8PathBuf, FormatName)>) {
        let plain_name = |path: &Utf8Path| {
            path.with_file_name(format!("{}{}", stem(path), extension(path))) == *path
        };
        let key = |path: &Utf8Path| (path.parent().map(Utf8Path::to_owned), stem(path).to_owned());
        let sources: std::collections::BTreeSet<_> = found
            .iter()
            .map(|(path, _)| path)
            .chain(self.pairings.keys())
            .filter(|path| plain_name(path))
            .map(|path| key(path))
            .collect();
        found.retain(|(path, _)| plain_name(path) || !sources.contains(&key(path)));
    }

    /// Returns the format of each file, `None` for files that are no notebooks.
    fn detect(&self, paths: &[Utf8PathBuf]) -> Vec<Option<FormatName>> {
        let next = AtomicUsize::new(0);
        let (disk, tree) = (self.parts.disk.as_ref(), self.parts.tree.as_ref());
        let max_size = self.parts.config.max_size;
        let work = || {
            let mut found = Vec::new();
            loop {
                let idx = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(idx) else { break found };
                if let Some(format) = detect_one(disk, &tree.absolute(path), max_size) {
                    found.push((idx, format));
                }
            }
        };
        let mut res = vec![None; paths.len()];
        if paths.len() < super::work::SIDE_BY_SIDE {
            for (idx, format) in work() {
                res[idx] = Some(format);
            }
            return res;
        }
        let n_threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                // One that panicked leaves its files for the next walk.
                for (idx, format) in thread.join().unwrap_or_default() {
                    res[idx] = Some(format);
                }
            }
        });
        res
    }

    /// Holds notebooks that share a name, and lets go those that no longer do.
    pub(super) fn refresh_groups(&mut self, now: Instant) {
        let notebooks = self
            .pairings
            .iter()
            .map(|(path, pairing)| (path.clone(), pairing.replicas[0].spec.dialect.format))
            .collect();
        for group in group(notebooks) {
            let problem = group.problem();
            for (path, _) in group.members {
                let Some(pairing) = self.pairings.get_mut(&path) else { continue };
                if pairing.blocked == problem {
                    continue;
                }
                pairing.blocked.clone_from(&problem);
                match &problem {
                    Some(reason) => {
                        let report = crate::report::Report::Held {
                            notebook: path.clone(),
                            reason: reason.clone(),
                        };
                        self.report(&report);
                    }
                    None => {
                        self.make_due(&path, now);
                    }
                }
            }
        }
    }
}

fn is_in_workdir(path: &Utf8Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with(WORKDIR))
}

fn detect_one(disk: &dyn Disk, path: &Utf8Path, max_size: u64) -> Option<FormatName> {
    // A file that can only be a notebook is one even while it is broken, so
    // that the status can say so.
    let owned = FormatName::ALL
        .into_iter()
        .find(|&name| nbsync_formats::format(name).own_extension() == Some(extension(path)));
    if owned.is_some() {
        return owned;
    }
    match disk.read(path, max_size, Lock::None) {
        Ok(contents) => {
            let text = String::from_utf8_lossy(&contents.bytes);
            nbsync_formats::detect(path.file_name()?, &text)
        }
        Err(ReadError::Absent { .. }) => None,
        Err(err) => {
            tracing::debug!("{}", chain(&err));
            None
        }
    }
}
