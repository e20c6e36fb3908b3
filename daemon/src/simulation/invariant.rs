//! What has to hold, whatever happens.

use std::fmt;

/// What has to hold, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: bytes are only removed once they are kept elsewhere.
    NothingRemovedUnkept,
    /// I2: at any moment, and after any crash, a name holds a complete text.
    CompleteTexts,
    /// I3: when all files are as they were agreed on, nothing is written.
    StandsStill,
    /// I4: the engine comes to rest, and one save is written to each other replica once.
    Terminates,
    /// I5: replicas that were edited alike are not written.
    EqualEditsAreOne,
    /// I6: what was saved is in all replicas, or at least kept.
    NothingLost,
    /// I7: losing the store changes no file.
    StoreIsDisposable,
    /// I8: what is empty, cut off or broken does not travel.
    NothingBrokenTravels,
    /// I9: only replicas and nbsync's own files are written.
    NothingElseWritten,
    /// I10: whatever became of the events, all replicas agree in the end and none is held.
    Converges,
    /// An update survives a save of an editor that never loaded it.
    StaleEditorsUndoNothing,
    /// The engine does not panic.
    NoPanic,
}

impl Invariant {
    /// The name of the invariant, with its number where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::NothingRemovedUnkept => "I1 nothing removed that is not kept",
            Self::CompleteTexts => "I2 complete texts",
            Self::StandsStill => "I3 stands still",
            Self::Terminates => "I4 comes to rest",
            Self::EqualEditsAreOne => "I5 equal edits are one",
            Self::NothingLost => "I6 nothing lost",
            Self::StoreIsDisposable => "I7 the store is disposable",
            Self::NothingBrokenTravels => "I8 nothing broken travels",
            Self::NothingElseWritten => "I9 nothing else written",
            Self::Converges => "I10 all replicas agree",
            Self::StaleEditorsUndoNothing => "stale editors undo nothing",
            Self::NoPanic => "no panic",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An invariant that does not hold, and how.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) invariant: Invariant,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

/// Fails with a violation unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $invariant:ident, $($what:tt)*) => {
        if !$condition {
            return Err($crate::simulation::invariant::Violation::new(
                $crate::simulation::Invariant::$invariant,
                format!($($what)*),
            ));
        }
    };
}
pub(crate) use ensure;
