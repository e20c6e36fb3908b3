use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A notebook, whatever file it came from.
///
/// A superset of what the formats can hold. Outputs, execution counts and
/// attachments are not here: one format holds them, so they stay in the text of
/// that replica and no edit of another can touch them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notebook {
    /// Notebook metadata as nbformat has it, without the `marimo` key.
    pub metadata: Map<String, Value>,
    /// marimo's app options that differ from their defaults (`width`,
    /// `app_title`, ...), and `header`: what else stands above the imports of a
    /// marimo script, with an empty PEP 723 block in the place of [`script`].
    ///
    /// [`script`]: Self::script
    pub marimo: Map<String, Value>,
    /// The PEP 723 block, from `# /// script` to `# ///`, without a newline at
    /// the end.
    ///
    /// A cell that holds nothing but the block is not among the [`cells`]: the
    /// formats keep it where it stands.
    ///
    /// [`cells`]: Self::cells
    pub script: Option<String>,
    /// The cells, top to bottom.
    pub cells: Vec<Cell>,
    /// What jupytext would note in an ipynb that is made of the script: filters
    /// that keep a script without a header, or a key in the header.
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
}

/// How a script wrote something, in the words in which jupytext notes it in an
/// ipynb: `lines_to_next_cell`, `cell_marker`, filters.
///
/// They help to print a text that doesn't exist yet and to nothing else. No edit
/// changes them, none is made of them, and all notes are equal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notes(pub Map<String, Value>);

impl Notes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Notes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Notebook {
    /// Returns the value of an attribute, if it is set.
    pub fn attribute(&self, attribute: &NotebookAttribute) -> Option<Value> {
        match attribute {
            NotebookAttribute::Metadata(key) => self.metadata.get(key).cloned(),
            NotebookAttribute::Marimo(key) => self.marimo.get(key).cloned(),
            NotebookAttribute::Script => self.script.clone().map(Value::String),
        }
    }

    /// Sets an attribute, or removes it.
    pub fn set_attribute(&mut self, attribute: &NotebookAttribute, value: Option<Value>) {
        match attribute {
            NotebookAttribute::Metadata(key) => set(&mut self.metadata, key, value),
            NotebookAttribute::Marimo(key) => set(&mut self.marimo, key, value),
            NotebookAttribute::Script => {
                self.script = value.and_then(|value| value.as_str().map(str::to_owned));
            }
        }
    }

    /// Returns the attributes that are set.
    pub fn attributes(&self) -> impl Iterator<Item = NotebookAttribute> {
        let metadata = self.metadata.keys().cloned().map(NotebookAttribute::Metadata);
        let marimo = self.marimo.keys().cloned().map(NotebookAttribute::Marimo);
        let script = self.script.is_some().then_some(NotebookAttribute::Script);
        metadata.chain(marimo).chain(script)
    }

    /// Returns the programming language in lower case, `python` if nothing says
    /// otherwise.
    ///
    /// Looked up as jupytext does: `jupytext.main_language`, then the
    /// kernelspec, then `language_info`.
    pub fn language(&self) -> String {
        let at = |path: &[&str]| {
            let (first, rest) = path.split_first()?;
            let mut value = self.metadata.get(*first)?;
            for key in rest {
                value = value.get(key)?;
            }
            // An empty name says nothing (nbconvert's tests have one).
            value.as_str().filter(|name| !name.is_empty())
        };
        at(&["jupytext", "main_language"])
            .or_else(|| at(&["kernelspec", "language"]))
            .or_else(|| at(&["language_info", "name"]))
            .unwrap_or("python")
            .to_lowercase()
    }
}

/// One cell of a [`Notebook`].
///
/// Equality is over what an edit can change in every format: two cells that
/// differ only in their ids are equal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cell {
    /// What the cell holds.
    pub kind: CellKind,
    /// The text of the cell, with `\n` between lines.
    pub source: String,
    /// nbformat's cell id. Helps to recognise a cell, and is never edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Cell metadata as nbformat has it, without the `marimo` key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// What marimo knows of a cell and differs from its default: `name`,
    /// `column`, `disabled`, `hide_code`, `expand_output`, `md_prefix`.
    ///
    /// `hide_code` is true by default in a markdown cell and false in others;
    /// `md_prefix` is `r` by default.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub marimo: Map<String, Value>,
    /// How a script wrote the cell.
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
}

impl Cell {
    /// Makes a cell with nothing but a source.
    pub fn new(kind: CellKind, source: impl Into<String>) -> Self {
        Self {
            kind,
            source: source.into(),
            id: None,
            metadata: Map::new(),
            marimo: Map::new(),
            notes: Notes::default(),
        }
    }

    /// Returns the value of an attribute, if it is set.
    pub fn attribute(&self, attribute: &Attribute) -> Option<&Value> {
        match attribute {
            Attribute::Metadata(key) => self.metadata.get(key),
            Attribute::Marimo(key) => self.marimo.get(key),
        }
    }

    /// Sets an attribute, or removes it.
    pub fn set_attribute(&mut self, attribute: &Attribute, value: Option<Value>) {
        match attribute {
            Attribute::Metadata(key) => set(&mut self.metadata, key, value),
            Attribute::Marimo(key) => set(&mut self.marimo, key, value),
        }
    }

    /// Returns the attributes that are set.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> {
        let metadata = self.metadata.keys().cloned().map(Attribute::Metadata);
        metadata.chain(self.marimo.keys().cloned().map(Attribute::Marimo))
    }
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        let Self { kind, source, id: _, metadata, marimo, notes: _ } = self;
        *kind == other.kind
            && *source == other.source
            && *metadata == other.metadata
            && *marimo == other.marimo
    }
}

/// What a [`Cell`] holds, in nbformat's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Program text.
    Code,
    /// Prose.
    Markdown,
    /// Text that nothing interprets.
    Raw,
}

impl CellKind {
    /// nbformat's name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Markdown => "markdown",
            Self::Raw => "raw",
        }
    }
}

/// Names something that is set on a cell beside its source and kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attribute {
    /// A key of [`Cell::metadata`].
    Metadata(String),
    /// A key of [`Cell::marimo`].
    Marimo(String),
}

/// Names something that is set on a notebook.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotebookAttribute {
    /// A key of [`Notebook::metadata`].
    Metadata(String),
    /// A key of [`Notebook::marimo`].
    Marimo(String),
    /// [`Notebook::script`], as a string.
    Script,
}

fn set(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            map.insert(key.to_owned(), value);
        }
        // Keeps the order of the other keys, unlike `remove`.
        None => {
            map.shift_remove(key);
        }
    }
}
