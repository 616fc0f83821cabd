//! Writes every page, filled with realistic data, into a folder, to be looked at:
//! `cargo run -p web --example gallery -- target/gallery`. The addresses within are those of a server: serve the
//! folder with anything that serves `index.html` for a directory.

use std::{fs, path::Path};

mod sample;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/gallery".to_owned());
    let folder = Path::new(&folder);
    for (name, html) in sample::pages() {
        for asset in assets(&html) {
            let (bytes, _) = web::asset(&asset).expect("pages load files that exist");
            write(&folder.join("assets").join(asset), bytes)?;
        }
        write(&folder.join(format!("{name}.html")), html.as_bytes())?;
    }
    println!("{}", folder.display());
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().expect("a file in a folder"))?;
    fs::write(path, bytes)
}

/// The names after `/assets/` in a page.
fn assets(html: &str) -> Vec<String> {
    html.split("/assets/").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}
