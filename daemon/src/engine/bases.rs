//! The bases of the pairings that were worked on last.

use std::collections::VecDeque;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use crate::sync::base::Base;

/// How many bases are kept in memory.
const MAX_BASES: usize = 8;

/// How many bytes of text they may have together, but for the newest.
const MAX_BYTES: usize = 8 << 20;

/// The bases of the pairings that were worked on last, parsed.
///
/// Whoever edits a notebook saves it again soon.
#[derive(Debug, Default)]
pub(crate) struct Bases(VecDeque<(Utf8PathBuf, Arc<Base>)>);

impl Bases {
    pub(crate) fn get(&self, source: &Utf8Path) -> Option<Arc<Base>> {
        self.0.iter().find(|(path, _)| path == source).map(|(_, base)| Arc::clone(base))
    }

    pub(crate) fn put(&mut self, source: &Utf8Path, base: Arc<Base>) {
        self.remove(source);
        self.0.push_front((source.to_owned(), base));
        let mut bytes = 0;
        let mut n_kept = 0;
        for (_, base) in &self.0 {
            bytes +=
                base.replicas.iter().map(|replica| replica.document.text().len()).sum::<usize>();
            if 0 < n_kept && (MAX_BYTES < bytes || n_kept == MAX_BASES) {
                break;
            }
            n_kept += 1;
        }
        self.0.truncate(n_kept);
    }

    pub(crate) fn rename(&mut self, from: &Utf8Path, to: &Utf8Path) {
        if from == to {
            return;
        }
        self.remove(to);
        for (path, _) in self.0.iter_mut().filter(|(path, _)| path == from) {
            to.clone_into(path);
        }
    }

    pub(crate) fn remove(&mut self, source: &Utf8Path) {
        self.0.retain(|(path, _)| path != source);
    }
}
