//! From encoded images to the numbers that a model takes.

use std::{borrow::Cow, fs, io::Cursor, path::Path};

use image::{DynamicImage, ImageReader, Limits, RgbImage, imageops};

use crate::{
    dataset::{Column, Values},
    onnx::{
        error::EvalError,
        preprocess::{Colour, Filter, Layout, Preprocess, Resize},
        session::TensorType,
    },
};

/// How images become rows of one input.
#[derive(Debug)]
pub(super) struct ImagePlan {
    preprocess: Preprocess,
    layout: Layout,
    colour: Colour,
    /// Width and height that the model takes.
    width: u32,
    height: u32,
    scale: f64,
}

/// Most memory that decoding one image may take: 100 megapixels need 300 MB.
const DECODE_LIMIT: u64 = 512 << 20;

impl ImagePlan {
    /// None where the input does not take images. `floats`: whether it takes floating-point numbers.
    pub(super) fn new(
        port: &str,
        tensor: &TensorType,
        columns: &[&Column],
        preprocess: &Preprocess,
        floats: bool,
    ) -> Result<Option<Self>, EvalError> {
        use crate::dataset::Kind;
        let [column] = columns else { return Ok(None) };
        let [_, a, b, c] = tensor.shape[..] else { return Ok(None) };
        if !matches!(column.kind, Kind::Text | Kind::Bytes) || !column.shape.is_empty() {
            return Ok(None);
        }
        let usage = |message: String| EvalError::Usage(format!("the model's input `{port}`: {message}"));
        let is_channels = |size: Option<usize>| matches!(size, Some(1 | 3));
        let layout = match preprocess.layout {
            Some(layout) => layout,
            None if is_channels(a) => Layout::Nchw,
            None if is_channels(c) => Layout::Nhwc,
            None => {
                let message = "neither its second nor its last size is 1 or 3; say where the channels are with `layout=nchw` or `layout=nhwc`";
                return Err(usage(message.to_owned()));
            }
        };
        let (channels, height, width) = match layout {
            Layout::Nchw => (a, b, c),
            Layout::Nhwc => (c, a, b),
        };
        let colour = match (preprocess.colour, channels) {
            (Some(colour), None) => colour,
            (Some(Colour::Grey), Some(1)) | (None, Some(1)) => Colour::Grey,
            (Some(Colour::Bgr), Some(3)) => Colour::Bgr,
            (Some(Colour::Rgb), Some(3)) | (None, Some(3) | None) => Colour::Rgb,
            (_, Some(other)) => return Err(usage(format!("it takes {other} channels, which no colour gives"))),
        };
        for (word, numbers) in [("mean", &preprocess.mean), ("std", &preprocess.std)] {
            let channels = if colour == Colour::Grey { 1 } else { 3 };
            if ![0, 1, channels].contains(&numbers.len()) {
                return Err(usage(format!("`{word}` has {} numbers for {channels} channels", numbers.len())));
            }
        }
        // What the preprocessing leaves, against what the model takes.
        let left = match (preprocess.crop, preprocess.resize) {
            (Some(size), _) => Some(size),
            (None, Some(Resize::Exact(width, height))) => Some((width, height)),
            (None, Some(Resize::Shorter(_)) | None) => None,
        };
        let taken = |size: Option<usize>| size.and_then(|size| u32::try_from(size).ok());
        let (width, height) = match (left, taken(width), taken(height)) {
            (Some((w, h)), width, height) => {
                if width.is_some_and(|width| width != w) || height.is_some_and(|height| height != h) {
                    let size = |size: Option<u32>| size.map_or("?".to_owned(), |size| size.to_string());
                    let takes = format!("{}x{}", size(width), size(height));
                    return Err(usage(format!("it takes images of {takes}, and `preprocess` makes {w}x{h}")));
                }
                (w, h)
            }
            (None, Some(width), Some(height)) => (width, height),
            (None, _, _) => {
                let message = "it takes images of any size; say which with `resize=WIDTHxHEIGHT` or `crop=SIDE`";
                return Err(usage(message.to_owned()));
            }
        };
        let scale = preprocess.scale.unwrap_or(if floats { 1.0 / 255.0 } else { 1.0 });
        Ok(Some(Self { preprocess: preprocess.clone(), layout, colour, width, height, scale }))
    }

    /// Dimensions of one row.
    pub(super) fn row(&self) -> Vec<usize> {
        let channels = if self.colour == Colour::Grey { 1 } else { 3 };
        let (width, height) = (self.width as usize, self.height as usize);
        match self.layout {
            Layout::Nchw => vec![channels, height, width],
            Layout::Nhwc => vec![height, width, channels],
        }
    }

