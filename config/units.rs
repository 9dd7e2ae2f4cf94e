//! Values with units: sizes in bytes, and spans of time.
//!
//! ```text
//! size     := number space? [ "k" | "m" | "g" | "t" ] [ "i" ] [ "b" ]     letters in either case
//! duration := digits space? [ "s" | "m" | "h" ]
//! number   := digits [ "." digits ]       a fraction only with a unit, "i" only after a letter
//! ```
//! White space around the whole is ignored. Every size unit is a power of 1024, also `GB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The forms of a size that are accepted, as error texts name them.
pub(crate) const SIZE_FORMS: &str = "a number of bytes (`1048576`) or a number with a unit of K, M, G or T \
                                     (`500M`, `10G`, `1.5GiB`, `10GB`; powers of 1024)";

/// The forms of a duration that are accepted, as error texts name them.
pub(crate) const DURATION_FORMS: &str =
    "a number of seconds (`600`) or a number with a unit of s, m or h (`10s`, `5m`, `1h`)";

/// The forms of a yes or no that are accepted, as error texts name them.
pub(crate) const FLAG_FORMS: &str = "`true` or `false` (also `1` and `0`, `yes` and `no`, `on` and `off`)";

/// The longest duration: adding it to any clock cannot overflow, which `Instant` answers with a panic.
const MAX_SECONDS: u64 = 100 * 365 * 24 * 60 * 60;

/// Fraction digits beyond these change no whole byte that anybody can have meant.
const MAX_FRACTION_DIGITS: usize = 15;

/// Reads a yes or no.
pub(crate) fn parse_flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Says that a text is no size or no duration, and which forms are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accepted are {accepted}")]
pub struct UnitError {
    /// The accepted forms, as a noun phrase.
    pub accepted: &'static str,
}

const NO_SIZE: UnitError = UnitError { accepted: SIZE_FORMS };
const NO_DURATION: UnitError = UnitError { accepted: DURATION_FORMS };

/// A number of bytes.
///
/// `Display` is the short form of the statistics: binary units, rounded to a whole number (`10 GiB`,
/// `0 bytes`). [`ByteSize::detailed`] is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Makes a size from a number of bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// Returns the exact number of bytes with the short form beside it: `10737418240 (10 GiB)`.
    pub fn detailed(self) -> String {
        format!("{} ({self})", self.0)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} bytes", self.0);
        }
        let mut unit: u128 = 1;
        for name in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
            unit *= 1024;
            // Rounded before it is compared, so that nobody reads `1024 MiB`.
            let rounded = (u128::from(self.0) + unit / 2) / unit;
            if rounded < 1024 {
                return write!(f, "{rounded} {name}");
            }
        }
        // Not reached: the largest value is 16 EiB.
        write!(f, "{} bytes", self.0)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    /// Reads a size; values above the largest number become the largest number.
    ///
    /// # Errors
    /// [`UnitError`] for negative numbers and everything else outside the grammar of this module.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (whole, rest) = split_digits(text);
        let (fraction, unit) = match rest.strip_prefix('.') {
            Some(after_point) => split_digits(after_point),
            None => ("0", rest),
        };
        if whole.is_empty() || fraction.is_empty() {
            return Err(NO_SIZE);
        }
        let multiplier = size_multiplier(unit.trim_start()).ok_or(NO_SIZE)?;
        if multiplier == 1 && rest.starts_with('.') {
            return Err(NO_SIZE);
        }
        let bytes = saturating_number(whole)
            .saturating_mul(multiplier)
            .saturating_add(fraction_of(fraction, multiplier));
        Ok(Self(bytes))
    }
}

/// Reads a duration in whole seconds; values above a hundred years become a hundred years.
///
/// # Errors
/// [`UnitError`] for negative numbers, fractions and everything else outside the grammar of this module.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split_digits(text.trim());
    if number.is_empty() {
        return Err(NO_DURATION);
    }
    let seconds_each = match unit.trim_start() {
        "" | "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 60 * 60,
        _ => return Err(NO_DURATION),
    };
    let seconds = saturating_number(number).saturating_mul(seconds_each);
    Ok(Duration::from_secs(seconds.min(MAX_SECONDS)))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn size_multiplier(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let without_byte = unit.strip_suffix('b').unwrap_or(&unit);
    match without_byte.strip_suffix('i').unwrap_or(without_byte) {
        // `i` alone would be a unit without a letter.
        "" if without_byte.is_empty() => Some(1),
        "k" => Some(1 << 10),
        "m" => Some(1 << 20),
        "g" => Some(1 << 30),
        "t" => Some(1 << 40),
        _ => None,
    }
}

fn saturating_number(digits: &str) -> u64 {
    digits.bytes().fold(0u64, |number, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

/// Computes `0.digits * multiplier`, rounded down.
fn fraction_of(digits: &str, multiplier: u64) -> u64 {
    let digits = &digits[..digits.len().min(MAX_FRACTION_DIGITS)];
    let scale = digits.bytes().fold(1u128, |scale, _| scale * 10);
    let parts = u128::from(saturating_number(digits)) * u128::from(multiplier) / scale;
    // Below `multiplier`, which is a u64.
    u64::try_from(parts).unwrap_or(u64::MAX)
}
