//! What becomes of the outputs of a cell when its source is edited elsewhere.
//!
//! Outputs are in no model and in no edit: they are in the text of a replica, and stay there.
//! What is decided here is only which of them go.

use std::collections::BTreeMap;
use std::sync::Arc;

use nbsync_formats::Change;

use super::base::{Base, Stripped};
use super::edit::{CellKey, Edit};
use super::reconcile::Outcome;

/// What becomes of outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outputs {
    /// They stay until the cell runs again.
    #[default]
    Keep,
    /// Those of a cell go when its source is edited in another replica.
    ClearEdited,
    /// No replica has any. They are in the base.
    Strip,
}

/// Clears the outputs of edited cells, if they are not to stay.
///
/// An edit that was made in a replica with outputs leaves them to its editor, which has just
/// saved both.
pub fn clear_edited(policy: Outputs, before: Option<&Base>, outcome: &mut Outcome) {
    if policy != Outputs::ClearEdited {
        return;
    }
    let is_edited = edited(before, &outcome.base);
    for (replica, edits) in outcome.base.replicas.iter_mut().zip(&outcome.edits) {
        let is_own = |key: CellKey| {
            let sets = |it: &Edit| matches!(it, Edit::Set(at, Change::Source(_)) if *at == key);
            edits.iter().any(sets)
        };
        let goes =
            |key: Option<CellKey>| key.is_some_and(|key| is_edited.contains(&key) && !is_own(key));
        let keys = replica.keys.iter().enumerate();
        let cells: Vec<usize> = keys.filter(|(_, key)| goes(**key)).map(|(at, _)| at).collect();
        if let Some(cleared) = replica.document.clear_outputs(&cells) {
            replica.document = Arc::from(cleared);
        }
    }
}

/// Moves all outputs from the replicas into the base, if no replica is to have any, and else back.
pub fn strip(policy: Outputs, base: &mut Base) {
    if policy != Outputs::Strip {
        for idx in 0..base.replicas.len() {
            base.replicas[idx].document = base.with_outputs(idx);
        }
        base.stripped = Arc::default();
        return;
    }
    let stripped = Arc::make_mut(&mut base.stripped);
    stripped.retain(|key, _| base.model.keys.contains(key));
    for replica in &mut base.replicas {
        for (ran, key) in replica.document.ran().into_iter().zip(&replica.keys) {
            if let (Some(ran), Some(key)) = (ran, key) {
                let (outputs, count) = ran.into_stored();
                stripped.insert(*key, Stripped { outputs, count });
            }
        }
        let cells: Vec<usize> = (0..replica.keys.len()).collect();
        if let Some(cleared) = replica.document.clear_outputs(&cells) {
            replica.document = Arc::from(cleared);
        }
    }
}

/// Whether [`strip`] has nothing to move.
pub fn is_stripped_as(policy: Outputs, base: &Base) -> bool {
    match policy {
        Outputs::Keep | Outputs::ClearEdited => base.stripped.is_empty(),
        Outputs::Strip => {
            base.replicas.iter().all(|it| it.document.ran().iter().all(Option::is_none))
        }
    }
}

