//! Finds notebooks, and folders to watch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::FormatName;

use super::Engine;
use super::claims::{File, Said, mentions_auto};
use super::history::{LATE, LateWriter};
use super::moves::Ended;
use super::pairing::{Pairing, PairingRecord};
use crate::config::Layout;
use crate::disk::{Disk, Lock, ReadError, Stamp};
use crate::error::{chain, guarded};
use crate::report::{Report, Role};
use crate::sync::pairing::{Found, Group, ReplicaSpec, WORKDIR, extension, group, shadow, stem};

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
                    let ended = record.ended_ms;
                    let files = record.files();
                    if files.iter().all(|(path, ..)| self.parts.tree.is_excluded(path)) {
                        // Somebody has said so since.
                        continue;
                    }
                    for (path, format, said) in files {
                        if ended.is_none() && !self.parts.tree.is_excluded(&path) {
                            let file = File { format, said, claim: None, problem: None };
                            self.files.insert(path, file);
                        }
                    }
                    let config = &self.parts.config;
                    if let Some(pairing) = record.into_pairing(config, self.parts.clock.as_ref()) {
                        if let Some(at_ms) = ended {
                            self.ended.insert(source.into(), Ended { pairing, at_ms });
                            continue;
                        }
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
        // The configuration may say something else by now.
        self.claim_all_anew();
        self.needs_forming = true;
    }

    pub(super) fn add(&mut self, pairing: Pairing) {
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
                self.watch_sessions(&folder);
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
        // What the system says of a file is asked before the file is read: of one that is
        // being copied, or saved, it says something else afterwards.
        let stamps: BTreeMap<Utf8PathBuf, Option<Stamp>> = candidates
            .into_iter()
            .filter(|path| !self.by_path.contains_key(path) && !is_in_workdir(path))
            .map(|path| {
                let absolute = self.parts.tree.absolute(&path);
                let stamp = self.parts.disk.stamp(&absolute).ok().flatten();
                (path, stamp)
            })
            // What was no notebook still is none if it is the same file.
            .filter(|(path, stamp)| self.plain.get(path) != Some(stamp))
            .collect();
        if stamps.is_empty() {
            self.form(now);
            return;
        }
        let new: Vec<Utf8PathBuf> = stamps.keys().cloned().collect();
        let formats = self.detect(&new);
        let mut found: Vec<(Utf8PathBuf, (FormatName, Said))> = Vec::new();
        for (path, format) in new.into_iter().zip(formats) {
            match format {
                Ok(Some(format)) => {
                    self.plain.remove(&path);
                    found.push((path, format));
                }
                Ok(None) => {
                    let stamp = stamps.get(&path).copied().flatten();
                    self.plain.insert(path, stamp);
                }
                // The next walk asks again.
                Err(err) => tracing::debug!("{}", chain(&err)),
            }
        }
        if self.parts.config.layout == Layout::Sibling {
            self.leave_siblings(&mut found);
        }
        let paths: Vec<Utf8PathBuf> = found.iter().map(|(path, _)| path.clone()).collect();
        for (path, (format, said)) in found {
            self.files.insert(path, File { format, said, claim: None, problem: None });
        }
        for path in &paths {
            self.claim_anew(path);
        }
        if !paths.is_empty() {
            self.claim_anew_who_named(&paths);
            self.needs_forming = true;
        }
        self.form(now);
    }

    /// Leaves out shadows that stand beside their source.
    fn leave_siblings(&self, found: &mut Vec<(Utf8PathBuf, (FormatName, Said))>) {
        let plain_name = |path: &Utf8Path| {
            path.with_file_name(format!("{}{}", stem(path), extension(path))) == *path
        };
        let key = |path: &Utf8Path| (path.parent().map(Utf8Path::to_owned), stem(path).to_owned());
        let sources: std::collections::BTreeSet<_> = found
            .iter()
            .map(|(path, _)| path)
            .chain(self.files.keys())
            .filter(|path| plain_name(path))
            .map(|path| key(path))
            .collect();
        found.retain(|(path, _)| plain_name(path) || !sources.contains(&key(path)));
    }

    /// Returns the format of each file and what it says about pairs, `None` for files
    /// that are no notebooks.
    pub(super) fn detect(&mut self, paths: &[Utf8PathBuf]) -> Vec<Detected> {
        let mut needs_language = |path: &Utf8PathBuf| {
            let absolute = self.parts.tree.absolute(path);
            let config = self.jupytext.of_folder(absolute.parent().unwrap_or(&absolute));
            mentions_auto(config.ok().flatten().as_ref())
        };
        let needs_language: Vec<bool> = paths.iter().map(&mut needs_language).collect();
        let next = AtomicUsize::new(0);
        let (disk, tree) = (self.parts.disk.as_ref(), self.parts.tree.as_ref());
        let max_size = self.parts.config.max_size;
        let work = || {
            let mut found = Vec::new();
            loop {
                let idx = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(idx) else { break found };
                let absolute = tree.absolute(path);
                let detect = || detect_one(disk, &absolute, max_size, needs_language[idx]);
                if let Some(detected) = guarded(path.as_str(), detect) {
                    found.push((idx, detected));
                }
            }
        };
        let mut res: Vec<Detected> = paths.iter().map(|_| Ok(None)).collect();
        if paths.len() < super::work::SIDE_BY_SIDE {
            for (idx, format) in work() {
                res[idx] = format;
            }
            return res;
        }
        let n_threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
            for thread in threads {
                for (idx, format) in thread.join().unwrap_or_default() {
                    res[idx] = format;
                }
            }
        });
        res
    }

    /// Puts the files together that are one notebook, where something about that may
    /// have changed.
    pub(super) fn form(&mut self, now: Instant) {
        if !std::mem::take(&mut self.needs_forming) {
            return;
        }
        let found: Vec<Found<'_>> = self
            .files
            .iter()
            .map(|(path, file)| Found { path, format: file.format, claim: file.claim.as_ref() })
            .collect();
        for mut group in group(&found) {
            let mut problems = group.members.iter().filter_map(|it| self.files.get(&it.path));
            if let Some(problem) = problems.find_map(|file| file.problem.clone()) {
                group.problem.get_or_insert(problem);
            }
            self.take_up_group(group, now);
        }
    }

    /// Takes up a notebook as the files are that it should have.
    fn take_up_group(&mut self, group: Group, now: Instant) {
        let source = group.source().to_owned();
        let is_known = self.pairings.get(&source).is_some_and(|it| it.has_files(&group.members));
        if !is_known {
            let was: BTreeSet<Utf8PathBuf> = group
                .members
                .iter()
                .filter_map(|member| self.by_path.get(&member.path).cloned())
                .collect();
            for source in was {
                self.dissolve(&source, &group.members, now);
            }
            self.removed.remove(&source);
            for member in &group.members {
                if let Some(folder) = member.path.parent() {
                    self.watch(folder);
                }
            }
            self.add(Pairing { found: Some(now), ..Pairing::new(group.members) });
            self.make_due(&source, now);
        }
        let absolute = self.parts.tree.absolute(&source);
        let config = self.jupytext.of_folder(absolute.parent().unwrap_or(&absolute));
        let options = config.ok().flatten().map(|config| Arc::clone(&config.options));
        let Some(pairing) = self.pairings.get_mut(&source) else { return };
        pairing.notes = group.notes;
        // jupytext looks for them from the folder of each file; one answer is enough for
        // files that are one notebook.
        for replica in &mut pairing.replicas {
            replica.spec.dialect.options = options.clone().unwrap_or_default();
        }
        if pairing.blocked == group.problem {
            return;
        }
        pairing.blocked.clone_from(&group.problem);
        match group.problem {
            Some(reason) => self.report(&Report::Held { notebook: source, reason }),
            None => {
                self.make_due(&source, now);
            }
        }
    }

    /// Ends a pairing because its files are put together otherwise now. Shadows that are
    /// no longer wanted go to where replaced files go, unless somebody edited them.
    fn dissolve(&mut self, source: &Utf8Path, members: &[ReplicaSpec], now: Instant) {
        let Some(pairing) = self.pairings.get(source).cloned() else { return };
        self.forget(source);
        self.bases.remove(source);
        if !self.writes {
            return;
        }
        let beside = self.parts.config.layout == Layout::Sibling;
        for (idx, replica) in pairing.replicas.iter().enumerate() {
            let (Role::Shadow, Some(digest)) = (replica.spec.role, replica.digest) else {
                continue;
            };
            let dialect = &replica.spec.dialect;
            let is_wanted = members.first().is_some_and(|source| {
                shadow(&source.path, dialect.format, &dialect.extension, beside)
                    == replica.spec.path
            }) && members.iter().all(|it| it.dialect.format != dialect.format);
            if is_wanted {
                continue;
            }
            let path = self.parts.tree.root().join(&replica.spec.path);
            match self.parts.disk.remove(&path, digest) {
                Ok(displaced) => self.displaced.extend(displaced.map(|displaced| {
                    let mut late = LateWriter::of(source.to_owned(), displaced, now + LATE);
                    late.replica = idx;
                    late
                })),
                Err(err) => tracing::warn!("{}", chain(&err)),
            }
        }
    }
}

