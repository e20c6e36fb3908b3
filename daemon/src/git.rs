//! Whether git is at work on the files of a root.
//!
//! A checkout or a rebase writes many files one after the other, and leaves them
//! half old and half new in between. Writing then would mix into what git does.

use std::fmt;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};

/// What git is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitOperation {
    /// A command that writes files or the index: checkout, stash, commit, ...
    Command,
    /// A merge that the user has to finish.
    Merge,
    /// A rebase, or `git am`.
    Rebase,
    /// A cherry-pick that the user has to finish.
    CherryPick,
}

impl fmt::Display for GitOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "a git command is running",
            Self::Merge => "a git merge is going on",
            Self::Rebase => "a git rebase is going on",
            Self::CherryPick => "a git cherry-pick is going on",
        })
    }
}

/// What git leaves in its folder for as long as it is at work (`gitrepository-layout`,
/// and `wt-status.c` for the last ones).
const TRACES: [(&str, GitOperation); 5] = [
    ("rebase-merge", GitOperation::Rebase),
    ("rebase-apply", GitOperation::Rebase),
    ("MERGE_HEAD", GitOperation::Merge),
    ("CHERRY_PICK_HEAD", GitOperation::CherryPick),
    ("index.lock", GitOperation::Command),
];

/// Returns what git is doing in the repository that a folder is in, if anything.
pub fn operation_in_progress(root: &Utf8Path) -> Option<GitOperation> {
    let folder = git_folder(root)?;
    TRACES.into_iter().find(|(name, _)| folder.join(name).exists()).map(|(_, operation)| operation)
}

/// When git last moved `HEAD` of the repository that a folder is in: a checkout, a commit, a
/// reset, a stash. It does that after it has written the files.
pub fn head_moved_at(root: &Utf8Path) -> Option<SystemTime> {
    std::fs::metadata(git_folder(root)?.join("logs/HEAD")).and_then(|it| it.modified()).ok()
}

/// The folder where git keeps the state of the nearest work tree upwards.
fn git_folder(root: &Utf8Path) -> Option<Utf8PathBuf> {
    root.ancestors().find_map(|folder| {
        let path = folder.join(".git");
        if path.is_dir() {
            return Some(path);
        }
        // Of a linked work tree or a submodule, it is a file that says where. Reading a
        // pipe might never end.
        if !path.is_file() {
            return None;
        }
        let text = std::fs::read_to_string(&path).ok()?;
        Some(folder.join(text.strip_prefix("gitdir:")?.trim()))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[track_caller]
    fn check(trace: &str, expect: GitOperation) {
        let folder = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(folder.path()).unwrap();
        let deep = top.join("notebooks/deep");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir_all(top.join(".git")).unwrap();
        assert_eq!(operation_in_progress(&deep), None);
        fs::write(top.join(".git").join(trace), "").unwrap();
        assert_eq!(operation_in_progress(&deep), Some(expect));
        fs::remove_file(top.join(".git").join(trace)).unwrap();
        assert_eq!(operation_in_progress(&deep), None);
    }

    #[test]
    fn traces_of_git_are_found_from_below() {
        check("index.lock", GitOperation::Command);
        check("MERGE_HEAD", GitOperation::Merge);
        check("rebase-merge", GitOperation::Rebase);
        check("rebase-apply", GitOperation::Rebase);
        check("CHERRY_PICK_HEAD", GitOperation::CherryPick);
    }

    #[test]
    fn linked_work_tree_has_its_state_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(folder.path()).unwrap();
        let state = top.join("main/.git/worktrees/other");
        fs::create_dir_all(&state).unwrap();
        fs::create_dir(top.join("other")).unwrap();
        fs::write(top.join("other/.git"), "gitdir: ../main/.git/worktrees/other\n").unwrap();
        assert_eq!(operation_in_progress(&top.join("other")), None);
        fs::write(state.join("MERGE_HEAD"), "").unwrap();
        assert_eq!(operation_in_progress(&top.join("other")), Some(GitOperation::Merge));
        assert_eq!(operation_in_progress(&top.join("main")), None);
    }

    #[test]
    fn head_moves_when_the_reflog_grows() {
        let folder = tempfile::tempdir().unwrap();
        let top = Utf8Path::from_path(folder.path()).unwrap();
        let deep = top.join("notebooks");
        fs::create_dir(&deep).unwrap();
        assert_eq!(head_moved_at(&deep), None);
        fs::create_dir_all(top.join(".git/logs")).unwrap();
        assert_eq!(head_moved_at(&deep), None);
        fs::write(deep.join("a.py"), "").unwrap();
        fs::write(top.join(".git/logs/HEAD"), "").unwrap();
        let written = fs::metadata(deep.join("a.py")).unwrap().modified().unwrap();
        assert!(head_moved_at(&deep).is_some_and(|moved| written <= moved));
    }
}
