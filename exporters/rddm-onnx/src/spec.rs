//! What an export should be.

/// The border of the network that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSpec {
    /// Inputs in the order of the file.
    pub inputs: Vec<Input>,
    /// Names of the outputs in the order of the file.
    pub outputs: Vec<String>,
    /// What the file says of itself.
    pub metadata: Metadata,
}

/// An input of the network: 32-bit floats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name in the file.
    pub name: String,
    /// Its axes, at most six.
    pub dims: Vec<Dim>,
}

/// One axis of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Always this long.
    Fixed(usize),
    /// Chosen when the network is run. The same name at two places means the same length.
    Symbol {
        /// Its name in the file.
        name: String,
        /// What the length must be a multiple of, at least 1.
        multiple: usize,
    },
}

impl Dim {
    /// A length of any size from 1.
    pub fn any(name: &str) -> Self {
        Self::multiple_of(name, 1)
    }

    /// A length that is a multiple of `multiple`.
    pub fn multiple_of(name: &str, multiple: usize) -> Self {
        Self::Symbol { name: name.to_owned(), multiple }
    }
}

/// What the file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the graph, the model's id.
    pub name: String,
    /// The program that made the file, and its version.
    pub producer: (String, String),
    /// One line on what the network does.
    pub description: String,
    /// Further entries of the file's key-value table, such as `license`.
    pub entries: Vec<(String, String)>,
}
