mod cells;
mod generate;
mod laws;
mod metadata;
mod refusals;
mod scan;
mod script;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    Attribute, Carry, Cell, CellKind, Change, Document, Notebook, NotebookAttribute, ParseError,
    ParseErrorKind, PrintError, Slot, format,
};

fn parse(text: &str) -> Result<Box<dyn Document>, ParseError> {
    format(crate::FormatName::Ipynb).parse(Arc::from(text), ".ipynb")
}

fn print(notebook: &Notebook) -> String {
    let printed = format(crate::FormatName::Ipynb).print(notebook, ".ipynb", Carry::All).unwrap();
    printed.document.text().to_string()
}

fn update(
    text: &str,
    slots: &[Slot],
    attributes: &[(NotebookAttribute, Option<Value>)],
) -> Result<String, PrintError> {
    let printed = parse(text).unwrap().update(slots, attributes, Carry::Shown)?;
    Ok(printed.document.text().to_string())
}

fn keep_all(text: &str) -> Vec<Slot> {
    (0..parse(text).unwrap().notebook().cells.len()).map(Slot::Keep).collect()
}

/// Checks what an update of a text does, by what it replaces.
#[track_caller]
fn check(text: &str, slots: &[Slot], old: &str, new: &str) {
    assert!(old.is_empty() || text.matches(old).count() == 1, "{old:?} is not there once");
    let wanted = text.replacen(old, new, 1);
    assert_eq!(update(text, slots, &[]).unwrap(), wanted);
}

#[track_caller]
fn check_attribute(
    text: &str,
    attribute: NotebookAttribute,
    value: Option<Value>,
    old: &str,
    new: &str,
) {
    assert!(text.matches(old).count() == 1, "{old:?} is not there once");
    let res = update(text, &keep_all(text), &[(attribute, value)]).unwrap();
    assert_eq!(res, text.replacen(old, new, 1));
}

fn change(origin: usize, change: Change) -> Slot {
    Slot::Change { origin, changes: vec![change] }
}

fn source(origin: usize, text: &str) -> Slot {
    change(origin, Change::Source(text.to_owned()))
}

fn set(origin: usize, key: &str, value: Option<Value>) -> Slot {
    change(origin, Change::Attribute(Attribute::Metadata(key.to_owned()), value))
}

fn set_marimo(origin: usize, key: &str, value: Option<Value>) -> Slot {
    change(origin, Change::Attribute(Attribute::Marimo(key.to_owned()), value))
}

#[track_caller]
fn error(text: &str) -> ParseError {
    match parse(text) {
        Ok(document) => panic!("{document:?}"),
        Err(error) => error,
    }
}

/// As JupyterLab writes it.
const JUPYTER: &str = r##"{
 "cells": [
  {
   "cell_type": "markdown",
   "id": "m",
   "metadata": {},
   "source": [
    "# Title"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "c",
   "metadata": {
    "tags": [
     "a"
    ]
   },
   "outputs": [
    {
     "data": {
      "text/plain": [
       "NaN"
      ]
     },
     "value": NaN
    }
   ],
   "source": [
    "x = 1\n",
    "x"
   ]
  }
 ],
 "metadata": {
  "kernelspec": {
   "display_name": "Python 3",
   "name": "python3"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
"##;

/// On one line, unsorted, with strings for sources, escapes, and no ids.
const COMPACT: &str = "{\"nbformat\":4,\"nbformat_minor\":4,\"metadata\":{\"b\":1e5,\"a\":\"\\u00e9\"},\
    \"cells\":[{\"cell_type\":\"code\",\"source\":\"a = '\\u00e9\\/'\\nb\",\"metadata\":{},\
    \"outputs\":[{\"x\":\"\\ud800\"}],\"execution_count\":null}]}";
