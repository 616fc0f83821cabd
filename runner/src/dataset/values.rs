//! A run of values of one column, in the type that the file holds them in.

use half::f16;

/// Element types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    /// Text, or a number not yet parsed (CSV).
    Text,
    /// Of any length: an encoded image.
    Bytes,
}

impl Kind {
    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::F16 => "float16",
            Kind::F32 => "float32",
            Kind::F64 => "float64",
            Kind::I8 => "int8",
            Kind::I16 => "int16",
            Kind::I32 => "int32",
            Kind::I64 => "int64",
            Kind::U8 => "uint8",
            Kind::U16 => "uint16",
            Kind::U32 => "uint32",
            Kind::U64 => "uint64",
            Kind::Bool => "bool",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
        }
    }
}

/// Values of a column, rows one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    F16(Vec<f16>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
    Text(Vec<String>),
    Bytes(Vec<Vec<u8>>),
}

/// The `index`-th value does not fit the type wanted: why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    pub index: usize,
    pub message: String,
}

/// A number type that a model may take.
pub trait Element: Copy + 'static {
    const NAME: &'static str;
    /// None where the number is not one of the type's (a fraction for an integer, an overflow).
    fn from_i128(value: i128) -> Option<Self>;
    fn from_f64(value: f64) -> Option<Self>;
    /// Itself, where the values have this type already.
    fn take(values: Values) -> Result<Vec<Self>, Values>;
}

macro_rules! integer {
    ($($type:ident $variant:ident $name:literal;)*) => {$(
        impl Element for $type {
            const NAME: &'static str = $name;
            fn from_i128(value: i128) -> Option<Self> {
                Self::try_from(value).ok()
            }
            fn from_f64(value: f64) -> Option<Self> {
                // The comparison is false for NaN and infinities; beyond 2^64 no integer type goes.
                (value.fract() == 0.0 && value.abs() < 2f64.powi(65)).then(|| Self::try_from(value as i128).ok())?
            }
            fn take(values: Values) -> Result<Vec<Self>, Values> {
                match values { Values::$variant(values) => Ok(values), other => Err(other) }
            }
        }
    )*};
}

integer! {
    i8 I8 "int8"; i16 I16 "int16"; i32 I32 "int32"; i64 I64 "int64";
    u8 U8 "uint8"; u16 U16 "uint16"; u32 U32 "uint32"; u64 U64 "uint64";
}

impl Element for f16 {
    const NAME: &'static str = "float16";
    fn from_i128(value: i128) -> Option<Self> {
        Some(f16::from_f64(value as f64))
    }
    fn from_f64(value: f64) -> Option<Self> {
        Some(f16::from_f64(value))
    }
    fn take(values: Values) -> Result<Vec<Self>, Values> {
        match values {
            Values::F16(values) => Ok(values),
            other => Err(other),
        }
    }
}

impl Element for f32 {
    const NAME: &'static str = "float32";
    fn from_i128(value: i128) -> Option<Self> {
        Some(value as f32)
    }
    fn from_f64(value: f64) -> Option<Self> {
        Some(value as f32)
    }
    fn take(values: Values) -> Result<Vec<Self>, Values> {
        match values {
            Values::F32(values) => Ok(values),
            other => Err(other),
        }
    }
}

impl Element for f64 {
    const NAME: &'static str = "float64";
    fn from_i128(value: i128) -> Option<Self> {
        Some(value as f64)
    }
    fn from_f64(value: f64) -> Option<Self> {
        Some(value)
    }
    fn take(values: Values) -> Result<Vec<Self>, Values> {
        match values {
            Values::F64(values) => Ok(values),
            other => Err(other),
        }
    }
}