    /// The numbers of all images, in order; the error names the image by its index.
    pub(super) fn convert(&self, images: &Values, directory: &Path) -> Result<Vec<f64>, (usize, String)> {
        let mut numbers = Vec::with_capacity(images.len() * self.row().iter().product::<usize>());
        let mut add = |index: usize, bytes: Cow<'_, [u8]>| {
            let image = decode(&bytes).map_err(|message| (index, message))?;
            let image = self.sized(image).map_err(|message| (index, message))?;
            self.numbers(&image, &mut numbers);
            Ok(())
        };
        match images {
            Values::Bytes(images) => {
                images.iter().enumerate().try_for_each(|(index, bytes)| add(index, Cow::Borrowed(bytes)))?;
            }
            Values::Text(paths) => paths.iter().enumerate().try_for_each(|(index, path)| {
                let bytes = fs::read(directory.join(path)).map_err(|e| (index, format!("{path}: {e}")))?;
                add(index, Cow::Owned(bytes)).map_err(|(index, message)| (index, format!("{path}: {message}")))
            })?,
            _ => return Err((0, "it holds no images".to_owned())),
        }
        Ok(numbers)
    }

    fn sized(&self, image: DynamicImage) -> Result<RgbImage, String> {
        let image = image.into_rgb8();
        let (width, height) = image.dimensions();
        let image = match (self.preprocess.resize, self.preprocess.crop) {
            (Some(Resize::Shorter(side)), _) => {
                // torchvision's rounding: down.
                let long = |long: u32, short: u32| (u64::from(side) * u64::from(long) / u64::from(short)) as u32;
                let (w, h) = if width <= height { (side, long(height, width)) } else { (long(width, height), side) };
                self.resized(image, w, h)
            }
            (Some(Resize::Exact(w, h)), _) => self.resized(image, w, h),
            (None, Some(_)) => image,
            (None, None) => self.resized(image, self.width, self.height),
        };
        let Some((w, h)) = self.preprocess.crop else {
            if image.dimensions() != (self.width, self.height) {
                let (w, h) = image.dimensions();
                return Err(format!(
                    "it is {w}x{h} after resizing, and the model takes {}x{}; add a `crop`",
                    self.width, self.height
                ));
            }
            return Ok(image);
        };
        let (width, height) = image.dimensions();
        if width < w || height < h {
            return Err(format!("it is {width}x{height}, smaller than the crop of {w}x{h}"));
        }
        // torchvision's middle: halves go to the even number.
        let middle = |all: u32, part: u32| (f64::from(all - part) / 2.0).round_ties_even() as u32;
        Ok(imageops::crop_imm(&image, middle(width, w), middle(height, h), w, h).to_image())
    }

    fn resized(&self, image: RgbImage, width: u32, height: u32) -> RgbImage {
        if image.dimensions() == (width, height) {
            return image;
        }
        let filter = match self.preprocess.filter {
            Filter::Nearest => imageops::FilterType::Nearest,
            Filter::Bilinear => imageops::FilterType::Triangle,
            Filter::Bicubic => imageops::FilterType::CatmullRom,
            Filter::Lanczos => imageops::FilterType::Lanczos3,
        };
        imageops::resize(&image, width, height, filter)
    }

    fn numbers(&self, image: &RgbImage, into: &mut Vec<f64>) {
        let one = |numbers: &[f64], channel: usize, default: f64| match numbers {
            [] => default,
            [one] => *one,
            many => many[channel],
        };
        let number = |byte: u8, channel: usize| {
            let scaled = f64::from(byte) * self.scale - one(&self.preprocess.mean, channel, 0.0);
            scaled / one(&self.preprocess.std, channel, 1.0)
        };
        let order: &[usize] = match self.colour {
            Colour::Rgb => &[0, 1, 2],
            Colour::Bgr => &[2, 1, 0],
            Colour::Grey => {
                // ITU-R 601-2, as Pillow's `convert("L")`.
                let grey = |p: &[u8; 3]| {
                    let sum = u32::from(p[0]) * 19_595 + u32::from(p[1]) * 38_470 + u32::from(p[2]) * 7_471 + 0x8000;
                    (sum >> 16) as u8
                };
                into.extend(image.pixels().map(|pixel| number(grey(&pixel.0), 0)));
                return;
            }
        };
        match self.layout {
            Layout::Nhwc => {
                for pixel in image.pixels() {
                    into.extend(order.iter().enumerate().map(|(channel, from)| number(pixel.0[*from], channel)));
                }
            }
            Layout::Nchw => {
                for (channel, from) in order.iter().enumerate() {
                    into.extend(image.pixels().map(|pixel| number(pixel.0[*from], channel)));
                }
            }
        }
    }
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("it is not an image that Assay reads (PNG, JPEG)".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODE_LIMIT);
    reader.limits(limits);
    reader.decode().map_err(|e| format!("it cannot be decoded: {e}"))
}
