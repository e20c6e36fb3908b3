//! Tokens of any text, valid or not.

use std::ops::Range;

use ruff_python_ast::token::TokenKind as RuffKind;
use ruff_python_ast::{AnyStringFlags, StringFlags};

use super::{depth, parse, range};

/// The tokens of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// The tokens, in order. Space between tokens and backslashes at line ends
    /// are not among them.
    pub(crate) list: Vec<Token>,
    /// Whether the text could be cut into tokens to its end: no string or
    /// bracket is left open, and the indentation is consistent.
    pub(crate) complete: bool,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it stands, in bytes.
    pub(crate) range: Range<usize>,
}

/// What a token is, as far as the formats care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An identifier, soft keywords included.
    Name,
    /// `async`.
    Async,
    /// `class`.
    Class,
    /// `def`.
    Def,
    /// `if`.
    If,
    /// `return`.
    Return,
    /// `with`.
    With,
    /// Any other keyword.
    Keyword,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `@`.
    At,
    /// `:`.
    Colon,
    /// `,`.
    Comma,
    /// `.`.
    Dot,
    /// `;`.
    Semi,
    /// Any other operator.
    Operator,
    /// A number.
    Number,
    /// A string, from its prefix to its closing quotes. An f- or t-string is
    /// one token, with all that is inside.
    String,
    /// A comment, without its line end.
    Comment,
    /// The end of a logical line.
    Newline,
    /// The end of a line that is blank, has only a comment, or goes on.
    Nl,
    /// The start of a block. The range is the white space before its first
    /// line.
    Indent,
    /// The end of a block. The range is that of the white space before the
    /// next line, or empty.
    Dedent,
    /// Something that is not Python.
    Unknown,
}

/// Cuts a text into tokens.
///
/// Never fails. A text that is nested too deeply to be handled has no tokens;
/// after an error, tokens are as good as can be.
pub(crate) fn tokens(text: &str) -> Tokens {
    let none = Tokens { list: Vec::new(), complete: false };
    let Ok(depth) = depth::check(text) else {
        return none;
    };
    depth::with_stack(depth, || {
        let parsed = parse(text);
        let mut list: Vec<Token> = Vec::with_capacity(parsed.tokens().len());
        let mut brackets = 0_i64;
        let mut complete = true;
        // The f- and t-strings that are open, and where the outermost started.
        let mut n_strings = 0_usize;
        let mut start = 0;
        for token in parsed.tokens() {
            let mut range = range(token);
            let kind = match token.kind() {
                RuffKind::FStringStart | RuffKind::TStringStart => {
                    if n_strings == 0 {
                        start = range.start;
                    }
                    n_strings += 1;
                    continue;
                }
                RuffKind::FStringEnd | RuffKind::TStringEnd => {
                    n_strings = n_strings.saturating_sub(1);
                    if 0 < n_strings {
                        continue;
                    }
                    range.start = start;
                    TokenKind::String
                }
                RuffKind::EndOfFile => continue,
                RuffKind::String if token.string_flags().is_some_and(is_unclosed) => {
                    TokenKind::Unknown
                }
                _ if 0 < n_strings => continue,
                kind => simplify(kind),
            };
            match kind {
                TokenKind::Open => brackets += 1,
                TokenKind::Close => brackets -= 1,
                TokenKind::Unknown => complete = false,
                _ => (),
            }
            list.push(Token { kind, range });
        }
        if 0 < n_strings {
            list.push(Token { kind: TokenKind::Unknown, range: start..text.len() });
        }
        Tokens { list, complete: complete && n_strings == 0 && brackets <= 0 }
    })
}

fn is_unclosed(flags: AnyStringFlags) -> bool {
    flags.is_unclosed()
}

fn simplify(kind: RuffKind) -> TokenKind {
    match kind {
        RuffKind::Name => TokenKind::Name,
        RuffKind::Async => TokenKind::Async,
        RuffKind::Class => TokenKind::Class,
        RuffKind::Def => TokenKind::Def,
        RuffKind::If => TokenKind::If,
        RuffKind::Return => TokenKind::Return,
        RuffKind::With => TokenKind::With,
        RuffKind::Lpar | RuffKind::Lsqb | RuffKind::Lbrace => TokenKind::Open,
        RuffKind::Rpar | RuffKind::Rsqb | RuffKind::Rbrace => TokenKind::Close,
        RuffKind::At => TokenKind::At,
        RuffKind::Colon => TokenKind::Colon,
        RuffKind::Comma => TokenKind::Comma,
        RuffKind::Dot => TokenKind::Dot,
        RuffKind::Semi => TokenKind::Semi,
        RuffKind::Int | RuffKind::Float | RuffKind::Complex => TokenKind::Number,
        RuffKind::String => TokenKind::String,
        RuffKind::Comment => TokenKind::Comment,
        RuffKind::Newline => TokenKind::Newline,
        RuffKind::NonLogicalNewline => TokenKind::Nl,
        RuffKind::Indent => TokenKind::Indent,
        RuffKind::Dedent => TokenKind::Dedent,
        RuffKind::Unknown
        | RuffKind::Question
        | RuffKind::Exclamation
        | RuffKind::IpyEscapeCommand => TokenKind::Unknown,
        kind if kind.is_soft_keyword() => TokenKind::Name,
        kind if kind.is_non_soft_keyword() => TokenKind::Keyword,
        _ => TokenKind::Operator,
    }
}
