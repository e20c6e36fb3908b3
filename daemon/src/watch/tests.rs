//! What the real watcher tells about real files, saved as editors save them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use notify::{EventHandler, RecursiveMode, WatcherKind};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::WatchEvent::{Appeared, Gone, Replacing, Touched};
use super::folders::Folders;
use super::*;
use crate::config::{Config, Poll};
use crate::dirs::Dirs;
use crate::walk::Walker;

/// A folder with one notebook, and a watcher of it.
struct Desk<W = FolderWatcher> {
    folder: TempDir,
    watcher: W,
    events: UnboundedReceiver<WatchEvent>,
}

impl Desk {
    fn new() -> Self {
        Self::with(Poll::Auto)
    }

    fn with(poll: Poll) -> Self {
        let (sender, events) = unbounded_channel();
        let poll_interval = Duration::from_millis(100);
        let config = Config { poll, poll_interval, ..Config::default() };
        let watcher = FolderWatcher::start(&config, sender).unwrap();
        Self::watched_by(watcher, events)
    }
}

impl<W: Watcher> Desk<W> {
    fn watched_by(watcher: W, events: UnboundedReceiver<WatchEvent>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = Self { folder, watcher, events };
        fs::create_dir(desk.path("")).unwrap();
        fs::write(desk.notebook(), "old").unwrap();
        fs::write(desk.path("cookie"), "").unwrap();
        desk.watch("").unwrap();
        desk
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        let root = Utf8Path::from_path(self.folder.path()).unwrap().join("root");
        if name.is_empty() { root } else { root.join(name) }
    }

    fn notebook(&self) -> Utf8PathBuf {
        self.path("a.ipynb")
    }

    fn watch(&mut self, name: &str) -> Result<(), WatchError> {
        let path = self.path(name);
        self.watcher.watch(&path)
    }

    /// Takes events up to this one.
    #[track_caller]
    fn expect(&mut self, event: &WatchEvent) -> impl Future<Output = Vec<WatchEvent>> {
        let wanted = event.clone();
        async move {
            let mut seen = Vec::new();
            while seen.last() != Some(&wanted) {
                match timeout(Duration::from_secs(20), self.events.recv()).await {
                    Ok(Some(event)) => seen.push(event),
                    _ => panic!("no {wanted:?} after {seen:?}"),
                }
            }
            seen
        }
    }

    /// Takes all events of what was done before, both times that they are told.
    async fn all(&mut self) -> Vec<WatchEvent> {
        let cookie = self.path("cookie");
        fs::write(&cookie, "").unwrap();
        let cookie = Touched(cookie);
        let mut seen = self.expect(&cookie).await;
        seen.extend(self.expect(&cookie).await);
        seen.retain(|event| *event != cookie);
        seen
    }
}

fn count(events: &[WatchEvent], event: &WatchEvent) -> usize {
    events.iter().filter(|it| *it == event).count()
}

