//! Walks a tree.

use std::fs::{self, FileType};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::scope::{Marks, Scope};
use super::{Link, SkipReason, Skipped, Unreadable, Walk, Walker, link, may_be_candidate};

/// A folder to look into, and what holds in the folder that it is in (`None` for
/// the root).
type Next = (Utf8PathBuf, Option<Scope>);

/// Walks a folder and what is in it.
///
/// Goes by what the folders say about their entries, without asking for each file
/// (`readdir`'s `d_type`), and without recursion, so that no depth is too deep.
pub(super) fn descend(walker: &Walker, folder: &Utf8Path) -> Walk {
    let mut walk = Walk::default();
    let parent = match folder.parent() {
        None => None,
        Some(parent) => match walker.scope(parent) {
            Some(parent) if !walker.is_closed(&parent, folder) && is_folder(walker, folder) => {
                Some(parent)
            }
            _ => return walk,
        },
    };
    let mut stack = vec![(folder.to_owned(), parent)];
    while let Some((folder, parent)) = stack.pop() {
        // The stack is last in, first out.
        let start = stack.len();
        look_into(walker, folder, parent.as_ref(), &mut walk, &mut stack);
        stack[start..].reverse();
    }
    walk
}

fn look_into(
    walker: &Walker,
    folder: Utf8PathBuf,
    parent: Option<&Scope>,
    walk: &mut Walk,
    stack: &mut Vec<Next>,
) {
    let entries = match list(walker, &folder, walk) {
        Ok(entries) => entries,
        // It went just now, and what went is no problem. Not so the root.
        Err(error) if parent.is_some() && error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return walk.unreadable.push(Unreadable { folder, error }),
    };
    let marks = Marks::of_names(entries.iter().map(|(name, _)| name.as_str()));
    let Some(scope) = walker.enter(&folder, parent, marks) else { return };
    for (name, kind) in entries {
        let path = folder.join(&name);
        if kind.is_dir() {
            if !walker.is_closed(&scope, &path) {
                stack.push((path, Some(scope.clone())));
            }
        } else if may_be_candidate(&name) {
            // The rules cost most, and most files are no candidates.
            if walker.admits(&scope, &path) {
                add_file(walker, path, kind, walk);
            }
        } else if kind.is_symlink() && !walker.is_closed(&scope, &path) {
            add_linked_folder(walker, path, walk);
        }
    }
    walk.folders.push(folder);
}

/// Lists a folder, in the order of the names.
fn list(
    walker: &Walker,
    folder: &Utf8Path,
    walk: &mut Walk,
) -> io::Result<Vec<(String, FileType)>> {
    let mut res = Vec::new();
    for entry in fs::read_dir(walker.absolute(folder))? {
        let entry = entry?;
        // Where the folder doesn't say, this asks for the file, which may be gone.
        let Ok(kind) = entry.file_type() else { continue };
        match entry.file_name().into_string() {
            Ok(name) => res.push((name, kind)),
            Err(name) => {
                let path = folder.join(&*name.to_string_lossy());
                if kind.is_dir() || path.file_name().is_some_and(may_be_candidate) {
                    walk.skipped.push(Skipped { path, reason: SkipReason::NotUtf8 });
                }
            }
        }
    }
    res.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(res)
}

fn add_file(walker: &Walker, path: Utf8PathBuf, kind: FileType, walk: &mut Walk) {
    if kind.is_file() {
        walk.candidates.push(path);
    } else if kind.is_symlink() {
        match link::resolve(walker, &path) {
            Ok(target) => {
                walk.links.push(Link { path: path.clone(), target });
                walk.candidates.push(path);
            }
            Err(reason) => walk.skipped.push(Skipped { path, reason }),
        }
    } else {
        walk.skipped.push(Skipped { path, reason: SkipReason::NotAFile });
    }
}

/// A link to a folder may be to one with notebooks, so the user should know.
fn add_linked_folder(walker: &Walker, path: Utf8PathBuf, walk: &mut Walk) {
    if walker.absolute(&path).metadata().is_ok_and(|metadata| metadata.is_dir()) {
        walk.skipped.push(Skipped { path, reason: SkipReason::LinkToFolder });
    }
}

fn is_folder(walker: &Walker, folder: &Utf8Path) -> bool {
    walker.absolute(folder).symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}
