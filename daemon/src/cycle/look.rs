//! Looks at the files of a pairing.

use std::sync::Arc;

use nbsync_formats::{Document, FormatName, ParseErrorKind};

use super::{Context, Replica, SeenText, Sight, Wait, WaitKind};
use crate::config::Layout;
use crate::disk::{Lock, ReadError};
use crate::error::chain;
use crate::planted::{Bug, is_planted};
use crate::sync::Digest;
use crate::sync::base::{Base, Dialect};
use crate::sync::pairing::{ReplicaSpec, replicas};
use crate::sync::safety::excess;

/// Looks at one file.
pub(super) fn look(
    context: &Context<'_>,
    replica: &mut Replica,
    is_touched: bool,
    seen: &mut Vec<SeenText>,
) -> Result<Sight, Wait> {
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
    if replica.digest == Some(digest) && !is_planted(Bug::EchoIsEdit) {
        return Ok(Sight::Unchanged);
    }
    let path = replica.spec.path.clone();
    match String::from_utf8(contents.bytes) {
        Ok(text) => {
            let text: Arc<str> = text.into();
            seen.push(SeenText { path, digest, bytes: Arc::clone(&text).into() });
            Ok(Sight::Text { digest, text })
        }
        Err(err) => {
            seen.push(SeenText { path, digest, bytes: err.as_bytes().into() });
            let valid = &err.as_bytes()[..err.utf8_error().valid_up_to()];
            let line = String::from_utf8_lossy(valid).split('\n').count();
            let (path, message) = (&replica.spec.path, "not valid UTF-8".to_owned());
            Err(Wait::unreadable(WaitKind::Unsettled, path, Some(line), message))
        }
    }
}

/// Returns the replicas that the pairing should have, and the base with all of
/// those, if there is one.
pub(super) fn complete(
    context: &Context<'_>,
    base: Option<&Arc<Base>>,
    known: &[Replica],
    sights: &[Sight],
) -> Result<(Vec<ReplicaSpec>, Option<Arc<Base>>), Wait> {
    let beside = context.config.layout == Layout::Sibling;
    let owned: Vec<ReplicaSpec> =
        known.iter().map(|it| it.spec.clone()).filter(ReplicaSpec::is_owned).collect();
    let wanted = |notebook: &nbsync_formats::Notebook| {
        replicas(&owned, notebook, &context.config.formats, beside)
    };
    let Some(base) = base else {
        for (replica, sight) in known.iter().zip(sights) {
            if let Sight::Text { text, .. } = sight {
                return Ok((wanted(parse(&replica.spec, text)?.notebook()), None));
            }
        }
        let reason = format!("`{}` is gone", known[0].spec.path);
        return Err(Wait::new(WaitKind::Unsettled, reason));
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
pub(super) fn extend(
    context: &Context<'_>,
    specs: &[ReplicaSpec],
    known: &mut Vec<Replica>,
    sights: &mut Vec<Sight>,
    seen: &mut Vec<SeenText>,
) -> Result<(), Wait> {
    for spec in specs.iter().skip(known.len()) {
        let mut replica = Replica { spec: spec.clone(), digest: None, stamp: None };
        sights.push(look(context, &mut replica, true, seen)?);
        known.push(replica);
    }
    Ok(())
}

pub(super) fn parse(spec: &ReplicaSpec, text: &Arc<str>) -> Result<Arc<dyn Document>, Wait> {
    let Dialect { extension, .. } = &spec.dialect;
    let document = spec.dialect.format().parse(Arc::clone(text), extension);
    let document: Arc<dyn Document> = document.map(Arc::from).map_err(|err| {
        // A save that isn't finished looks like this; more time doesn't help
        // where the text is whole.
        let kind = match err.kind {
            ParseErrorKind::ConflictMarkers | ParseErrorKind::Unsupported(_) => WaitKind::Held,
            _ => WaitKind::Unsettled,
        };
        Wait::unreadable(kind, &spec.path, err.line, err.kind.to_string())
    })?;
    match excess(document.notebook()) {
        None => Ok(document),
        Some(excess) => Err(Wait::new(WaitKind::Held, format!("`{}` {excess}", spec.path))),
    }
}

pub(super) fn unreadable(err: &ReadError) -> Wait {
    // Nothing tells when a device works again.
    let kind = if err.is_transient() { WaitKind::Unsettled } else { WaitKind::Refused };
    Wait::new(kind, chain(err))
}

/// marimo writes in place, under a lock of its own.
pub(super) fn lock(spec: &ReplicaSpec) -> Lock {
    if spec.dialect.format == FormatName::Marimo { Lock::Marimo } else { Lock::None }
}
