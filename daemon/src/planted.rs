//! Bugs that a test plants, to see that the simulation finds them.
//!
//! Outside of tests and the simulation [`is_planted`] is a constant, so the product has none
//! of this.

/// One bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(any(test, feature = "simulation")),
    expect(unreachable_pub, reason = "the simulation names them")
)]
pub enum Bug {
    /// A file is replaced whatever it holds by then.
    SkipDigestCheck,
    /// What came out of an exchange is not looked at.
    IgnoreRacedSave,
    /// A second save during the writes of one cycle replaces the first.
    SecondRaceReplacesFirst,
    /// A save that came during a write is forgotten when another write fails.
    ForgetRaceOnFailure,
    /// The store has the new base before the files have the new texts.
    CommitBaseFirst,
    /// Replaced files are not kept.
    DropDisplaced,
    /// Replaced files are unlinked before the history has them.
    UnlinkBeforeStored,
    /// What an editor saves into a replaced file is not merged.
    ForgetLateWriter,
    /// What was written by the engine itself counts as an edit.
    EchoIsEdit,
    /// Of several edited replicas only one counts.
    NewestWins,
    /// The version that does not stand in a conflict is dropped.
    DropOtherVersion,
    /// A deletion wins over an edit of the same cell.
    DeletionBeatsEdit,
    /// Files are looked at only when an event says so.
    IgnoreLostEvents,
    /// Without a base, what one replica lacks was deleted.
    BelieveDeletionsWithoutBase,
    /// A text that is cut off counts as an edit.
    PropagateTruncated,
    /// A save of an editor that never loaded the last update counts as a plain edit.
    TrustStaleEditors,
    /// New texts are not flushed to the device before they get the name.
    SkipSync,
}

#[cfg(any(test, feature = "simulation"))]
impl Bug {
    /// All bugs.
    pub const ALL: [Self; 17] = [
        Self::SkipDigestCheck,
        Self::IgnoreRacedSave,
        Self::SecondRaceReplacesFirst,
        Self::ForgetRaceOnFailure,
        Self::CommitBaseFirst,
        Self::DropDisplaced,
        Self::UnlinkBeforeStored,
        Self::ForgetLateWriter,
        Self::EchoIsEdit,
        Self::NewestWins,
        Self::DropOtherVersion,
        Self::DeletionBeatsEdit,
        Self::IgnoreLostEvents,
        Self::BelieveDeletionsWithoutBase,
        Self::PropagateTruncated,
        Self::TrustStaleEditors,
        Self::SkipSync,
    ];
}

#[cfg(any(test, feature = "simulation"))]
mod switch {
    use std::cell::Cell;

    use super::Bug;
    use crate::record;
    use crate::store::{Batch, Store};
    use crate::sync::Digest;
    use crate::sync::base::Base;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug, in this thread.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub(crate) fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Has the store name a base that is still to be written to the files.
    pub(crate) fn commit_base(store: &dyn Store, source: &str, base: &Base) {
        // One that has no record yet has no base to be early with.
        try_commit_base(store, source, base);
    }

    fn try_commit_base(store: &dyn Store, source: &str, base: &Base) -> Option<()> {
        let mut record: serde_json::Value =
            serde_json::from_slice(&store.record(source).ok()??).ok()?;
        let digest = store.put_blob(&record::to_bytes(base).ok()?).ok()?;
        record["base"] = digest.to_string().into();
        record.as_object_mut()?.remove("begun");
        for (idx, replica) in base.replicas.iter().enumerate() {
            let digest = Digest::of(replica.document.text().as_bytes());
            record["replicas"].get_mut(idx)?["digest"] = digest.to_string().into();
        }
        let put = vec![(source.to_owned(), serde_json::to_vec(&record).ok()?)];
        store.commit(Batch { put, ..Batch::default() }).ok()
    }
}

#[cfg(any(test, feature = "simulation"))]
pub use switch::plant;
#[cfg(any(test, feature = "simulation"))]
pub(crate) use switch::{commit_base, is_planted};

/// Whether a test has planted this bug.
#[cfg(not(any(test, feature = "simulation")))]
pub(crate) const fn is_planted(_bug: Bug) -> bool {
    false
}

#[cfg(not(any(test, feature = "simulation")))]
pub(crate) const fn commit_base(
    _store: &dyn crate::store::Store,
    _source: &str,
    _base: &crate::sync::base::Base,
) {
}
