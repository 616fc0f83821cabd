//! What is done to images and texts before a model sees them: the words of `--preprocess`.

use std::str::FromStr;

/// `resize=256,crop=224,mean=0.485 0.456 0.406,std=0.229 0.224 0.225`
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Preprocess {
    pub resize: Option<Resize>,
    /// Width and height of what is cut out of the middle.
    pub crop: Option<(u32, u32)>,
    pub filter: Filter,
    /// Factor on each byte; none: 1/255 for floating-point inputs, else 1.
    pub scale: Option<f64>,
    /// Taken from each channel after scaling; one for all, or one for each.
    pub mean: Vec<f64>,
    /// Divides each channel after that.
    pub std: Vec<f64>,
    /// None: as the model's shape has its 1 or 3 channels, first or last.
    pub layout: Option<Layout>,
    /// None: RGB for three channels, grey for one.
    pub colour: Option<Colour>,
    /// Longest text in tokens; what is longer is cut.
    pub max_length: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The shorter side to this many pixels, the other in proportion.
    Shorter(u32),
    /// To this width and height, whatever the proportions.
    Exact(u32, u32),
}

/// How pixels are made of others; each but `nearest` averages when it makes an image smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    Nearest,
    #[default]
    Bilinear,
    Bicubic,
    Lanczos,
}

/// Where the channels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    Nchw,
    Nhwc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Rgb,
    Bgr,
    Grey,
}

const WORDS: &str = "resize, crop, filter, scale, mean, std, layout, colour, max-length";

impl FromStr for Preprocess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut new = Self::default();
        for word in text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("`{word}` has no `=`: WORD=VALUE"))?;
            let (name, value) = (name.trim(), value.trim());
            let wrong = |expected: &str| format!("`{name}={value}`: expected {expected}");
            match name {
                "resize" => {
                    new.resize = Some(match value.split_once('x') {
                        Some(_) => {
                            let (width, height) = size(value).ok_or_else(|| wrong("SIDE or WIDTHxHEIGHT"))?;
                            Resize::Exact(width, height)
                        }
                        None => Resize::Shorter(side(value).ok_or_else(|| wrong("SIDE or WIDTHxHEIGHT"))?),
                    });
                }
                "crop" => new.crop = Some(size(value).ok_or_else(|| wrong("SIDE or WIDTHxHEIGHT"))?),
                "filter" => {
                    new.filter = match value {
                        "nearest" => Filter::Nearest,
                        "bilinear" => Filter::Bilinear,
                        "bicubic" => Filter::Bicubic,
                        "lanczos" => Filter::Lanczos,
                        _ => return Err(wrong("nearest, bilinear, bicubic or lanczos")),
                    }
                }
                "scale" => new.scale = Some(number(value).ok_or_else(|| wrong("a number or A/B"))?),
                "mean" => new.mean = numbers(value).ok_or_else(|| wrong("numbers with spaces between them"))?,
                "std" => {
                    let numbers = numbers(value).filter(|numbers| numbers.iter().all(|n| *n != 0.0));
                    new.std = numbers.ok_or_else(|| wrong("numbers that are not 0, with spaces between them"))?;
                }
                "layout" => {
                    new.layout = Some(match value.to_lowercase().as_str() {
                        "nchw" => Layout::Nchw,
                        "nhwc" => Layout::Nhwc,
                        _ => return Err(wrong("nchw or nhwc")),
                    });
                }
                "colour" | "color" => {
                    new.colour = Some(match value.to_lowercase().as_str() {
                        "rgb" => Colour::Rgb,
                        "bgr" => Colour::Bgr,
                        "grey" | "gray" => Colour::Grey,
                        _ => return Err(wrong("rgb, bgr or grey")),
                    });
                }
                "max-length" => {
                    let length = value.parse().ok().filter(|length| *length > 0);
                    new.max_length = Some(length.ok_or_else(|| wrong("a number of tokens"))?);
                }
                _ => return Err(format!("`{name}` is not a word of preprocess ({WORDS})")),
            }
        }
        Ok(new)
    }
}

fn side(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|side| (1..=16_384).contains(side))
}

fn size(text: &str) -> Option<(u32, u32)> {
    match text.split_once('x') {
        Some((width, height)) => Some((side(width)?, side(height)?)),
        None => side(text).map(|side| (side, side)),
    }
}

fn number(text: &str) -> Option<f64> {
    let number = match text.split_once('/') {
        Some((a, b)) => a.trim().parse::<f64>().ok()? / b.trim().parse::<f64>().ok()?,
        None => text.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    let numbers: Vec<f64> = text.split_whitespace().map(number).collect::<Option<_>>()?;
    (!numbers.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_mistakes_named() {
        let read: Preprocess = "resize=256, crop=224x200\nscale=1/255,mean=0.5 0.4 0.3,layout=NHWC".parse().unwrap();
        assert_eq!(read.resize, Some(Resize::Shorter(256)));
        assert_eq!(read.crop, Some((224, 200)));
        assert_eq!(read.scale, Some(1.0 / 255.0));
        assert_eq!((read.mean, read.layout), (vec![0.5, 0.4, 0.3], Some(Layout::Nhwc)));
        for (text, message) in [
            ("resize", "`resize` has no `=`"),
            ("resize=0", "`resize=0`: expected SIDE"),
            ("std=0", "not 0"),
            ("blur=3", "`blur` is not a word of preprocess"),
            ("layout=chwn", "nchw or nhwc"),
        ] {
            let error = text.parse::<Preprocess>().unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
