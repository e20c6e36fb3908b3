use std::collections::{HashMap, HashSet};

use crate::Cell;

/// Gives ids to new cells.
#[derive(Debug)]
pub(super) struct Ids {
    taken: HashSet<String>,
    /// For what new cells hold, the first number that was not tried yet. Of thousands of equal
    /// cells each would try all numbers again.
    next: HashMap<blake3::Hash, u64>,
}

impl Ids {
    /// `taken` are the ids of the cells that stay.
    pub(super) fn new(taken: impl Iterator<Item = String>) -> Self {
        Self { taken: taken.collect(), next: HashMap::new() }
    }

    /// Returns the id of a new cell: its own if it is free, else one that
    /// follows from what the cell holds.
    pub(super) fn give(&mut self, cell: &Cell) -> String {
        if let Some(id) = &cell.id
            && is_valid(id)
            && self.taken.insert(id.clone())
        {
            return id.clone();
        }
        let mut content = blake3::Hasher::new();
        content.update(cell.kind.as_str().as_bytes());
        content.update(b"\n");
        content.update(cell.source.as_bytes());
        let number = self.next.entry(content.finalize()).or_insert(0);
        loop {
            let mut hasher = content.clone();
            hasher.update(&number.to_le_bytes());
            *number += 1;
            let mut id = hasher.finalize().to_hex().to_string();
            id.truncate(8);
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// Whether nbformat's schema allows the id.
fn is_valid(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CellKind;

    #[test]
    fn ids_are_unique_and_the_same_each_time() {
        let cell = Cell::new(CellKind::Code, "x = 1");
        let give = || {
            let mut ids = Ids::new(["a".to_owned()].into_iter());
            let own = |id: &str| Cell { id: Some(id.to_owned()), ..cell.clone() };
            [cell.clone(), cell.clone(), own("a"), own("b"), own("b"), own("no blanks")]
                .map(|cell| ids.give(&cell))
        };
        let ids = give();
        assert_eq!(ids, give());
        assert_eq!(ids[3], "b");
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| id != "a" && is_valid(id)));
    }
}
