//! One cycle of one pairing: look at its files, reconcile, write.
//!
//! A cycle knows nothing of other pairings, so cycles run side by side.

mod begun;
mod had;
mod impose;
mod loaded;
mod look;
mod plan;
mod session;
mod spare;
mod transition;
mod unseen;

use std::sync::Arc;
use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{Document, FormatName};

use crate::clock::Clock;
use crate::config::Config;
use crate::disk::{Disk, Displaced, Stamp};
use crate::error::{PANICKED, chain, guarded};
use crate::planted::{Bug, is_planted};
use crate::record::from_bytes;
use crate::report::{Role, Unreadable};
use crate::store::Store;
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::conflict::Conflict;
use crate::sync::edit::{CellKey, Edit};
use crate::sync::outputs::is_stripped_as;
use crate::sync::pairing::ReplicaSpec;
use crate::sync::safety::{Suspicion, suspicion};
use crate::tree::Tree;
use crate::trust::Notary;
use begun::Resumed;
pub(crate) use begun::{Begun, Records};
pub(crate) use impose::{Unsynced, impose};
use look::{complete, extend, look, parse};
use plan::Plan;
pub(crate) use session::SessionNote;
pub(crate) use spare::{Editors, Saved};
use transition::transition;
pub(crate) use unseen::{Unseen, UnseenRecord};

/// What a cycle may use.
pub(crate) struct Context<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) store: &'a dyn Store,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) config: &'a Config,
    /// Whether to write.
    pub(crate) write: bool,
    /// Whether to wait until a file that is made is on the device. For one that is
    /// replaced there is always a wait.
    pub(crate) durable: bool,
    /// Whether to write the replicas side by side.
    pub(crate) threads: bool,
    /// Who keeps notebooks trusted that Jupyter trusts.
    pub(crate) notary: Option<&'a Notary>,
    /// Knows what git did.
    pub(crate) tree: &'a dyn Tree,
    /// Who knows how to store what is about to be written.
    pub(crate) records: Option<Box<dyn Records + 'a>>,
}

/// One replica, as the engine knows it.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) spec: ReplicaSpec,
    /// The content that was last agreed on; `None` if the file was never seen.
    pub(crate) digest: Option<Digest>,
    /// What the system said of the file when it had that content.
    pub(crate) stamp: Option<Stamp>,
}

/// What a cycle starts from.
pub(crate) struct Start<'a> {
    pub(crate) replicas: &'a [Replica],
    /// What they last agreed on, if it is in memory.
    pub(crate) base: Option<Arc<Base>>,
    /// Where the store has it.
    pub(crate) stored: Option<Digest>,
    /// What an earlier cycle had begun to write.
    pub(crate) begun: Option<&'a Begun>,
    /// Whether the pairing has all the replicas that the configuration wants.
    pub(crate) is_complete: bool,
    /// Replicas to read even if their stamps are the same.
    pub(crate) touched: &'a [usize],
    /// What was given time to become whole, and has not.
    pub(crate) waited: &'a [WaitKind],
    /// What was written into each replica that its editor may not have loaded.
    pub(crate) unseen: &'a [Vec<Unseen>],
    /// What is known of marimo's session; `None` if nobody has looked.
    pub(crate) session: Option<&'a SessionNote>,
    /// Who may have the replicas open.
    pub(crate) editors: &'a Editors,
    /// A text that an editor saved where nobody looks any more, in the place of
    /// what is on disk for this replica.
    pub(crate) late: Option<LateText>,
}

/// A text that an editor saved into a file that had been replaced.
pub(crate) struct LateText {
    /// The position of the replica.
    pub(crate) replica: usize,
    pub(crate) text: Arc<str>,
    /// What the file in its place may hold: what it was last known to, or the beginning of
    /// this text, which was given back to it.
    pub(crate) on_disk: Vec<Digest>,
}

/// How a cycle ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing had changed. The stamps may be newer.
    Unchanged(Vec<Replica>),
    /// All replicas agree now.
    Synced(Box<Synced>),
    /// Something has to happen first.
    Wait(Wait),
    /// The source is gone, and all else that the user owns of the notebook.
    SourceGone,
}

