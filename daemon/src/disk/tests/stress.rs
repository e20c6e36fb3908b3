//! Editors that save at the same moment, again and again.
//!
//! A save counts as lost if it is neither in the notebook nor in a displaced file.

use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::*;

/// How an editor saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Editor {
    /// Truncates and writes, as VS Code, Jupyter and marimo do.
    InPlace,
    /// The same, with 0.3 ms between the two.
    InPlaceSlowly,
    /// Writes a new file and renames it over the old one, as vim does.
    Rename,
    /// Opened the file before, and writes to it now.
    Late,
}

impl Editor {
    fn save(self, path: &Utf8Path, open: &fs::File, text: &str) {
        match self {
            Self::InPlace => fs::write(path, text).unwrap(),
            Self::InPlaceSlowly => {
                let mut file = fs::File::create(path).unwrap();
                spin(Duration::from_micros(300));
                file.write_all(text.as_bytes()).unwrap();
            }
            Self::Rename => {
                let new = path.with_extension("saving");
                fs::write(&new, text).unwrap();
                fs::rename(new, path).unwrap();
            }
            Self::Late => open.write_all_at(text.as_bytes(), 0).unwrap(),
        }
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// A number below `end`, another one each time.
fn random(state: &mut u64, end: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % end
}

/// How long an editor and a write meet.
#[derive(Debug, Clone, Copy)]
enum Amount {
    Time(Duration),
    Saves(usize),
}

impl Amount {
    fn is_enough(self, start: Instant, saves: usize) -> bool {
        match self {
            Self::Time(time) => time <= start.elapsed(),
            Self::Saves(enough) => enough <= saves,
        }
    }
}

/// Lets an editor and a write meet again and again, and returns how many saves were made, and
/// how many of them were lost.
fn race(editor: Editor, method: Method, amount: Amount) -> (usize, usize) {
    let sandbox = Sandbox::new();
    // The two meet when the old text was checked and the swap is next.
    let swap = Arc::new(Barrier::new(2));
    let reached = swap.clone();
    let disk = sandbox
        .disk_with(move |step, _| {
            if matches!(step, Step::Exchange | Step::MoveOut | Step::RenameOver) {
                reached.wait();
            }
            Ok(())
        })
        .with_method(method);
    let path = sandbox.path("a.py");
    let options = WriteOptions { durable: false, ..WriteOptions::default() };
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut saves, mut lost, mut rescued) = (0, 0, 0);
    let done = Barrier::new(2);
    let (tell, told) = std::sync::mpsc::channel::<(fs::File, String, Duration)>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (open, saved, wait) in told {
                swap.wait();
                spin(wait);
                editor.save(&path, &open, &saved);
                done.wait();
            }
        });
        let start = Instant::now();
        while !amount.is_enough(start, saves) {
            let old = format!("old text {saves:09}");
            let saved = format!("saved {saves:012}");
            fs::write(&path, &old).unwrap();
            let open = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let wait = Duration::from_micros(random(&mut seed, 60));
            tell.send((open, saved.clone(), wait)).unwrap();
            let written = disk.write(&path, b"what nbsync writes", digest(&old), options);
            done.wait();
            match written {
                Ok(written) => rescued += usize::from(written.raced.is_some()),
                Err(WriteError::Changed { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
            let in_notebook = fs::read_to_string(&path).is_ok_and(|it| it == saved);
            if !in_notebook && !sandbox.displaced().contains(&saved) {
                lost += 1;
            }
            saves += 1;
            for displaced in disk.recover(&sandbox.root).unwrap() {
                fs::remove_file(displaced.path).unwrap();
            }
        }
        drop(tell);
    });
    println!("{editor:?} against {method:?}: {saves} saves, {rescued} rescued, LOST={lost}");
    (saves, lost)
}

/// `NBSYNC_STRESS_SAVES` makes it more than a smoke test: so many saves against the exchange, and a
/// tenth of that against what file systems without it do.
///
/// The last method is the one that the documentation says may lose a save at the same moment; its
/// figure is printed, and not more than that.
#[test]
fn no_save_is_lost() {
    let saves = std::env::var("NBSYNC_STRESS_SAVES").ok().and_then(|it| it.parse().ok());
    for method in [Method::Exchange, Method::MoveOut, Method::RenameOver] {
        let of_method = |saves: usize| if method == Method::Exchange { saves } else { saves / 10 };
        let saves = saves.map(of_method);
        let amount = saves.map_or(Amount::Time(Duration::from_millis(200)), Amount::Saves);
        for editor in [Editor::InPlace, Editor::InPlaceSlowly, Editor::Rename, Editor::Late] {
            let (saves, lost) = race(editor, method, amount);
            assert!(saves > 0);
            if method != Method::RenameOver {
                assert_eq!(lost, 0, "{editor:?} against {method:?}");
            }
        }
    }
}
