//! How changes are noticed.

use std::fmt;

/// How changes are noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchMode {
    /// The system reports changes of all folders.
    Native,
    /// All folders are looked at from time to time.
    Polling {
        /// Why, and what helps.
        reason: String,
    },
    /// Some folders are looked at from time to time.
    Partial {
        /// Why, and what helps.
        reason: String,
    },
}

impl fmt::Display for WatchMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native => f.write_str("watching"),
            Self::Polling { reason } => write!(f, "polling: {reason}"),
            Self::Partial { reason } => write!(f, "polling some folders: {reason}"),
        }
    }
}

/// Why a folder is polled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// The user wants it.
    Configured,
    /// The file system doesn't tell about the changes that others make.
    FileSystem(&'static str),
    /// `inotify_add_watch` gave `ENOSPC`.
    NoWatchLeft,
    /// `inotify_init` failed, mostly with `EMFILE`.
    NoInstance(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured => f.write_str("the configuration says so"),
            Self::FileSystem(name) => write!(f, "{name} doesn't report changes made elsewhere"),
            Self::NoWatchLeft => {
                let (name, value) = advice("max_user_watches", 524_288);
                write!(
                    f,
                    "the limit of inotify watches is reached; `sysctl {name}={value}` raises it"
                )
            }
            Self::NoInstance(error) => {
                let (name, value) = advice("max_user_instances", 512);
                write!(f, "cannot start inotify ({error}); `sysctl {name}={value}` may help")
            }
        }
    }
}

/// The name of a limit, and a value that is more than it is now.
fn advice(limit: &str, usual: u64) -> (String, u64) {
    let now = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{limit}"))
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok())
        .unwrap_or(0);
    (format!("fs.inotify.{limit}"), usual.max(now.saturating_mul(2)))
}