/// What a cycle did.
#[derive(Debug)]
pub(crate) struct Synced {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) base: Arc<Base>,
    /// The base that the edits were made to.
    pub(crate) before: Option<Arc<Base>>,
    /// Where the store has the new base, or why it doesn't.
    pub(crate) stored: Result<Digest, String>,
    /// When the last replica was written.
    pub(crate) written_at: Instant,
    /// The positions of the replicas that were edited.
    pub(crate) from: Vec<usize>,
    /// The positions of those that were written.
    pub(crate) to: Vec<usize>,
    /// The positions of those that had no file before.
    pub(crate) created: Vec<usize>,
    pub(crate) edits: Vec<Vec<Edit>>,
    pub(crate) conflicts: Vec<Conflict>,
    /// What each replica's editor may not have loaded now.
    pub(crate) unseen: Vec<Vec<Unseen>>,
    /// When each replica was saved that was read, in milliseconds since 1970.
    pub(crate) saved_at: Vec<Option<u64>>,
    /// What is known of marimo's session now, if that is something new.
    pub(crate) session: Option<SessionNote>,
    /// The cells that have the outputs of a run in marimo now.
    pub(crate) ran: Vec<CellKey>,
}

/// What a cycle leaves behind, however it ended.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// The files that it replaced.
    pub(crate) replaced: Vec<Replaced>,
    /// The texts that it read.
    pub(crate) seen: Vec<SeenText>,
    /// What it was about to write, if it began to.
    pub(crate) begun: Option<Begun>,
    /// Whether a power cut may undo something that it wrote.
    pub(crate) is_unflushed: bool,
    /// What was saved last into each replica, if it came to look.
    pub(crate) saved: Option<Vec<Option<Saved>>>,
    /// What each replica's editor may not have loaded now, if it left something for later.
    pub(crate) unseen: Option<Vec<Vec<Unseen>>>,
}

/// A text that somebody saved.
#[derive(Debug, Clone)]
pub(crate) struct SeenText {
    /// The file that had it, relative to the root.
    pub(crate) path: Utf8PathBuf,
    pub(crate) digest: Digest,
    pub(crate) bytes: Arc<[u8]>,
}

/// A file that a cycle replaced, however the cycle ended.
#[derive(Debug)]
pub(crate) struct Replaced {
    /// The position of the replica.
    pub(crate) replica: usize,
    pub(crate) displaced: Displaced,
    /// Where the store has the base that its editor has, if that is not the one that the cycle
    /// started from.
    pub(crate) base: Option<Digest>,
    /// What its editor had made of what the replicas last agreed on.
    pub(crate) document: Option<Arc<dyn Document>>,
    /// What became of its content.
    pub(crate) fate: Fate,
}

/// What became of the content of a file that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was known, or is merged.
    Merged,
    /// An editor was faster than the write, and the cycle ended before its text could be
    /// merged. This is the digest of what was expected.
    Pending(Digest),
    /// An editor is still writing it. What it had written was given back to the file, so
    /// that the file has this digest until the rest comes.
    GivenBack(Digest),
}

/// Why a pairing is left alone for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) kind: WaitKind,
    pub(crate) reason: String,
    /// The file that can't be read as a notebook, if that is why.
    pub(crate) unreadable: Option<Unreadable>,
    /// When it is over, if that is known.
    pub(crate) until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitKind {
    /// An editor may be in the middle of a save; a look soon will tell.
    Unsettled,
    /// Most cells are gone, which a second look must confirm.
    Unlikely,
    /// A shadow is missing, as in the middle of a save by delete and create.
    Missing,
    /// The whole folder of the shadows is missing, as when its parent is being removed.
    Cleared,
    /// The source is missing, in the same way.
    Gone,
    /// The editor of a replica that has to be written saved a moment ago.
    Spared,
    /// Somebody has to do something.
    Held,
    /// The disk refused; worth another try later.
    Refused,
}

impl Wait {
    fn new(kind: WaitKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), unreadable: None, until: None }
    }

    /// For a replica that is left to its editor for a moment.
    fn spared(path: &Utf8Path, until: Instant) -> Self {
        let reason = format!("`{path}` was just saved, and is written in a moment");
        Self { until: Some(until), ..Self::new(WaitKind::Spared, reason) }
    }

    /// For a text that can't be read as a notebook.
    fn unreadable(kind: WaitKind, path: &Utf8Path, line: Option<usize>, message: String) -> Self {
        let place = line.map_or_else(String::new, |line| format!(", line {line}"));
        let reason = format!("`{path}`{place}: {message}");
        let unreadable = Unreadable { path: path.to_owned(), line, message };
        Self { unreadable: Some(unreadable), ..Self::new(kind, reason) }
    }
}

