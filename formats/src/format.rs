use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Cell, CodeHash, KeptHere, Notebook, NotebookAttribute, ParseError, ParseErrorKind, PrintError,
    Ran, Slot, Violation,
};

/// A way to write notebooks as text.
///
/// `extension` is that of the file, with its dot (`.py`). Formats of scripts
/// take the comment prefix from it, the others ignore it.
///
/// Laws, for every text `t` that parses, with `d = parse(t)`:
///
/// - `d.update(keep all, no changes).text() == t`, byte for byte;
/// - the cells of `d.update(slots)` are the cells that the slots say;
/// - cells that a slot keeps have the same bytes in the new text;
/// - the cells of `print(n)` are those of `n`, up to what the format is
///   documented not to hold;
/// - the same input gives the same bytes, on every machine.
pub trait Format: Sync {
    /// The name of the format.
    fn name(&self) -> FormatName;

    /// The extension that a file of this notebook has, or `None` if the format
    /// can't hold its language.
    fn extension(&self, notebook: &Notebook) -> Option<&'static str>;

    /// The extension of which files can only be of this format.
    fn own_extension(&self) -> Option<&'static str> {
        None
    }

    /// Whether the format stores what running a cell produced.
    fn has_outputs(&self) -> bool {
        false
    }

    /// Returns the format with the options that jupytext has for a folder, if it knows
    /// any. They are those that can stand below `jupytext` in metadata; what a text says
    /// of itself comes first.
    fn with_options(&self, _options: &Arc<Map<String, Value>>) -> Option<Box<dyn Format>> {
        None
    }

    /// Whether a text looks like this format. Cheap; [`parse`](Self::parse) has
    /// the last word.
    fn detect(&self, text: &str, extension: &str) -> bool;

    /// Reads a text. Takes linear time and bounded stack on any input.
    fn parse(&self, text: Arc<str>, extension: &str) -> Result<Box<dyn Document>, ParseError>;

    /// Writes a notebook that has no file yet.
    fn print(
        &self,
        notebook: &Notebook,
        extension: &str,
        carry: Carry,
    ) -> Result<Printed, PrintError>;
}

/// A text that was read, and can be changed.
pub trait Document: fmt::Debug + Send + Sync {
    /// The text that was read.
    fn text(&self) -> &Arc<str>;

    /// The notebook as this text shows it: its view.
    fn notebook(&self) -> &Notebook;

    /// Where each cell of the view stands in the text.
    fn places(&self) -> Vec<CellPlace>;

    /// What the editor of the format would change or delete when it saves the
    /// text, by line.
    fn violations(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// Whether a code cell that the user wrote depends on this cell of the view.
    ///
    /// A cell that the format needs for itself (`import marimo as mo` for
    /// markdown) becomes a cell of the notebook once it is used.
    fn is_used(&self, _cell: usize) -> bool {
        false
    }

    /// Whether the tool of the format writes a cell of the view like this for another cell,
    /// although it reads that as the one in the view.
    fn is_written_for(&self, _cell: usize, _other: &Cell) -> bool {
        false
    }

    /// Whether the text has a place for notebook metadata.
    ///
    /// A script without a header says nothing about the kernel, so one whose header
    /// was deleted doesn't say that there is none.
    fn shows_metadata(&self) -> bool {
        true
    }

    /// What the text stores of its cells beside the notebook, for all cells of the file.
    fn kept_here(&self) -> Vec<KeptHere> {
        let cells = 0..self.notebook().cells.len();
        cells
            .map(|idx| KeptHere { cell: Some(idx), number: idx + 1, ..KeptHere::default() })
            .collect()
    }

    /// Returns the same without what running these cells of the view has left in the text, or
    /// `None` if it has left nothing.
    fn clear_outputs(&self, _cells: &[usize]) -> Option<Box<dyn Document>> {
        None
    }

    /// What running each cell of the view has left in the text, `None` where it left nothing.
    fn ran(&self) -> Vec<Option<Ran>> {
        vec![None; self.notebook().cells.len()]
    }

    /// Returns the same with what running these cells of the view has left, or `None` if the
    /// text has all of that already, or has no place for it.
    fn set_ran(&self, _cells: &[(usize, Ran)]) -> Option<Box<dyn Document>> {
        None
    }

    /// How marimo names the code of each cell of the view, `None` where it runs none.
    fn code_hashes(&self) -> Vec<Option<CodeHash>> {
        vec![None; self.notebook().cells.len()]
    }

    /// Changes the text so that it has these cells and notebook attributes.
    ///
    /// Attributes that the format doesn't show are left alone. The new text was
    /// parsed again and has the intended cells, or this is an error.
    fn update(
        &self,
        slots: &[Slot],
        attributes: &[(NotebookAttribute, Option<Value>)],
        carry: Carry,
    ) -> Result<Printed, PrintError>;
}

/// Where a cell stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellPlace {
    /// Its number among all cells of the text, from 1. More than its position in
    /// the view says if a cell with the PEP 723 block stands above it.
    pub number: usize,
    /// The line of the text in which its source starts, from 1, if the lines of
    /// the source are lines of the text.
    pub line: Option<usize>,
}

