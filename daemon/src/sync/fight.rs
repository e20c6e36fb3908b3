//! Whether two programs undo each other's changes.
//!
//! A formatter that runs on every change of one replica, and another one, or another sync
//! tool, on another replica, would go on for ever with nbsync between them. Each turn of
//! such a fight changes again what the turn before has just brought, in another replica, and either
//! within moments or to what was there before. People do not: who types fast saves in one
//! replica, and two who type at the same time are in different lines.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::Digest;
use super::edit::{CellKey, Edit};
use super::merge::Keyed;

/// How many turns in a row may answer each other.
const MAX_TURNS: usize = 8;

/// Within which time.
const WINDOW: Duration = Duration::from_secs(10);

/// What comes this soon after a write is an answer to it, and no thought of a person.
const REACTION: Duration = Duration::from_millis(500);

/// What one propagated edit took away and brought: digests of lines and attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    removed: BTreeSet<Digest>,
    added: BTreeSet<Digest>,
}

impl Changes {
    /// Compares the cells that were edited, before and after.
    pub fn of(edits: &[Vec<Edit>], before: &Keyed, after: &Keyed) -> Self {
        let mut keys = BTreeSet::new();
        let mut res = Self::default();
        for edit in edits.iter().flatten() {
            if let Edit::SetNotebook(attribute, _) = edit {
                let fact = |model: &Keyed| {
                    let value = model.notebook.attribute(attribute);
                    digest(&[&format!("{attribute:?}"), &format!("{value:?}")])
                };
                res.removed.insert(fact(before));
                res.added.insert(fact(after));
            }
            keys.extend(edit.key());
        }
        for key in keys {
            let (old, new) = (facts(before, key), facts(after, key));
            res.removed.extend(old.difference(&new));
            res.added.extend(new.difference(&old));
        }
        res
    }

    fn meets(&self, other: &Self) -> bool {
        !self.removed.is_disjoint(&other.added) || !self.added.is_disjoint(&other.removed)
    }
}

/// What can be said of a cell: its lines, and its other attributes.
///
/// Without its key: a cell that is replaced by a similar one gets another.
fn facts(model: &Keyed, key: CellKey) -> BTreeSet<Digest> {
    let Some(cell) = model.position(key).map(|idx| &model.notebook.cells[idx]) else {
        return BTreeSet::new();
    };
    let lines = cell.source.lines().filter(|line| !line.trim().is_empty());
    let mut res: BTreeSet<Digest> = lines.map(|line| digest(&["line", line])).collect();
    for attribute in cell.attributes() {
        let value = cell.attribute(&attribute);
        res.insert(digest(&[&format!("{attribute:?}"), &format!("{value:?}")]));
    }
    res
}

fn digest(parts: &[&str]) -> Digest {
    Digest::of(parts.join("\0").as_bytes())
}

#[derive(Debug, Clone)]
struct Turn {
    /// When it was written into the others.
    at: Instant,
    /// The position of the replica that was edited.
    writer: usize,
    changes: Changes,
    /// Whether it answers the turn before.
    answers: bool,
}

/// The last turns of a pairing.
#[derive(Debug, Clone, Default)]
pub struct Fight(VecDeque<Turn>);

/// Two replicas whose editors undo each other's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fighters {
    /// The positions of the replicas.
    pub replicas: [usize; 2],
    /// How many turns they took.
    pub turns: usize,
}