#[tokio::test]
async fn save_in_place_is_told_at_its_end_and_confirmed() {
    let mut desk = Desk::new();
    let notebook = desk.notebook();
    let mut file = OpenOptions::new().write(true).truncate(true).open(&notebook).unwrap();
    file.write_all(b"ne").unwrap();
    assert_eq!(desk.all().await, [], "in the middle");
    file.write_all(b"w").unwrap();
    drop(file);
    let events = desk.all().await;
    assert_eq!(count(&events, &Touched(notebook)), 2);
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn save_by_rename_is_told() {
    let mut desk = Desk::new();
    let (notebook, temporary) = (desk.notebook(), desk.path("a_tmp_jupytext_1.ipynb"));
    fs::write(&temporary, "new").unwrap();
    fs::rename(&temporary, &notebook).unwrap();
    let events = desk.all().await;
    // jupytext has more files to write.
    assert_eq!(events.first(), Some(&Replacing(notebook.clone())));
    assert!(events.contains(&Touched(notebook)), "{events:?}");
    assert!(!events.contains(&Touched(temporary)), "{events:?}");
}

#[tokio::test]
async fn exchange_is_told() {
    let mut desk = Desk::new();
    let (notebook, temporary) = (desk.notebook(), desk.path(".a.ipynb.nbsync-1.tmp"));
    fs::write(&temporary, "new").unwrap();
    renameat_with(CWD, notebook.as_std_path(), CWD, temporary.as_std_path(), RenameFlags::EXCHANGE)
        .unwrap();
    let events = desk.expect(&Touched(notebook.clone())).await;
    assert!(events.iter().all(|it| matches!(it, Touched(path) | Gone(path) if *path == notebook)));
}

#[tokio::test]
async fn save_as_vim_does_is_told() {
    let mut desk = Desk::new();
    let (notebook, backup) = (desk.notebook(), desk.path("a.ipynb~"));
    fs::write(desk.path("4913"), "").unwrap();
    fs::remove_file(desk.path("4913")).unwrap();
    fs::rename(&notebook, &backup).unwrap();
    fs::write(&notebook, "new").unwrap();
    fs::remove_file(&backup).unwrap();
    let events = desk.all().await;
    assert_eq!(events[..2], [Gone(notebook.clone()), Touched(notebook.clone())]);
    assert!(events.iter().all(|it| matches!(it, Touched(path) | Gone(path) if *path == notebook)));
}

#[tokio::test]
async fn delete_and_create_is_told() {
    let mut desk = Desk::new();
    let notebook = desk.notebook();
    fs::remove_file(&notebook).unwrap();
    fs::write(&notebook, "new").unwrap();
    assert_eq!(desk.all().await[..2], [Gone(notebook.clone()), Touched(notebook)]);
}

/// notify-debouncer-full 0.7 alone tells nothing here (notify#900).
#[tokio::test]
async fn deletion_right_after_a_save_is_told() {
    let mut desk = Desk::new();
    let (notebook, temporary) = (desk.notebook(), desk.path("temporary"));
    fs::write(&temporary, "new").unwrap();
    fs::rename(&temporary, &notebook).unwrap();
    fs::remove_file(&notebook).unwrap();
    assert!(desk.all().await.contains(&Gone(notebook)));
}

#[tokio::test]
async fn reading_is_not_told() {
    let mut desk = Desk::new();
    drop(File::open(desk.notebook()).unwrap());
    fs::read_dir(desk.path("")).unwrap().for_each(drop);
    assert_eq!(desk.all().await, []);
}

#[tokio::test]
async fn changed_mode_and_new_links_are_told() {
    let mut desk = Desk::new();
    let (notebook, hard, soft) = (desk.notebook(), desk.path("hard.py"), desk.path("soft.py"));
    fs::set_permissions(&notebook, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(desk.all().await, [Touched(notebook.clone())]);
    fs::hard_link(&notebook, &hard).unwrap();
    symlink(&notebook, &soft).unwrap();
    let events = desk.all().await;
    assert!(events.contains(&Touched(hard)) && events.contains(&Touched(soft)), "{events:?}");
}

/// With watches that notify sets by itself, most of these would go unseen.
#[tokio::test]
async fn file_written_at_once_into_new_folders_is_found() {
    let mut desk = Desk::new();
    let root = desk.path("");
    let walker = Walker::new(&root, &Config::default(), &Dirs::below(&root)).unwrap();
    for idx in 0..50 {
        let top = desk.path(&format!("new-{idx}"));
        let notebook = top.join("deep/er/a.ipynb");
        fs::create_dir_all(notebook.parent().unwrap()).unwrap();
        fs::write(&notebook, "new").unwrap();
        let mut found = false;
        while !found {
            let event = timeout(Duration::from_secs(20), desk.events.recv()).await;
            match event.unwrap().unwrap() {
                Appeared(folder) => {
                    desk.watcher.watch(&folder).unwrap();
                    let walk = walker.walk_below(walker.relative(&folder).unwrap());
                    for folder in &walk.folders {
                        desk.watcher.watch(&walker.absolute(folder)).unwrap();
                    }
                    found |= walk.candidates.iter().any(|it| walker.absolute(it) == notebook);
                }
                Touched(path) => found |= path == notebook,
                event => panic!("{event:?}"),
            }
        }
    }
}

#[tokio::test]
async fn folder_is_watched_again_after_it_was_away() {
    let mut desk = Desk::new();
    let (sub, file) = (desk.path("sub"), desk.path("sub/a.py"));
    for _ in 0..3 {
        fs::create_dir(&sub).unwrap();
        desk.expect(&Appeared(sub.clone())).await;
        desk.watch("sub").unwrap();
        fs::write(&file, "x").unwrap();
        desk.expect(&Touched(file.clone())).await;
        fs::remove_dir_all(&sub).unwrap();
        desk.expect(&Gone(file.clone())).await;
        desk.expect(&Gone(sub.clone())).await;
        desk.all().await;
    }
    desk.watcher.unwatch(&sub);
    assert!(matches!(desk.watch("sub"), Err(WatchError::Gone { .. })));
}

#[tokio::test]
async fn renamed_folder_is_told_by_both_names() {
    let mut desk = Desk::new();
    let (old, new) = (desk.path("old"), desk.path("new"));
    fs::create_dir(&old).unwrap();
    desk.watch("old").unwrap();
    desk.all().await;
    fs::rename(&old, &new).unwrap();
    let events = desk.expect(&Appeared(new.clone())).await;
    assert!(events.contains(&Gone(old.clone())), "{events:?}");
    desk.watcher.unwatch(&old);
    desk.watch("new").unwrap();
    desk.all().await;
    fs::write(new.join("a.py"), "x").unwrap();
    desk.expect(&Touched(new.join("a.py"))).await;
}

#[tokio::test]
async fn unwatched_folder_is_silent() {
    let mut desk = Desk::new();
    let sub = desk.path("sub");
    fs::create_dir(&sub).unwrap();
    desk.watch("sub").unwrap();
    desk.all().await;
    desk.watcher.unwatch(&sub);
    fs::write(sub.join("a.py"), "x").unwrap();
    assert_eq!(desk.all().await, []);
}

#[tokio::test]
async fn what_is_no_folder_is_refused_and_the_rest_goes_on() {
    let mut desk = Desk::new();
    symlink(".", desk.path("link")).unwrap();
    desk.all().await;
    assert!(matches!(desk.watch("a.ipynb"), Err(WatchError::NotAFolder { .. })));
    assert!(matches!(desk.watch("link"), Err(WatchError::NotAFolder { .. })));
    assert!(matches!(desk.watch("missing"), Err(WatchError::Gone { .. })));
    assert_eq!(desk.watcher.mode(), WatchMode::Native);
    let notebook = desk.notebook();
    fs::write(&notebook, "new").unwrap();
    desk.expect(&Touched(notebook)).await;
}

#[tokio::test]
async fn polling_finds_what_comes_and_goes() {
    let mut desk = Desk::with(Poll::Always);
    assert!(matches!(desk.watcher.mode(), WatchMode::Polling { .. }));
    let (file, sub, notebook) = (desk.path("b.py"), desk.path("sub"), desk.notebook());
    fs::write(&file, "x").unwrap();
    desk.expect(&Touched(file)).await;
    fs::create_dir(&sub).unwrap();
    desk.expect(&Appeared(sub)).await;
    let modified = fs::metadata(&notebook).unwrap().modified().unwrap();
    let file = OpenOptions::new().write(true).open(&notebook).unwrap();
    file.set_modified(modified + Duration::from_secs(2)).unwrap();
    desk.expect(&Touched(notebook.clone())).await;
    fs::remove_file(&notebook).unwrap();
    desk.expect(&Gone(notebook)).await;
}

/// A watcher of a system that has one watch to give.
struct OneWatch {
    is_given: bool,
}

impl notify::Watcher for OneWatch {
    fn new<F: EventHandler>(_handler: F, _config: notify::Config) -> notify::Result<Self> {
        Ok(Self { is_given: false })
    }

    fn watch(&mut self, _path: &std::path::Path, _mode: RecursiveMode) -> notify::Result<()> {
        if self.is_given {
            return Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        }
        self.is_given = true;
        Ok(())
    }

    fn unwatch(&mut self, _path: &std::path::Path) -> notify::Result<()> {
        self.is_given = false;
        Ok(())
    }

    fn kind() -> WatcherKind {
        WatcherKind::NullWatcher
    }
}

/// A watcher of a system that has none.
struct NoWatch;

impl notify::Watcher for NoWatch {
    fn new<F: EventHandler>(_handler: F, _config: notify::Config) -> notify::Result<Self> {
        Err(notify::Error::io(std::io::Error::from_raw_os_error(24)))
    }

    fn watch(&mut self, _path: &std::path::Path, _mode: RecursiveMode) -> notify::Result<()> {
        Ok(())
    }

    fn unwatch(&mut self, _path: &std::path::Path) -> notify::Result<()> {
        Ok(())
    }

    fn kind() -> WatcherKind {
        WatcherKind::NullWatcher
    }
}

#[tokio::test]
async fn folders_beyond_the_limit_are_polled() {
    let (sender, events) = unbounded_channel();
    let watcher = Folders::<OneWatch>::start(Poll::Auto, Duration::from_millis(100), sender);
    let mut desk = Desk::watched_by(watcher.unwrap(), events);
    assert_eq!(desk.watcher.mode(), WatchMode::Native);
    let sub = desk.path("sub");
    fs::create_dir(&sub).unwrap();
    desk.watch("sub").unwrap();
    let WatchMode::Partial { reason } = desk.watcher.mode() else { panic!("not partial") };
    assert!(reason.contains("sysctl fs.inotify.max_user_watches="), "{reason}");
    fs::write(sub.join("a.py"), "x").unwrap();
    desk.expect(&Touched(sub.join("a.py"))).await;
    let root = desk.path("");
    desk.watcher.unwatch(&root);
    desk.watch("sub").unwrap();
    assert_eq!(desk.watcher.mode(), WatchMode::Native, "there was a watch again");
}

#[tokio::test]
async fn folders_beyond_the_limit_are_errors_if_polling_is_forbidden() {
    let (sender, events) = unbounded_channel();
    let watcher = Folders::<OneWatch>::start(Poll::Never, Duration::from_millis(100), sender);
    let mut desk = Desk::watched_by(watcher.unwrap(), events);
    fs::create_dir(desk.path("sub")).unwrap();
    assert!(matches!(desk.watch("sub"), Err(WatchError::Exhausted { .. })));
    assert_eq!(desk.watcher.mode(), WatchMode::Native);
}

#[tokio::test]
async fn all_is_polled_if_the_system_has_no_watcher() {
    let (sender, events) = unbounded_channel();
    let watcher = Folders::<NoWatch>::start(Poll::Auto, Duration::from_millis(100), sender);
    let mut desk = Desk::watched_by(watcher.unwrap(), events);
    let WatchMode::Polling { reason } = desk.watcher.mode() else { panic!("not polling") };
    assert!(reason.contains("sysctl fs.inotify.max_user_instances="), "{reason}");
    let file = desk.path("b.py");
    fs::write(&file, "x").unwrap();
    desk.expect(&Touched(file)).await;
    let (sender, _) = unbounded_channel();
    let never = Folders::<NoWatch>::start(Poll::Never, Duration::from_millis(100), sender);
    assert!(matches!(never, Err(WatchError::NotStarted(_))));
}
#[tokio::test]
async fn unreadable_folder_is_refused_and_the_rest_goes_on() {
    let mut desk = Desk::new();
    let closed = desk.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    let res = desk.watch("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        println!("nothing is unreadable for root");
    } else {
        assert!(matches!(res, Err(WatchError::Refused { .. })), "{res:?}");
    }
    desk.expect(&Appeared(closed)).await;
    let notebook = desk.notebook();
    fs::write(&notebook, "new").unwrap();
    desk.expect(&Touched(notebook)).await;
}
