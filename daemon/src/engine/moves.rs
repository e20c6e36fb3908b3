//! Lets pairings follow sources that were renamed or moved.
//!
//! A file that was renamed is still the same file: its inode and the time of its birth say
//! so, whatever it holds by now. Where those don't tell (another file system, a checkout),
//! equal content does, if the old file is gone. A copy is a notebook of its own: the old one is
//! still there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::Engine;
use super::claims::File;
use super::discover::is_in_workdir;
use super::pairing::{Due, Pairing};
use crate::cycle::Replica;
use crate::disk::{Lock, Stamp};
use crate::error::chain;
use crate::report::{DaemonState, Report};
use crate::sync::Digest;
use crate::sync::pairing::{ReplicaSpec, shadow};

/// A notebook that is younger than this and takes the name of another one is the new text of
/// a save, whatever the editor called it before.
const SAVE: Duration = Duration::from_secs(10);

/// How long an ended pairing can be taken up again, in milliseconds.
const MEMORY_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A pairing whose source is gone.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) pairing: Pairing,
    /// When it ended, in milliseconds since 1970.
    pub(super) at_ms: u64,
}

/// What the sources of all pairings are known by.
struct Origins {
    by_ino: HashMap<u64, Vec<Utf8PathBuf>>,
    by_digest: HashMap<Digest, Vec<Utf8PathBuf>>,
}

impl Origins {
    fn of<'a>(pairings: impl Iterator<Item = (&'a Utf8PathBuf, &'a Pairing)>) -> Self {
        let mut res = Self { by_ino: HashMap::new(), by_digest: HashMap::new() };
        for (path, pairing) in pairings {
            let Replica { digest, stamp, .. } = &pairing.replicas[0];
            if let Some(stamp) = stamp {
                res.by_ino.entry(stamp.ino).or_default().push(path.clone());
            }
            if let Some(digest) = digest {
                res.by_digest.entry(*digest).or_default().push(path.clone());
            }
        }
        res
    }
}

/// A notebook that may be one that was elsewhere before.
struct Arrival {
    path: Utf8PathBuf,
    stamp: Stamp,
    digest: Digest,
    /// Whether the name is that of a known notebook.
    takes_name: bool,
}

impl Engine {
    /// Lets pairings follow their sources to the names of notebooks that are due. Returns
    /// whether one did.
    pub(super) fn follow(&mut self, sources: &[Utf8PathBuf], now: Instant) -> bool {
        if !self.writes {
            return false;
        }
        let new: Vec<(&Utf8PathBuf, bool)> =
            sources.iter().filter_map(|it| Some((it, self.is_new(it)?))).collect();
        if new.is_empty() {
            return false;
        }
        let living = Origins::of(self.pairings.iter());
        let ended = Origins::of(self.ended.iter().map(|(path, it)| (path, &it.pairing)));
        if living.by_digest.is_empty() && ended.by_digest.is_empty() {
            return false;
        }
        let mut n_followed = 0;
        for (path, takes_name) in new {
            let Some(arrival) = self.arrival(path, takes_name) else { continue };
            let origin = self
                .origin(&living, &arrival, now)
                .and_then(|from| Some((from.clone(), self.pairings.get(&from)?.clone())));
            let origin = origin.or_else(|| {
                let from = self.memory(&ended, &arrival)?;
                Some((from.clone(), self.ended.get(&from)?.pairing.clone()))
            });
            if let Some((from, pairing)) = origin
                && self.relocate(&from, pairing, &arrival.path, now)
            {
                n_followed += 1;
            }
        }
        if 0 < n_followed {
            // Before anything is written to the files: then their inodes tell nothing any more.
            self.commit();
            self.needs_forming = true;
            self.form(now);
            if self.state == DaemonState::Halted && self.all_gone_reason().is_none() {
                self.resume();
            }
        }
        0 < n_followed
    }

    /// Whether a notebook may be one that was elsewhere before: `Some(false)` if it was never
    /// synced, `Some(true)` if the file of another one has taken its name.
    fn is_new(&self, path: &Utf8Path) -> Option<bool> {
        let pairing = self.pairings.get(path)?;
        if pairing.blocked.is_some() {
            return None;
        }
        if pairing.is_fresh() {
            return Some(false);
        }
        let known = pairing.replicas[0].stamp?;
        let ino = self.parts.disk.glance(&self.parts.tree.absolute(path))?.ino;
        let is_other = |(other, it): (&Utf8PathBuf, &Pairing)| {
            other != path && it.replicas[0].stamp.is_some_and(|it| it.ino == ino)
        };
        (ino != known.ino && self.pairings.iter().any(is_other)).then_some(true)
    }

    fn arrival(&self, path: &Utf8Path, takes_name: bool) -> Option<Arrival> {
        let absolute = self.parts.tree.absolute(path);
        let contents = self.parts.disk.read(&absolute, self.parts.config.max_size, Lock::None);
        let contents = contents.ok()?;
        let digest = Digest::of(&contents.bytes);
        Some(Arrival { path: path.to_owned(), stamp: contents.stamp, digest, takes_name })
    }

