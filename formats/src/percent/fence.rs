//! Fenced blocks in text cells: what stands in them starts no cell.

use crate::lines::is_blank;

/// The characters that start a fence, and how many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    char: u8,
    len: usize,
}

impl Fence {
    /// Returns the fence that a line of Markdown opens.
    pub(super) fn opened_by(text: &str) -> Option<Self> {
        let (fence, info) = split(text)?;
        (fence.char != b'`' || !info.contains('`')).then_some(fence)
    }

    /// Whether a line of Markdown closes this fence.
    pub(super) fn is_closed_by(self, text: &str) -> bool {
        split(text).is_some_and(|(fence, rest)| {
            fence.char == self.char && self.len <= fence.len && is_blank(rest)
        })
    }
}

/// The longest fences of backticks and of tildes that some lines can close.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Longest([usize; 2]);

impl Longest {
    /// Adds a line, without its comment.
    pub(super) fn add(&mut self, line: &str) {
        if let Some((fence, rest)) = split(line)
            && is_blank(rest)
        {
            let longest = &mut self.0[column(fence)];
            *longest = fence.len.max(*longest);
        }
    }

    /// Whether one of the lines closes a fence.
    pub(super) fn closes(self, fence: Fence) -> bool {
        fence.len <= self.0[column(fence)]
    }

    /// The fences that whatever follows a text could close in it.
    pub(super) fn of_any(text: &str) -> Self {
        let longest = |char| text.split(|it| it != char).map(str::len).max().unwrap_or(0).max(3);
        Self([longest('`'), longest('~')])
    }

    /// Lines that close these fences.
    pub(super) fn lines(self) -> impl Iterator<Item = String> {
        let lines = ["`", "~"].into_iter().zip(self.0);
        lines.filter(|(_, len)| *len > 0).map(|(char, len)| char.repeat(len))
    }
}

/// For each line of a text, the longest fence of backticks and of tildes that it
/// or a later line can close.
///
/// Found once, so that a text full of fences that nothing closes is read in
/// linear time.
#[derive(Debug)]
pub(super) struct Closers(Vec<[usize; 2]>);

impl Closers {
    /// Looks through the lines of a text, the last one first.
    pub(super) fn new<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> Self {
        let mut longest = [0; 2];
        let mut res = vec![longest];
        for line in lines.rev() {
            if let Some((fence, rest)) = split(line)
                && is_blank(rest)
            {
                let longest = &mut longest[column(fence)];
                *longest = fence.len.max(*longest);
            }
            res.push(longest);
        }
        res.reverse();
        Self(res)
    }

    /// Whether a line from this one on closes a fence.
    pub(super) fn has(&self, fence: Fence, from: usize) -> bool {
        self.0.get(from).is_some_and(|longest| fence.len <= longest[column(fence)])
    }
}

fn column(fence: Fence) -> usize {
    usize::from(fence.char == b'~')
}

/// The fence at the start of a line, and what follows it.
fn split(text: &str) -> Option<(Fence, &str)> {
    let rest = text.trim_start_matches(' ');
    if text.len() - rest.len() > 3 {
        return None;
    }
    let char = *rest.as_bytes().first().filter(|byte| matches!(byte, b'`' | b'~'))?;
    let info = rest.trim_start_matches(char::from(char));
    let len = rest.len() - info.len();
    (len >= 3).then_some((Fence { char, len }, info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_those_of_commonmark() {
        let fence = Fence::opened_by("   ```py").unwrap();
        assert!(fence.is_closed_by(" ```` "));
        assert!(!fence.is_closed_by("```py"));
        assert!(!fence.is_closed_by("~~~"));
        assert_eq!(Fence::opened_by("    ```"), None);
        assert_eq!(Fence::opened_by("``` a`b"), None);
        assert!(Fence::opened_by("~~~ a`b").is_some());
    }

    #[test]
    fn closers_are_found_below() {
        let closers = Closers::new(["````", "x", "```", "~~~"].into_iter());
        let fence = Fence::opened_by("````").unwrap();
        assert!(closers.has(fence, 0));
        assert!(!closers.has(fence, 1));
        assert!(closers.has(Fence::opened_by("~~~").unwrap(), 3));
        assert!(!closers.has(Fence::opened_by("~~~").unwrap(), 4));
    }
}