/// A replica as it was found.
enum Sight {
    Unchanged,
    Absent,
    Text { digest: Digest, text: Arc<str> },
}

/// Runs one cycle. Returns how it ended, and what it did until then.
///
/// One that panics ends as one that somebody has to look into.
pub(crate) fn cycle(context: &Context<'_>, start: &Start<'_>) -> (End, Traces) {
    let mut traces = Traces::default();
    let notebook = start.replicas[0].spec.path.as_str();
    let end = guarded(notebook, || run(context, start, &mut traces))
        .unwrap_or_else(|| Err(Wait::new(WaitKind::Held, PANICKED)))
        .unwrap_or_else(End::Wait);
    (end, traces)
}

fn run(context: &Context<'_>, start: &Start<'_>, traces: &mut Traces) -> Result<End, Wait> {
    let mut known = start.replicas.to_vec();
    let mut sights = Vec::with_capacity(known.len());
    for (idx, replica) in known.iter_mut().enumerate() {
        let is_touched = start.touched.contains(&idx);
        sights.push(look(context, replica, is_touched, &mut traces.seen)?);
    }
    // What the user owns is made again as long as one of it is there.
    let n_owned = known.iter().filter(|replica| replica.spec.is_owned()).count();
    if sights[..n_owned].iter().all(|sight| matches!(sight, Sight::Absent)) {
        return Ok(End::SourceGone);
    }
    let is_missing = |(sight, replica): (&Sight, &Replica)| {
        matches!(sight, Sight::Absent) && replica.digest.is_some()
    };
    if let Some((_, gone)) =
        sights.iter().zip(&known).find(|(sight, replica)| is_missing((sight, replica)))
    {
        let folder = gone.spec.path.parent().map(|it| context.disk.root().join(it));
        let is_cleared = folder.is_some_and(|it| context.disk.glance(&it).is_none());
        let kind = if is_cleared { WaitKind::Cleared } else { WaitKind::Missing };
        if !start.waited.contains(&kind) {
            let reason = format!("`{}` is gone, and will be made again", gone.spec.path);
            return Err(Wait::new(kind, reason));
        }
    }
    let has_run = session::has_news(context, &known, start.session);
    let is_unchanged = sights.iter().all(|sight| matches!(sight, Sight::Unchanged)) && !has_run;
    if is_unchanged && start.is_complete && start.late.is_none() {
        return Ok(End::Unchanged(known));
    }
    let mut before = load(context, start).map(|base| as_written_now(base, &known));
    let mut stored = start.stored;
    let agreed = before.clone();
    let resumed = Resumed::find(context, start, agreed.as_ref(), &known, &sights);
    if let Some((base, digest)) = resumed.as_ref().and_then(|it| it.decided.as_ref()) {
        (before, stored) = (Some(Arc::clone(base)), Some(*digest));
    }
    if let Some(before) = &before {
        look_anew(context, before, &mut known, &mut sights, &mut traces.seen)?;
    }
    if before.is_none() {
        // The files are all there is to know it from.
        known.truncate(n_owned);
        sights.clear();
        for replica in &mut known {
            replica.digest = None;
            sights.push(look(context, replica, true, &mut traces.seen)?);
        }
    }
    let (specs, base) = complete(context, before.as_ref(), &known, &sights)?;
    let policy = context.config.outputs;
    let is_settled = base.as_ref().is_some_and(|base| is_stripped_as(policy, base));
    if is_unchanged && is_settled && specs.len() == known.len() && start.late.is_none() {
        return Ok(End::Unchanged(known));
    }
    extend(context, &specs, &mut known, &mut sights, &mut traces.seen)?;

    let ours = |idx| resumed.as_ref().and_then(|it: &Resumed| it.ours(idx, &sights[idx]));
    let mut documents = Vec::with_capacity(known.len());
    for (idx, (replica, sight)) in known.iter().zip(&sights).enumerate() {
        if let Some(document) = ours(idx) {
            documents.push(document);
            continue;
        }
        documents.push(match sight {
            // The late text comes into its place, and it may be the beginning of that.
            _ if start.late.as_ref().is_some_and(|late| late.replica == idx) => None,
            // A crash right after it was made can leave a shadow without its text.
            Sight::Text { text, .. }
                if base.is_none()
                    && replica.spec.role == Role::Shadow
                    && text.trim_matches('\0').is_empty() =>
            {
                if !start.waited.contains(&WaitKind::Missing) {
                    let reason =
                        format!("`{}` is empty, and will be made again", replica.spec.path);
                    return Err(Wait::new(WaitKind::Missing, reason));
                }
                None
            }
            Sight::Text { text, .. } => {
                // One that somebody has paired may be a script without cells.
                if base.is_none() && n_owned == 1 && replica.spec.is_owned() {
                    check_is_notebook(&replica.spec, text)?;
                }
                Some(parse(&replica.spec, text)?)
            }
            Sight::Unchanged | Sight::Absent => None,
        });
    }
    // What is on disk is still what gets replaced.
    if let Some(late) = &start.late {
        let spec = &known[late.replica].spec;
        let found = match &sights[late.replica] {
            Sight::Unchanged => known[late.replica].digest,
            Sight::Text { digest, .. } => Some(*digest),
            Sight::Absent => None,
        };
        if !found.is_some_and(|found| late.on_disk.contains(&found)) {
            let reason = format!("`{}` has an edit of its own, which comes first", spec.path);
            return Err(Wait::new(WaitKind::Unsettled, reason));
        }
        documents[late.replica] = Some(parse(spec, &late.text)?);
    }
    if let Some(base) = &base {
        let is_meant = start.waited.contains(&WaitKind::Unlikely);
        for (idx, (was, replica)) in base.replicas.iter().zip(&known).enumerate() {
            let Some(document) = &documents[idx] else { continue };
            let (path, was) = (&replica.spec.path, was.document.as_ref());
            if let Err(wait) = check_safety(path, was, document.as_ref(), is_meant)
                && !is_told_by_ipynb(idx, &known, &documents)
            {
                return Err(wait);
            }
        }
    }
    let mut plan = Plan::new((base, stored), documents, start.unseen, start.late.as_ref());
    let is_saved = |idx: usize| matches!(sights[idx], Sight::Text { .. });
    plan.session = session::look(context, &known, start.session, is_saved);
    if let Some(resumed) = &resumed {
        let ours = known.iter().zip(&sights).enumerate().map(|(idx, (replica, sight))| {
            let Sight::Text { text, .. } = sight else { return None };
            ours(idx).and_then(|_| parse(&replica.spec, text).ok())
        });
        plan.before = Some(resumed.before(agreed, ours.collect()));
        for (idx, left) in &resumed.left {
            plan.stale[*idx] = plan.documents[*idx].is_some().then(|| Arc::clone(&left.base));
        }
    }
    let saved = spare::saves(context, start, &known, &sights, |idx| ours(idx).is_some());
    if start.late.is_none() {
        traces.saved = Some(saved.clone());
    }
    let outcome = plan.decide(context, &known)?;
    let mut spared = None;
    if plan.base.is_some() && start.late.is_none() && context.write {
        spared = spare::spared(context, start, &saved, (&known, &sights), &outcome.base)?;
    }
    transition(context, plan, (known, &sights), outcome, spared, traces)
}