impl Fight {
    /// Takes in that edits were propagated: those of the replicas `from`, noticed at `since`
    /// and written at `at`. Returns the fighters if it is too much.
    pub fn turn(
        &mut self,
        from: &[usize],
        changes: Changes,
        since: Instant,
        at: Instant,
    ) -> Option<Fighters> {
        while self.0.front().is_some_and(|turn| WINDOW < at.duration_since(turn.at)) {
            self.0.pop_front();
        }
        let last = self.0.back();
        let writer = from.iter().copied().find(|it| last.is_none_or(|last| last.writer != *it));
        let Some(writer) = writer else {
            // Somebody who saves again has seen no other.
            self.0.clear();
            self.0.push_back(Turn { at, writer: *from.first()?, changes, answers: false });
            return None;
        };
        let answers = last.is_some_and(|last| {
            let is_fast = since.saturating_duration_since(last.at) < REACTION;
            let comes_back =
                self.0.iter().any(|it| !it.changes.removed.is_disjoint(&changes.added));
            last.changes.meets(&changes) && (is_fast || comes_back)
        });
        let other = last.map_or(writer, |last| last.writer);
        self.0.push_back(Turn { at, writer, changes, answers });
        let turns = self.0.iter().rev().take_while(|it| it.answers).count();
        (MAX_TURNS < turns).then(|| {
            self.0.clear();
            Fighters { replicas: [other.min(writer), other.max(writer)], turns }
        })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "any start will do")]
mod tests {
    use super::*;

    /// Plays turns, each a replica, the line that it takes away and the one that it brings, with
    /// a pause between them. Returns after how many it was too much.
    fn play(pause: u64, turns: impl Iterator<Item = (usize, String, String)>) -> Option<usize> {
        let mut fight = Fight::default();
        let mut at = Instant::now();
        for (n, (writer, removed, added)) in turns.enumerate() {
            let changes = Changes {
                removed: BTreeSet::from([digest(&[&removed])]),
                added: BTreeSet::from([digest(&[&added])]),
            };
            at += Duration::from_millis(pause);
            if let Some(fighters) = fight.turn(&[writer], changes, at, at) {
                assert_eq!(fighters.replicas, [0, 1]);
                return Some(n + 1);
            }
        }
        None
    }

    fn ping_pong(n: usize) -> (usize, String, String) {
        let texts = ["x=1", "x = 1"];
        (n % 2, texts[(n + 1) % 2].to_owned(), texts[n % 2].to_owned())
    }

    #[test]
    fn two_formatters_are_stopped() {
        assert_eq!(play(20, (0..100).map(ping_pong)), Some(10));
        // Tools that poll each second, too.
        assert_eq!(play(1000, (0..100).map(ping_pong)), Some(10));
        // Slower ones do no harm.
        assert_eq!(play(2000, (0..100).map(ping_pong)), None);
    }

    #[test]
    fn two_that_stamp_the_time_are_stopped() {
        let turns =
            (0..100).map(|n| (n % 2, format!("saved at {n}"), format!("saved at {}", n + 1)));
        assert_eq!(play(20, turns), Some(10));
    }

    #[test]
    fn somebody_who_saves_fast_is_not() {
        let turns = (0..100).map(|n| (1, format!("x = {n}"), format!("x = {}", n + 1)));
        assert_eq!(play(1, turns), None);
        let turns = (0..100).map(|n| (1, ping_pong(n).1, ping_pong(n).2));
        assert_eq!(play(1, turns), None);
    }

    #[test]
    fn two_who_type_in_different_lines_are_not() {
        let turns = (0..100)
            .map(|n| (n % 2, format!("{} {}", n % 2, n / 2), format!("{} {}", n % 2, n / 2 + 1)));
        assert_eq!(play(20, turns), None);
    }

    /// The formatter answers the person, the person types on.
    #[test]
    fn somebody_who_types_beside_a_formatter_is_not() {
        let mut fight = Fight::default();
        let mut at = Instant::now();
        for n in 0..100 {
            let lines = |removed: String, added: String| Changes {
                removed: BTreeSet::from([digest(&[&removed])]),
                added: BTreeSet::from([digest(&[&added])]),
            };
            at += Duration::from_secs(1);
            let typed = lines(format!("x = {n}"), format!("x={}", n + 1));
            assert_eq!(fight.turn(&[0], typed, at, at), None);
            at += Duration::from_millis(20);
            let formatted = lines(format!("x={}", n + 1), format!("x = {}", n + 1));
            assert_eq!(fight.turn(&[1], formatted, at, at), None);
        }
    }
}
