//! PNG files row by row, for pictures that are never in memory as a whole.
//!
//! A row is its planes one after the other, each from left to right: one or three of colour, then
//! that of the alpha channel, where there is one; values from 0 to 1.

mod reader;
mod writer;

pub use reader::RowReader;
pub use writer::RowWriter;