/// The cells whose source has changed.
fn edited(before: Option<&Base>, after: &Base) -> Vec<CellKey> {
    let Some(before) = before else { return Vec::new() };
    let cells = |base: &'_ Base| {
        let sources = base.model.notebook.cells.iter().map(|cell| cell.source.clone());
        base.model.keys.iter().copied().zip(sources).collect::<BTreeMap<CellKey, String>>()
    };
    let was = cells(before);
    let is_other = |(key, source): &(CellKey, String)| was.get(key).is_some_and(|it| it != source);
    cells(after).into_iter().filter(is_other).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use nbsync_formats::{FormatName, format};

    use super::*;
    use crate::report::Role;
    use crate::sync::pairing::ReplicaSpec;
    use crate::sync::reconcile::{Seen, reconcile};

    /// Two cells that were run.
    const IPYNB: &str = r#"{"cells":[
        {"cell_type":"code","execution_count":1,"id":"a","metadata":{},"outputs":[{"output_type":"stream","name":"stdout","text":"1\n"}],"source":"a = 1"},
        {"cell_type":"code","execution_count":2,"id":"b","metadata":{},"outputs":[{"output_type":"stream","name":"stdout","text":"2\n"}],"source":"b = 2"}
    ],"metadata":{},"nbformat":4,"nbformat_minor":5}"#;

    /// What is left of the outputs after an edit of the first cell in one of the replicas.
    fn left(policy: Outputs, edited: usize) -> Vec<(usize, bool)> {
        let dialect =
            |path: &str, name| ReplicaSpec::owned(path.into(), name, Role::Source).dialect;
        let [ipynb, percent] =
            [dialect("a.ipynb", FormatName::Ipynb), dialect("a.py", FormatName::Percent)];
        let read = |name, text: &str, extension: &str| {
            Arc::from(format(name).parse(text.into(), extension).unwrap())
        };
        let mut base = Base::of_source(ipynb, read(FormatName::Ipynb, IPYNB, ".ipynb"));
        base.add_replica(percent).unwrap();
        let text = base.replicas[edited].document.text().replace("a = 1", "a = 7");
        let document = match edited {
            0 => read(FormatName::Ipynb, &text, ".ipynb"),
            _ => read(FormatName::Percent, &text, ".py"),
        };
        let mut seen = [Seen::Unchanged, Seen::Unchanged];
        seen[edited] = Seen::Changed(document);
        let mut outcome = reconcile(&base, &seen).unwrap();
        clear_edited(policy, Some(&base), &mut outcome);
        strip(policy, &mut outcome.base);
        for replica in &outcome.base.replicas {
            assert!(replica.document.text().contains("a = 7"));
        }
        let ipynb = &outcome.base.replicas[0].document;
        ipynb.kept_here().iter().map(|it| (it.n_outputs, it.has_count)).collect()
    }

    #[test]
    fn nothing_else_is_cleared() {
        let document = format(FormatName::Ipynb).parse(IPYNB.into(), ".ipynb").unwrap();
        let cleared = |cells: &[usize]| document.clear_outputs(cells).map(|it| it.text().clone());
        let without = |text: &str, no: usize| {
            let output = format!(
                r#""outputs":[{{"output_type":"stream","name":"stdout","text":"{no}\n"}}]"#
            );
            assert!(text.contains(&output));
            text.replace(&output, r#""outputs":[]"#)
                .replace(&format!(r#""execution_count":{no}"#), r#""execution_count":null"#)
        };
        assert_eq!(cleared(&[1]).as_deref(), Some(&*without(IPYNB, 2)));
        let bare = without(&without(IPYNB, 1), 2);
        assert_eq!(cleared(&[1, 0]).as_deref(), Some(&*bare));
        // Where nothing is, nothing is written, as in a script.
        assert_eq!(cleared(&[]), None);
        let bare = format(FormatName::Ipynb).parse(bare.into(), ".ipynb").unwrap();
        assert!(bare.clear_outputs(&[0, 1]).is_none());
        let script = format(FormatName::Percent).parse("# %%\n1\n".into(), ".py").unwrap();
        assert!(script.clear_outputs(&[0]).is_none());
    }

    #[test]
    fn policies_clear_what_they_say() {
        let (ran, cleared) = ((1, true), (0, false));
        for (policy, edited, expected) in [
            (Outputs::Keep, 1, [ran, ran]),
            (Outputs::ClearEdited, 1, [cleared, ran]),
            // Its editor has just saved source and outputs.
            (Outputs::ClearEdited, 0, [ran, ran]),
            (Outputs::Strip, 1, [cleared, cleared]),
            (Outputs::Strip, 0, [cleared, cleared]),
        ] {
            assert_eq!(left(policy, edited), expected, "{policy:?}, edited in replica {edited}");
        }
    }
}
