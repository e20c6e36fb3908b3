//! Walks of real folders.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A root with files in it.
struct Tree {
    folder: TempDir,
    config: Config,
    dirs: Dirs,
}

impl Tree {
    /// Makes files that are empty, and folders where the name ends in a slash.
    fn new(paths: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dirs = Dirs::below(Utf8Path::from_path(folder.path()).unwrap());
        let tree = Self { folder, config: Config::default(), dirs };
        fs::create_dir(tree.root()).unwrap();
        for path in paths {
            if path.ends_with('/') {
                fs::create_dir_all(tree.root().join(path)).unwrap();
            } else {
                tree.write(path, "");
            }
        }
        tree
    }

    fn root(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join("root")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn configure(&mut self, text: &str) {
        self.write("nbsync.toml", text);
        self.config = Config::load(&self.root(), &self.dirs).unwrap();
    }

    fn walker(&self) -> Walker {
        Walker::new(&self.root(), &self.config, &self.dirs).unwrap()
    }

    /// Walks, and checks that a new walker agrees about each path on its own.
    #[track_caller]
    fn walk(&self) -> Walk {
        let walk = self.walker().walk();
        let fresh = self.walker();
        let mut all = vec![self.root()];
        while let Some(path) = all.pop() {
            let relative = fresh.relative(&path).unwrap();
            let metadata = path.symlink_metadata().unwrap();
            let is_candidate = walk.candidates.iter().any(|it| it == relative);
            assert_eq!(fresh.is_candidate(relative), is_candidate, "{relative}");
            if metadata.is_dir() {
                let is_watched = walk.folders.iter().any(|it| it == relative);
                assert_eq!(fresh.admits_folder(relative), is_watched, "{relative}");
                all.extend(path.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path()));
            }
        }
        walk
    }

    #[track_caller]
    fn check(&self, candidates: &[&str], folders: &[&str]) {
        let walk = self.walk();
        assert_eq!(walk.candidates, candidates);
        assert_eq!(walk.folders, folders);
    }
}

#[test]
fn candidates_go_by_their_extension() {
    let tree = Tree::new(&["a.ipynb", "a.py", "b.R", "c.jl", "d.txt", "e.md", "noext", "sub/f.rs"]);
    tree.check(&["a.ipynb", "a.py", "b.R", "c.jl", "sub/f.rs"], &["", "sub"]);
}

#[test]
fn folders_of_tools_and_hidden_ones_are_closed() {
    let tree = Tree::new(&[
        "a.py",
        ".hidden.py",
        ".~a.ipynb",
        "a_tmp_jupytext_1.py",
        ".git/a.py",
        ".jj/a.py",
        ".venv/a.py",
        "node_modules/x/a.py",
        "sub/__pycache__/a.py",
        "sub/.ipynb_checkpoints/a.ipynb",
        "sub/venv/lib/a.py",
        "lib/site-packages/a.py",
        "a.ipynb/",
    ]);
    tree.check(&["a.py"], &["", "a.ipynb", "lib", "sub"]);
}

#[test]
fn environments_are_closed_by_any_name() {
    let tree = Tree::new(&["env/pyvenv.cfg", "env/bin/a.py", "conda/conda-meta/", "conda/a.py"]);
    tree.check(&[], &[""]);
    let root = Tree::new(&["pyvenv.cfg", "a.py"]);
    root.check(&["a.py"], &[""]);
}

#[test]
fn of_marimos_folder_only_the_workdir_is_open() {
    let tree = Tree::new(&[
        "a.py",
        "__marimo__/a.ipynb",
        "__marimo__/session/a.py",
        "__marimo__/nbsync/a.ipynb",
        "__marimo__/nbsync/a.percent.py",
        "__marimo__/nbsync/.displaced/a.py",
        "__marimo__/nbsync/sub/a.py",
    ]);
    tree.write("__marimo__/nbsync/.gitignore", "*\n");
    tree.write(".gitignore", "__marimo__/\n*.percent.py\n");
    tree.check(
        &["a.py", "__marimo__/nbsync/a.ipynb", "__marimo__/nbsync/a.percent.py"],
        &["", "__marimo__", "__marimo__/nbsync"],
    );
}

#[test]
fn workdir_is_open_whatever_is_included() {
    let mut tree = Tree::new(&["a.ipynb", "b.py", "__marimo__/nbsync/a.percent.py"]);
    tree.configure("include = ['a.ipynb']\nexclude = ['*.percent.py', '__marimo__']\n");
    let walk = tree.walk();
    assert_eq!(walk.candidates, ["a.ipynb", "__marimo__/nbsync/a.percent.py"]);
}

