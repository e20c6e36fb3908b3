//! What the engine knows of one pairing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbsync_formats::{FormatName, format};
use serde::{Deserialize, Serialize};

use super::claims::{File, Said};
use super::conflicts::ConflictNote;
use super::fights::Stopped;
use super::pending::PendingSave;
use crate::clock::Clock;
use crate::config::Config;
use crate::cycle::{Begun, Records, Replica, Saved, SessionNote, Unseen, UnseenRecord, WaitKind};
use crate::disk::Stamp;
use crate::report::{NotebookState, NotebookStatus, ReplicaStatus, Role, Unreadable};
use crate::sync::Digest;
use crate::sync::base::Dialect;
use crate::sync::fight::Fight;
use crate::sync::outputs::Outputs;
use crate::sync::pairing::ReplicaSpec;

/// One pairing, without its texts.
#[derive(Debug, Clone)]
pub(crate) struct Pairing {
    /// The replicas, the source first.
    pub(crate) replicas: Vec<Replica>,
    /// Where the store has its base.
    pub(crate) base: Option<Digest>,
    /// What a cycle had begun to write that did not come to its end.
    pub(crate) begun: Option<Begun>,
    /// Whether it has all the replicas that the configuration wants.
    pub(crate) is_complete: bool,
    /// Whether the replicas agree.
    pub(crate) state: NotebookState,
    /// Why not.
    pub(crate) reason: Option<String>,
    /// The file that can't be read, if it is held because of that.
    pub(crate) unreadable: Option<Unreadable>,
    /// What its files looked like when it was held: another look at the same
    /// files would end the same way.
    pub(crate) held_at: Vec<Option<Stamp>>,
    /// What the editor of each replica may not have loaded.
    pub(crate) unseen: Vec<Vec<Unseen>>,
    /// Saves that fell into writes and are not merged yet.
    pub(crate) pending: Vec<PendingSave>,
    /// What is known of marimo's session; `None` if nobody has looked.
    pub(crate) session: Option<SessionNote>,
    /// When outputs of a run in marimo arrived last.
    pub(crate) ran_at: Option<Instant>,
    /// What was saved last into each replica.
    pub(crate) saved: Vec<Option<Saved>>,
    /// Whether two programs fight over it.
    pub(crate) fight: Fight,
    /// Set while it is stopped because they do.
    pub(crate) stopped: Option<Stopped>,
    /// When it was found; `None` if that is long ago.
    pub(crate) found: Option<Instant>,
    /// What its conflicts need, if it has any.
    pub(crate) conflict: Option<String>,
    /// What is known of its conflicts.
    pub(crate) conflicts: Vec<ConflictNote>,
    /// Texts that were seen last and are in the history already.
    pub(crate) kept: Vec<Digest>,
    /// Why it may not be synced at all, until somebody decides what is one notebook.
    pub(crate) blocked: Option<String>,
    /// What else the user should know.
    pub(crate) notes: Vec<String>,
}

impl Pairing {
    /// Makes a pairing of files that were just found to be one notebook.
    pub(crate) fn new(owned: Vec<ReplicaSpec>) -> Self {
        let replica = |spec| Replica { spec, digest: None, stamp: None };
        Self {
            replicas: owned.into_iter().map(replica).collect(),
            base: None,
            begun: None,
            is_complete: false,
            state: NotebookState::Pending,
            reason: None,
            unreadable: None,
            held_at: Vec::new(),
            unseen: Vec::new(),
            pending: Vec::new(),
            session: None,
            ran_at: None,
            saved: Vec::new(),
            fight: Fight::default(),
            stopped: None,
            found: None,
            conflict: None,
            conflicts: Vec::new(),
            kept: Vec::new(),
            blocked: None,
            notes: Vec::new(),
        }
    }

    /// Notes that all replicas agree.
    pub(crate) fn agree(&mut self) {
        self.unreadable = None;
        self.reason.clone_from(&self.conflict);
        self.state = match self.conflict {
            Some(_) => NotebookState::Conflict,
            None => NotebookState::Synced,
        };
    }

    /// The files of the user, the source first.
    pub(crate) fn owned(&self) -> impl Iterator<Item = &ReplicaSpec> {
        self.replicas.iter().map(|replica| &replica.spec).filter(|spec| spec.is_owned())
    }

    /// The script that marimo runs, if there is one, and a place for what it leaves.
    pub(crate) fn script(&self) -> Option<&Utf8Path> {
        let specs = || self.replicas.iter().map(|it| &it.spec);
        let has_place = specs().any(|it| format(it.dialect.format).has_outputs());
        let script = specs().find(|it| it.dialect.format == FormatName::Marimo);
        script.filter(|_| has_place).map(|it| &*it.path)
    }

    /// Whether these are the files of the user, in this order.
    pub(crate) fn has_files(&self, owned: &[ReplicaSpec]) -> bool {
        let key = |spec: &ReplicaSpec| (spec.path.clone(), spec.dialect.format, spec.role);
        self.owned().map(key).eq(owned.iter().map(key))
    }

