//! Checks what came of a run, in the calm after it.

use std::sync::PoisonError;
use std::time::Duration;

use super::actors::{Way, litter, sources, tokens};
use super::cells::parse;
use super::invariant::{Violation, ensure};
use super::sim::Sim;
use super::world::{QUIET, at, replicas};
use crate::disk::Step;
use crate::report::NotebookState;
use crate::sync::Digest;

impl Sim {
    /// Checks that all replicas agree, have all that was saved, and stay as they are.
    pub(super) fn check(&mut self) -> Result<(), Violation> {
        self.check_agreement()?;
        self.check_tokens()?;
        let time = if self.rng.one_in(50) { Duration::from_mins(70) } else { QUIET };
        self.check_still(time)
    }

    fn check_agreement(&mut self) -> Result<(), Violation> {
        let known = self.digests();
        for source in self.editors().notebooks.clone() {
            let (state, reason) = self.world.state(&source);
            let is_fine = matches!(state, NotebookState::Synced | NotebookState::Conflict);
            let texts = || replicas(&source).map(|path| (self.world.text(&path), path));
            ensure!(is_fine, Converges, "{source}: {state:?}, {reason}: {:#?}", texts());
            let mut expected = None;
            for path in replicas(&source) {
                let Some(bytes) = self.world.disk.bytes(&at(&path)) else {
                    return Err(Violation::new(
                        super::Invariant::Converges,
                        format!("no `{path}`"),
                    ));
                };
                let digest = Digest::of(&bytes).to_string();
                ensure!(known.contains(&digest), Converges, "`{path}` is not as it is known");
                let text = String::from_utf8_lossy(&bytes);
                let document = parse(&path, &text);
                ensure!(document.is_some(), NothingBrokenTravels, "`{path}`: {text:?}");
                let mut found = document.map(|it| sources(it.as_ref()));
                if let Some(found) = found.as_mut().filter(|it| **it == ["code "]) {
                    // A notebook without cells has an empty one in marimo.
                    found.clear();
                }
                let expected = expected.get_or_insert_with(|| found.clone());
                ensure!(found == *expected, Converges, "`{path}`: {found:#?} {expected:#?}");
            }
        }
        let litter = litter(&self.world.disk);
        ensure!(litter.is_empty(), Converges, "not put away: {litter:?}");
        Ok(())
    }