impl Element for bool {
    const NAME: &'static str = "bool";
    fn from_i128(value: i128) -> Option<Self> {
        match value {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
    fn from_f64(value: f64) -> Option<Self> {
        if value == 0.0 {
            Some(false)
        } else if value == 1.0 {
            Some(true)
        } else {
            None
        }
    }
    fn take(values: Values) -> Result<Vec<Self>, Values> {
        match values {
            Values::Bool(values) => Ok(values),
            other => Err(other),
        }
    }
}

/// Runs `$body` with `$values` bound to the vector inside, for every variant of integers.
macro_rules! each {
    ($self:expr, floats $f:ident => $floats:expr, integers $i:ident => $integers:expr, bools $b:ident => $bools:expr, texts $t:ident => $texts:expr, bytes $y:ident => $bytes:expr) => {
        match $self {
            Values::F16($f) => $floats,
            Values::F32($f) => $floats,
            Values::F64($f) => $floats,
            Values::I8($i) => $integers,
            Values::I16($i) => $integers,
            Values::I32($i) => $integers,
            Values::I64($i) => $integers,
            Values::U8($i) => $integers,
            Values::U16($i) => $integers,
            Values::U32($i) => $integers,
            Values::U64($i) => $integers,
            Values::Bool($b) => $bools,
            Values::Text($t) => $texts,
            Values::Bytes($y) => $bytes,
        }
    };
}

impl Values {
    pub fn kind(&self) -> Kind {
        match self {
            Values::F16(_) => Kind::F16,
            Values::F32(_) => Kind::F32,
            Values::F64(_) => Kind::F64,
            Values::I8(_) => Kind::I8,
            Values::I16(_) => Kind::I16,
            Values::I32(_) => Kind::I32,
            Values::I64(_) => Kind::I64,
            Values::U8(_) => Kind::U8,
            Values::U16(_) => Kind::U16,
            Values::U32(_) => Kind::U32,
            Values::U64(_) => Kind::U64,
            Values::Bool(_) => Kind::Bool,
            Values::Text(_) => Kind::Text,
            Values::Bytes(_) => Kind::Bytes,
        }
    }

    pub fn len(&self) -> usize {
        each!(self, floats v => v.len(), integers v => v.len(), bools v => v.len(), texts v => v.len(),
            bytes v => v.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values as numbers of one type; text is parsed. Exact, or refused, except for rounding to a
    /// floating-point type.
    #[expect(clippy::useless_conversion, reason = "one macro serves both widths")]
    pub fn numbers<T: Element>(self) -> Result<Vec<T>, Misfit> {
        let values = match T::take(self) {
            Ok(values) => return Ok(values),
            Err(values) => values,
        };
        let misfit = |index: usize, value: &dyn std::fmt::Display| Misfit {
            index,
            message: format!("{value} is not a {}", T::NAME),
        };
        each!(values,
        floats v => v.iter().enumerate()
            .map(|(i, x)| T::from_f64(f64::from(*x)).ok_or_else(|| misfit(i, x))).collect(),
        integers v => v.iter().enumerate()
            .map(|(i, x)| T::from_i128(i128::from(*x)).ok_or_else(|| misfit(i, x))).collect(),
        bools v => v.iter().enumerate()
            .map(|(i, x)| T::from_i128(i128::from(*x)).ok_or_else(|| misfit(i, x))).collect(),
        texts v => v.iter().enumerate().map(|(i, text)| {
            let text = text.trim();
            let number = match text.parse::<i128>() {
                Ok(number) => T::from_i128(number),
                Err(_) => text.parse::<f64>().ok().and_then(T::from_f64),
            };
            number.ok_or_else(|| misfit(i, &format!("`{}`", text.chars().take(60).collect::<String>())))
        }).collect(),
        bytes v => match v.first() {
            Some(first) => Err(misfit(0, &format!("a run of {} bytes", first.len()))),
            None => Ok(Vec::new()),
        })
    }

    /// The values as text, as a person would write them.
    pub fn texts(self) -> Vec<String> {
        each!(self,
            floats v => v.iter().map(ToString::to_string).collect(),
            integers v => v.iter().map(ToString::to_string).collect(),
            bools v => v.iter().map(ToString::to_string).collect(),
            texts v => v,
            bytes v => v.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect())
    }

    /// Repeats the last of `rows` rows until there are `padded`.
    pub fn repeat_last_row(&mut self, rows: usize, padded: usize) {
        fn repeat<T: Clone>(values: &mut Vec<T>, rows: usize, padded: usize) {
            let width = values.len() / rows.max(1);
            let last = values[values.len() - width..].to_vec();
            for _ in rows..padded {
                values.extend_from_slice(&last);
            }
        }
        match self {
            Values::F16(v) => repeat(v, rows, padded),
            Values::F32(v) => repeat(v, rows, padded),
            Values::F64(v) => repeat(v, rows, padded),
            Values::I8(v) => repeat(v, rows, padded),
            Values::I16(v) => repeat(v, rows, padded),
            Values::I32(v) => repeat(v, rows, padded),
            Values::I64(v) => repeat(v, rows, padded),
            Values::U8(v) => repeat(v, rows, padded),
            Values::U16(v) => repeat(v, rows, padded),
            Values::U32(v) => repeat(v, rows, padded),
            Values::U64(v) => repeat(v, rows, padded),
            Values::Bool(v) => repeat(v, rows, padded),
            Values::Text(v) => repeat(v, rows, padded),
            Values::Bytes(v) => repeat(v, rows, padded),
        }
    }

    /// Puts more values of the same type behind these; gives them back where the type is another one.
    pub fn append(&mut self, more: Values) -> Result<(), Values> {
        match (self, more) {
            (Values::F16(v), Values::F16(mut more)) => v.append(&mut more),
            (Values::F32(v), Values::F32(mut more)) => v.append(&mut more),
            (Values::F64(v), Values::F64(mut more)) => v.append(&mut more),
            (Values::I8(v), Values::I8(mut more)) => v.append(&mut more),
            (Values::I16(v), Values::I16(mut more)) => v.append(&mut more),
            (Values::I32(v), Values::I32(mut more)) => v.append(&mut more),
            (Values::I64(v), Values::I64(mut more)) => v.append(&mut more),
            (Values::U8(v), Values::U8(mut more)) => v.append(&mut more),
            (Values::U16(v), Values::U16(mut more)) => v.append(&mut more),
            (Values::U32(v), Values::U32(mut more)) => v.append(&mut more),
            (Values::U64(v), Values::U64(mut more)) => v.append(&mut more),
            (Values::Bool(v), Values::Bool(mut more)) => v.append(&mut more),
            (Values::Text(v), Values::Text(mut more)) => v.append(&mut more),
            (Values::Bytes(v), Values::Bytes(mut more)) => v.append(&mut more),
            (_, more) => return Err(more),
        }
        Ok(())
    }
}