/// Looks again at the replicas of which the base has another text than was last agreed on.
///
/// So it is when the store could not take the newest base: what came after the one that it
/// has counts as an edit of that.
fn look_anew(
    context: &Context<'_>,
    base: &Base,
    known: &mut [Replica],
    sights: &mut [Sight],
    seen: &mut Vec<SeenText>,
) -> Result<(), Wait> {
    for ((replica, sight), was) in known.iter_mut().zip(sights).zip(&base.replicas) {
        let digest = Digest::of(was.document.text().as_bytes());
        if replica.digest.is_some_and(|known| known != digest) {
            replica.digest = Some(digest);
            if !matches!(sight, Sight::Absent) {
                *sight = look(context, replica, true, seen)?;
            }
        }
    }
    Ok(())
}

/// Returns what the replicas last agreed on, if it is known.
fn load(context: &Context<'_>, start: &Start<'_>) -> Option<Arc<Base>> {
    if start.base.is_some() {
        return start.base.clone();
    }
    let notebook = &start.replicas[0].spec.path;
    let lost = |reason: &str| {
        tracing::warn!(%notebook, "{reason}; its base is found again from the files");
        None
    };
    match context.store.blob(start.stored?) {
        Ok(Some(bytes)) => match from_bytes(&bytes) {
            Ok(base) if base.replicas.len() == start.replicas.len() => Some(Arc::new(base)),
            Ok(_) => lost("the stored base has other replicas"),
            Err(err) => lost(&chain(&err)),
        },
        Ok(None) => lost("the stored base is missing"),
        Err(err) => lost(&chain(&err)),
    }
}

