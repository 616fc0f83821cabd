//! From texts to tokens, by a Hugging Face `tokenizer.json`.

use std::{ops::Range, path::Path};

use ort::{
    session::SessionInputValue,
    value::{Tensor, TensorElementType},
};
use tokenizers::{Encoding, Tokenizer, TruncationParams};

use crate::onnx::{
    error::EvalError,
    session::{Port, TensorType, element_name},
};

/// A model's inputs for a text, by the names that transformers give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Ids,
    Mask,
    Types,
}

impl Part {
    pub(super) fn of(port: &str) -> Option<Self> {
        match port {
            "input_ids" => Some(Part::Ids),
            "attention_mask" => Some(Part::Mask),
            "token_type_ids" => Some(Part::Types),
            _ => None,
        }
    }
}

/// How texts become tokens.
#[derive(Debug)]
pub(super) struct TextPlan {
    tokenizer: Tokenizer,
    /// The one column with the texts.
    pub column: String,
    /// Tokens that the model takes; none: as many as the longest text of a batch has.
    fixed: Option<usize>,
    padding: u32,
}

impl TextPlan {
    pub(super) fn new(
        path: &Path,
        column: String,
        ports: &[&Port],
        max_length: Option<usize>,
    ) -> Result<Self, EvalError> {
        let error = |message: String| EvalError::Usage(format!("tokenizer {}: {message}", path.display()));
        let bytes = std::fs::read(path).map_err(|e| error(e.to_string()))?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|e| error(format!("it is no tokenizer: {e}")))?;
        for port in ports {
            let Some(TensorType { element: TensorElementType::Int64 | TensorElementType::Int32, shape, .. }) =
                &port.tensor
            else {
                let element = port.tensor.as_ref().map_or_else(|| "no tensor".to_owned(), |t| element_name(t.element));
                return Err(error(format!(
                    "the model's input `{}` is {element}; tokens are int64 or int32",
                    port.name
                )));
            };
            if shape.len() != 2 {
                return Err(error(format!(
                    "the model's input `{}` has {} dimensions; tokens have 2",
                    port.name,
                    shape.len()
                )));
            }
        }
        let mut sizes = ports.iter().filter_map(|port| port.tensor.as_ref()?.shape.get(1).copied().flatten());
        let fixed = sizes.next();
        let longest = match (max_length, fixed) {
            (Some(wanted), Some(fixed)) => Some(wanted.min(fixed)),
            (wanted, fixed) => wanted.or(fixed),
        };
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id);
        let padding = padding.or_else(|| tokenizer.token_to_id("[PAD]")).or_else(|| tokenizer.token_to_id("<pad>"));
        // Padding is done by the batch, below.
        tokenizer.with_padding(None);
        if let Some(max_length) = longest {
            let truncation = TruncationParams { max_length, ..TruncationParams::default() };
            tokenizer.with_truncation(Some(truncation)).map_err(|e| error(e.to_string()))?;
        }
        Ok(Self { tokenizer, column, fixed, padding: padding.unwrap_or(0) })
    }

    /// The tokens of each text; the error names the text by its index.
    pub(super) fn encode(&self, texts: Vec<String>) -> Result<Vec<Encoding>, (usize, String)> {
        let each = texts.into_iter().enumerate();
        each.map(|(index, text)| self.tokenizer.encode(text, true).map_err(|e| (index, e.to_string()))).collect()
    }

    /// One part of some texts' tokens, padded to one length.
    pub(super) fn view(
        &self,
        encoded: &[Encoding],
        rows: Range<usize>,
        part: Part,
        element: TensorElementType,
    ) -> Result<SessionInputValue<'static>, ort::Error> {
        let encoded = &encoded[rows];
        let longest = encoded.iter().map(Encoding::len).max().unwrap_or(0).max(1);
        let length = self.fixed.unwrap_or(longest);
        let mut tokens: Vec<i64> = Vec::with_capacity(encoded.len() * length);
        for encoding in encoded {
            let (values, padding) = match part {
                Part::Ids => (encoding.get_ids(), self.padding),
                Part::Mask => (encoding.get_attention_mask(), 0),
                Part::Types => (encoding.get_type_ids(), 0),
            };
            tokens.extend(values.iter().copied().chain(std::iter::repeat(padding)).take(length).map(i64::from));
        }
        let shape = [encoded.len(), length];
        Ok(match element {
            TensorElementType::Int32 => {
                let tokens: Vec<i32> = tokens.into_iter().map(|token| token as i32).collect();
                Tensor::from_array((shape, tokens))?.into()
            }
            _ => Tensor::from_array((shape, tokens))?.into(),
        })
    }
}