    /// Whether it was never synced.
    pub(crate) fn is_fresh(&self) -> bool {
        self.base.is_none() && self.replicas[0].digest.is_none()
    }

    /// Returns the position of a replica.
    pub(crate) fn position(&self, path: &Utf8Path) -> Option<usize> {
        self.replicas.iter().position(|replica| replica.spec.path == path)
    }

    /// Whether a replica is at or below one of the paths; none of them means all.
    pub(crate) fn is_below(&self, paths: &[Utf8PathBuf]) -> bool {
        paths.is_empty()
            || self
                .replicas
                .iter()
                .any(|replica| paths.iter().any(|path| replica.spec.path.starts_with(path)))
    }

    pub(crate) fn status(&self) -> NotebookStatus {
        let state = if self.blocked.is_some() { NotebookState::Held } else { self.state };
        NotebookStatus {
            source: self.replicas[0].spec.path.clone(),
            state,
            reason: self.blocked.clone().or_else(|| self.reason.clone()),
            notes: self.notes.clone(),
            problems: None,
            unreadable: self.unreadable.clone(),
            replicas: self
                .replicas
                .iter()
                .map(|replica| ReplicaStatus {
                    path: replica.spec.path.clone(),
                    format: replica.spec.dialect.format,
                    role: replica.spec.role,
                    digest: replica.digest.map(|digest| digest.to_string()),
                })
                .collect(),
        }
    }
}

/// When a pairing is looked at next, and what is known of it until then.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    /// When.
    pub(crate) at: Instant,
    /// When the first event came, for the time that a propagation took.
    pub(crate) since: Instant,
    /// Why it was left alone last.
    pub(crate) last: Option<WaitKind>,
    /// How often it was looked at in vain.
    pub(crate) attempt: usize,
    /// Replicas to read even if they seem unchanged.
    pub(crate) touched: BTreeSet<usize>,
    /// Whether no editor is given time.
    pub(crate) is_urgent: bool,
    /// When editors were first given time.
    pub(crate) spared: Option<Instant>,
    /// What may still turn out to be the middle of a save, and until when. Events in
    /// between don't shorten it.
    graces: Vec<(WaitKind, Instant)>,
}

impl Due {
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            at,
            since: at,
            last: None,
            attempt: 0,
            touched: BTreeSet::new(),
            is_urgent: false,
            spared: None,
            graces: Vec::new(),
        }
    }

    /// Whether something was given the time that it may take to become whole.
    pub(crate) fn has_waited(&self, kind: WaitKind, now: Instant) -> bool {
        self.graces.iter().any(|(given, until)| *given == kind && *until <= now)
    }

    /// Puts off the next look until an editor that saved a moment ago is done.
    pub(crate) fn spare(&mut self, until: Instant, now: Instant) {
        self.last = Some(WaitKind::Spared);
        self.spared.get_or_insert(now);
        self.at = until;
    }

    /// Puts off the next look after one that was in vain, or returns false if it
    /// is no use to look again before something happens.
    pub(crate) fn put_off(&mut self, kind: WaitKind, settle: Duration, now: Instant) -> bool {
        if self.last != Some(kind) {
            self.attempt = 0;
        }
        self.last = Some(kind);
        let attempt = self.attempt;
        self.attempt += 1;
        if let Some(grace) = grace(kind) {
            // Several things may be given time, one after the other.
            let given = self.graces.iter().find(|(given, _)| *given == kind).copied();
            let (_, until) = given.unwrap_or_else(|| {
                self.graces.push((kind, now + grace));
                (kind, now + grace)
            });
            self.at = until;
            return true;
        }
        self.graces.clear();
        let wait = match kind {
            WaitKind::Unsettled => {
                let waits = [settle, Duration::from_millis(100), Duration::from_millis(500)];
                // Events can be lost.
                waits.get(attempt).copied().unwrap_or(MAX_BACK_OFF)
            }
            WaitKind::Held
            | WaitKind::Spared
            | WaitKind::Unlikely
            | WaitKind::Missing
            | WaitKind::Cleared
            | WaitKind::Gone => return false,
            // Growing waits: 1, 2, 4, ... 60 s.
            WaitKind::Refused => Duration::from_secs(1 << attempt.min(6)).min(MAX_BACK_OFF),
        };
        self.at = now + wait;
        true
    }
}

/// How long something that looks like the middle of a save is given to become whole.
fn grace(kind: WaitKind) -> Option<Duration> {
    match kind {
        WaitKind::Unlikely | WaitKind::Cleared | WaitKind::Gone => Some(Duration::from_secs(2)),
        WaitKind::Missing => Some(Duration::from_millis(500)),
        WaitKind::Unsettled | WaitKind::Spared | WaitKind::Held | WaitKind::Refused => None,
    }
}

const MAX_BACK_OFF: Duration = Duration::from_mins(1);

