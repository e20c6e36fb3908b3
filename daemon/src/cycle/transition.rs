//! Writes what was decided.

use std::sync::Arc;

use nbsync_formats::FormatName;

use super::begun::Begun;
use super::look::lock;
use super::plan::Plan;
use super::spare::Spared;
use super::{Context, End, Fate, Replaced, Replica, Sight, Synced, Traces, Wait, WaitKind};
use crate::disk::{Displaced, Expected, Lock, WriteError, WriteOptions, Written};
use crate::error::{PANICKED, chain, guarded};
use crate::planted::{Bug, commit_base, is_planted};
use crate::record::to_bytes;
use crate::sync::Digest;
use crate::sync::base::Base;
use crate::sync::pairing::ReplicaSpec;
use crate::sync::reconcile::Outcome;

/// How often a write that an editor was faster than is tried again in one cycle.
const MAX_ROUNDS: usize = 4;

/// Writes what was decided, and decides again where an editor was faster.
///
/// What is spared is written later, as if the cycle had ended before it came to that.
pub(super) fn transition(
    context: &Context<'_>,
    mut plan: Plan,
    (mut known, sights): (Vec<Replica>, &[Sight]),
    mut outcome: Outcome,
    mut spared: Option<Spared>,
    traces: &mut Traces,
) -> Result<End, Wait> {
    let is_edited = |idx: &usize| {
        let was_edited = plan.before.as_ref().is_some_and(|it| it.from.contains(idx));
        was_edited || !outcome.edits[*idx].is_empty()
    };
    let from: Vec<usize> = (0..known.len()).filter(is_edited).collect();
    if let Some(before) = &mut plan.before {
        before.from.clone_from(&from);
    }
    let replaced = &mut traces.replaced;
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
    let saved_at = known
        .iter()
        .map(|it| it.stamp.and_then(|it| u64::try_from(it.mtime_ns / 1_000_000).ok()))
        .collect();
    let replaced_texts = replaced_texts(&plan, &known, &on_disk);
    let mut to = Vec::new();
    // Of the replaced files, those with a save that came during the write.
    let mut raced = Vec::new();
    let mode = known.iter().find_map(|it| it.stamp).map(|stamp| stamp.mode & 0o666);
    // Nobody knows whether an editor that saves a second time had loaded what was written in between.
    // If the cycle fails, each save counts as an edit of what was there when it began.
    let had_at_first = plan.present();
    for round in 0.. {
        let mut writes = Vec::new();
        for (idx, replica) in known.iter_mut().enumerate() {
            let text = outcome.base.replicas[idx].document.text();
            let digest = Digest::of(text.as_bytes());
            if on_disk[idx] == Some(digest) {
                replica.digest = Some(digest);
                continue;
            }
            let spec = replica.spec.clone();
            writes.push(Write { idx, spec, text: Arc::clone(text), digest, on_disk: on_disk[idx] });
        }
        if !context.write {
            to.extend(writes.iter().map(|it| it.idx));
            break;
        }
        if is_planted(Bug::CommitBaseFirst) {
            commit_base(context.store, known[0].spec.path.as_str(), &outcome.base);
        }
        if !writes.is_empty() {
            let source = &known[0].spec.path;
            traces.begun = Begun::store(context, source, &outcome, &on_disk, &from, &plan);
        }
        // Only so the next cycle knows of the others that they are no edits.
        spared = spared.filter(|_| traces.begun.is_some());
        writes.retain(|it| spared.as_ref().is_none_or(|spared| !spared.replicas.contains(&it.idx)));
        for it in &writes {
            if !to.contains(&it.idx) {
                to.push(it.idx);
            }
        }
        // What each replica's editor had before these writes.
        let had = plan.present();
        let bases: Vec<Option<Digest>> = (0..known.len())
            .map(|idx| match (plan.left(idx), plan.ours(idx), &plan.before) {
                (Some(left), ..) => Some(left.stored),
                (None, Some((before, _)), _) => before.stored,
                (None, None, Some(_)) => plan.stored,
                (None, None, None) => None,
            })
            .collect();
        let mut is_raced = false;
        let mut failed = None;
        for (write, written) in writes.iter().zip(write_all(context, &writes, mode)) {
            let Write { idx, spec, text: _, digest, on_disk: expected } = write;
            let n_replaced = replaced.len();
            let mut replace = |displaced, fate| {
                let had = if matches!(fate, Fate::Pending(_)) { &had_at_first } else { &had };
                let (base, document) = (bases[*idx], had[*idx].clone());
                replaced.push(Replaced { replica: *idx, displaced, base, document, fate });
            };
            let pending = Fate::Pending(expected.unwrap_or(*digest));
            let pending = if is_planted(Bug::ForgetRaceOnFailure) { Fate::Merged } else { pending };
            let written = match written {
                Ok(written) => written,
                Err(err) => {
                    failed.get_or_insert(refused(&err));
                    if let WriteError::Changed { displaced: Some(it), .. } = err {
                        replace(*it, pending);
                    }
                    continue;
                }
            };
            traces.is_unflushed |= written.is_unflushed;
            on_disk[*idx] = Some(*digest);
            known[*idx].digest = Some(*digest);
            known[*idx].stamp = Some(written.stamp);
            let raced_bytes = written.raced.as_deref();
            let Some(bytes) = raced_bytes.filter(|_| !is_planted(Bug::IgnoreRacedSave)) else {
                written.displaced.into_iter().for_each(|it| replace(it, Fate::Merged));
                continue;
            };
            match plan.parse_raced(*idx, spec, bytes) {
                // What the editor saved is an edit of the old text. The others are as they
                // were, so what they have is an edit as well.
                Ok(document) => {
                    plan.add(*idx, document, &outcome.base);
                    is_raced = true;
                    raced.extend(written.displaced.iter().map(|_| n_replaced));
                    written.displaced.into_iter().for_each(|it| replace(it, pending));
                }
                Err(wait) => {
                    // So that the editor and the user find what they wrote.
                    let fate = match put_back(context, spec, bytes, *digest) {
                        Ok(displaced) => {
                            if let Some(it) = displaced {
                                replace(it, Fate::Merged);
                            }
                            Fate::GivenBack(Digest::of(bytes))
                        }
                        Err(wait) => {
                            tracing::warn!("{}", wait.reason);
                            pending
                        }
                    };
                    written.displaced.into_iter().for_each(|it| replace(it, fate));
                    failed.get_or_insert(wait);
                }
            }
        }
        if round == MAX_ROUNDS && is_raced {
            let wait = Wait::new(WaitKind::Refused, "an editor saves all the time");
            failed.get_or_insert(wait);
        }
        // From here on what was saved meanwhile is in none of the files, and the next cycle
        // would know nothing of it: so it stays pending until all is written.
        if let Some(wait) = failed {
            return Err(wait);
        }
        if !is_raced {
            break;
        }
        spared = None;
        outcome = plan.decide(context, &known)?;
    }
    for idx in raced {
        // Whatever comes later is an edit of this.
        let it = &mut replaced[idx];
        it.fate = Fate::Merged;
        it.document.clone_from(&plan.documents[it.replica]);
    }
    let written_at = context.clock.now();
    if let Some(notary) = context.notary {
        let written = replaced_texts.iter().filter(|(idx, _)| to.contains(idx));
        for (idx, old) in written.filter(|_| context.write) {
            match notary.keep(old, outcome.base.replicas[*idx].document.text()) {
                Ok(is_signed) => tracing::debug!(replica = %known[*idx].spec.path, is_signed),
                Err(err) => tracing::warn!("{}", chain(&err)),
            }
        }
    }
    if let Some(spared) = spared {
        let notebook = known[0].spec.path.as_str();
        let left = guarded(notebook, || {
            plan.note_unseen(context, &outcome, &to);
            let left = |&idx: &usize| Some((idx, plan.store_left(context, idx)?));
            spared.replicas.iter().map(left).collect()
        });
        traces.unseen = Some(plan.unseen);
        if let Some(begun) = &mut traces.begun {
            begun.left = left.flatten();
            begun.from_left = None;
        }
        return Err(spared.wait(&known));
    }
    // The files agree now. A panic in what is left must not make this cycle count as one that
    // wrote nothing: the next one would find all of them edited.
    let notebook = known[0].spec.path.as_str();
    if context.write {
        guarded(notebook, || plan.note_unseen(context, &outcome, &to));
    }
    let earlier = plan.before.iter().flat_map(|before| before.to.iter().copied());
    let earlier: Vec<usize> = earlier.filter(|idx| !to.contains(idx)).collect();
    to.extend(earlier);
    to.sort_unstable();
    let told = plan.before.as_ref().and_then(|it| it.edits(&outcome.base));
    let (before, edits) = match told {
        Some((before, edits)) => (Some(before), edits),
        None => (plan.base.clone(), outcome.edits),
    };
    let stored = if context.write {
        guarded(notebook, || store(context, &outcome.base))
            .unwrap_or_else(|| Err(PANICKED.to_owned()))
    } else {
        Err("nothing is written".to_owned())
    };
    Ok(End::Synced(Box::new(Synced {
        replicas: known,
        base: Arc::new(outcome.base),
        before,
        stored,
        written_at,
        from,
        to,
        created,
        edits,
        conflicts: outcome.conflicts,
        session: plan.session.map(|it| it.note(plan.taken.as_ref().map(|it| it.runs.clone()))),
        ran: plan.taken.map_or_else(Vec::new, |it| it.cells),
        unseen: plan.unseen,
        saved_at,
    })))
}

