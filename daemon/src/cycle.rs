//! One cycle of one pairing: look at its files, reconcile, write.
//!
//! A cycle knows nothing of other pairings, so cycles run side by side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use nbsync_formats::{Document, FormatName, ParseErrorKind};

use crate::clock::Clock;
use crate::config::{Config, Layout};
use crate::disk::{
    Disk, Displaced, Expected, Lock, ReadError, Stamp, WriteError, WriteOptions, Written,
};
use crate::error::chain;
use crate::record::{from_bytes, to_bytes};
use crate::report::Role;
use crate::store::Store;
use crate::sync::Digest;
use crate::sync::adopt::adopt;
use crate::sync::base::{Base, Dialect};
use crate::sync::edit::Edit;
use crate::sync::merge::Conflict;
use crate::sync::pairing::{ReplicaSpec, replicas};
use crate::sync::reconcile::{Outcome, ReconcileError, Seen, reconcile};
use crate::sync::safety::{Suspicion, suspicion};
use crate::sync::stale::{Incoming, first_unseen};

/// How often a write that an editor was faster than is tried again in one cycle.
const MAX_ROUNDS: usize = 4;

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
    /// Whether the pairing has all the replicas that the configuration wants.
    pub(crate) is_complete: bool,
    /// Replicas to read even if their stamps are the same.
    pub(crate) touched: &'a [usize],
    /// Whether a text that lost most of its cells was given time, and is meant.
    pub(crate) is_meant: bool,
    /// Whether missing shadows were given time to come back.
    pub(crate) is_missing: bool,
    /// What was written into each replica that its editor may not have loaded.
    pub(crate) unseen: &'a [Vec<Unseen>],
    /// A text that an editor saved where nobody looks any more, in the place of
    /// what is on disk for this replica.
    pub(crate) late: Option<LateText>,
}

/// A text that an editor saved into a file that had been replaced.
pub(crate) struct LateText {
    /// The position of the replica.
    pub(crate) replica: usize,
    pub(crate) text: Arc<str>,
    /// What the file in its place was last known to hold.
    pub(crate) on_disk: Option<Digest>,
}

/// A write that the editor of a replica may not have loaded.
#[derive(Debug, Clone)]
pub(crate) struct Unseen {
    /// When it was written.
    at: Instant,
    /// Where the store has what the editor has.
    base: Digest,
    incoming: Incoming,
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
    /// The source is gone.
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
}

/// A file that a cycle replaced, however the cycle ended.
#[derive(Debug)]
pub(crate) struct Replaced {
    /// The position of the replica.
    pub(crate) replica: usize,
    pub(crate) displaced: Displaced,
    /// What its editor had made of what the replicas last agreed on.
    pub(crate) document: Option<Arc<dyn Document>>,
}

/// Why a pairing is left alone for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) kind: WaitKind,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitKind {
    /// An editor may be in the middle of a save; a look soon will tell.
    Unsettled,
    /// Most cells are gone, which a second look must confirm.
    Unlikely,
    /// A shadow is missing, as in the middle of a save by delete and create.
    Missing,
    /// The source is missing, in the same way.
    Gone,
    /// Somebody has to do something.
    Held,
    /// The disk refused; worth another try later.
    Refused,
}

