//! Names of files that tools make while they save.

use camino::{Utf8Path, Utf8PathBuf};

/// Whether a file or folder of this name is never a notebook, but something
/// that a tool makes for a moment, or for itself.
///
/// Most are halves of a save: its end is an event of the notebook itself.
pub fn is_ignored_name(name: &str) -> bool {
    // jupyter_server copies `a.ipynb` to `.~a.ipynb` before it saves.
    name.starts_with(".~")
        // Emacs: a link that locks, an autosave. LibreOffice and Office: a lock.
        || name.starts_with(".#")
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
        || name.starts_with("~$")
        // Vim, Emacs and others: the old version.
        || name.ends_with('~')
        // Vim: a file to find out whether the folder is writable, and swap files.
        || name == "4913"
        || is_vim_swap(name)
        // PyCharm: the new version on its way in, the old one on its way out.
        || name.ends_with("___jb_tmp___")
        || name.ends_with("___jb_old___")
        // GNOME editors: the new version.
        || name.starts_with(".goutputstream-")
        // jupytext 1.19.6: `NAME_tmp_jupytext_PID.ext`, then a rename.
        || name.contains("_tmp_jupytext_")
        // jupyter_server: what a broken notebook was moved to.
        || name.ends_with(".invalid")
        || name == ".ipynb_checkpoints"
        || (name.starts_with(".syncthing.") && is_temporary(name))
        || is_own_temporary(name)
}

/// Returns the file of which this is jupytext's next version, if it is one:
/// `NAME_tmp_jupytext_PID.ext`.
pub(super) fn jupytext_target(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let (stem, rest) = path.file_name()?.rsplit_once("_tmp_jupytext_")?;
    let (pid, extension) = rest.split_once('.')?;
    let is_ours = !stem.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| path.with_file_name(format!("{stem}.{extension}")))
}

/// `.a.py.swp`, and `.swo`, `.swn`, ... when one is there already.
fn is_vim_swap(name: &str) -> bool {
    name.starts_with('.')
        && name.rsplit_once('.').is_some_and(|(_, extension)| {
            extension.len() == 3 && extension.starts_with("sw") && extension.is_ascii()
        })
}

/// Our own next version of a file, beside it: `.a.py.nbsync-1f3a.tmp`.
fn is_own_temporary(name: &str) -> bool {
    name.starts_with('.') && name.contains(".nbsync-") && is_temporary(name)
}

fn is_temporary(name: &str) -> bool {
    Utf8Path::new(name).extension() == Some("tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tools_are_ignored() {
        for name in [
            ".~a.ipynb",
            "a.py~",
            "4913",
            ".#a.py",
            "#a.py#",
            ".a.py.swp",
            ".a.py.swx",
            "a.py___jb_tmp___",
            "a.py___jb_old___",
            ".goutputstream-ABC123",
            ".a.ipynb.nbsync-1f3a.tmp",
            "a.ipynb.invalid",
            ".ipynb_checkpoints",
            ".syncthing.a.ipynb.tmp",
            "~$a.docx",
            "a_tmp_jupytext_4711.ipynb",
        ] {
            assert!(is_ignored_name(name), "{name}");
        }
    }

    #[test]
    fn next_versions_of_jupytext_name_their_file() {
        let target = |path: &str| jupytext_target(path.into());
        assert_eq!(target("/x/a_tmp_jupytext_4711.ipynb"), Some("/x/a.ipynb".into()));
        assert_eq!(target("/x/a.b_tmp_jupytext_1.py"), Some("/x/a.b.py".into()));
        assert_eq!(target("/x/_tmp_jupytext_1.py"), None);
        assert_eq!(target("/x/a_tmp_jupytext_x.py"), None);
        assert_eq!(target("/x/a.py"), None);
    }

    #[test]
    fn names_of_notebooks_are_not_ignored() {
        for name in
            ["a.ipynb", "a.py", "#.py", "#", "a#.py", "a.swp.py", "4913.py", "nbsync-1.tmp", ".git"]
        {
            assert!(!is_ignored_name(name), "{name}");
        }
    }
}