pub(super) fn is_in_workdir(path: &Utf8Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with(WORKDIR))
}

/// The format of a file and what it says about pairs; `None` if it is no notebook.
pub(super) type Detected = Result<Option<(FormatName, Said)>, ReadError>;

/// Returns the format of a file and what it says about pairs, `None` if it is no
/// notebook.
///
/// With `needs_language`, the file is also asked for its language.
pub(super) fn detect_one(
    disk: &dyn Disk,
    path: &Utf8Path,
    max_size: u64,
    needs_language: bool,
) -> Detected {
    // A file that can only be a notebook is one even while it is broken, so
    // that the status can say so.
    let owned = FormatName::ALL
        .into_iter()
        .find(|&name| nbsync_formats::format(name).own_extension() == Some(extension(path)));
    let text = match disk.read(path, max_size, Lock::None) {
        Ok(contents) => String::from_utf8_lossy(&contents.bytes).into_owned(),
        Err(err) => {
            return match owned {
                Some(format) => Ok(Some((format, Said::default()))),
                None if matches!(err, ReadError::Absent { .. }) => Ok(None),
                None => Err(err),
            };
        }
    };
    let detected = owned.or_else(|| nbsync_formats::detect(path.file_name()?, &text));
    let Some(format) = detected else { return Ok(None) };
    let says_something = needs_language || text.contains("jupytext");
    if format == FormatName::Marimo || !says_something {
        return Ok(Some((format, Said::default())));
    }
    let parsed = nbsync_formats::format(format).parse(text.into(), extension(path));
    // A broken one is asked again once it is mended.
    let said = parsed.map(|document| Said::of(document.notebook())).unwrap_or_default();
    Ok(Some((format, said)))
}