/// Reads the texts of a base with the options that hold by now.
fn as_written_now(mut base: Arc<Base>, known: &[Replica]) -> Arc<Base> {
    let dialects = || known.iter().map(|replica| &replica.spec.dialect);
    if base.replicas.iter().zip(dialects()).any(|(was, is)| was.dialect.options != is.options) {
        Arc::make_mut(&mut base).take_dialects(dialects());
    }
    base
}

/// Refuses a text that was never synced and does not look like a notebook.
///
/// It did when it was found: an editor may be in the middle of a save, of which the first part can be
/// read.
fn check_is_notebook(spec: &ReplicaSpec, text: &str) -> Result<(), Wait> {
    let name = spec.path.file_name().unwrap_or_default();
    let format = nbsync_formats::format(spec.dialect.format);
    if format.own_extension().is_some() || nbsync_formats::detect(name, text).is_some() {
        return Ok(());
    }
    let reason = format!("`{}` is no notebook now; waiting for another save", spec.path);
    Err(Wait::new(WaitKind::Unsettled, reason))
}

/// Whether a changed ipynb has the same cells. No accident leaves it one that can be read, so what
/// looks like one elsewhere is meant: an earlier cycle may have written both, and not the rest.
fn is_told_by_ipynb(
    idx: usize,
    known: &[Replica],
    documents: &[Option<Arc<dyn Document>>],
) -> bool {
    let cells = |idx: usize| documents[idx].as_ref().map(|it| &it.notebook().cells);
    let is_ipynb = |it: &Replica| it.spec.dialect.format == FormatName::Ipynb;
    let ipynb = known.iter().position(is_ipynb).filter(|ipynb| *ipynb != idx);
    let (Some(these), Some(those)) = (cells(idx), ipynb.and_then(cells)) else { return false };
    these.iter().map(|it| &it.source).eq(those.iter().map(|it| &it.source))
}

/// Refuses a text that looks like an accident, or like a part of a save.
fn check_safety(
    path: &Utf8Path,
    was: &dyn Document,
    document: &dyn Document,
    is_meant: bool,
) -> Result<(), Wait> {
    if is_planted(Bug::PropagateTruncated) {
        return Ok(());
    }
    let found = suspicion(was.text(), was.notebook(), document.text(), document.notebook());
    match found {
        Some(Suspicion::Truncated { lost }) => {
            let reason =
                format!("`{path}` looks cut off, {lost} cells are missing; save it again, whole");
            Err(Wait::new(WaitKind::Unsettled, reason))
        }
        Some(Suspicion::CutAtLine { lost }) if !is_meant => {
            let reason =
                format!("`{path}` looks cut off, {lost} cells are missing; waiting for more");
            Err(Wait::new(WaitKind::Unlikely, reason))
        }
        Some(Suspicion::EndGone) if !is_meant => {
            let reason = format!("the end of `{path}` is gone; waiting for more");
            Err(Wait::new(WaitKind::Unlikely, reason))
        }
        Some(Suspicion::MostCellsGone { lost, of }) if !is_meant => {
            let reason = format!("`{path}` lost {lost} of {of} cells; waiting for more");
            Err(Wait::new(WaitKind::Unlikely, reason))
        }
        Some(
            Suspicion::CutAtLine { .. } | Suspicion::EndGone | Suspicion::MostCellsGone { .. },
        )
        | None => Ok(()),
    }
}

/// The folders whose shadows a cycle made.
pub(crate) fn folders(synced: &Synced) -> impl Iterator<Item = Utf8PathBuf> {
    synced
        .created
        .iter()
        .filter_map(|&idx| synced.replicas[idx].spec.path.parent().map(camino::Utf8Path::to_owned))
}
