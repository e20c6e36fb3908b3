//! A base as bytes, for the store.

use std::sync::Arc;

use nbsync_formats::{Carry, FormatName, Notebook};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sync::base::{Base, BaseReplica, Dialect, Stripped};
use crate::sync::edit::{CellKey, NextKey};
use crate::sync::merge::Keyed;

/// Grows when older bases can no longer be read. They are then found again from
/// the files.
const VERSION: u32 = 1;

/// Why stored bytes are not a base.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RecordError {
    /// They are something else.
    #[error("cannot read the stored base")]
    Json(#[from] serde_json::Error),
    /// Another version of nbsync wrote them.
    #[error("the stored base has version {0}, which this nbsync does not know")]
    Version(u32),
    /// A text in it no longer parses, or parses to other cells than it did.
    #[error("the stored text of replica {0} is read differently now")]
    Text(usize),
}

#[derive(Serialize, Deserialize)]
struct BaseRecord {
    version: u32,
    notebook: Notebook,
    keys: Vec<CellKey>,
    next_key: NextKey,
    replicas: Vec<ReplicaRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stripped: Vec<(CellKey, Stripped)>,
}

#[derive(Serialize, Deserialize)]
struct ReplicaRecord {
    format: FormatName,
    extension: String,
    carry_all: bool,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    options: Map<String, Value>,
    keys: Vec<Option<CellKey>>,
    text: String,
}

/// Writes a base.
pub(crate) fn to_bytes(base: &Base) -> Result<Vec<u8>, RecordError> {
    let replicas = base
        .replicas
        .iter()
        .map(|replica| ReplicaRecord {
            format: replica.dialect.format,
            extension: replica.dialect.extension.clone(),
            carry_all: replica.dialect.carry == Carry::All,
            options: Map::clone(&replica.dialect.options),
            keys: replica.keys.clone(),
            text: replica.document.text().to_string(),
        })
        .collect();
    let record = BaseRecord {
        version: VERSION,
        notebook: base.model.notebook.clone(),
        keys: base.model.keys.clone(),
        next_key: base.next_key,
        replicas,
        stripped: base.stripped.iter().map(|(key, it)| (*key, it.clone())).collect(),
    };
    Ok(serde_json::to_vec(&record)?)
}

/// Reads a base, and parses its texts.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Base, RecordError> {
    let record: BaseRecord = serde_json::from_slice(bytes)?;
    if record.version != VERSION {
        return Err(RecordError::Version(record.version));
    }
    let mut replicas = Vec::with_capacity(record.replicas.len());
    for (idx, replica) in record.replicas.into_iter().enumerate() {
        let carry = if replica.carry_all { Carry::All } else { Carry::Shown };
        let ReplicaRecord { format, extension, options, keys, text, carry_all: _ } = replica;
        let dialect = Dialect { format, extension, carry, options: Arc::new(options) };
        let document = dialect
            .format()
            .parse(text.into(), &dialect.extension)
            .map_err(|_| RecordError::Text(idx))?;
        if document.notebook().cells.len() != keys.len() {
            return Err(RecordError::Text(idx));
        }
        replicas.push(BaseReplica { dialect, document: Arc::from(document), keys });
    }
    if record.keys.len() != record.notebook.cells.len() {
        return Err(RecordError::Text(0));
    }
    let model = Keyed { notebook: record.notebook, keys: record.keys };
    let stripped = Arc::new(record.stripped.into_iter().collect());
    Ok(Base { model, next_key: record.next_key, replicas, stripped })
}
