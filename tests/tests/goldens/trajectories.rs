use crate::report::Run;
use crate::set::{Case, Set};
pub fn trajectory(_set: &Set, _case: &Case) -> Result<Vec<Run>, String> {
    Err("todo".into())
}
