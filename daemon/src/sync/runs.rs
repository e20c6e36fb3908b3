//! Which outputs a run in marimo leaves in the other replicas.
//!
//! marimo's session holds the outputs of all cells that ran, whenever that was. So what it held
//! when it was last looked at is remembered, and what is new in it is a run. The newest run
//! of a cell wins: one that is in a session later than the notebook had its outputs.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{CellKind, CodeHash, FormatName, Ran, Session, format};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Digest;
use super::base::{Base, BaseReplica};
use super::edit::CellKey;

/// The folder beside a script in which marimo keeps sessions.
const SESSIONS: &str = "__marimo__/session";

/// Returns where marimo keeps the session of a script.
pub fn session_of(script: &Utf8Path) -> Utf8PathBuf {
    let name = script.file_name().unwrap_or_default();
    script.parent().unwrap_or(Utf8Path::new("")).join(SESSIONS).join(format!("{name}.json"))
}

/// Returns the script of which a file is the session, if it may be one.
pub fn script_of(session: &Utf8Path) -> Option<Utf8PathBuf> {
    let folder = session.parent().filter(|it| it.ends_with(SESSIONS))?;
    let script = session.file_name()?.strip_suffix(".json")?;
    Some(folder.parent()?.parent()?.join(script))
}

/// Whether sessions are kept in a folder, or below it, as its name says.
pub fn is_session_folder(folder: &Utf8Path) -> bool {
    folder.ends_with(SESSIONS) || folder.file_name() == Some("__marimo__")
}

/// What a session held when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Each code that ran, and what it left. Beginnings of digests.
    cells: BTreeSet<(u64, u64)>,
    /// Whether some code was not in the notebook then. marimo may save the script later than the
    /// session.
    pub has_unknown: bool,
}

impl Runs {
    /// Whether a run in marimo has left these outputs.
    fn left(&self, outputs: u64) -> bool {
        self.cells.iter().any(|it| it.1 == outputs)
    }
}

/// A session, and what was known before it was read.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// What marimo remembers.
    pub session: &'a Session,
    /// What it held before; `None` if nobody has looked.
    pub before: Option<&'a Runs>,
}

/// What a session came to.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// What it holds now.
    pub runs: Runs,
    /// The cells that have other outputs now.
    pub cells: Vec<CellKey>,
}

/// Gives the replicas the outputs of runs in marimo that are newer than theirs.
///
/// `agreed` is what the replicas agreed on before. `is_newer` says whether the session was saved
/// after a replica, which counts only where both have new outputs of a cell. If nobody has looked
/// before, only cells without outputs get some.
pub fn take(
    found: Found<'_>,
    agreed: Option<&Base>,
    is_newer: impl Fn(usize) -> bool,
    base: &mut Base,
) -> Taken {
    let mut taken = Taken::default();
    let news = news(found, base, &mut taken.runs);
    if news.is_empty() {
        return taken;
    }
    for idx in 0..base.replicas.len() {
        let replica = &base.replicas[idx];
        if !format(replica.dialect.format).has_outputs() {
            continue;
        }
        let agreed = agreed.and_then(|it| it.replicas.get(idx)).filter(|_| found.before.is_some());
        let (ran, places) = (replica.document.ran(), places(replica));
        let was = agreed.map(|it| (it.document.ran(), self::places(it)));
        let was = |key: &CellKey| {
            let (ran, places) = was.as_ref()?;
            ran.get(*places.get(key)?)?.as_ref()?.outputs()
        };
        let mut set = Vec::new();
        let mut keys = Vec::new();
        for new in &news {
            let key = &new.key;
            let Some(&at) = places.get(key) else { continue };
            if replica.document.notebook().cells[at].kind != CellKind::Code {
                continue;
            }
            let has = ran.get(at).and_then(Option::as_ref).map(Ran::outputs);
            // What can't be understood is somebody's.
            let (is_odd, has) = (has == Some(None), has.flatten().filter(|it| !is_empty(it)));
            if !is_odd && has.as_ref() == Some(&new.value).filter(|it| !is_empty(it)) {
                continue;
            }
            let ran_here = is_odd || (has.is_some() && has != was(key));
            // At first sight nobody knows what was there first, and times say little: those of a
            // checkout are all the same.
            if ran_here && (found.before.is_none() || !is_newer(idx)) {
                continue;
            }
            // marimo leaves out what it can't show again, so nothing may be too little.
            let is_from_marimo =
                |has: &Value| found.before.is_some_and(|runs| runs.left(short_value(has)));
            let has_other = is_odd || has.is_some_and(|has| !is_from_marimo(&has));
            if new.outputs.is_empty() && has_other {
                continue;
            }
            set.push((at, Ran::new(new.outputs.to_vec())));
            keys.push(*key);
        }
        if let Some(document) = replica.document.set_ran(&set) {
            base.replicas[idx].document = document.into();
            taken.cells.extend(keys);
        }
    }
    taken
}

/// A run that is new.
struct New<'a> {
    key: CellKey,
    outputs: &'a [Value],
    /// The same, to be compared.
    value: Value,
}

/// Returns the runs that are new.
fn news<'a>(found: Found<'a>, base: &Base, runs: &mut Runs) -> Vec<New<'a>> {
    let marimo = base.replicas.iter().find(|it| it.dialect.format == FormatName::Marimo);
    let Some(marimo) = marimo else { return Vec::new() };
    let mut cells: HashMap<CodeHash, VecDeque<CellKey>> = HashMap::new();
    for (hash, key) in marimo.document.code_hashes().into_iter().zip(&marimo.keys) {
        if let (Some(hash), Some(key)) = (hash, key) {
            cells.entry(hash).or_default().push_back(*key);
        }
    }
    let mut news = Vec::new();
    for cell in &found.session.cells {
        let Some(value) = Ran::new(cell.outputs.clone()).outputs() else { continue };
        let run = (short(cell.code.as_bytes()), short_value(&value));
        let key = cells.get_mut(&cell.code).and_then(VecDeque::pop_front);
        if found.before.is_some_and(|it| it.cells.contains(&run)) {
            runs.cells.insert(run);
        } else if let Some(key) = key {
            runs.cells.insert(run);
            news.push(New { key, outputs: &cell.outputs, value });
        } else {
            runs.has_unknown = true;
        }
    }
    news
}

/// Where each cell is that a replica shows as one.
fn places(replica: &BaseReplica) -> BTreeMap<CellKey, usize> {
    let mut places = BTreeMap::new();
    let mut parts = BTreeSet::new();
    for (at, key) in replica.keys.iter().enumerate() {
        if let Some(key) = key
            && places.insert(*key, at).is_some()
        {
            parts.insert(*key);
        }
    }
    places.retain(|key, _| !parts.contains(key));
    places
}

fn is_empty(outputs: &Value) -> bool {
    outputs.as_array().is_some_and(Vec::is_empty)
}

fn short_value(value: &Value) -> u64 {
    short(value.to_string().as_bytes())
}

/// The beginning of a digest.
fn short(bytes: &[u8]) -> u64 {
    let digest = Digest::of(bytes);
    digest.as_bytes()[..8].iter().fold(0, |res, byte| res << 8 | u64::from(*byte))
}
