//! The folders of the user.

use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use etcetera::BaseStrategy;

/// Where nbsync keeps what is not in the notebooks' folders. All are absolute.
///
/// Passed around rather than looked up, so that a test has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// The user's home.
    pub home: Utf8PathBuf,
    /// Settings: `$XDG_CONFIG_HOME/nbsync`.
    pub config: Utf8PathBuf,
    /// Bases and history: `$XDG_STATE_HOME/nbsync`.
    pub state: Utf8PathBuf,
    /// Sockets: `$XDG_RUNTIME_DIR/nbsync`. Whoever makes it has to check whose it is:
    /// it may be in `/tmp`.
    pub runtime: Utf8PathBuf,
    /// What the user has told git to ignore everywhere (`core.excludesFile`).
    pub git_excludes: Option<Utf8PathBuf>,
    /// Where jupytext looks for a configuration that no folder of a notebook has.
    pub jupytext: Vec<Utf8PathBuf>,
    /// Jupyter's data folder, where it keeps which notebooks the user trusts.
    pub jupyter_data: Option<Utf8PathBuf>,
    /// Folders above which jupytext doesn't look (`JUPYTEXT_CEILING_DIRECTORIES`).
    pub jupytext_ceilings: Vec<Utf8PathBuf>,
}

/// Why the folders of the user are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirsError {
    /// Neither `$HOME` nor the system says where it is.
    #[error("cannot find the home folder")]
    NoHome(#[from] etcetera::HomeDirError),
    /// Paths go into messages and stored records as text.
    #[error("cannot use the folder `{0}`: its name is not UTF-8")]
    NotUtf8(String),
}

impl Dirs {
    /// Returns the folders that the environment says.
    ///
    /// Without `$XDG_RUNTIME_DIR`, as in a cron job or after `su`, the folder that
    /// systemd would have said is used if it is there, so that the command line
    /// finds the daemon, and `/tmp/nbsync-UID` otherwise: the name of a socket can't
    /// be longer than 107 bytes, which a home may exceed.
    pub fn from_env() -> Result<Self, DirsError> {
        let strategy = etcetera::choose_base_strategy()?;
        let home = utf8(strategy.home_dir().to_owned())?;
        let state = match strategy.state_dir() {
            Some(state) => utf8(state)?,
            None => home.join(".local/state"),
        };
        let runtime = match strategy.runtime_dir() {
            Some(runtime) => utf8(runtime)?.join("nbsync"),
            None => runtime_without_env(),
        };
        Ok(Self {
            config: utf8(strategy.config_dir())?.join("nbsync"),
            state: state.join("nbsync"),
            runtime,
            git_excludes: ignore::gitignore::gitconfig_excludes_path()
                .and_then(|path| Utf8PathBuf::from_path_buf(path).ok()),
            jupytext: jupytext_from_env(&home),
            jupyter_data: Some(match paths_from_env("JUPYTER_DATA_DIR").as_deref() {
                Some([data, ..]) => data.clone(),
                _ => utf8(strategy.data_dir())?.join("jupyter"),
            }),
            jupytext_ceilings: paths_from_env("JUPYTEXT_CEILING_DIRECTORIES").unwrap_or_default(),
            home,
        })
    }

    /// Returns folders that are all below this one, as a test wants them.
    pub fn below(folder: &Utf8Path) -> Self {
        Self {
            home: folder.to_owned(),
            config: folder.join("config"),
            state: folder.join("state"),
            runtime: folder.join("runtime"),
            git_excludes: None,
            jupytext: Vec::new(),
            jupyter_data: None,
            jupytext_ceilings: Vec::new(),
        }
    }
}

/// The folders of the user and of the system, as jupytext 1.19.6 has them.
fn jupytext_from_env(home: &Utf8Path) -> Vec<Utf8PathBuf> {
    let user = paths_from_env("XDG_CONFIG_HOME");
    let system = paths_from_env("XDG_CONFIG_DIRS");
    let user = user.unwrap_or_else(|| vec![home.join(".config"), home.to_owned()]);
    let system = system.unwrap_or_else(|| vec!["/usr/local/share".into(), "/usr/share".into()]);
    user.iter()
        .chain(&system)
        .flat_map(|folder| [folder.join("jupytext"), folder.clone()])
        .collect()
}

/// The paths in a variable, without those that are relative.
fn paths_from_env(name: &str) -> Option<Vec<Utf8PathBuf>> {
    let value = std::env::var(name).ok()?;
    let paths = value.split(':').map(Utf8PathBuf::from);
    Some(paths.filter(|path| path.is_absolute()).collect())
}

fn runtime_without_env() -> Utf8PathBuf {
    let uid = rustix::process::getuid().as_raw();
    let systemd = Utf8PathBuf::from(format!("/run/user/{uid}"));
    match systemd.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() && metadata.uid() == uid => systemd.join("nbsync"),
        _ => Utf8PathBuf::from(format!("/tmp/nbsync-{uid}")),
    }
}

fn utf8(path: std::path::PathBuf) -> Result<Utf8PathBuf, DirsError> {
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| DirsError::NotUtf8(path.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_gives_absolute_folders_of_our_own() {
        let dirs = Dirs::from_env().unwrap();
        for folder in [&dirs.config, &dirs.state, &dirs.runtime] {
            assert!(folder.is_absolute(), "{folder}");
            assert!(folder.file_name().unwrap().starts_with("nbsync"), "{folder}");
        }
    }

    #[test]
    fn runtime_folder_is_known_without_the_environment() {
        let uid = rustix::process::getuid().as_raw();
        let folder = runtime_without_env();
        let expected = [format!("/run/user/{uid}/nbsync"), format!("/tmp/nbsync-{uid}")];
        assert!(expected.contains(&folder.to_string()), "{folder}");
    }
}
