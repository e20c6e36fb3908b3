//! Watches every step of the daemon.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};

use super::actors::Shared;
use super::cells::parse;
use super::invariant::{Violation, ensure};
use super::world::{ROOT, World, at, replicas};
use crate::disk::{MemoryDisk, Step};
use crate::store::Store as _;
use crate::sync::Digest;

/// What was seen of the daemon's steps.
#[derive(Default)]
pub(crate) struct Audit {
    /// The texts that the daemon has given to names.
    written: BTreeSet<(Utf8PathBuf, Digest)>,
    /// The files that have taken the place of others.
    replaced: BTreeSet<Utf8PathBuf>,
    first: Option<Violation>,
    pub(crate) n_steps: usize,
}

/// Has every step of the daemon watched.
pub(crate) fn audit(world: &World, editors: &Shared) -> Arc<Mutex<Audit>> {
    let audit = Arc::new(Mutex::new(Audit::default()));
    let (shared, editors) = (Arc::clone(&audit), Arc::clone(editors));
    let (disk, store) = (world.disk.clone(), world.store.inner.clone());
    world.audit(move |step, path| {
        let mut audit = shared.lock().unwrap_or_else(PoisonError::into_inner);
        audit.n_steps += 1;
        let seen = match step {
            Step::Unlink => sees_unlink(&disk, &store, path),
            Step::Exchange | Step::Place => {
                // An editor that acts in the middle of a step has them.
                let notebooks = editors.try_lock().map(|it| it.notebooks.clone());
                audit.sees_write(&disk, path, &notebooks.unwrap_or_default(), step)
            }
            _ => Ok(()),
        };
        if let Err(violation) = seen {
            audit.first.get_or_insert(violation);
        }
        Ok(())
    });
    audit
}

fn sees_unlink(
    disk: &MemoryDisk,
    store: &crate::store::MemoryStore,
    path: &Utf8Path,
) -> Result<(), Violation> {
    let Some(bytes) = disk.bytes(path) else { return Ok(()) };
    let digest = Digest::of(&bytes);
    let is_kept = store.blob(digest).is_ok_and(|it| it.is_some());
    ensure!(is_kept, NothingRemovedUnkept, "`{path}` is unlinked, and the history has no copy");
    Ok(())
}

impl Audit {
    fn sees_write(
        &mut self,
        disk: &MemoryDisk,
        path: &Utf8Path,
        notebooks: &[String],
        step: Step,
    ) -> Result<(), Violation> {
        let below = path.strip_prefix(ROOT).unwrap_or(path).as_str();
        // The other versions of conflicts, for whoever wants them as files.
        if path.file_name().is_some_and(|name| name.contains(".conflict-")) {
            return Ok(());
        }
        let is_ours = notebooks.is_empty()
            || notebooks.iter().any(|source| replicas(source).iter().any(|it| it == below));
        ensure!(is_ours, NothingElseWritten, "`{path}` is no replica");
        let Some((text, digest)) = staged(disk, path) else { return Ok(()) };
        self.written.insert((path.to_owned(), digest));
        if step == Step::Exchange {
            self.replaced.insert(path.to_owned());
        }
        // Reading all of them would take a third of the time.
        if digest.as_bytes()[0] % 4 != 0 {
            return Ok(());
        }
        // Of what is given back to an editor only the editor knows whether it is whole.
        let is_whole = parse(below, &text).is_some() || is_given_back(disk, path, &text);
        ensure!(
            is_whole,
            NothingBrokenTravels,
            "`{path}` is to get a text that is no notebook: {text:?}"
        );
        Ok(())
    }

    /// Returns what went wrong first.
    pub(crate) fn check(&self) -> Result<(), Violation> {
        self.first.clone().map_or(Ok(()), Err)
    }

    /// Checks that every name holds a complete text, as it has to after any crash.
    pub(crate) fn check_texts(&self, disk: &MemoryDisk, editors: &Shared) -> Result<(), Violation> {
        let editors = editors.lock().unwrap_or_else(PoisonError::into_inner);
        for source in &editors.notebooks {
            for replica in replicas(source) {
                let path = at(&replica);
                let Some(bytes) = disk.bytes(&path) else { continue };
                let digest = Digest::of(&bytes);
                // The name of a file that is made can be there before its text.
                let is_new = !self.replaced.contains(&path) && bytes.iter().all(|it| *it == 0);
                let is_known = self.written.contains(&(path, digest))
                    || editors.written.contains(&(replica.clone(), digest));
                ensure!(
                    is_known || is_new,
                    CompleteTexts,
                    "`{replica}` holds what nobody wrote: {:?}",
                    String::from_utf8_lossy(&bytes)
                );
            }
        }
        Ok(())
    }
}

/// The text that is about to get a name.
fn staged(disk: &MemoryDisk, path: &Utf8Path) -> Option<(String, Digest)> {
    let prefix = format!(".{}.nbsync-", path.file_name()?);
    let folder = path.parent()?;
    let temp = disk
        .stamps()
        .into_iter()
        .filter(|(it, _)| {
            it.parent() == Some(folder) && it.file_name().is_some_and(|it| it.starts_with(&prefix))
        })
        .max_by_key(|(_, stamp)| stamp.ino)?;
    let bytes = disk.bytes(&temp.0)?;
    let digest = Digest::of(&bytes);
    Some((String::from_utf8(bytes).ok()?, digest))
}

/// Whether this is what was in the place of the file a moment ago.
fn is_given_back(disk: &MemoryDisk, path: &Utf8Path, text: &str) -> bool {
    let name = path.file_name().unwrap_or_default();
    disk.files().iter().any(|(other, bytes)| {
        other.as_str().contains(".displaced")
            && other.as_str().contains(name)
            && bytes == text.as_bytes()
    })
}
