//! How alike two texts are.

/// How alike two sources have to be to count as one edited cell.
pub(super) const SIMILAR: f64 = 0.5;

/// How alike they have to be if it has moved as well.
pub(super) const SIMILAR_AND_MOVED: f64 = 0.7;

/// The sorted trigrams of a text, with blanks folded.
pub(super) fn trigrams(text: &str) -> Vec<[u8; 3]> {
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut res: Vec<[u8; 3]> =
        folded.as_bytes().windows(3).map(|it| [it[0], it[1], it[2]]).collect();
    res.sort_unstable();
    res
}

/// Dice's coefficient of two sorted multisets: twice what they share, over what
/// they have.
pub(super) fn dice(a: &[[u8; 3]], b: &[[u8; 3]]) -> f64 {
    let (mut a_idx, mut b_idx, mut n_shared) = (0, 0, 0_u32);
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
    let n_all = u32::try_from(a.len() + b.len()).unwrap_or(u32::MAX);
    if n_all == 0 { 0.0 } else { f64::from(2 * n_shared) / f64::from(n_all) }
}