#[test]
fn gitignore_counts_without_a_repository() {
    let mut tree = Tree::new(&["a.py", "old/b.py", "sub/c.py", "sub/keep.py", "sub/deep/c.py"]);
    tree.write(".gitignore", "/old\nc.py\n*.keep\n");
    tree.write("sub/deep/.gitignore", "!c.py\n");
    tree.check(&["a.py", "sub/keep.py", "sub/deep/c.py"], &["", "sub", "sub/deep"]);
    tree.configure("gitignore = false\n");
    assert_eq!(tree.walk().candidates.len(), 5);
}

#[test]
fn rules_of_the_repository_above_count() {
    let tree = Tree::new(&["a.py", "b.py", "c.py", "d.py"]);
    let above = tree.folder.path();
    fs::create_dir_all(above.join(".git/info")).unwrap();
    fs::write(above.join(".git/info/exclude"), "/root/a.py\n").unwrap();
    fs::write(above.join(".gitignore"), "b.py\n").unwrap();
    fs::write(above.join("excludes"), "c.py\n").unwrap();
    let mut dirs = tree.dirs.clone();
    dirs.git_excludes = Some(Utf8Path::from_path(above).unwrap().join("excludes"));
    let walk = |dirs| Walker::new(&tree.root(), &tree.config, dirs).unwrap().walk().candidates;
    assert_eq!(walk(&dirs), ["d.py"]);
    fs::write(above.join(".gitignore"), "*\n").unwrap();
    assert_eq!(walk(&dirs).len(), 4, "the root itself was named by the user");
    fs::remove_dir_all(above.join(".git")).unwrap();
    fs::write(above.join(".gitignore"), "b.py\n").unwrap();
    assert_eq!(walk(&dirs), ["a.py", "b.py", "d.py"], "outside of a repository");
}

#[test]
fn include_and_exclude_are_heeded() {
    let mut tree = Tree::new(&["a.py", "nb/a.py", "nb/b.ipynb", "nb/old/a.py", "other/a.py"]);
    tree.configure("include = ['nb/']\nexclude = ['old/', '*.ipynb']\n");
    tree.check(&["nb/a.py"], &["", "nb", "other"]);
}

#[test]
fn changed_gitignore_counts_after_forget() {
    let tree = Tree::new(&["sub/a.py"]);
    let walker = tree.walker();
    assert!(walker.is_candidate("sub/a.py".into()));
    tree.write("sub/.gitignore", "a.py\n");
    assert!(walker.is_candidate("sub/a.py".into()), "still known");
    walker.forget("sub".into());
    assert!(!walker.is_candidate("sub/a.py".into()));
    tree.write(".gitignore", "!a.py\n");
    tree.write("sub/.gitignore", "\n");
    assert_eq!(walker.walk().candidates, ["sub/a.py"], "a walk reads all anew");
    tree.write(".gitignore", "sub/\n");
    assert_eq!(walker.walk().candidates, [""; 0]);
    assert!(!walker.is_candidate("sub/a.py".into()), "closed since");
}

#[test]
fn subtree_is_walked_alone() {
    let tree = Tree::new(&["a.py", "new/b.py", "new/deep/c.ipynb", "old/d.py", ".git/e.py"]);
    tree.write(".gitignore", "old/\n");
    let walker = tree.walker();
    let walk = walker.walk_below("new".into());
    assert_eq!(walk.candidates, ["new/b.py", "new/deep/c.ipynb"]);
    assert_eq!(walk.folders, ["new", "new/deep"]);
    for closed in ["old", ".git", "missing", "a.py", "../root"] {
        assert_eq!(walker.walk_below(closed.into()).folders, [""; 0], "{closed}");
    }
}

#[test]
fn circles_of_links_end() {
    let tree = Tree::new(&["a.py", "sub/b.py"]);
    symlink("..", tree.root().join("sub/up")).unwrap();
    symlink("loop.py", tree.root().join("loop.py")).unwrap();
    let walk = tree.walk();
    assert_eq!(walk.candidates, ["a.py", "sub/b.py"]);
    assert_eq!(walk.folders, ["", "sub"]);
    let skipped = |path: &str, reason| Skipped { path: path.into(), reason };
    assert_eq!(
        walk.skipped,
        [skipped("loop.py", SkipReason::LinkBroken), skipped("sub/up", SkipReason::LinkToFolder),]
    );
}

