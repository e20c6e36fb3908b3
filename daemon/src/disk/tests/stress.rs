//! Editors that save at the same moment, again and again.
//!
//! A save counts as lost if it is not in the notebook, and the daemon does not learn of it
//! either: not from the write, and not from the look at the displaced file later.

use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
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

/// Lets two threads go on at the same moment, which is closer than the system wakes them.
#[derive(Default)]
struct Gate(AtomicUsize);

impl Gate {
    fn pass(&self) {
        let start = Instant::now();
        let both = self.0.fetch_add(1, Ordering::AcqRel) / 2 * 2 + 2;
        while self.0.load(Ordering::Acquire) < both {
            // The other one may need this processor.
            if start.elapsed() < Duration::from_micros(20) {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// From when to when something lasted.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: Instant,
    to: Instant,
}

impl Span {
    fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// How long something takes, by the last times.
struct Usual(Duration);

impl Usual {
    fn learn(&mut self, span: Span) {
        // One that the system interrupted says little.
        let now = (span.to - span.from).min(4 * self.0);
        self.0 = (self.0 * 15 + now) / 16;
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap().max(1000)
    }
}

/// What is to happen at the next swap.
struct Swap {
    /// Tells the editor what to save, through which open file, and how long to wait before.
    tell: mpsc::Sender<Save>,
    save: Option<Save>,
    /// How long the write waits before the swap, once both are ready.
    wait: Duration,
    /// When the old text had been checked.
    checked: Option<Instant>,
    /// When both were ready.
    ready: Option<Instant>,
    /// When the write was about to look at what it had replaced.
    inspected: Option<Instant>,
}

impl Swap {
    fn new(tell: mpsc::Sender<Save>) -> Self {
        let wait = Duration::ZERO;
        Self { tell, save: None, wait, checked: None, ready: None, inspected: None }
    }
}

/// One save.
struct Save {
    open: fs::File,
    text: String,
    wait: Duration,
}

/// How long an editor and a write meet.
#[derive(Debug, Clone, Copy)]
enum Amount {
    Time(Duration),
    Saves(usize),
}

/// How a race went.
#[derive(Debug, Default)]
struct Tally {
    saves: usize,
    /// Saves that came, at least in part, after the write had checked the old text, and before it
    /// looked at what it replaced.
    met: usize,
    rescued: usize,
    lost: usize,
}

impl Amount {
    fn is_enough(self, start: Instant, tally: &Tally) -> bool {
        match self {
            Self::Time(time) => time <= start.elapsed(),
            Self::Saves(enough) => enough <= tally.met,
        }
    }
}

/// Lets an editor and a write meet again and again.
///
/// Both wait for each other when the write has checked the old text and the swap is next.
/// Then one of them waits a little: for each offset at which a save and a swap that take
/// as long as the last ones did still overlap, the chance is the same.
fn race(editor: Editor, method: Method, amount: Amount) -> Tally {
    let sandbox = Sandbox::new();
    let step_of_swap = match method {
        Method::Exchange => Step::Exchange,
        Method::MoveOut => Step::MoveOut,
        Method::RenameOver => Step::RenameOver,
    };
    let (tell, told) = mpsc::channel::<Save>();
    let (gate, swap) = (Arc::new(Gate::default()), Arc::new(Mutex::new(Swap::new(tell))));
    let (its_gate, its_swap) = (gate.clone(), swap.clone());
    let observer = move |step, _: &Utf8Path| {
        let mut swap = its_swap.lock().unwrap();
        if step == Step::Inspect {
            swap.inspected = Some(Instant::now());
        } else if step == step_of_swap
            && let Some(save) = swap.save.take()
        {
            swap.checked = Some(Instant::now());
            swap.tell.send(save).unwrap();
            its_gate.pass();
            swap.ready = Some(Instant::now());
            spin(swap.wait);
        }
        Ok(())
    };
    let disk = sandbox.disk_with(observer).with_method(method);
    let path = sandbox.path("a.py");
    let options = WriteOptions { durable: false, ..WriteOptions::default() };
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut of_save, mut of_swap) =
        (Usual(Duration::from_micros(50)), Usual(Duration::from_micros(50)));
    let mut tally = Tally::default();
    let (done, is_done) = mpsc::channel();
    std::thread::scope(|scope| {
        let (file, gate) = (&path, &gate);
        scope.spawn(move || {
            for Save { open, text, wait } in told {
                gate.pass();
                spin(wait);
                let from = Instant::now();
                editor.save(file, &open, &text);
                done.send(Span { from, to: Instant::now() }).unwrap();
            }
        });
        let start = Instant::now();
        while !amount.is_enough(start, &tally) {
            let old = format!("old text {:09}", tally.saves);
            let saved = format!("saved {:012}", tally.saves);
            // Truncating it would wait for the device.
            fs::remove_file(&path).or_else(ignore_absent).unwrap();
            fs::write(&path, &old).unwrap();
            let open = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let offset = random(&mut seed, of_save.nanos() + of_swap.nanos());
            let wait = Duration::from_nanos(offset.saturating_sub(of_save.nanos()));
            let save = Save { open, text: saved.clone(), wait };
            {
                let mut swap = swap.lock().unwrap();
                swap.save = Some(save);
                swap.wait = Duration::from_nanos(of_save.nanos().saturating_sub(offset));
                (swap.checked, swap.ready, swap.inspected) = (None, None, None);
            }
            let written = disk.write(&path, b"what nbsync writes", digest(&old), options);
            let returned = Instant::now();
            let (from, ready, to) = {
                let swap = swap.lock().unwrap();
                let both = swap.checked.zip(swap.ready);
                let (checked, ready) = both.unwrap_or_else(|| panic!("no swap: {written:?}"));
                (checked, ready + swap.wait, swap.inspected.unwrap_or(returned))
            };
            let save = is_done.recv().unwrap();
            of_save.learn(save);
            of_swap.learn(Span { from: ready, to });
            tally.met += usize::from(save.meets(Span { from, to }));
            tally.saves += 1;
            let is_known = match written {
                Ok(written) => {
                    tally.rescued += usize::from(written.raced.is_some());
                    let is_told = written.raced.is_some_and(|it| it == saved.as_bytes());
                    is_told || is_found(&disk, written.displaced.as_ref(), &saved)
                }
                Err(WriteError::Changed { displaced, .. }) => {
                    is_found(&disk, displaced.as_deref(), &saved)
                }
                Err(error) => panic!("{error:?}"),
            };
            let is_there = fs::read_to_string(&path).is_ok_and(|it| it == saved);
            tally.lost += usize::from(!is_known && !is_there);
            empty(&displaced_folder(&path));
        }
        drop(disk);
        drop(swap);
    });
    let Tally { saves, met, rescued, lost } = &tally;
    println!(
        "{editor:?} against {method:?}: {saves} saves, {met} met the write, {rescued} rescued, LOST={lost}"
    );
    tally
}

/// Whether the daemon finds what was saved in a displaced file.
fn is_found(disk: &RealDisk, displaced: Option<&Displaced>, saved: &str) -> bool {
    let Some(displaced) = displaced else { return false };
    match disk.recheck(displaced).unwrap() {
        Late::Changed(bytes) => bytes == saved.as_bytes(),
        Late::Unchanged | Late::Gone => false,
    }
}

fn ignore_absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn empty(folder: &Utf8Path) {
    for entry in folder.read_dir_utf8().into_iter().flatten() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

/// `NBSYNC_STRESS_SAVES` makes it more than a smoke test: so many saves that meet an exchange, and
/// a tenth of that for what file systems without it do. Then the editors race side by side: most
/// of their time is waiting for the device.
///
/// The last method is the one that the documentation says may lose a save at the same moment; its
/// figure is printed, and not more than that.
#[test]
fn no_save_is_lost() {
    let saves = std::env::var("NBSYNC_STRESS_SAVES").ok().and_then(|it| it.parse().ok());
    let editors = [Editor::InPlace, Editor::InPlaceSlowly, Editor::Rename, Editor::Late];
    for method in [Method::Exchange, Method::MoveOut, Method::RenameOver] {
        let of_method = |saves: usize| if method == Method::Exchange { saves } else { saves / 10 };
        let saves = saves.map(of_method);
        let amount = saves.map_or(Amount::Time(Duration::from_millis(200)), Amount::Saves);
        let tallies = std::thread::scope(|scope| {
            let races = editors.map(|editor| scope.spawn(move || race(editor, method, amount)));
            races.map(|it| it.join().unwrap())
        });
        for (editor, tally) in editors.into_iter().zip(tallies) {
            assert!(tally.met > 0, "{editor:?} against {method:?}: {tally:?}");
            if method != Method::RenameOver {
                assert_eq!(tally.lost, 0, "{editor:?} against {method:?}");
            }
        }
    }
}
