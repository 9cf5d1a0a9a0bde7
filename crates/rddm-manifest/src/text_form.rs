/// How a word that has `FromStr` and `Display` goes through serde: as its text.
macro_rules! text_form {
    ($word:ident) => {
        impl TryFrom<String> for $word {
            type Error = crate::Error;

            fn try_from(text: String) -> Result<Self, crate::Error> {
                text.parse()
            }
        }

        impl From<$word> for String {
            fn from(word: $word) -> Self {
                word.to_string()
            }
        }
    };
}