#[test]
fn link_is_a_candidate_if_its_file_is_in_the_root_and_not_one() {
    let tree = Tree::new(&["a.ipynb", "data/b.ipynb"]);
    tree.write(".gitignore", "data/\n");
    fs::write(tree.folder.path().join("outside.ipynb"), "").unwrap();
    let link = |target: &str, path: &str| symlink(target, tree.root().join(path)).unwrap();
    link("a.ipynb", "again.ipynb");
    link("data/b.ipynb", "b.ipynb");
    link("b.ipynb", "chain.ipynb");
    link("../outside.ipynb", "outside.ipynb");
    let walk = tree.walk();
    assert_eq!(walk.candidates, ["a.ipynb", "b.ipynb", "chain.ipynb"]);
    let link = |path: &str| Link { path: path.into(), target: "data/b.ipynb".into() };
    assert_eq!(walk.links, [link("b.ipynb"), link("chain.ipynb")]);
    let skipped = |path: &str, reason| Skipped { path: path.into(), reason };
    assert_eq!(
        walk.skipped,
        [
            skipped("again.ipynb", SkipReason::LinkToCandidate),
            skipped("outside.ipynb", SkipReason::LinkOutside),
        ]
    );
}

#[test]
fn pipes_are_left_alone() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let tree = Tree::new(&["a.py"]);
    for name in ["pipe.ipynb", ".gitignore", "nbsync.toml"] {
        let path = tree.root().join(name);
        mknodat(CWD, path.as_std_path(), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }
    assert_eq!(Config::load(&tree.root(), &tree.dirs).unwrap(), Config::default());
    let walk = tree.walk();
    assert_eq!(walk.candidates, ["a.py"]);
    assert_eq!(walk.skipped, [Skipped { path: "pipe.ipynb".into(), reason: SkipReason::NotAFile }]);
}

#[test]
fn unreadable_folder_is_told_and_the_others_are_walked() {
    use std::os::unix::fs::PermissionsExt;

    let tree = Tree::new(&["a/x.py", "b/x.py", "c/x.py"]);
    let closed = tree.root().join("b");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    let walk = tree.walker().walk();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        println!("nothing is unreadable for root");
        return;
    }
    assert_eq!(walk.candidates, ["a/x.py", "c/x.py"]);
    assert_eq!(walk.unreadable.len(), 1);
    assert_eq!(walk.unreadable[0].folder, "b");
}

/// As an unreadable one, but for root too.
#[test]
fn folder_that_is_too_deep_is_told() {
    use rustix::fs::{Mode, OFlags, mkdirat, openat};

    let tree = Tree::new(&["a.py", "z.py"]);
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let name = "d".repeat(250);
    let mut folder = rustix::fs::open(tree.root().as_std_path(), flags, Mode::empty()).unwrap();
    for _ in 0..20 {
        mkdirat(&folder, &name, Mode::RWXU).unwrap();
        folder = openat(&folder, &name, flags, Mode::empty()).unwrap();
    }
    let walk = tree.walker().walk();
    assert_eq!(walk.candidates, ["a.py", "z.py"]);
    assert_eq!(walk.unreadable.len(), 1);
    assert!(walk.unreadable[0].folder.as_str().len() > 3000);
}

#[test]
fn names_that_are_not_utf8_are_told() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let tree = Tree::new(&["a.py"]);
    fs::write(tree.root().as_std_path().join(OsStr::from_bytes(b"\xff.ipynb")), "").unwrap();
    let walk = tree.walker().walk();
    assert_eq!(walk.candidates, ["a.py"]);
    assert_eq!(walk.skipped.len(), 1);
    assert_eq!(walk.skipped[0].reason, SkipReason::NotUtf8);
}

#[test]
fn paths_that_lead_out_are_no_candidates() {
    let tree = Tree::new(&["a.py", "sub/"]);
    let walker = tree.walker();
    assert!(walker.is_candidate("a.py".into()));
    for path in ["", "..", "../a.py", "/a.py", "sub/../a.py", "missing.py", "missing/a.py"] {
        assert!(!walker.is_candidate(path.into()), "{path}");
    }
    assert!(walker.admits_file("missing.py".into()));
}

#[test]
fn missing_root_is_told() {
    let tree = Tree::new(&[]);
    let walker = tree.walker();
    fs::remove_dir(tree.root()).unwrap();
    let walk = walker.walk();
    assert!(walk.folders.is_empty());
    assert_eq!(walk.unreadable.len(), 1);
    Walker::new(&tree.root(), &tree.config, &tree.dirs).unwrap_err();
}