    fn check_tokens(&mut self) -> Result<(), Violation> {
        let (live, weak) = {
            let editors = self.editors();
            (editors.live.clone(), editors.weak.clone())
        };
        for source in self.editors().notebooks.clone() {
            for path in replicas(&source) {
                let text = self.world.text(&path);
                let Some(document) = parse(&path, &text) else { continue };
                let found = tokens(&document.notebook().cells);
                for (token, _) in live.iter().filter(|(_, it)| **it == source) {
                    let is_weak = weak.contains(token);
                    let is_there = found.contains_key(token) || (is_weak && self.is_kept(token));
                    ensure!(
                        is_there,
                        NothingLost,
                        "{token} is lost from {path} (in the history: {}):\n{text}",
                        self.is_kept(token)
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether a text with this in it is still somewhere.
    fn is_kept(&self, token: &str) -> bool {
        // What a power cut undid in the index is among the texts all the same.
        let has = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(token);
        self.world.is_kept(token)
            || (self.has_cut_power && self.world.store.inner.blobs().iter().any(|it| has(it)))
    }

    fn check_still(&mut self, time: Duration) -> Result<(), Violation> {
        self.world.forget();
        self.world.run(time);
        let n = self.world.n_writes();
        ensure!(n == 0, StandsStill, "{n} writes: {:?}", self.world.written());
        Ok(())
    }

    /// Does some plain things with a daemon that nothing is wrong with.
    pub(super) fn calm(&mut self) -> Result<(), Violation> {
        let notebooks = self.editors().notebooks.clone();
        let source = self.rng.pick(&notebooks).clone();
        match self.rng.below(8) {
            0..=1 => self.one_save(&source)?,
            2 => self.equal_saves(&source)?,
            3..=5 => self.stale_save(&source)?,
            6 => self.lose_store()?,
            _ => match self.rng.below(4) {
                0 => self.torn_save(&source)?,
                1 => self.two_raced_saves(&source),
                _ => {
                    self.editors().touch();
                    self.check_still(QUIET)?;
                }
            },
        }
        self.check_agreement()?;
        self.check_tokens()
    }

    fn one_save(&mut self, source: &str) -> Result<(), Violation> {
        let path = self.rng.pick(&replicas(source)).clone();
        let text = self.world.text(&path);
        let planned = self.editors().add_line(&path, source, &text, 0);
        let Some((plan, _)) = planned else { return Ok(()) };
        self.world.forget();
        self.editors().save(plan, Way::InPlace);
        self.world.run(QUIET);
        // The other version of a conflict is a file as well.
        let written = self.world.written();
        let n = written.iter().filter(|it| !it.contains(".conflict-")).count();
        ensure!(n <= 2, Terminates, "{source}: {n} files written: {:?}", self.world.written());
        Ok(())
    }

    fn equal_saves(&mut self, source: &str) -> Result<(), Violation> {
        if self.has_import(source) {
            return Ok(());
        }
        let [first, second, third] = replicas(source);
        let text = self.world.text(&first);
        if has_twins(&first, &text) {
            return Ok(());
        }
        let mut editors = self.editors();
        let Some((plan, _)) = editors.add_line(&first, source, &text, 0) else { return Ok(()) };
        let others = [editors.same_edit(&plan, &second), editors.same_edit(&plan, &third)];
        editors.save(plan, Way::InPlace);
        for plan in others.into_iter().flatten() {
            editors.save(plan, Way::Rename);
        }
        drop(editors);
        self.world.forget();
        self.world.run(QUIET);
        let n = self.world.written().len();
        ensure!(n == 0, EqualEditsAreOne, "{source}: written: {:?}", self.world.written());
        Ok(())
    }

    /// Whether there is a cell that marimo adds, in another format or without need: nobody
    /// can tell whether it is a user's.
    fn has_import(&self, source: &str) -> bool {
        replicas(source).iter().any(|path| {
            let text = self.world.text(path);
            text.contains("import marimo as mo")
                && (!path.ends_with(".marimo.py") || !text.contains("mo.md("))
        })
    }

    /// One replica is edited; then an editor that had loaded another one before saves it.
    fn stale_save(&mut self, source: &str) -> Result<(), Violation> {
        let paths = replicas(source);
        let (first, second) = (self.rng.below(3), 1 + self.rng.below(2));
        let (update, stale) = (&paths[first], &paths[(first + second) % 3]);
        let (new, old) = (self.world.text(update), self.world.text(stale));
        if has_twins(stale, &old) {
            return Ok(());
        }
        let planned = self.editors().add_line(update, source, &new, 0);
        let Some((plan, arrived)) = planned else { return Ok(()) };
        self.editors().save(plan, Way::InPlace);
        self.world.run(QUIET);
        let planned = self.editors().add_line(stale, source, &old, 1);
        let Some((plan, saved)) = planned else { return Ok(()) };
        self.editors().save(plan, Way::InPlace);
        self.world.run(QUIET);
        for path in &paths {
            let text = self.world.text(path);
            ensure!(
                text.contains(&arrived) && text.contains(&saved),
                StaleEditorsUndoNothing,
                "{arrived} came to `{stale}`, and was followed by a save with {saved}; `{path}`: {text}"
            );
        }
        Ok(())
    }

    /// An editor ends in the middle of a save, and later begins anew.
    fn torn_save(&mut self, source: &str) -> Result<(), Violation> {
        let paths = replicas(source);
        let torn = self.rng.below(3);
        let path = at(&paths[torn]);
        let text = self.world.text(&paths[torn]);
        // A part that ends where a line ends can't be told from a whole text, and one without
        // the very last characters is typing.
        let mut ends: Vec<usize> = text.char_indices().map(|(idx, _)| idx).collect();
        ends.retain(|&end| 2 <= end && end + 2 <= text.len() && !text[..end].ends_with('\n'));
        if ends.is_empty() {
            return Ok(());
        }
        let end = *self.rng.pick(&ends);
        let others: Vec<(&String, String)> = (0..3)
            .filter(|idx| *idx != torn)
            .map(|idx| (&paths[idx], self.world.text(&paths[idx])))
            .collect();
        self.world.disk.save(&path, &text.as_bytes()[..end]);
        self.world.run(QUIET);
        for (other, before) in &others {
            let now = self.world.text(other);
            ensure!(
                now == *before,
                NothingBrokenTravels,
                "half of `{path}` came to `{other}`: {now:?}"
            );
        }
        self.world.disk.save(&path, text.as_bytes());
        self.world.run(QUIET);
        Ok(())
    }

    /// While an edit is written into a replica, its editor saves, and then once more, with what
    /// is there by then.
    fn two_raced_saves(&mut self, source: &str) {
        let paths = replicas(source);
        let (first, second) = (self.rng.below(3), 1 + self.rng.below(2));
        let (edited, raced) = (&paths[first], paths[(first + second) % 3].clone());
        let text = self.world.text(edited);
        let planned = self.editors().add_line(edited, source, &text, 0);
        let Some((plan, _)) = planned else { return };
        let shared = self.shared();
        let (source, path) = (source.to_owned(), at(&raced));
        let mut n_saves = 0;
        self.world.interfere(move |step, written| {
            if step == Step::Exchange && written == path && n_saves < 2 {
                n_saves += 1;
                let mut editors = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let text = editors.disk.bytes(&path).unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let planned = editors
                    .add_line(&raced, &source, &text, n_saves)
                    .or_else(|| editors.add_line(&raced, &source, &text, 0));
                if let Some((plan, _)) = planned {
                    editors.save(plan, Way::InPlace);
                }
            }
            Ok(())
        });
        self.editors().save(plan, Way::InPlace);
        self.world.run(QUIET);
        self.world.stop_interfering();
    }

    fn lose_store(&mut self) -> Result<(), Violation> {
        let notebooks = self.editors().notebooks.clone();
        if notebooks.iter().any(|source| self.has_import(source)) {
            return Ok(());
        }
        let before = self.world.disk.files();
        self.world.stop();
        self.lose_index();
        self.world.forget();
        self.world.start();
        self.world.run(QUIET);
        let after = self.world.disk.files();
        ensure!(before == after, StoreIsDisposable, "written: {:?}", self.world.written());
        Ok(())
    }
}

/// Whether there are equal cells: then nobody can tell which of them was edited.
fn has_twins(path: &str, text: &str) -> bool {
    let Some(document) = parse(path, text) else { return true };
    let mut sources = sources(document.as_ref());
    let n_all = sources.len();
    sources.sort();
    sources.dedup();
    sources.len() < n_all
}
