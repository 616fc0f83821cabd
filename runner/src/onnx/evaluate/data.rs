//! What is evaluated on: the data set, its digest, and the images that its rows name.

use sha2::{Digest as _, Sha256};
use workflows::{evaluation::FileFacts, ids::Digest};

use super::EvalSettings;
use crate::{
    dataset::{DataError, Dataset, Digesting},
    onnx::{error::EvalError, inputs::Inputs},
    priority::Priority,
};

/// A data set whose digest is on its way: it is computed while ONNX Runtime and the model are loaded.
pub(in crate::onnx) struct Data {
    pub(in crate::onnx) dataset: Dataset,
    pub(in crate::onnx) digest: Digesting,
}

impl Data {
    pub(in crate::onnx) fn open(settings: &EvalSettings) -> Result<Self, DataError> {
        let dataset = Dataset::open(&settings.dataset)?;
        let digest = Digesting::start(&dataset, Priority::beside(settings.threads));
        Ok(Self { dataset, digest })
    }
}

/// Images that rows name by path: part of the data set, though not of its file.
pub(super) struct Images(Option<(Digest, u64)>);

impl Images {
    pub(super) fn look(dataset: &Dataset, sides: &[Inputs]) -> Result<Self, EvalError> {
        let columns: Vec<&str> = sides.iter().flat_map(Inputs::image_columns).collect();
        Ok(Self(dataset.digest_of_files(&columns)?))
    }

    pub(super) fn check_unchanged(&self, dataset: &Dataset, sides: &[Inputs]) -> Result<(), EvalError> {
        if self.0.is_some() && Self::look(dataset, sides)?.0 != self.0 {
            return Err(dataset.error(None, None, "its images changed while they were read".to_owned()).into());
        }
        Ok(())
    }

    /// What was evaluated on, from the file's own digest and size.
    pub(super) fn facts(&self, dataset: &Dataset, of_file: &(Digest, u64)) -> FileFacts {
        let (mut digest, mut bytes) = of_file.clone();
        if let Some((of_images, size)) = &self.0 {
            digest = Digest::from_sha256(Sha256::digest(format!("{digest}\0{of_images}")).into());
            bytes += size;
        }
        FileFacts { path: dataset.path().display().to_string(), digest, bytes }
    }
}
