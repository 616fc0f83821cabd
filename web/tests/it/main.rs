//! The pages as a whole: well-formed, escaped, readable in both themes.

mod contrast;
mod escaping;
mod markup;
#[path = "../../examples/gallery/sample/mod.rs"]
mod sample;
