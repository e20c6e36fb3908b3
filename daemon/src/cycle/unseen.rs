//! Writes that the editor of a replica may not have loaded.

use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::sync::Digest;
use crate::sync::stale::Incoming;

/// How long an editor may not have loaded what was written into its file.
pub(super) const UNSEEN: Duration = Duration::from_mins(10);

/// How long nobody is expected to have loaded, read and changed what was written. marimo looks
/// each second at most, and saves a second after the last key.
const RECENT: Duration = Duration::from_secs(2);

/// How many bytes of text a record has of such writes at most. It is stored with every save.
const MAX_BYTES: usize = 32 << 10;

/// A write that the editor of a replica may not have loaded.
#[derive(Debug, Clone)]
pub(crate) struct Unseen {
    /// When it was written.
    pub(super) at: Instant,
    /// The same, in milliseconds since 1970.
    at_ms: u64,
    /// Whether this process wrote it.
    is_own: bool,
    /// Where the store has what the editor has.
    pub(crate) base: Digest,
    pub(super) incoming: Incoming,
}

impl Unseen {
    pub(super) fn new(clock: &dyn Clock, base: Digest, incoming: Incoming) -> Self {
        Self { at: clock.now(), at_ms: ms(clock), is_own: true, base, incoming }
    }

    /// Whether hardly anybody can have read it, typed, and saved since. A script that edits
    /// between two runs of `nbsync sync` can.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.is_own && now.duration_since(self.at) < RECENT
    }
}

/// Such a write in the record of its pairing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UnseenRecord {
    at_ms: u64,
    base: Digest,
    incoming: Incoming,
}

impl UnseenRecord {
    /// Makes what a record has of the writes into each replica: the newest of them, if they are
    /// very long.
    pub(crate) fn of(unseen: &[Vec<Unseen>]) -> Vec<Vec<Self>> {
        let mut newest: Vec<&Unseen> = unseen.iter().flatten().collect();
        newest.sort_by_key(|it| std::cmp::Reverse(it.at));
        let mut bytes = 0;
        let too_much = newest.iter().find(|it| {
            bytes += it.incoming.size();
            MAX_BYTES < bytes
        });
        let after = too_much.map(|it| it.at);
        let of_replica = |writes: &Vec<Unseen>| {
            let writes = writes.iter().filter(|it| after.is_none_or(|after| after < it.at));
            let record = |it: &Unseen| Self {
                at_ms: it.at_ms,
                base: it.base,
                incoming: it.incoming.clone(),
            };
            writes.map(record).collect()
        };
        unseen.iter().map(of_replica).collect()
    }

    /// Returns the write, unless it is so old that it counts as loaded.
    ///
    /// One from the future, because the clock was set back, counts as from now.
    pub(crate) fn into_unseen(self, clock: &dyn Clock) -> Option<Unseen> {
        let Self { at_ms, base, incoming } = self;
        let age = Duration::from_millis(ms(clock).saturating_sub(at_ms));
        let at = clock.now().checked_sub(age).filter(|_| age < UNSEEN)?;
        Some(Unseen { at, at_ms, is_own: false, base, incoming })
    }
}

fn ms(clock: &dyn Clock) -> u64 {
    let since = clock.system_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use nbsync_formats::{Cell, CellKind, Notebook};

    use super::*;
    use crate::sync::edit::CellKey;

    /// Stands still.
    struct Stopped(Instant);

    impl Clock for Stopped {
        fn now(&self) -> Instant {
            self.0
        }

        fn system_time(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(1_700_000_000)
        }
    }

    fn unseen(clock: &Stopped, len: usize) -> Unseen {
        let notebook = |text: &str| Notebook {
            cells: vec![Cell::new(CellKind::Code, text)],
            ..Notebook::default()
        };
        let keys = [Some(CellKey(7))];
        let (was, is) = (notebook("x"), notebook(&"y".repeat(len - 1)));
        let incoming = Incoming::new((&was, &keys), (&is, &keys)).unwrap();
        Unseen::new(clock, Digest::of(b"base"), incoming)
    }

    fn older(mut unseen: Unseen, by: Duration) -> Unseen {
        unseen.at -= by;
        unseen.at_ms -= u64::try_from(by.as_millis()).unwrap();
        unseen
    }

    #[test]
    fn record_has_what_was_written_and_when() {
        let clock = Stopped(Instant::now());
        let was = older(unseen(&clock, 10), Duration::from_mins(5));
        let bytes = serde_json::to_vec(&UnseenRecord::of(&[vec![], vec![was.clone()]])).unwrap();
        let mut records: Vec<Vec<UnseenRecord>> = serde_json::from_slice(&bytes).unwrap();
        let is = records.remove(1).remove(0).into_unseen(&clock).unwrap();
        assert_eq!(
            (is.at, is.at_ms, is.base, &is.incoming),
            (was.at, was.at_ms, was.base, &was.incoming)
        );
        let now = unseen(&clock, 10);
        let mut records = UnseenRecord::of(&[vec![now.clone()]]);
        let later = records.remove(0).remove(0).into_unseen(&clock).unwrap();
        assert_eq!((now.is_recent(clock.0), later.is_recent(clock.0)), (true, false));
        let mut records = UnseenRecord::of(&[vec![older(unseen(&clock, 10), UNSEEN)]]);
        assert!(records.remove(0).remove(0).into_unseen(&clock).is_none());
    }

    #[test]
    fn record_does_not_grow_without_end() {
        let clock = Stopped(Instant::now());
        let ago = |len, secs| older(unseen(&clock, len), Duration::from_secs(secs));
        let writes = [
            vec![ago(MAX_BYTES, 9), ago(10, 3)],
            vec![ago(10, 8), ago(MAX_BYTES, 5), ago(10, 1)],
            vec![ago(10, 7), ago(10, 4)],
        ];
        let kept: Vec<usize> = UnseenRecord::of(&writes).iter().map(Vec::len).collect();
        assert_eq!(kept, [1, 1, 1]);
    }
}
