//! Three editors that save by themselves, whose users type at random beside each other.

use std::time::Duration;

use super::world::{QUIET, World, at, replicas};
use crate::config::Config;
use crate::report::NotebookState;
use crate::simulation::cells::{edited, shown};
use crate::simulation::rng::Rng;

const CELLS: &str = "x = 1 | y = 2 | z = 3 | u = 4 | v = 5 | w = 6";

const TICK: Duration = Duration::from_millis(50);

/// What an editor does when its file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loads {
    /// As VS Code: it shows that, unless something in it is not saved.
    IfClean,
    /// As JupyterLab: nothing, and its user insists on what it shows.
    Never,
    /// As marimo: it shows that, and takes back what was typed 0.4 to 1 s before.
    Always,
}

/// An editor whose user types in two cells of the notebook.
struct Editor {
    name: &'static str,
    path: String,
    cells: [usize; 2],
    loads: Loads,
    /// The text that it loaded or saved last.
    file: String,
    /// The cells that it shows.
    shown: Vec<String>,
    /// What is not saved, and how many ticks ago it was typed.
    typed: Option<(String, u32)>,
    /// What counts.
    saved: Vec<String>,
    n_typed: usize,
    /// How many ticks its user rests.
    rest: usize,
}

impl Editor {
    fn new(world: &World, (name, loads): (&'static str, Loads), path: &str, first: usize) -> Self {
        let mut editor = Self {
            name,
            path: path.to_owned(),
            cells: [first, first + 3],
            loads,
            file: String::new(),
            shown: Vec::new(),
            typed: None,
            saved: Vec::new(),
            n_typed: 0,
            rest: 10,
        };
        editor.load(world.text(path));
        editor
    }

    fn load(&mut self, text: String) {
        let shown = shown(&self.path, &text).unwrap();
        self.shown = shown.split(" | ").map(str::to_owned).collect();
        self.file = text;
    }

    /// Lets 50 ms pass.
    fn tick(&mut self, world: &World, rng: &mut Rng) {
        let text = world.text(&self.path);
        if text != self.file {
            let is_taken_back =
                self.typed.as_ref().is_some_and(|(_, ticks)| (8..20).contains(ticks));
            match (self.loads, self.typed.clone()) {
                (Loads::Never, _) | (Loads::IfClean, Some(_)) => {}
                (_, None) => self.load(text),
                (Loads::Always, Some((line, ticks))) => {
                    self.load(text);
                    self.typed = None;
                    if !is_taken_back {
                        self.put(rng, line, ticks);
                    }
                }
            }
        }
        self.rest = self.rest.saturating_sub(1);
        if let Some((_, ticks)) = &mut self.typed {
            *ticks += 1;
        }
        match &self.typed {
            Some((_, 20..)) => self.save(world),
            None if self.rest == 0 => {
                let line = format!("{}{} = 0", self.name, self.n_typed);
                self.n_typed += 1;
                self.put(rng, line, 0);
                self.rest = 6 + rng.below(74);
            }
            _ => {}
        }
    }

    /// Has a line at the end of one of its cells.
    fn put(&mut self, rng: &mut Rng, line: String, ticks: u32) {
        let cell = *rng.pick(&self.cells);
        self.shown[cell] = format!("{}+{line}", self.shown[cell]);
        self.typed = Some((line, ticks));
    }

    fn save(&mut self, world: &World) {
        self.file = edited(&self.path, &self.file, &self.shown.join(" | "));
        world.disk.save(&at(&self.path), self.file.as_bytes());
        self.saved.extend(self.typed.take().map(|it| it.0));
    }
}

/// However they save: each line is in every replica once, and there is nothing to resolve.
#[test]
fn lines_typed_beside_each_other_are_all_there_once() {
    for seed in 0..8 {
        let mut rng = Rng(seed);
        let mut world = World::new();
        if seed % 4 != 0 {
            let config = Config::default();
            (world.patience, world.marimo_patience) = (config.patience, config.marimo_patience);
        }
        world.create("a.ipynb", CELLS);
        world.start();
        world.run(QUIET);
        let paths = replicas("a.ipynb");
        let kinds = [("lab", Loads::Never), ("code", Loads::IfClean), ("marimo", Loads::Always)];
        let kinds = kinds.into_iter().zip(&paths).enumerate();
        let mut editors: Vec<Editor> =
            kinds.map(|(no, (kind, path))| Editor::new(&world, kind, path, no)).collect();
        for _ in 0..1200 {
            for editor in &mut editors {
                editor.tick(&world, &mut rng);
            }
            world.run(TICK);
        }
        for editor in &mut editors {
            if editor.typed.is_some() {
                editor.save(&world);
            }
            world.run(TICK);
        }
        world.run(QUIET);
        for path in &paths {
            let text = world.text(path);
            for line in editors.iter().flat_map(|it| &it.saved) {
                assert_eq!(text.matches(&**line).count(), 1, "seed {seed}: {line} in {path}");
            }
        }
        world.check_state("a.ipynb", NotebookState::Synced);
    }
}
