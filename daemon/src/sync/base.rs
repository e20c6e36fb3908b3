//! What the replicas of a pairing last agreed on.

use std::collections::BTreeMap;
use std::sync::Arc;

use nbsync_formats::{Carry, Configured, Document, FormatName, PrintError, Ran};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::edit::{CellKey, NextKey};
use super::merge::Keyed;

/// What the replicas last agreed on.
///
/// The notebook, and each replica's exact text with the cell that each of its
/// segments stands for. The correspondence is kept, not recomputed: a format
/// that shows a text a little different from what it is still maps unchanged
/// segments to unchanged cells.
#[derive(Debug, Clone)]
pub struct Base {
    /// The notebook that all replicas stand for.
    pub model: Keyed,
    /// The next key to give out.
    pub next_key: NextKey,
    /// The replicas, in the order of the pairing, the source first.
    pub replicas: Vec<BaseReplica>,
    /// What runs have left that no replica is to have.
    pub stripped: Arc<BTreeMap<CellKey, Stripped>>,
}

/// What running a cell has left, as a replica had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stripped {
    /// The outputs.
    pub outputs: String,
    /// The count.
    pub count: String,
}

/// One replica, as it was when all agreed.
#[derive(Debug, Clone)]
pub struct BaseReplica {
    /// How it is written.
    pub dialect: Dialect,
    /// Its text.
    pub document: Arc<dyn Document>,
    /// The cell that each cell of its view stands for; `None` for cells that the
    /// format needs for itself.
    pub keys: Vec<Option<CellKey>>,
}

/// The way a replica is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Its format.
    pub format: FormatName,
    /// The extension of its file, with the dot.
    pub extension: String,
    /// Whether it carries everything.
    pub carry: Carry,
    /// The options that jupytext has for the files of its folder.
    pub options: Arc<Map<String, Value>>,
}

impl Dialect {
    /// Returns the format.
    pub fn format(&self) -> Configured {
        Configured::new(self.format, &self.options)
    }
}

impl Base {
    /// Makes the base of a notebook that has only its source so far.
    pub fn of_source(dialect: Dialect, document: Arc<dyn Document>) -> Self {
        let mut next_key = NextKey(0);
        let notebook = document.notebook().clone();
        let keys: Vec<CellKey> = notebook.cells.iter().map(|_| next_key.take()).collect();
        let replica =
            BaseReplica { dialect, document, keys: keys.iter().copied().map(Some).collect() };
        let model = Keyed { notebook, keys };
        Self { model, next_key, replicas: vec![replica], stripped: Arc::default() }
    }

    /// Returns a replica with what was stripped from it.
    pub fn with_outputs(&self, idx: usize) -> Arc<dyn Document> {
        let BaseReplica { document, keys, .. } = &self.replicas[idx];
        let has = document.ran();
        let missing = keys.iter().enumerate().filter_map(|(at, key)| {
            let stripped = self.stripped.get(&(*key)?).filter(|_| has[at].is_none())?;
            Some((at, Ran::of_stored(&stripped.outputs, &stripped.count)))
        });
        let whole = document.set_ran(&missing.collect::<Vec<_>>());
        whole.map_or_else(|| Arc::clone(document), Arc::from)
    }

    /// Takes it that the replicas are written in these ways from now on.
    ///
    /// A text that is there is what it was: its cells stand for the cells that they stood
    /// for, even if they are read otherwise now.
    pub fn take_dialects<'a>(&mut self, dialects: impl Iterator<Item = &'a Dialect>) {
        for (replica, dialect) in self.replicas.iter_mut().zip(dialects) {
            if replica.dialect.options == dialect.options {
                continue;
            }
            let text = Arc::clone(replica.document.text());
            let Ok(document) = dialect.format().parse(text, &dialect.extension) else { continue };
            if document.notebook().cells.len() == replica.keys.len() {
                replica.document = Arc::from(document);
                replica.dialect = dialect.clone();
            }
        }
    }

    /// Makes the base of a notebook of which only one replica is known, with all the others
    /// as they would be printed.
    ///
    /// `dialects` are those of all replicas, and `document` is the one at `idx`.
    pub fn of_replica(
        dialects: &[Dialect],
        idx: usize,
        document: Arc<dyn Document>,
    ) -> Result<Self, PrintError> {
        let mut base = Self::of_source(dialects[idx].clone(), document);
        for (_, dialect) in dialects.iter().enumerate().filter(|(other, _)| *other != idx) {
            base.add_replica(dialect.clone())?;
        }
        let replica = base.replicas.remove(0);
        base.replicas.insert(idx, replica);
        Ok(base)
    }

    /// Prints one more replica of the notebook.
    pub fn add_replica(&mut self, dialect: Dialect) -> Result<(), PrintError> {
        let printed =
            dialect.format().print(&self.model.notebook, &dialect.extension, dialect.carry)?;
        let keys = printed.origins.iter().map(|idx| idx.map(|idx| self.model.keys[idx])).collect();
        self.replicas.push(BaseReplica { dialect, document: printed.document.into(), keys });
        Ok(())
    }
}
