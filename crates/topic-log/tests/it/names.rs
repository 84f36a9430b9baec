//! The names of topics that are made of any text.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use topic_log::Name;

proptest! {
    #[test]
    fn a_text_comes_back_from_its_name(text in any::<String>()) {
        if let Ok(name) = Name::escaped(&text) {
            prop_assert_eq!(name.unescaped(), Some(text));
        }
    }

    /// Texts that look like names of other texts are among them.
    #[test]
    fn no_two_texts_have_one_name(texts in vec("[_^5EF]{1,6}", 2..50)) {
        let mut names = BTreeMap::new();
        for text in texts {
            let name = Name::escaped(&text).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let other = names.insert(name, text.clone());
            prop_assert!(other.is_none_or(|other| other == text));
        }
    }

    #[test]
    fn a_name_has_a_text_only_if_it_was_made_of_it(name in "[A-F0-9_.]{1,9}") {
        let name = Name::new(&name).map_err(|e| TestCaseError::fail(e.to_string()))?;
        if let Some(text) = name.unescaped() {
            prop_assert_eq!(Name::escaped(&text), Ok(name));
        }
    }
}
