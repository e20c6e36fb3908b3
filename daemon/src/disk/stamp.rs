//! What the system knows about a file without reading it.

use std::fs::File;

use rustix::fs::{AtFlags, FileType, Stat, StatxFlags};
use serde::{Deserialize, Serialize};

/// What the system knows about a file without reading it.
///
/// Equal stamps mean an unread file, for the sweep over known files and for a
/// warm start. The time of the inode's change is part of it, because `cp -p`, `rsync` and
/// `touch -r` set the modification time back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Time of the inode's last change in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// Inode.
    pub ino: u64,
    /// Device. Some systems number devices anew at every boot.
    pub dev: u64,
    /// Hard links.
    pub nlink: u64,
    /// When the inode was made, in nanoseconds since 1970, where the file system says so and
    /// somebody asked. Together with the inode's number it says which file this is: numbers are
    /// given anew as soon as they are free.
    #[serde(default)]
    pub born_ns: Option<i64>,
    /// Permissions, without the file's type.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A folder.
    Folder,
    /// A FIFO, a socket or a device.
    Other,
}

impl Stamp {
    /// Whether both describe the same bytes of the same file.
    ///
    /// Permissions and the number of links may differ.
    pub fn same_content(&self, other: &Self) -> bool {
        (self.size, self.mtime_ns, self.ctime_ns, self.ino, self.dev)
            == (other.size, other.mtime_ns, other.ctime_ns, other.ino, other.dev)
    }

    /// Whether both describe the same file, whatever it holds and is called.
    ///
    /// False if that can't be told.
    pub fn same_file(&self, other: &Self) -> bool {
        self.ino == other.ino && self.born_ns.is_some() && self.born_ns == other.born_ns
    }

    /// Adds when the file was made.
    pub(super) fn with_birth(self, file: &File) -> Self {
        let asked = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME);
        let told = asked
            .ok()
            .filter(|it| StatxFlags::from_bits_retain(it.stx_mask).contains(StatxFlags::BTIME));
        let born_ns = told.map(|it| {
            it.stx_btime
                .tv_sec
                .saturating_mul(1_000_000_000)
                .saturating_add(it.stx_btime.tv_nsec.into())
        });
        Self { born_ns, ..self }
    }

    // The fields of `stat` have other types on other systems.
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        clippy::cast_lossless
    )]
    pub(super) fn from_stat(stat: &Stat) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: stat.st_size as u64,
            mtime_ns: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            ino: stat.st_ino as u64,
            dev: stat.st_dev as u64,
            nlink: stat.st_nlink as u64,
            born_ns: None,
            mode: stat.st_mode as u32 & 0o7777,
            kind: Kind::from_type(FileType::from_raw_mode(stat.st_mode)),
        }
    }
}

impl Kind {
    pub(super) fn from_type(file_type: FileType) -> Self {
        match file_type {
            FileType::RegularFile => Self::File,
            FileType::Symlink => Self::Symlink,
            FileType::Directory => Self::Folder,
            _ => Self::Other,
        }
    }
}