    /// Where a notebook was before, if that is where none is now.
    fn origin(&self, origins: &Origins, arrival: &Arrival, now: Instant) -> Option<Utf8PathBuf> {
        let format = self.pairings.get(&arrival.path)?.replicas[0].spec.dialect.format;
        let may_follow = |from: &Utf8PathBuf| {
            self.pairings.get(from).is_some_and(|pairing| {
                let source = &pairing.replicas[0];
                *from != arrival.path
                    && source.spec.dialect.format == format
                    && source.digest.is_some()
                    && self.is_gone(from)
            })
        };
        let same_file = origins.by_ino.get(&arrival.stamp.ino).into_iter().flatten().find(|from| {
            let known = self.pairings.get(*from).map(|it| &it.replicas[0]);
            known.is_some_and(|known| {
                known.digest == Some(arrival.digest)
                    || known.stamp.is_some_and(|it| it.same_file(&arrival.stamp))
            }) && may_follow(from)
        });
        if arrival.takes_name {
            let from = same_file?;
            let is_old = |at: Instant| SAVE <= now.duration_since(at);
            return self.pairings.get(from)?.found.is_none_or(is_old).then(|| from.clone());
        }
        same_file
            .cloned()
            .or_else(|| only(origins.by_digest.get(&arrival.digest), arrival, may_follow))
    }

    /// Which ended pairing has come back as a notebook.
    fn memory(&self, ended: &Origins, arrival: &Arrival) -> Option<Utf8PathBuf> {
        if arrival.takes_name {
            return None;
        }
        let format = self.pairings.get(&arrival.path)?.replicas[0].spec.dialect.format;
        let source = |from: &Utf8PathBuf| {
            let source = &self.ended.get(from)?.pairing.replicas[0];
            (source.spec.dialect.format == format).then_some(source)
        };
        // Several notebooks may have held the same.
        let is_same_file = |from: &&Utf8PathBuf| {
            let known = source(from).and_then(|it| it.stamp);
            known.is_some_and(|it| it.same_file(&arrival.stamp))
        };
        let same_file = ended.by_ino.get(&arrival.stamp.ino).into_iter().flatten();
        same_file.clone().find(is_same_file).cloned().or_else(|| {
            only(ended.by_digest.get(&arrival.digest), arrival, |from| source(from).is_some())
        })
    }

    /// Gives a pairing another source, and its shadows the names that go with it. Returns
    /// false if a name is taken; then all stays as it is.
    fn relocate(
        &mut self,
        from: &Utf8Path,
        mut pairing: Pairing,
        to: &Utf8Path,
        now: Instant,
    ) -> bool {
        let Some(there) = self.pairings.get(to) else { return false };
        // Files that jupytext has paired go together, or it is another notebook.
        let owned: Vec<ReplicaSpec> = there.owned().cloned().collect();
        let kind = |spec: &ReplicaSpec| (spec.dialect.format, spec.role);
        if !pairing.owned().map(kind).eq(owned.iter().map(kind)) {
            return false;
        }
        let mut renames = BTreeMap::new();
        let mut specs = owned.clone();
        for replica in &pairing.replicas[owned.len()..] {
            let mut spec = replica.spec.clone();
            let beside = from.parent() == spec.path.parent();
            let extension = &spec.dialect.extension;
            spec.path = shadow(to, spec.dialect.format, extension, beside);
            spec.dialect.options.clone_from(&owned[0].dialect.options);
            if spec.path != replica.spec.path {
                renames.insert(replica.spec.path.clone(), spec.path.clone());
            }
            specs.push(spec);
        }
        let files: Vec<(Utf8PathBuf, File)> = owned
            .iter()
            .filter_map(|it| Some((it.path.clone(), self.files.get(&it.path)?.clone())))
            .collect();
        let replaced = self.pairings.get(to).filter(|it| !it.is_fresh()).cloned();
        if let Some(replaced) = &replaced {
            self.end(to, replaced, now);
            self.files.extend(files);
        }
        if !self.rename_shadows(&pairing, &renames) {
            if let Some(replaced) = replaced {
                self.ended.remove(to);
                self.removed.remove(to);
                self.add(replaced);
            }
            return false;
        }
        for (replica, spec) in pairing.replicas.iter_mut().zip(specs) {
            self.by_path.remove(&replica.spec.path);
            if replica.spec.is_owned() && replica.spec.path != spec.path {
                self.files.remove(&replica.spec.path);
            }
            replica.spec = spec;
        }
        let mut folders = BTreeSet::new();
        for replica in &pairing.replicas {
            self.by_path.insert(replica.spec.path.clone(), to.to_owned());
            if let Some(folder) = replica.spec.path.parent() {
                folders.insert(folder.to_owned());
            }
        }
        for folder in folders {
            if self.parts.disk.glance(&self.parts.tree.absolute(&folder)).is_some() {
                self.watch(&folder);
            }
        }
        self.rename_everywhere(from, to);
        pairing.found = None;
        let mut due = Due::new(now);
        due.touched.extend(0..pairing.replicas.len());
        self.due.insert(to.to_owned(), due);
        self.pairings.insert(to.to_owned(), pairing);
        self.report(&Report::Moved { notebook: to.to_owned(), from: from.to_owned() });
        true
    }