impl Wait {
    fn new(kind: WaitKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

/// A replica as it was found.
enum Sight {
    Unchanged,
    Absent,
    Text { digest: Digest, text: Arc<str> },
}

/// Runs one cycle. Returns how it ended, and the files that it replaced until then.
pub(crate) fn cycle(context: &Context<'_>, start: &Start<'_>) -> (End, Vec<Replaced>) {
    let mut replaced = Vec::new();
    let end = run(context, start, &mut replaced).unwrap_or_else(End::Wait);
    (end, replaced)
}

fn run(
    context: &Context<'_>,
    start: &Start<'_>,
    replaced: &mut Vec<Replaced>,
) -> Result<End, Wait> {
    let mut known = start.replicas.to_vec();
    let mut sights = Vec::with_capacity(known.len());
    for (idx, replica) in known.iter_mut().enumerate() {
        sights.push(look(context, replica, start.touched.contains(&idx))?);
    }
    if matches!(sights[0], Sight::Absent) {
        return Ok(End::SourceGone);
    }
    let is_missing = |(sight, replica): (&Sight, &Replica)| {
        matches!(sight, Sight::Absent) && replica.digest.is_some()
    };
    if let Some((_, gone)) =
        sights.iter().zip(&known).find(|(sight, replica)| is_missing((sight, replica)))
        && !start.is_missing
    {
        let reason = format!("`{}` is gone, and will be made again", gone.spec.path);
        return Err(Wait::new(WaitKind::Missing, reason));
    }
    let is_unchanged = sights.iter().all(|sight| matches!(sight, Sight::Unchanged));
    if is_unchanged && start.is_complete && start.late.is_none() {
        return Ok(End::Unchanged(known));
    }
    let before = load(context, start);
    if before.is_none() {
        // The files are all there is to know it from.
        known.truncate(1);
        known[0].digest = None;
        sights = vec![look(context, &mut known[0], true)?];
    }
    let (specs, base) = complete(context, before.as_ref(), &known, &sights)?;
    if is_unchanged && base.is_some() && specs.len() == known.len() && start.late.is_none() {
        return Ok(End::Unchanged(known));
    }
    extend(context, &specs, &mut known, &mut sights)?;

    let mut documents = Vec::with_capacity(known.len());
    for (replica, sight) in known.iter().zip(&sights) {
        documents.push(match sight {
            // A crash right after it was made can leave a shadow without its text.
            Sight::Text { text, .. }
                if base.is_none() && replica.spec.role == Role::Shadow && text.is_empty() =>
            {
                None
            }
            Sight::Text { text, .. } => Some(parse(&replica.spec, text)?),
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
        if found != late.on_disk {
            let reason = format!("`{}` has an edit of its own, which comes first", spec.path);
            return Err(Wait::new(WaitKind::Unsettled, reason));
        }
        documents[late.replica] = Some(parse(spec, &late.text)?);
    }
    if let Some(base) = &base {
        check_safety(base, &known, &documents, start.is_meant)?;
    }
    let mut plan = Plan { base, unseen: start.unseen.to_vec(), documents, stale: None };
    plan.unseen.resize(known.len(), Vec::new());
    let mut outcome = decide(plan.base.as_deref(), &known, &plan.documents)?;
    if let Some(again) = plan.recognise_stale(context, &known, &outcome)? {
        outcome = again;
    }
    let stored = start.stored;
    transition(context, plan, stored, known, &sights, outcome, replaced)
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

/// Looks at one file.
fn look(context: &Context<'_>, replica: &mut Replica, is_touched: bool) -> Result<Sight, Wait> {
    let path = context.disk.root().join(&replica.spec.path);
    let stamp = context.disk.stamp(&path).map_err(|err| unreadable(&err))?;
    let Some(stamp) = stamp else { return Ok(Sight::Absent) };
    if !is_touched
        && replica.digest.is_some()
        && replica.stamp.is_some_and(|known| known.same_content(&stamp))
    {
        return Ok(Sight::Unchanged);
    }
    let contents = match context.disk.read(&path, context.config.max_size, lock(&replica.spec)) {
        Ok(contents) => contents,
        Err(ReadError::Absent { .. }) => return Ok(Sight::Absent),
        Err(err) => return Err(unreadable(&err)),
    };
    let digest = Digest::of(&contents.bytes);
    replica.stamp = Some(contents.stamp);
    if replica.digest == Some(digest) {
        return Ok(Sight::Unchanged);
    }
    match String::from_utf8(contents.bytes) {
        Ok(text) => Ok(Sight::Text { digest, text: text.into() }),
        Err(err) => {
            let valid = &err.as_bytes()[..err.utf8_error().valid_up_to()];
            let line = String::from_utf8_lossy(valid).split('\n').count();
            let reason = format!("`{}`, line {line}: not valid UTF-8", replica.spec.path);
            Err(Wait::new(WaitKind::Unsettled, reason))
        }
    }
}

/// Returns the replicas that the pairing should have, and the base with all of
/// those, if there is one.
fn complete(
    context: &Context<'_>,
    base: Option<&Arc<Base>>,
    known: &[Replica],
    sights: &[Sight],
) -> Result<(Vec<ReplicaSpec>, Option<Arc<Base>>), Wait> {
    let beside = context.config.layout == Layout::Sibling;
    let wanted = |notebook: &nbsync_formats::Notebook| {
        replicas(&known[0].spec, notebook, &context.config.formats, beside)
    };
    let Some(base) = base else {
        let Sight::Text { text, .. } = &sights[0] else {
            let reason = format!("`{}` is gone", known[0].spec.path);
            return Err(Wait::new(WaitKind::Unsettled, reason));
        };
        let document = parse(&known[0].spec, text)?;
        return Ok((wanted(document.notebook()), None));
    };
    let specs = wanted(&base.model.notebook);
    let missing: Vec<&ReplicaSpec> = specs
        .iter()
        .filter(|spec| !known.iter().any(|replica| replica.spec.path == spec.path))
        .collect();
    let mut all: Vec<ReplicaSpec> = known.iter().map(|replica| replica.spec.clone()).collect();
    if missing.is_empty() {
        return Ok((all, Some(Arc::clone(base))));
    }
    let mut extended = Base::clone(base);
    for spec in missing {
        extended.add_replica(spec.dialect.clone()).map_err(|err| {
            Wait::new(WaitKind::Held, format!("`{}`: {}", spec.path, chain(&err)))
        })?;
        all.push(spec.clone());
    }
    Ok((all, Some(Arc::new(extended))))
}

/// Looks at the replicas that were not known before.
fn extend(
    context: &Context<'_>,
    specs: &[ReplicaSpec],
    known: &mut Vec<Replica>,
    sights: &mut Vec<Sight>,
) -> Result<(), Wait> {
    for spec in specs.iter().skip(known.len()) {
        let mut replica = Replica { spec: spec.clone(), digest: None, stamp: None };
        sights.push(look(context, &mut replica, true)?);
        known.push(replica);
    }
    Ok(())
}

fn parse(spec: &ReplicaSpec, text: &Arc<str>) -> Result<Arc<dyn Document>, Wait> {
    let Dialect { format, extension, carry: _ } = &spec.dialect;
    let document = nbsync_formats::format(*format).parse(Arc::clone(text), extension);
    document.map(Arc::from).map_err(|err| {
        // A save that isn't finished looks like this; more time doesn't help
        // where the text is whole.
        let kind = match err.kind {
            ParseErrorKind::ConflictMarkers | ParseErrorKind::Unsupported(_) => WaitKind::Held,
            _ => WaitKind::Unsettled,
        };
        let line = err.line.map_or_else(String::new, |line| format!(", line {line}"));
        Wait::new(kind, format!("`{}`{line}: {}", spec.path, err.kind))
    })
}

fn check_safety(
    base: &Base,
    known: &[Replica],
    documents: &[Option<Arc<dyn Document>>],
    is_meant: bool,
) -> Result<(), Wait> {
    for ((was, replica), document) in base.replicas.iter().zip(known).zip(documents) {
        let Some(document) = document else { continue };
        let path = &replica.spec.path;
        let found = suspicion(
            was.document.text(),
            was.document.notebook(),
            document.text(),
            document.notebook(),
        );
        match found {
            Some(Suspicion::Truncated { lost }) => {
                let reason = format!(
                    "`{path}` looks cut off, {lost} cells are missing; save it again, whole"
                );
                return Err(Wait::new(WaitKind::Unsettled, reason));
            }
            Some(Suspicion::EndGone) if !is_meant => {
                let reason = format!("the end of `{path}` is gone; waiting for more");
                return Err(Wait::new(WaitKind::Unlikely, reason));
            }
            Some(Suspicion::MostCellsGone { lost, of }) if !is_meant => {
                let reason = format!("`{path}` lost {lost} of {of} cells; waiting for more");
                return Err(Wait::new(WaitKind::Unlikely, reason));
            }
            Some(Suspicion::EndGone | Suspicion::MostCellsGone { .. }) | None => {}
        }
    }
    Ok(())
}

fn decide(
    base: Option<&Base>,
    known: &[Replica],
    documents: &[Option<Arc<dyn Document>>],
) -> Result<Outcome, Wait> {
    let refused = |err: ReconcileError| {
        let path = known.get(err.replica).map_or("", |replica| replica.spec.path.as_str());
        Wait::new(WaitKind::Held, format!("`{path}`: {}", chain(&err)))
    };
    let Some(base) = base else {
        let found: Vec<_> = known
            .iter()
            .zip(documents)
            .map(|(replica, document)| (replica.spec.dialect.clone(), document.clone()))
            .collect();
        return match adopt(&found).map_err(refused)? {
            Some(outcome) => Ok(outcome),
            None => Err(Wait::new(WaitKind::Unsettled, "none of its files is there")),
        };
    };
    let seen: Vec<Seen> = documents
        .iter()
        .map(|document| document.clone().map_or(Seen::Unchanged, Seen::Changed))
        .collect();
    reconcile(base, &seen).map_err(refused)
}

/// What the decision rests on.
struct Plan {
    base: Option<Arc<Base>>,
    /// The replicas that differ from the base.
    documents: Vec<Option<Arc<dyn Document>>>,
    unseen: Vec<Vec<Unseen>>,
    /// The replica whose editor had not loaded the last writes.
    stale: Option<usize>,
}

impl Plan {
    /// Decides anew if a save is that of an editor that never loaded what was written
    /// into its file: as an edit of what it had, so that what arrived stays.
    fn recognise_stale(
        &mut self,
        context: &Context<'_>,
        known: &[Replica],
        outcome: &Outcome,
    ) -> Result<Option<Outcome>, Wait> {
        let Some(base) = self.base.clone() else { return Ok(None) };
        let now = context.clock.now();
        for idx in 0..known.len() {
            if outcome.edits[idx].is_empty() {
                continue;
            }
            // Whoever saves now and isn't stale has seen everything.
            let mut writes = std::mem::take(&mut self.unseen[idx]);
            writes.retain(|it| now.duration_since(it.at) < UNSEEN);
            let incoming: Vec<Incoming> = writes.iter().map(|it| it.incoming.clone()).collect();
            let Some(first) = first_unseen(&incoming, &outcome.edits[idx]) else { continue };
            let had = match context
                .store
                .blob(writes[first].base)
                .map(|it| it.map(|bytes| from_bytes(&bytes)))
            {
                Ok(Some(Ok(had))) if had.replicas.len() == known.len() => Arc::new(had),
                _ => continue,
            };
            tracing::info!(
                notebook = %known[0].spec.path,
                replica = %known[idx].spec.path,
                "stale editor: it saved without having loaded the last update, which stays"
            );
            for (document, replica) in self.documents.iter_mut().zip(&base.replicas) {
                document.get_or_insert_with(|| Arc::clone(&replica.document));
            }
            // Keys mean other cells now.
            self.unseen = vec![Vec::new(); known.len()];
            self.stale = Some(idx);
            self.base = Some(had);
            return decide(self.base.as_deref(), known, &self.documents).map(Some);
        }
        Ok(None)
    }

    /// Notes what was written into replicas that their editors may not load.
    fn note_unseen(
        &mut self,
        context: &Context<'_>,
        stored: Option<Digest>,
        outcome: &Outcome,
        written: &[usize],
    ) {
        let Some(base) = &self.base else { return };
        for &idx in written {
            let (was, is) = (&base.replicas[idx], &outcome.base.replicas[idx]);
            let document = self.documents[idx].as_ref().unwrap_or(&was.document);
            let incoming = Incoming::new(
                (document.notebook(), &outcome.keys[idx]),
                (is.document.notebook(), &is.keys),
            );
            let Some(incoming) = incoming else { continue };
            // What the editor has is the base, but for what it saved itself.
            let had = if self.documents[idx].is_none() {
                stored
            } else {
                let seen: Vec<Seen> = (0..base.replicas.len())
                    .map(|other| match &self.documents[idx] {
                        Some(document) if other == idx => Seen::Changed(Arc::clone(document)),
                        _ => Seen::Unchanged,
                    })
                    .collect();
                let own = reconcile(base, &seen).ok().and_then(|it| to_bytes(&it.base).ok());
                own.and_then(|bytes| context.store.put_blob(&bytes).ok())
            };
            let Some(had) = had else { continue };
            let unseen = &mut self.unseen[idx];
            unseen.push(Unseen { at: context.clock.now(), base: had, incoming });
            let n_old = unseen.len().saturating_sub(MAX_UNSEEN);
            unseen.drain(..n_old);
        }
    }
}

/// How long an editor may not have loaded what was written into its file.
const UNSEEN: Duration = Duration::from_mins(10);

/// How many writes it may not have loaded.
const MAX_UNSEEN: usize = 10;

/// Writes what was decided, and decides again where an editor was faster.
fn transition(
    context: &Context<'_>,
    mut plan: Plan,
    before: Option<Digest>,
    mut known: Vec<Replica>,
    sights: &[Sight],
    mut outcome: Outcome,
    replaced: &mut Vec<Replaced>,
) -> Result<End, Wait> {
    let from: Vec<usize> = match plan.stale {
        Some(stale) => vec![stale],
        None => (0..known.len()).filter(|&idx| !outcome.edits[idx].is_empty()).collect(),
    };
    // What is on disk, as far as is known; `None` where there is no file.
    let mut on_disk: Vec<Option<Digest>> = known
        .iter()
        .zip(sights)
        .map(|(replica, sight)| match sight {
            Sight::Unchanged => replica.digest,
            Sight::Absent => None,
            Sight::Text { digest, .. } => Some(*digest),
        })
        .collect();
    let created: Vec<usize> = (0..known.len())
        .filter(|&idx| on_disk[idx].is_none() && known[idx].digest.is_none())
        .collect();
    let mut to = Vec::new();
    let mode = known[0].stamp.map(|stamp| stamp.mode & 0o666);
    for round in 0.. {
        let mut writes = Vec::new();
        for (idx, replica) in known.iter_mut().enumerate() {
            let text = outcome.base.replicas[idx].document.text();
            let digest = Digest::of(text.as_bytes());
            if on_disk[idx] == Some(digest) {
                replica.digest = Some(digest);
                continue;
            }
            if !to.contains(&idx) {
                to.push(idx);
            }
            let spec = replica.spec.clone();
            writes.push(Write { idx, spec, text: Arc::clone(text), digest, on_disk: on_disk[idx] });
        }
        if !context.write {
            break;
        }
        let mut raced = false;
        let mut failed = None;
        for (write, written) in writes.iter().zip(write_all(context, &writes, mode)) {
            let Write { idx, spec, text: _, digest, on_disk: _ } = write;
            let written = match written {
                Ok(written) => written,
                Err(err) => {
                    failed.get_or_insert(refused(&err));
                    if let WriteError::Changed { displaced: Some(it), .. } = err {
                        let document = plan.documents[*idx].clone();
                        replaced.push(Replaced { replica: *idx, displaced: *it, document });
                    }
                    continue;
                }
            };
            on_disk[*idx] = Some(*digest);
            known[*idx].digest = Some(*digest);
            known[*idx].stamp = Some(written.stamp);
            // What the editor saved is an edit of the old text. The others are as they
            // were, so what they have is an edit as well.
            let torn = match written.raced.as_deref().map(|it| (it, parse_raced(spec, it))) {
                Some((_, Ok(document))) => {
                    plan.documents[*idx] = Some(document);
                    raced = true;
                    None
                }
                Some((bytes, Err(wait))) => Some((bytes, wait)),
                None => None,
            };
            let mut replace = |displaced| {
                let document = plan.documents[*idx].clone();
                replaced.push(Replaced { replica: *idx, displaced, document });
            };
            written.displaced.into_iter().for_each(&mut replace);
            if let Some((bytes, wait)) = torn {
                match put_back(context, spec, bytes, *digest) {
                    Ok(displaced) => displaced.into_iter().for_each(&mut replace),
                    Err(wait) => tracing::warn!("{}", wait.reason),
                }
                failed.get_or_insert(wait);
            }
        }
        if let Some(wait) = failed {
            return Err(wait);
        }
        if !raced {
            break;
        }
        if round == MAX_ROUNDS {
            return Err(Wait::new(WaitKind::Refused, "an editor saves all the time"));
        }
        outcome = decide(plan.base.as_deref(), &known, &plan.documents)?;
    }
    let written_at = context.clock.now();
    if context.write {
        plan.note_unseen(context, before, &outcome, &to);
    }
    let mut edits = outcome.edits;
    if let Some(stale) = plan.stale {
        // What the others have is older than this save.
        for (idx, edits) in edits.iter_mut().enumerate() {
            if idx != stale {
                edits.clear();
            }
        }
    }
    let stored = if context.write {
        to_bytes(&outcome.base)
            .map_err(|err| chain(&err))
            .and_then(|bytes| context.store.put_blob(&bytes).map_err(|err| chain(&err)))
    } else {
        Err("nothing is written".to_owned())
    };
    Ok(End::Synced(Box::new(Synced {
        replicas: known,
        base: Arc::new(outcome.base),
        before: plan.base,
        stored,
        written_at,
        from,
        to,
        created,
        edits,
        conflicts: outcome.conflicts,
        unseen: plan.unseen,
    })))
}

/// A text to be written.
struct Write {
    idx: usize,
    spec: ReplicaSpec,
    text: Arc<str>,
    digest: Digest,
    /// What is there now.
    on_disk: Option<Digest>,
}

/// Writes texts, and returns how that went, in their order. After an error the rest
/// may be missing.
fn write_all(
    context: &Context<'_>,
    writes: &[Write],
    mode: Option<u32>,
) -> Vec<Result<Written, WriteError>> {
    let write = |it: &Write| write(context, &it.spec, &it.text, it.on_disk, mode);
    let Some((first, rest)) = writes.split_first() else { return Vec::new() };
    if !context.threads {
        let mut res = Vec::new();
        for it in writes {
            res.push(write(it));
            if res.last().is_some_and(Result::is_err) {
                break;
            }
        }
        return res;
    }
    // Most of a write is waiting for the device.
    std::thread::scope(|scope| {
        let threads: Vec<_> = rest.iter().map(|it| scope.spawn(move || write(it))).collect();
        let mut res = vec![write(first)];
        for (thread, it) in threads.into_iter().zip(rest) {
            res.push(thread.join().unwrap_or_else(|_| {
                let source = std::io::Error::other("an error inside nbsync; see the log");
                Err(WriteError::Io { path: it.spec.path.clone(), source })
            }));
        }
        res
    })
}

fn write(
    context: &Context<'_>,
    spec: &ReplicaSpec,
    text: &str,
    on_disk: Option<Digest>,
    mode: Option<u32>,
) -> Result<Written, WriteError> {
    let path = context.disk.root().join(&spec.path);
    if on_disk.is_none()
        && let Some(folder) = workdir_owner(&path)
    {
        context.disk.create_workdir(folder)?;
    }
    let expected = on_disk.map_or(Expected::Absent, Expected::Digest);
    let durable = context.durable || on_disk.is_some();
    let mut options = WriteOptions { durable, lock: lock(spec), ..WriteOptions::default() };
    // Whoever may not read the notebook may not read its shadows.
    options.mode = mode.unwrap_or(options.mode);
    context.disk.write(&path, text.as_bytes(), expected, options)
}

fn parse_raced(spec: &ReplicaSpec, bytes: &[u8]) -> Result<Arc<dyn Document>, Wait> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Wait::new(WaitKind::Unsettled, format!("`{}`: not valid UTF-8", spec.path)))?;
    parse(spec, &text.into())
}

/// Gives a file back what its editor saved while it was replaced, so that the editor
/// and the user find what they wrote.
fn put_back(
    context: &Context<'_>,
    spec: &ReplicaSpec,
    bytes: &[u8],
    ours: Digest,
) -> Result<Option<Displaced>, Wait> {
    let path = context.disk.root().join(&spec.path);
    let options = WriteOptions { lock: lock(spec), ..WriteOptions::default() };
    // If the editor was faster once more, its newest text stands; the one before is
    // among the displaced files.
    match context.disk.write(&path, bytes, Expected::Digest(ours), options) {
        Ok(written) => Ok(written.displaced),
        Err(WriteError::Changed { displaced, .. }) => Ok(displaced.map(|it| *it)),
        Err(err) => Err(refused(&err)),
    }
}

/// Returns the folder whose workdir a file is in, if it is in one.
fn workdir_owner(path: &camino::Utf8Path) -> Option<&camino::Utf8Path> {
    let folder = path.parent()?;
    folder.ends_with(crate::sync::pairing::WORKDIR).then(|| folder.parent()?.parent()).flatten()
}

fn refused(err: &WriteError) -> Wait {
    // Somebody saved meanwhile: the next cycle starts from there.
    let kind = if err.is_transient() { WaitKind::Unsettled } else { WaitKind::Refused };
    Wait::new(kind, chain(err))
}

fn unreadable(err: &ReadError) -> Wait {
    let kind = if err.is_transient() { WaitKind::Unsettled } else { WaitKind::Held };
    Wait::new(kind, chain(err))
}

/// marimo writes in place, under a lock of its own.
fn lock(spec: &ReplicaSpec) -> Lock {
    if spec.dialect.format == FormatName::Marimo { Lock::Marimo } else { Lock::None }
}

/// The folders whose shadows a cycle made.
pub(crate) fn folders(synced: &Synced) -> impl Iterator<Item = Utf8PathBuf> {
    synced
        .created
        .iter()
        .filter_map(|&idx| synced.replicas[idx].spec.path.parent().map(camino::Utf8Path::to_owned))
}
