//! The ways in which editors save, step by step.

use camino::Utf8PathBuf;

use super::super::rng::Rng;
use super::super::world::at;

/// What a save is made of.
pub(super) enum Op {
    Open,
    /// Into the file that was opened, whatever its name is by now.
    WriteOpen(Vec<u8>),
    /// Into the file of this name; a new one if there is none.
    Write(Utf8PathBuf, Vec<u8>),
    Copy(Utf8PathBuf, Utf8PathBuf),
    Rename(Utf8PathBuf, Utf8PathBuf),
    Delete(Utf8PathBuf),
}

/// The ways in which editors save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Truncate and write, as VS Code and marimo do.
    InPlace,
    /// Written at once into a file that was opened before.
    HeldOpen,
    /// In two parts.
    Halves,
    /// A copy, then in place, as JupyterLab does.
    Jupyter,
    /// The old file is renamed and a new one written.
    Vim,
    /// The same, and the old one stays.
    Emacs,
    /// Three renames.
    PyCharm,
    /// A temporary file is renamed over the old one.
    Rename,
    /// The old file is deleted and a new one written, as git does.
    Recreate,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::InPlace,
        Self::HeldOpen,
        Self::Halves,
        Self::Jupyter,
        Self::Vim,
        Self::Emacs,
        Self::PyCharm,
        Self::Rename,
        Self::Recreate,
    ];

    pub(crate) fn any(rng: &mut Rng) -> Self {
        *rng.pick(&Self::ALL)
    }

    pub(super) fn ops(self, path: &str, text: &str, half: usize) -> Vec<Op> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let beside = |other: String| at(&path[..path.len() - name.len()]).join(other);
        let (path, text) = (at(path), text.as_bytes().to_vec());
        let backup = beside(format!("{name}~"));
        match self {
            Self::InPlace => vec![Op::Open, Op::WriteOpen(Vec::new()), Op::WriteOpen(text)],
            Self::HeldOpen => vec![Op::Open, Op::WriteOpen(text)],
            Self::Halves => {
                vec![Op::Open, Op::WriteOpen(text[..half].to_vec()), Op::WriteOpen(text)]
            }
            Self::Jupyter => {
                let copy = beside(format!(".~{name}"));
                vec![
                    Op::Copy(path, copy.clone()),
                    Op::Open,
                    Op::WriteOpen(Vec::new()),
                    Op::WriteOpen(text),
                    Op::Delete(copy),
                ]
            }
            Self::Vim => {
                let probe = beside("4913".to_owned());
                vec![
                    Op::Write(probe.clone(), Vec::new()),
                    Op::Delete(probe),
                    Op::Rename(path.clone(), backup.clone()),
                    Op::Write(path, text),
                    Op::Delete(backup),
                ]
            }
            Self::Emacs => vec![Op::Rename(path.clone(), backup), Op::Write(path, text)],
            Self::PyCharm => {
                let (new, old) =
                    (beside(format!("{name}___jb_tmp___")), beside(format!("{name}___jb_old___")));
                vec![
                    Op::Write(new.clone(), text),
                    Op::Rename(path.clone(), old.clone()),
                    Op::Rename(new, path),
                    Op::Delete(old),
                ]
            }
            Self::Rename => {
                let new = beside(format!(".goutputstream-{name}"));
                vec![Op::Write(new.clone(), text), Op::Rename(new, path)]
            }
            Self::Recreate => vec![Op::Delete(path.clone()), Op::Write(path, text)],
        }
    }
}
