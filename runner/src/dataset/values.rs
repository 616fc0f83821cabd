//! A run of values of one column, in the type that the file holds them in.

/// Element types. Half precision is widened when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
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
}

impl Kind {
    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
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
        }
    }
}

/// Values of a column, rows one after the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
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
    ($self:expr, floats $f:ident => $floats:expr, integers $i:ident => $integers:expr, bools $b:ident => $bools:expr, texts $t:ident => $texts:expr) => {
        match $self {
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
        }
    };
}

impl Values {
    pub fn len(&self) -> usize {
        each!(self, floats v => v.len(), integers v => v.len(), bools v => v.len(), texts v => v.len())
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
            }).collect())
    }

    /// The values as text, as a person would write them.
    pub fn texts(self) -> Vec<String> {
        each!(self,
            floats v => v.iter().map(ToString::to_string).collect(),
            integers v => v.iter().map(ToString::to_string).collect(),
            bools v => v.iter().map(ToString::to_string).collect(),
            texts v => v)
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
        }
    }

    /// Takes the first `count` values out.
    pub fn take_front(&mut self, count: usize) -> Values {
        fn front<T>(values: &mut Vec<T>, count: usize) -> Vec<T> {
            let rest = values.split_off(count.min(values.len()));
            std::mem::replace(values, rest)
        }
        match self {
            Values::F32(v) => Values::F32(front(v, count)),
            Values::F64(v) => Values::F64(front(v, count)),
            Values::I8(v) => Values::I8(front(v, count)),
            Values::I16(v) => Values::I16(front(v, count)),
            Values::I32(v) => Values::I32(front(v, count)),
            Values::I64(v) => Values::I64(front(v, count)),
            Values::U8(v) => Values::U8(front(v, count)),
            Values::U16(v) => Values::U16(front(v, count)),
            Values::U32(v) => Values::U32(front(v, count)),
            Values::U64(v) => Values::U64(front(v, count)),
            Values::Bool(v) => Values::Bool(front(v, count)),
            Values::Text(v) => Values::Text(front(v, count)),
        }
    }
}
