//! How alike two texts are.

/// How alike two sources have to be to count as one edited cell.
pub(super) const SIMILAR: f64 = 0.5;

/// How alike they have to be if it has moved as well.
pub(super) const SIMILAR_AND_MOVED: f64 = 0.7;

/// How alike a text is at least to one that has all its lines and more: short ones differ in most
/// of their trigrams when they get a second line.
const ALL_LINES: f64 = 0.6;

/// How many bytes of a text are looked at, half of them at its end.
const MAX_BYTES: usize = 8_000;

/// How much work may be done to find out which cells are alike. What is left when it is used
/// up counts as different, so that a hostile notebook costs no more time than that.
pub(super) struct Budget(usize);

impl Budget {
    /// Enough for some thousand cells that are all edited at once.
    pub(super) fn new() -> Self {
        Self(20_000_000)
    }

    fn take(&mut self, n_steps: usize) -> bool {
        let left = self.0.checked_sub(n_steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Returns how alike two edited versions of a cell would be, or 0 if that is less than `SIMILAR`.
pub(super) fn likeness(
    (a, a_grams): (&str, &Trigrams),
    (b, b_grams): (&str, &Trigrams),
    budget: &mut Budget,
) -> f64 {
    let dice = a_grams.dice(b_grams, SIMILAR, budget);
    if dice < ALL_LINES && (has_lines(a, b, budget) || has_lines(b, a, budget)) {
        return ALL_LINES;
    }
    dice
}

/// Whether a text has all lines of another one, in their order, and those say something.
fn has_lines(text: &str, part: &str, budget: &mut Budget) -> bool {
    if text.len() < part.len() || part.trim().len() < 3 || !budget.take(text.len() + part.len()) {
        return false;
    }
    let mut lines = text.lines();
    part.lines().all(|line| lines.any(|it| it == line))
}

/// The sorted trigrams of a text, with blanks folded.
#[derive(Debug, Default)]
pub(super) struct Trigrams(Vec<[u8; 3]>);

impl Trigrams {
    pub(super) fn new(text: &str, budget: &mut Budget) -> Self {
        let (head, tail) = if text.len() <= MAX_BYTES {
            (text, "")
        } else {
            let tail = text.ceil_char_boundary(text.len() - MAX_BYTES / 2);
            (&text[..text.floor_char_boundary(MAX_BYTES / 2)], &text[tail..])
        };
        // Sorting takes more than comparing.
        if !budget.take(4 * (head.len() + tail.len())) {
            return Self::default();
        }
        let words: Vec<&str> = head.split_whitespace().chain(tail.split_whitespace()).collect();
        let folded = words.join(" ");
        let mut res: Vec<[u8; 3]> =
            folded.as_bytes().windows(3).map(|it| [it[0], it[1], it[2]]).collect();
        res.sort_unstable();
        Self(res)
    }

    /// Returns Dice's coefficient of the two multisets, twice what they share over what they
    /// have, if it is `least` or more, and else 0.
    pub(super) fn dice(&self, other: &Self, least: f64, budget: &mut Budget) -> f64 {
        let (a, b) = (&self.0, &other.0);
        let of_all = |n_shared: usize| {
            let n_all = u32::try_from(a.len() + b.len()).unwrap_or(u32::MAX);
            let n_shared = u32::try_from(2 * n_shared).unwrap_or(u32::MAX);
            if n_all == 0 { 0.0 } else { f64::from(n_shared) / f64::from(n_all) }
        };
        // What they can have in common at most.
        if of_all(a.len().min(b.len())) < least || !budget.take(a.len() + b.len()) {
            return 0.0;
        }
        let (mut a_idx, mut b_idx, mut n_shared) = (0, 0, 0);
        while a_idx < a.len() && b_idx < b.len() {
            match a[a_idx].cmp(&b[b_idx]) {
                std::cmp::Ordering::Less => a_idx += 1,
                std::cmp::Ordering::Greater => b_idx += 1,
                std::cmp::Ordering::Equal => {
                    n_shared += 1;
                    a_idx += 1;
                    b_idx += 1;
                }
            }
        }
        let score = of_all(n_shared);
        if least <= score { score } else { 0.0 }
    }
}