/// A text that was made, and what its cells stand for.
#[derive(Debug)]
pub struct Printed {
    /// The new text, parsed.
    pub document: Box<dyn Document>,
    /// For each cell of the document's view, the slot (or the cell of the
    /// printed notebook) that it stands for.
    ///
    /// Several cells can stand for one, if the format can't help but split it.
    /// `None` for a cell that the format needs for itself.
    pub origins: Vec<Option<usize>>,
}

/// How much of what a notebook holds is written into a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    /// Everything that the format has a place for: the file stands alone, on
    /// a machine that has nothing else.
    All,
    /// What users of the format expect to see. The rest is kept by the caller.
    Shown,
}

/// The formats that nbsync knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatName {
    /// Jupyter notebooks, nbformat 4.
    Ipynb,
    /// marimo scripts.
    Marimo,
    /// Scripts with `# %%` cells, as jupytext's `py:percent`.
    Percent,
    /// The same with magics left as they are, as jupytext's `py:hydrogen`.
    Hydrogen,
}

impl FormatName {
    /// All formats, in the order in which they are tried on a text.
    pub const ALL: [Self; 4] = [Self::Ipynb, Self::Marimo, Self::Hydrogen, Self::Percent];

    /// The name as it stands in configurations and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipynb => "ipynb",
            Self::Marimo => "marimo",
            Self::Percent => "percent",
            Self::Hydrogen => "hydrogen",
        }
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FormatName {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

/// A name that is not one of a [`FormatName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; the formats are ipynb, marimo, percent and hydrogen")]
pub struct UnknownFormat(pub String);

/// Returns the format of a name.
pub fn format(name: FormatName) -> &'static dyn Format {
    match name {
        FormatName::Ipynb => &crate::ipynb::Ipynb,
        FormatName::Marimo => &crate::marimo::Marimo,
        FormatName::Percent => &crate::percent::PERCENT,
        FormatName::Hydrogen => &crate::percent::HYDROGEN,
    }
}

/// A format as the files of a folder are written.
pub struct Configured {
    name: FormatName,
    own: Option<Box<dyn Format>>,
}

impl Configured {
    /// Takes the options that jupytext has for the folder.
    pub fn new(name: FormatName, options: &Arc<Map<String, Value>>) -> Self {
        let own = if options.is_empty() { None } else { format(name).with_options(options) };
        Self { name, own }
    }
}

impl Deref for Configured {
    type Target = dyn Format;

    fn deref(&self) -> &Self::Target {
        self.own.as_deref().unwrap_or_else(|| format(self.name))
    }
}

/// Returns the format of a text, or `None` if it is not a notebook.
///
/// `file_name` is the name without folders. Its extension decides which formats
/// are possible, and names like `a.marimo.py` decide between them when the text
/// allows both.
pub fn detect(file_name: &str, text: &str) -> Option<FormatName> {
    let extension = &file_name[file_name.rfind('.')?..];
    FormatName::ALL.into_iter().find(|&name| format(name).detect(text, extension))
}

/// Refuses what no format may carry on: an empty file, or the markers of a
/// merge.
pub(crate) fn check_text(text: &str) -> Result<(), ParseError> {
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(ParseError::new(ParseErrorKind::Empty));
    }
    if let Some(offset) = text.find('\0') {
        let kind = ParseErrorKind::NotANotebook("it has a NUL byte".to_owned());
        return Err(ParseError::at(text, offset, kind));
    }
    let marker = if text.starts_with("<<<<<<<") { Some(0) } else { text.find("\n<<<<<<<") };
    if let Some(offset) = marker {
        let offset = offset + usize::from(offset > 0);
        return Err(ParseError::at(text, offset, ParseErrorKind::ConflictMarkers));
    }
    Ok(())
}
