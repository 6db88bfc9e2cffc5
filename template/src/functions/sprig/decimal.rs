//! Decimal numbers of moderate size.

/// `mantissa * 10^-scale`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: i128,
    scale: u32,
}

/// Digits after the point that a division keeps.
const DIVISION_DIGITS: u32 = 16;
const LARGEST_SCALE: u32 = 30;

impl Decimal {
    /// The shortest decimal that reads back as the float.
    pub(super) fn from_float(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let text = format!("{value}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let scale = u32::try_from(fraction.len()).ok().filter(|scale| *scale <= LARGEST_SCALE)?;
        let mantissa = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { mantissa, scale })
    }

    pub(super) fn to_float(self) -> f64 {
        format!("{}e-{}", self.mantissa, self.scale).parse().unwrap_or(f64::NAN)
    }

    /// Both with the same scale.
    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let lift = |one: Self| one.mantissa.checked_mul(10i128.checked_pow(scale - one.scale)?);
        Some((lift(self)?, lift(other)?, scale))
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { mantissa: a.checked_add(b)?, scale })
    }

    pub(super) fn sub(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Self { mantissa: a.checked_sub(b)?, scale })
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa.checked_mul(other.mantissa)?, scale: self.scale + other.scale })
    }

    /// Rounded half away from zero.
    pub(super) fn div(self, other: Self) -> Option<Self> {
        let (a, b, _) = self.aligned(other)?;
        let raised = a.checked_mul(10i128.checked_pow(DIVISION_DIGITS)?)?;
        let quotient = raised.checked_div(b)?;
        let twice_rest = raised.checked_rem(b)?.unsigned_abs().checked_mul(2)?;
        let away = i128::from(twice_rest >= b.unsigned_abs()) * raised.signum() * b.signum();
        Some(Self { mantissa: quotient.checked_add(away)?, scale: DIVISION_DIGITS })
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn tenths_are_exact() {
        let number = |value| Decimal::from_float(value).unwrap();
        assert_eq!(number(0.1).add(number(0.2)).unwrap().to_float(), 0.3);
        assert_eq!(number(1.0).sub(number(0.9)).unwrap().to_float(), 0.1);
        assert_eq!(number(1.1).mul(number(1.1)).unwrap().to_float(), 1.21);
        assert_eq!(number(2.0).div(number(3.0)).unwrap().to_float(), 0.666_666_666_666_666_7);
        assert_eq!(number(-1.0).div(number(8.0)).unwrap().to_float(), -0.125);
        assert_eq!(number(1.0).div(number(0.0)), None);
        assert_eq!(Decimal::from_float(f64::NAN), None);
    }
}
