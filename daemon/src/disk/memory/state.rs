//! Names and files, as a file system has them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use camino::{Utf8Path, Utf8PathBuf};

use crate::disk::{Contents, Entry, Kind, Stamp};

/// Names and files. A file whose last name is gone stays, for whoever has it open.
#[derive(Debug, Default)]
pub(super) struct State {
    names: BTreeMap<Utf8PathBuf, u64>,
    files: BTreeMap<u64, File>,
    clock: u64,
    /// The names as they were before the last changes of the daemon, oldest first, that
    /// nothing has flushed to the device yet.
    unflushed: VecDeque<BTreeMap<Utf8PathBuf, u64>>,
}

/// How many changes of names a power cut may undo.
const MAX_UNFLUSHED: usize = 4;

#[derive(Debug)]
struct File {
    bytes: Vec<u8>,
    mode: u32,
    mtime: u64,
    ctime: u64,
    /// Whether a power cut leaves the bytes as they are.
    is_synced: bool,
    /// Whether the file took the place of another one.
    has_replaced: bool,
}

impl State {
    /// Lets time pass, and returns a number that was never returned before.
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// The last number that [`tick`](Self::tick) returned.
    pub(super) fn n_changes(&self) -> u64 {
        self.clock
    }

    pub(super) fn inode(&self, path: &Utf8Path) -> Option<u64> {
        self.names.get(path).copied()
    }

    pub(super) fn create(&mut self, path: &Utf8Path, bytes: &[u8], mode: u32) -> u64 {
        let inode = self.tick();
        let file = File {
            bytes: bytes.to_vec(),
            mode,
            mtime: inode,
            ctime: inode,
            is_synced: false,
            has_replaced: false,
        };
        self.files.insert(inode, file);
        self.names.insert(path.to_owned(), inode);
        inode
    }

    pub(super) fn fill(&mut self, inode: u64, bytes: &[u8]) {
        let now = self.tick();
        if let Some(file) = self.files.get_mut(&inode) {
            file.bytes = bytes.to_vec();
            (file.mtime, file.ctime, file.is_synced) = (now, now, false);
        }
    }

    /// Brings the bytes of a file to the device, and with them all changes of names so far,
    /// as the journal of a file system does.
    pub(super) fn sync(&mut self, inode: u64) {
        self.sync_names();
        if let Some(file) = self.files.get_mut(&inode) {
            file.is_synced = true;
        }
    }

    /// Brings all changes of names so far to the device.
    pub(super) fn sync_names(&mut self) {
        self.unflushed.clear();
    }

    /// Notes that a change of names may be undone by a power cut.
    pub(super) fn note_names(&mut self) {
        self.unflushed.push_back(self.names.clone());
        if MAX_UNFLUSHED < self.unflushed.len() {
            self.unflushed.pop_front();
        }
    }

    /// Loses what is not on the device. `below(n)` says how much, as a number below `n`.
    pub(super) fn cut_power(&mut self, below: &mut dyn FnMut(usize) -> usize) {
        let n_undone = below(self.unflushed.len() + 1);
        let first = self.unflushed.len() - n_undone;
        if let Some(names) = self.unflushed.get(first) {
            self.names.clone_from(names);
        }
        self.unflushed.clear();
        for file in self.files.values_mut().filter(|file| !file.is_synced) {
            file.is_synced = true;
            // The name of a new file can be there before its bytes; bytes that are written
            // over others can be there in part.
            let len = file.bytes.len();
            match below(if file.has_replaced { 4 } else { 3 }) {
                0 => {}
                1 => file.bytes.clear(),
                2 => file.bytes = vec![0; len],
                _ => file.bytes.truncate(below(len + 1)),
            }
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
        if let Some(file) = inodes.1.and_then(|inode| self.files.get_mut(&inode)) {
            file.has_replaced = true;
        }
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
        let (file, stamp) = self.file(path)?;
        Some(Contents { bytes: file.bytes.clone(), stamp })
    }

    fn file(&self, path: &Utf8Path) -> Option<(&File, Stamp)> {
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
        Some((file, stamp))
    }

    pub(super) fn stamp(&self, path: &Utf8Path) -> Option<Stamp> {
        if let Some((_, stamp)) = self.file(path) {
            return Some(stamp);
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

    pub(super) fn stamps(&self) -> Vec<(Utf8PathBuf, Stamp)> {
        self.names.keys().filter_map(|name| Some((name.clone(), self.stamp(name)?))).collect()
    }
}
