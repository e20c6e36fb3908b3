//! YAML as PyYAML reads and writes it (`safe_load`, `safe_dump`), for the
//! headers of text notebooks.

mod dump;
mod scalar;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use crate::python_json;

pub(crate) use dump::dump;

/// How deep collections may be nested. No header comes close, and what is read
/// is walked recursively later.
const MAX_DEPTH: usize = 64;

/// Reads a document.
///
/// Anchors are refused: a header of a few bytes could stand for gigabytes.
pub fn load(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let n_chars = text.chars().count();
    let has_final_newline = text.ends_with('\n');
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|err| err.to_string())?;
        let value = match event {
            Event::Scalar(text, style, 0, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                match tag {
                    Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => {
                        Value::String(text.into_owned())
                    }
                    Some(tag) => return Err(format!("the tag `{tag}` is not supported")),
                    None if open.last().is_some_and(Open::awaits_key) => {
                        if is_plain && text == "<<" {
                            return Err("merge keys are not supported".to_owned());
                        }
                        Value::String(if is_plain { key(&text) } else { text.into_owned() })
                    }
                    None if is_plain => scalar::resolve(&text),
                    None if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) => {
                        // The end of the text is no line break.
                        let is_cut = n_chars <= span.end.index() && !has_final_newline;
                        let cut = text.strip_suffix('\n').filter(|_| is_cut);
                        Value::String(cut.unwrap_or(&text).to_owned())
                    }
                    None => Value::String(text.into_owned()),
                }
            }
            Event::SequenceStart(0, None) => {
                open.push(Open::Sequence(Vec::new()));
                check_depth(&open)?;
                continue;
            }
            Event::MappingStart(0, None) => {
                open.push(Open::Mapping(Map::new(), None));
                check_depth(&open)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(items)) => Value::Array(items),
                Some(Open::Mapping(map, _)) => Value::Object(map),
                None => return Err("unbalanced collections".to_owned()),
            },
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(1.., _)
            | Event::MappingStart(1.., _) => {
                return Err("anchors are not supported".to_owned());
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                return Err("tags are not supported".to_owned());
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        match open.last_mut() {
            None => return Ok(value),
            Some(Open::Sequence(items)) => items.push(value),
            Some(Open::Mapping(map, key)) => match (key.take(), value) {
                (Some(key), value) => {
                    map.insert(key, value);
                }
                (None, Value::String(name)) => *key = Some(name),
                (None, _) => return Err("a key is not a string".to_owned()),
            },
        }
    }
    Ok(Value::Null)
}

/// Returns a plain key as JSON has it, where all keys are strings.
fn key(text: &str) -> String {
    match scalar::resolve(text) {
        Value::String(text) => text,
        value => python_json::dumps(&value),
    }
}

/// A collection whose end has not come yet.
enum Open {
    Sequence(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

impl Open {
    fn awaits_key(&self) -> bool {
        matches!(self, Self::Mapping(_, None))
    }
}

fn check_depth(open: &[Open]) -> Result<(), String> {
    if open.len() > MAX_DEPTH { Err("too deeply nested".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Value) {
        assert_eq!(load(text).as_ref(), Ok(expected), "{text}");
    }

    #[test]
    fn headers_are_read() {
        check(
            "jupyter:\n  kernelspec:\n    display_name: Python 3 (ipykernel)\n    name: 'it''s'\n  \
             tags: [a, \"b\\n\"]\n  list:\n  - 1\n  - x: {}\n  long: a\n    b\n",
            &json!({"jupyter": {
                "kernelspec": {"display_name": "Python 3 (ipykernel)", "name": "it's"},
                "tags": ["a", "b\n"],
                "list": [1, {"x": {}}],
                "long": "a b",
            }}),
        );
    }

    #[test]
    fn hostile_headers_are_refused() {
        assert!(load("a: &x [1]\nb: *x\n").is_err());
        assert!(load("<<: {a: 1}\n").is_err());
        assert!(load("a: !!python/object x\n").is_err());
        assert!(load(&"[".repeat(100_000)).is_err());
        assert!(load("a: [\n").is_err());
        assert!(load("a: b: c\n").is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(|it| json!(it)),
            "[ -~\n\té]{0,12}".prop_map(Value::String),
            "([a-z:'#\"-]{1,9} ){1,14}x".prop_map(Value::String),
            prop_oneof!["yes", "1e3", "0o7", "1_0", "12:30", "2020-01-01", "~", "null", "=", "-"]
                .prop_map(Value::String),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec(("[a-z :#'-]{1,8}", inner), 0..4)
                    .prop_map(|items| Value::Object(items.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn dumped_values_load(value in prop::collection::vec(("[a-z]{1,8}", any_value()), 1..4)) {
            let value = Value::Object(value.into_iter().collect());
            let text = dump(&value);
            prop_assert_eq!(load(&text), Ok(value), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-c:\\-#'\"\\[\\]{}, \n!&*|>?]{0,40}") {
            drop(load(&text));
        }
    }
}