fn store(context: &Context<'_>, base: &Base) -> Result<Digest, String> {
    let bytes = to_bytes(base).map_err(|err| chain(&err))?;
    context.store.put_blob(&bytes).map_err(|err| chain(&err))
}

/// Returns what is on disk of the replicas that Jupyter may trust.
fn replaced_texts(
    plan: &Plan,
    known: &[Replica],
    on_disk: &[Option<Digest>],
) -> Vec<(usize, Arc<str>)> {
    let mut res = Vec::new();
    for (idx, replica) in known.iter().enumerate() {
        if replica.spec.dialect.format != FormatName::Ipynb {
            continue;
        }
        let base = || plan.base.as_ref().map(|base| &base.replicas[idx].document);
        let Some(document) = plan.documents[idx].as_ref().or_else(base) else { continue };
        if on_disk[idx] == Some(Digest::of(document.text().as_bytes())) {
            res.push((idx, Arc::clone(document.text())));
        }
    }
    res
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
    // One that panics must not take along what the others have to tell.
    let write = |it: &Write| {
        let write = || write(context, &it.spec, &it.text, it.on_disk, mode);
        guarded(it.spec.path.as_str(), write).unwrap_or_else(|| Err(panicked(it)))
    };
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
            res.push(thread.join().unwrap_or_else(|_| Err(panicked(it))));
        }
        res
    })
}

