//! The names that every Python module has.

/// The names, those that came with a later version last.
#[rustfmt::skip]
const NAMES: [&str; N_SINCE_13] = [
    "ArithmeticError", "AssertionError", "AttributeError", "BaseException", "BlockingIOError",
    "BrokenPipeError", "BufferError", "BytesWarning", "ChildProcessError", "ConnectionAbortedError",
    "ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "DeprecationWarning",
    "EOFError", "Ellipsis", "EncodingWarning", "EnvironmentError", "Exception", "False",
    "FileExistsError", "FileNotFoundError", "FloatingPointError", "FutureWarning", "GeneratorExit",
    "IOError", "ImportError", "ImportWarning", "IndentationError", "IndexError", "InterruptedError",
    "IsADirectoryError", "KeyError", "KeyboardInterrupt", "LookupError", "MemoryError",
    "ModuleNotFoundError", "NameError", "None", "NotADirectoryError", "NotImplemented",
    "NotImplementedError", "OSError", "OverflowError", "PendingDeprecationWarning",
    "PermissionError", "ProcessLookupError", "RecursionError", "ReferenceError", "ResourceWarning",
    "RuntimeError", "RuntimeWarning", "StopAsyncIteration", "StopIteration", "SyntaxError",
    "SyntaxWarning", "SystemError", "SystemExit", "TabError", "TimeoutError", "True", "TypeError",
    "UnboundLocalError", "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError",
    "UnicodeTranslateError", "UnicodeWarning", "UserWarning", "ValueError", "Warning",
    "ZeroDivisionError", "__build_class__", "__builtin__", "__builtins__", "__class__", "__debug__",
    "__doc__", "__file__", "__import__", "__loader__", "__name__", "__package__", "__spec__", "abs",
    "aiter", "all", "anext", "any", "ascii", "bin", "bool", "breakpoint", "bytearray", "bytes",
    "callable", "chr", "classmethod", "compile", "complex", "copyright", "credits", "delattr",
    "dict", "dir", "divmod", "enumerate", "eval", "exec", "exit", "filter", "float", "format",
    "frozenset", "getattr", "globals", "hasattr", "hash", "help", "hex", "id", "input", "int",
    "isinstance", "issubclass", "iter", "len", "license", "list", "locals", "map", "max",
    "memoryview", "min", "next", "object", "oct", "open", "ord", "pow", "print", "property", "quit",
    "range", "repr", "reversed", "round", "set", "setattr", "slice", "sorted", "staticmethod",
    "str", "sum", "super", "tuple", "type", "vars", "zip",
    // 3.11
    "BaseExceptionGroup", "ExceptionGroup",
    // 3.13
    "PythonFinalizationError", "_IncompleteInputError",
];

const N_SINCE_10: usize = 159;
const N_SINCE_11: usize = N_SINCE_10 + 2;
const N_SINCE_13: usize = N_SINCE_11 + 2;

/// Returns the names that marimo takes to be defined everywhere, for a minor
/// version of Python 3.
///
/// They are those of the module `builtins`, with what `site` adds to it for
/// interactive use (`exit`, `copyright`, ...), and four names that marimo adds
/// itself (marimo 0.25.2, variables). 3.12 and 3.14 brought no names.
pub(crate) fn builtins(minor: u8) -> &'static [&'static str] {
    match minor {
        ..=10 => &NAMES[..N_SINCE_10],
        11 | 12 => &NAMES[..N_SINCE_11],
        13.. => &NAMES,
    }
}

#[cfg(test)]
mod tests {
    use super::builtins;

    #[test]
    fn later_versions_have_more_names() {
        let has = |minor, name| builtins(minor).contains(&name);
        assert_eq!((has(10, "ExceptionGroup"), has(11, "ExceptionGroup")), (false, true));
        let name = "PythonFinalizationError";
        assert_eq!((has(12, name), has(13, name), has(14, name)), (false, true, true));
        for name in ["print", "__name__", "__file__", "__class__", "exit", "None"] {
            assert!(has(10, name), "{name}");
        }
        // As many as `dir(builtins)` has in CPython 3.11, and marimo's four.
        assert_eq!(builtins(11).len(), 157 + 4);
    }
}
