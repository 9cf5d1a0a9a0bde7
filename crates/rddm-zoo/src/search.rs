//! Finding models by words, and the name that a mistyped one may have meant.

use rddm_manifest::{Entry, Index};

/// The entries that have every one of `words` in their name, task or summary, whatever the case.
pub fn search<'a>(index: &'a Index, words: &[String]) -> Vec<&'a Entry> {
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let has_all = |entry: &&Entry| {
        let text = format!("{} {} {}", entry.id, entry.task, entry.summary).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    index.models.iter().filter(has_all).collect()
}

/// The name that differs least from `name`, if it differs little.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = 1 + name.len() / 4;
    names
        .map(|other| (distance(name, other), other))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, other)| other)
}

/// Insertions, deletions and substitutions of bytes between two names.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised() {
        let names = ["derain", "denoise", "lol-derain"];
        assert_eq!(nearest("dreain", names.into_iter()), Some("derain"));
        assert_eq!(nearest("lolderain", names.into_iter()), Some("lol-derain"));
        assert_eq!(nearest("shadow", names.into_iter()), None);
    }
}