fn panicked(write: &Write) -> WriteError {
    let source = std::io::Error::other(PANICKED);
    WriteError::Io { path: write.spec.path.clone(), source }
}

fn write(
    context: &Context<'_>,
    spec: &ReplicaSpec,
    text: &str,
    on_disk: Option<Digest>,
    mode: Option<u32>,
) -> Result<Written, WriteError> {
    let path = context.disk.root().join(&spec.path);
    if on_disk.is_none() {
        match workdir_owner(&path) {
            Some(folder) => {
                context.disk.create_workdir(folder)?;
            }
            // As jupytext does for a pair like `ipynb,scripts//py`.
            None => context.disk.create_folder(path.parent().unwrap_or(&path))?,
        }
    }
    let on_disk = if is_planted(Bug::SkipDigestCheck) {
        let now = context.disk.read(&path, u64::MAX, Lock::None).ok();
        now.map(|now| Digest::of(&now.bytes))
    } else {
        on_disk
    };
    let expected = on_disk.map_or(Expected::Absent, Expected::Digest);
    let durable = context.durable || on_disk.is_some();
    let durable = durable && !is_planted(Bug::SkipSync);
    let mut options = WriteOptions { durable, lock: lock(spec), ..WriteOptions::default() };
    // Whoever may not read the notebook may not read its shadows.
    options.mode = mode.unwrap_or(options.mode);
    context.disk.write(&path, text.as_bytes(), expected, options)
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