    /// Renames the shadows that did not come along with their folder. One that is gone is
    /// made again from what is known of it.
    fn rename_shadows(
        &mut self,
        pairing: &Pairing,
        renames: &BTreeMap<Utf8PathBuf, Utf8PathBuf>,
    ) -> bool {
        let (disk, tree) = (&self.parts.disk, &self.parts.tree);
        let mut to_do = Vec::new();
        for replica in &pairing.replicas {
            let Some(new) = renames.get(&replica.spec.path) else { continue };
            let (old, new) = (tree.absolute(&replica.spec.path), tree.absolute(new));
            match disk.read(&new, u64::MAX, Lock::None) {
                Ok(contents) => {
                    // It was edited, and its whole folder came along.
                    let came_along = old.file_name() == new.file_name()
                        && old.parent().is_some_and(|it| disk.glance(it).is_none());
                    let is_ours = replica.stamp.is_some_and(|it| it.same_file(&contents.stamp))
                        || replica.digest == Some(Digest::of(&contents.bytes))
                        || came_along;
                    if !is_ours {
                        tracing::info!(path = %new, "cannot follow a notebook: the name is taken");
                        return false;
                    }
                }
                Err(_) => to_do.push((old, new)),
            }
        }
        for (old, new) in to_do {
            if disk.glance(&old).is_none() {
                continue;
            }
            let workdir = match new.ancestors().nth(3).filter(|_| is_in_workdir(&new)) {
                Some(folder) => disk.create_workdir(folder).map(|_| ()),
                None => Ok(()),
            };
            if let Err(err) = workdir.and_then(|()| disk.rename(&old, &new)) {
                // It is made again at its new place, and the old one stays where it is.
                tracing::warn!("{}", chain(&err));
            }
        }
        true
    }

    /// Brings everything up to date that knows a pairing by its source.
    fn rename_everywhere(&mut self, from: &Utf8Path, to: &Utf8Path) {
        self.pairings.remove(from);
        self.ended.remove(from);
        self.due.remove(from);
        self.bases.rename(from, to);
        self.dirty.remove(from);
        self.dirty.insert(to.to_owned());
        self.removed.remove(from);
        self.removed.remove(to);
        if self.unstored.remove(from) {
            self.unstored.insert(to.to_owned());
        }
        if from != to {
            self.ended.remove(to);
            self.renamed.push((from.to_string(), to.to_string()));
        }
        let (old, new) = (self.parts.tree.absolute(from), self.parts.tree.absolute(to));
        for late in self.displaced.iter_mut().filter(|late| late.source == from) {
            to.clone_into(&mut late.source);
            // With its folder, what waits in it has moved too.
            if self.parts.disk.glance(&late.displaced.path).is_none()
                && let (Some(old), Some(new)) = (old.parent(), new.parent())
                && let Ok(rest) = late.displaced.path.strip_prefix(old)
            {
                let moved = new.join(rest);
                if self.parts.disk.glance(&moved).is_some() {
                    late.displaced.path = moved;
                }
            }
        }
    }

    /// Remembers a pairing whose source is gone, in case that comes back.
    pub(super) fn remember_ended(&mut self, source: &Utf8Path, pairing: Pairing) {
        if pairing.base.is_some() && pairing.replicas[0].digest.is_some() {
            let at_ms = self.now_ms();
            self.ended.insert(source.to_owned(), Ended { pairing, at_ms });
            self.dirty.insert(source.to_owned());
        } else {
            self.removed.insert(source.to_owned());
        }
    }

    /// Forgets pairings that ended long ago.
    pub(super) fn forget_ended(&mut self) {
        let now = self.now_ms();
        let old: Vec<Utf8PathBuf> = self
            .ended
            .iter()
            .filter(|(_, it)| it.at_ms.saturating_add(MEMORY_MS) < now)
            .map(|(source, _)| source.clone())
            .collect();
        for source in old {
            self.ended.remove(&source);
            self.removed.insert(source);
        }
    }
}

/// The one of several origins that it can be: that of the same path, else that of the same
/// name, else the only one.
fn only(
    found: Option<&Vec<Utf8PathBuf>>,
    arrival: &Arrival,
    may_be: impl Fn(&Utf8PathBuf) -> bool,
) -> Option<Utf8PathBuf> {
    let found: Vec<&Utf8PathBuf> = found?.iter().filter(|it| may_be(it)).collect();
    if let Some(same) = found.iter().find(|it| **it == &arrival.path) {
        return Some((*same).clone());
    }
    let named = |it: &&&Utf8PathBuf| it.file_name() == arrival.path.file_name();
    let mut same_name = found.iter().filter(named);
    match (same_name.next(), same_name.next(), &found[..]) {
        (Some(only), None, _) | (None, _, [only]) => Some((*only).clone()),
        _ => None,
    }
}
