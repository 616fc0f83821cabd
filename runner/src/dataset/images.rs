//! A directory with a directory of images for each class: `cats/1.jpg` is of class `cats` (torchvision's ImageFolder).

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use sha2::{Digest as _, Sha256};
use workflows::ids::Digest;

use super::{Column, DataError, FileState, Kind, Reader, Values, digest_of};

/// Names of images by their ending; what they are is told by their content.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Images below the directory, in order of their paths; hidden files are left out.
pub(super) fn list(directory: &Path) -> Result<Vec<String>, DataError> {
    let error = |message: String| DataError { file: directory.to_owned(), row: None, column: None, message };
    let mut images = Vec::new();
    for class in names(directory).map_err(|e| error(e.to_string()))? {
        if !directory.join(&class).is_dir() {
            if is_image(&class) {
                return Err(error(format!(
                    "the image `{class}` is in no directory of a class; put it into one, or write a .csv or .jsonl with the paths and the targets"
                )));
            }
            continue;
        }
        let files = names(&directory.join(&class)).map_err(|e| error(e.to_string()))?;
        images.extend(files.into_iter().filter(|name| is_image(name)).map(|name| format!("{class}/{name}")));
    }
    if images.is_empty() {
        return Err(error("it has no directories with images (.png, .jpg, .jpeg), one for each class".to_owned()));
    }
    images.sort();
    Ok(images)
}

fn is_image(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending.to_lowercase().as_str()))
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().into_string();
        let name = name.map_err(|name| io::Error::other(format!("the name {} is not UTF-8", name.display())))?;
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}

pub(super) fn columns(rows: u64) -> Vec<Column> {
    ["image", "target", "id"]
        .map(|name| Column { name: name.to_owned(), kind: Kind::Text, shape: Vec::new(), rows: Some(rows) })
        .into()
}

/// Sizes and times of all images, folded into one.
pub(super) fn state(directory: &Path, images: &[String]) -> io::Result<FileState> {
    let (mut hasher, mut bytes) = (DefaultHasher::new(), 0);
    for image in images {
        let metadata = fs::metadata(directory.join(image))?;
        (metadata.len(), metadata.modified().ok()).hash(&mut hasher);
        bytes += metadata.len();
    }
    let modified = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_nanos(hasher.finish()));
    Ok(FileState { bytes, modified })
}

/// Digest of files by path and content, and their size together.
pub(super) fn digest<'p>(
    directory: &Path,
    paths: impl Iterator<Item = &'p str>,
    stop: &AtomicBool,
) -> io::Result<(Digest, u64)> {
    let (mut hasher, mut bytes) = (Sha256::new(), 0);
    for path in paths {
        let (digest, size) =
            digest_of(&directory.join(path), stop).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
        hasher.update(format!("{path}\0{digest}\n"));
        bytes += size;
    }
    Ok((Digest::from_sha256(hasher.finalize().into()), bytes))
}

pub(super) struct ImagesReader {
    images: Arc<[String]>,
    columns: Vec<String>,
    read: usize,
}

impl ImagesReader {
    pub(super) fn new(images: Arc<[String]>, columns: &[&str]) -> Self {
        Self { images, columns: columns.iter().map(|name| (*name).to_owned()).collect(), read: 0 }
    }
}

impl Reader for ImagesReader {
    fn read(&mut self, rows: usize) -> Result<Option<Vec<Values>>, DataError> {
        let end = (self.read + rows).min(self.images.len());
        let images = &self.images[self.read..end];
        self.read = end;
        if images.is_empty() {
            return Ok(None);
        }
        let class = |path: &String| path.split_once('/').map_or(path.as_str(), |(class, _)| class).to_owned();
        let column = |name: &String| match name.as_str() {
            "target" => Values::Text(images.iter().map(class).collect()),
            _ => Values::Text(images.to_vec()),
        };
        Ok(Some(self.columns.iter().map(column).collect()))
    }
}