/// A pairing as the store has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PairingRecord {
    base: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<Begun>,
    /// The configuration for which the pairing has all replicas.
    complete_for: String,
    #[serde(default)]
    conflict: Option<String>,
    #[serde(default)]
    conflicts: Vec<ConflictNote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<SessionNote>,
    replicas: Vec<ReplicaRecord>,
    /// What the editor of each replica may not have loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<Vec<UnseenRecord>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<PendingSave>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_ms: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ReplicaRecord {
    path: Utf8PathBuf,
    format: FormatName,
    extension: String,
    role: Role,
    digest: Digest,
    stamp: Option<Stamp>,
    /// What a file of the user says about pairs.
    #[serde(default)]
    said: Said,
}

impl PairingRecord {
    /// Makes the record of a pairing that has a base.
    pub(super) fn of(
        pairing: &Pairing,
        files: &BTreeMap<Utf8PathBuf, File>,
        config: &Config,
    ) -> Option<Self> {
        let replicas = pairing.replicas.iter().map(|replica| {
            Some(ReplicaRecord {
                path: replica.spec.path.clone(),
                format: replica.spec.dialect.format,
                extension: replica.spec.dialect.extension.clone(),
                role: replica.spec.role,
                digest: replica.digest?,
                stamp: replica.stamp,
                said: files
                    .get(&replica.spec.path)
                    .map(|file| file.said.clone())
                    .unwrap_or_default(),
            })
        });
        Some(Self {
            base: pairing.base?,
            begun: pairing.begun.clone(),
            complete_for: if pairing.is_complete { wanted(config) } else { String::new() },
            conflict: pairing.conflict.clone(),
            conflicts: pairing.conflicts.clone(),
            session: pairing.session.clone(),
            replicas: replicas.collect::<Option<Vec<_>>>()?,
            unseen: UnseenRecord::of(&pairing.unseen),
            pending: pairing.pending.clone(),
            ended_ms: None,
        })
    }

    /// Returns the files of the user, and what they say about pairs.
    pub(super) fn files(&self) -> Vec<(Utf8PathBuf, FormatName, Said)> {
        let owned = self.replicas.iter().filter(|replica| replica.role != Role::Shadow);
        owned.map(|it| (it.path.clone(), it.format, it.said.clone())).collect()
    }

    /// Returns the pairing, or `None` if it has no replica.
    pub(crate) fn into_pairing(self, config: &Config, clock: &dyn Clock) -> Option<Pairing> {
        let replicas: Vec<Replica> = self
            .replicas
            .into_iter()
            .map(|record| {
                let mut spec = ReplicaSpec::owned(record.path, record.format, record.role);
                spec.dialect = Dialect { extension: record.extension, ..spec.dialect };
                if record.role == Role::Shadow {
                    spec.dialect.carry = nbsync_formats::Carry::Shown;
                }
                Replica { spec, digest: Some(record.digest), stamp: record.stamp }
            })
            .collect();
        if replicas.is_empty() {
            return None;
        }
        let is_complete = self.complete_for == wanted(config);
        let loaded = |writes: Vec<UnseenRecord>| {
            writes.into_iter().filter_map(|it| it.into_unseen(clock)).collect()
        };
        // They go by the positions of the replicas.
        let unseen = self.unseen.into_iter().filter(|_| is_complete).map(loaded).collect();
        let pending = if is_complete { self.pending } else { Vec::new() };
        let mut pairing = Pairing {
            replicas,
            base: Some(self.base),
            begun: self.begun,
            is_complete,
            state: NotebookState::Synced,
            reason: None,
            unreadable: None,
            held_at: Vec::new(),
            unseen,
            pending,
            session: self.session,
            ran_at: None,
            saved: Vec::new(),
            fight: Fight::default(),
            stopped: None,
            found: None,
            conflict: self.conflict,
            conflicts: self.conflicts,
            kept: Vec::new(),
            blocked: None,
            notes: Vec::new(),
        };
        pairing.agree();
        Some(pairing)
    }
}

/// The records of all pairings, for cycles.
pub(super) struct AllRecords<'a> {
    pub(super) pairings: &'a BTreeMap<Utf8PathBuf, Pairing>,
    pub(super) files: &'a BTreeMap<Utf8PathBuf, File>,
    pub(super) config: &'a Config,
}

impl Records for AllRecords<'_> {
    fn record(&self, source: &Utf8Path, begun: &Begun) -> Option<Vec<u8>> {
        let record = PairingRecord::of(self.pairings.get(source)?, self.files, self.config)?;
        serde_json::to_vec(&PairingRecord { begun: Some(begun.clone()), ..record }).ok()
    }
}

/// What of a configuration decides which replicas a pairing has, and whether they have outputs.
fn wanted(config: &Config) -> String {
    let formats: Vec<&str> = config.formats.iter().map(|format| format.as_str()).collect();
    let outputs = if config.outputs == Outputs::Strip { " without outputs" } else { "" };
    format!("{:?} {}{outputs}", config.layout, formats.join(","))
}
