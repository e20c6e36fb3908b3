use serde_json::{Map, Value, json};

use super::{read, update};
use crate::{Carry, Cell, Notebook, NotebookAttribute, Notes, PrintError, Printed, Slot};

/// A notebook without cells, as nbformat writes it.
const EMPTY: &str =
    "{\n \"cells\": [],\n \"metadata\": {},\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n";

/// Writes a notebook as nbformat's own writer would.
///
/// A Python notebook gets a kernelspec and a full `language_info` if it has
/// none, as JupyterLab asks for a kernel, or saves the file though nobody typed,
/// when one of them is missing.
///
/// If all is carried, the notes are those of jupytext, so that it can write the
/// script again as it was.
pub(super) fn print(notebook: &Notebook, carry: Carry) -> Result<Printed, PrintError> {
    let mut metadata = notebook.metadata.clone();
    if carry == Carry::All && !notebook.notes.is_empty() {
        let options = metadata.entry("jupytext").or_insert_with(|| json!({}));
        if let Value::Object(options) = options {
            options.extend(notebook.notes.0.clone());
        }
    }
    if notebook.language() == "python" {
        add_python(&mut metadata);
    }
    let set = |(key, value): (&String, &Value)| {
        (NotebookAttribute::Metadata(key.clone()), Some(value.clone()))
    };
    let mut attributes: Vec<_> = metadata.iter().map(set).collect();
    attributes.extend(
        notebook
            .attributes()
            .filter(|attribute| !matches!(attribute, NotebookAttribute::Metadata(_)))
            .map(|attribute| {
                let value = notebook.attribute(&attribute);
                (attribute, value)
            }),
    );
    let noted = |cell: &Cell| match carry {
        Carry::All => cell.clone(),
        Carry::Shown => Cell { notes: Notes::default(), ..cell.clone() },
    };
    let slots: Vec<_> = notebook.cells.iter().map(noted).map(Slot::New).collect();
    let empty = read::parse(EMPTY).map_err(|error| PrintError::Unfaithful(error.to_string()))?;
    Ok(update::update(EMPTY, &empty, &slots, &attributes)?.into())
}

fn add_python(metadata: &mut Map<String, Value>) {
    // The names that ipykernel gives itself.
    metadata.entry("kernelspec").or_insert_with(
        || json!({"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}),
    );
    // A kernel of another version replaces `version` when it first runs. That
    // cannot be avoided: the version must not depend on the machine.
    metadata.entry("language_info").or_insert_with(|| {
        json!({
            "codemirror_mode": {"name": "ipython", "version": 3},
            "file_extension": ".py",
            "mimetype": "text/x-python",
            "name": "python",
            "nbconvert_exporter": "python",
            "pygments_lexer": "ipython3",
            "version": "3.12.0",
        })
    });
}
