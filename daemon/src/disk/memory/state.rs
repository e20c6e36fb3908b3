//! Names and files, as a file system has them.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Contents, Entry, Kind, Stamp};

/// Names and files. A file whose last name is gone stays, for whoever has it open.
#[derive(Debug, Default)]
pub(super) struct State {
    names: BTreeMap<Utf8PathBuf, u64>,
    files: BTreeMap<u64, File>,
    clock: u64,
}

#[derive(Debug)]
struct File {
    bytes: Vec<u8>,
    mode: u32,
    mtime: u64,
    ctime: u64,
}

impl State {
    /// Lets time pass, and returns a number that was never returned before.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn inode(&self, path: &Utf8Path) -> Option<u64> {
        self.names.get(path).copied()
    }

    pub(super) fn create(&mut self, path: &Utf8Path, bytes: &[u8], mode: u32) -> u64 {
        let inode = self.tick();
        let file = File { bytes: bytes.to_vec(), mode, mtime: inode, ctime: inode };
        self.files.insert(inode, file);
        self.names.insert(path.to_owned(), inode);
        inode
    }

    pub(super) fn fill(&mut self, inode: u64, bytes: &[u8]) {
        let now = self.tick();
        if let Some(file) = self.files.get_mut(&inode) {
            file.bytes = bytes.to_vec();
            (file.mtime, file.ctime) = (now, now);
        }
    }

    pub(super) fn unname(&mut self, path: &Utf8Path) {
        self.tick();
        self.names.remove(path);
    }

    pub(super) fn rename(&mut self, from: &Utf8Path, to: &Utf8Path) {
        if let Some(inode) = self.names.remove(from) {
            self.names.insert(to.to_owned(), inode);
            self.touch(inode);
        }
    }

    pub(super) fn exchange(&mut self, first: &Utf8Path, second: &Utf8Path) {
        let inodes = (self.names.remove(first), self.names.remove(second));
        for (path, inode) in [(second, inodes.0), (first, inodes.1)] {
            if let Some(inode) = inode {
                self.names.insert(path.to_owned(), inode);
                self.touch(inode);
            }
        }
    }

    /// A rename changes the inode, not the contents.
    fn touch(&mut self, inode: u64) {
        let now = self.tick();
        if let Some(file) = self.files.get_mut(&inode) {
            file.ctime = now;
        }
    }

    pub(super) fn contents(&self, path: &Utf8Path) -> Option<Contents> {
        let inode = self.inode(path)?;
        let file = self.files.get(&inode)?;
        let ns = |tick: u64| i64::try_from(tick).unwrap_or(i64::MAX);
        let stamp = Stamp {
            size: file.bytes.len() as u64,
            mtime_ns: ns(file.mtime),
            ctime_ns: ns(file.ctime),
            ino: inode,
            dev: 1,
            nlink: 1,
            born_ns: Some(ns(inode)),
            mode: file.mode,
            kind: Kind::File,
        };
        Some(Contents { bytes: file.bytes.clone(), stamp })
    }

    pub(super) fn stamp(&self, path: &Utf8Path) -> Option<Stamp> {
        if let Some(contents) = self.contents(path) {
            return Some(contents.stamp);
        }
        let folder = Stamp {
            size: 0,
            mtime_ns: 0,
            ctime_ns: 0,
            ino: 0,
            dev: 1,
            nlink: 1,
            born_ns: None,
            mode: 0o755,
            kind: Kind::Folder,
        };
        self.is_folder(path).then_some(folder)
    }

    /// Folders exist as long as something is in them.
    pub(super) fn is_folder(&self, path: &Utf8Path) -> bool {
        self.below(path).next().is_some_and(|it| it != path)
    }

    pub(super) fn names_below(&self, path: &Utf8Path) -> Vec<Utf8PathBuf> {
        self.below(path).map(Utf8Path::to_owned).collect()
    }

    /// The name itself and all that are below it; `Utf8Path` sorts by component.
    fn below<'a>(&'a self, path: &'a Utf8Path) -> impl Iterator<Item = &'a Utf8Path> {
        self.names
            .range(path.to_owned()..)
            .map(|(name, _)| name.as_path())
            .take_while(move |name| name.starts_with(path))
    }

    pub(super) fn list(&self, dir: &Utf8Path) -> Option<Vec<Entry>> {
        let mut entries = BTreeSet::new();
        for name in self.below(dir) {
            let mut rest = name.strip_prefix(dir).ok()?.iter();
            // The path itself is a file.
            let first = rest.next()?;
            let kind = if rest.next().is_some() { Kind::Folder } else { Kind::File };
            entries.insert((first.to_owned(), kind == Kind::File));
        }
        let entry =
            |(name, is_file)| Entry { name, kind: if is_file { Kind::File } else { Kind::Folder } };
        (!entries.is_empty()).then(|| entries.into_iter().map(entry).collect())
    }

    pub(super) fn files(&self) -> Vec<(Utf8PathBuf, Vec<u8>)> {
        let file = |(name, inode): (&Utf8PathBuf, &u64)| {
            Some((name.clone(), self.files.get(inode)?.bytes.clone()))
        };
        self.names.iter().filter_map(file).collect()
    }
}
