//! What marimo makes of a script by opening and saving it.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Map;

use super::content::Content;
use super::entry::Entry;
use super::extract::Reading;
use super::{codegen, layout, options};
use crate::ParseError;

/// Makes of a marimo script what marimo would make of it by opening and saving
/// it, but for the version that it stamps.
///
/// Unlike [`Document::update`](crate::Document::update) this loses what marimo
/// loses. It is here to be compared with marimo.
pub fn regenerate(text: &str) -> Result<String, ParseError> {
    let content = Content::new(Arc::from(text));
    let layout = layout::read(content.text(), Reading::Exact)?;
    let mut entries: Vec<Entry> = layout.blocks.iter().map(Entry::of).collect();
    if entries.is_empty() {
        entries.push(Entry::new(String::new(), "_", &Map::new()));
    }
    let texts = codegen::print(&entries, Reading::Exact);
    let version = match &layout.version {
        Some(range) => Cow::Borrowed(&content.text()[range.clone()]),
        None => Cow::Owned(format!("__generated_with = \"{}\"", super::VERSION)),
    };
    let app = codegen::app("marimo", &options::of_app(&layout.app_options));
    let header = &content.text()[layout.header];
    Ok(codegen::file(header, &version, &app, &texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "import marimo\n\n__generated_with = \"0.9\"\napp = marimo.App()\n\n";
    const END: &str = "\n\n\nif __name__ == \"__main__\":\n    app.run()\n";

    /// What marimo 0.25.2 was seen to save, given what stands between the app
    /// and the end.
    #[track_caller]
    fn check(cells: &str, expected: &str) {
        let text = format!("{START}{cells}{END}");
        assert_eq!(regenerate(&text).unwrap(), format!("{START}{expected}{END}"), "{cells}");
    }

    #[test]
    fn code_is_what_stands_above_the_return() {
        check(
            "@app.cell\ndef _(a,  # b\n):  # c\n    # d\n\n    x\n\n\n    return  # e\n",
            "\n@app.cell\ndef _(x):\n    # d\n\n    x\n\n    return",
        );
        check(
            "@app.cell\ndef _():\n    x = 1; return x",
            "\n@app.cell\ndef _():\n    x = 1; \n    return",
        );
        check("@app.cell\ndef _(): return", "\n@app.cell\ndef _():\n    return");
        check("@app.cell\ndef _(): ...", "\n@app.cell\ndef _():\n    ...\n    return");
        check(
            "@app.cell\ndef _():\n\tif x:\n\t\treturn\n\treturn",
            "\napp._unparsable_cell(\n    r\"\"\"\n    if x:\n    \treturn\n    \"\"\",\n    name=\"_\"\n)",
        );
    }

    #[test]
    fn comments_without_a_return_are_glued_or_lost() {
        let expected = |code: &str| format!("\n@app.cell\ndef _():\n    {code}\n    return");
        check("@app.cell\ndef _():\n    x = 1  # c\n", &expected("x = 1"));
        check("@app.cell\ndef _():\n    x = 1\n    # c\n", &expected("x = 1    # c"));
        check("@app.cell\ndef _():\n    x = 1\n\n    # c\n", &expected("x = 1\n    # c"));
    }

    #[test]
    fn statements_between_cells_are_lost() {
        check(
            "y = 1\n@xx.cell\n@app.cell\ndef _():\n    x\n    return\n@app.cell\ndef _():\n    return",
            "\n@app.cell\ndef _():\n    return",
        );
        check(
            "@app.cell\ndef _():\n    return\nwith app.setup:\n    x\nif __name__ != 'x':\n    y\n@app.cell\ndef _():\n    x\n    return",
            "\n@app.cell\ndef _():\n    return",
        );
    }

    #[test]
    fn setup_and_functions_have_their_own_rules() {
        check(
            "with app.setup(hide_code=True):\n    import os\n    pass\n@app.cell\ndef _():\n    os\n    return",
            "with app.setup(hide_code=True):\n    import os\n\n\n@app.cell\ndef _():\n    os\n    return",
        );
        check("with app.setup:\n    # c\n    pass\n", "with app.setup:\n    # c\n    pass\n\n\n");
        check(
            "@foo\n@app.function\n@bar\n# c\ndef f():\n    x\n    # d\n\n# e",
            "\n@app.cell\ndef _(bar, x):\n    @bar\n    # c\n    def f():\n        x\n        # d\n    return",
        );
        // Of two cells with one name, only the last gets its own back.
        check(
            "@app.function\ndef f(k):\n    return q\n\n@app.cell\ndef f(k):\n    z = 1\n    return",
            "\n@app.cell\ndef f(q):\n    def f(k):\n        return q\n\n    return\n\n\n@app.cell\ndef f():\n    z = 1\n    return",
        );
    }

    #[test]
    fn functions_that_do_not_compile_keep_their_name() {
        check(
            "@app.function(hide_code=True)\ndef f():\n    break",
            "\napp._unparsable_cell(\n    r\"\"\"\n    def f():\n        break\n    \"\"\",\n    column=None, disabled=False, hide_code=True, expand_output=False, name=\"f\"\n)",
        );
    }

    #[test]
    fn markdown_is_laid_out_anew() {
        check(
            "@app.cell\ndef _():\n    mo.md('a  ') # c\n    return",
            "\n@app.cell\ndef _(mo):\n    mo.md(\"\"\"\n    a\n    \"\"\") # c\n    return",
        );
    }

    #[test]
    fn what_stands_above_the_cells_is_kept_or_lost_as_by_marimo() {
        let text = "# a\n\"\"\"doc\"\"\"\n\n\n\nfrom __future__ import annotations\nimport marimo as m\napp = m.App(width=\"full\", zzz=1, auto_download=[\"html\", f], css_file=f())\n@app.cell\ndef _():\n    return\n";
        let expected = "# a\n\"\"\"doc\"\"\"\n\nimport marimo\n\n__generated_with = \"0.25.2\"\napp = marimo.App(width=\"full\", auto_download=[\"html\"])\n\n\n@app.cell\ndef _():\n    return";
        assert_eq!(regenerate(text).unwrap(), format!("{expected}{END}"));
    }
}
