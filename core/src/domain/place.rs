//! Where the device says it was.

use super::Refusal;
use crate::catalogue::Param;

/// A position as the device claims it: degrees times 10⁷ (WGS-84), accuracy in metres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub latitude_e7: i64,
    pub longitude_e7: i64,
    /// Radius in metres, if the device told one.
    pub accuracy_m: Option<u64>,
}

impl Position {
    /// Checks the ranges: ±90° and ±180°, accuracy at most 10,000 km.
    pub fn from_e7(latitude_e7: i64, longitude_e7: i64, accuracy_m: Option<u64>) -> Result<Position, Refusal> {
        let fits = (-900_000_000..=900_000_000).contains(&latitude_e7)
            && (-1_800_000_000..=1_800_000_000).contains(&longitude_e7)
            && accuracy_m.is_none_or(|metres| metres <= 10_000_000);
        if !fits {
            let value = format!("{latitude_e7}, {longitude_e7}, {}", accuracy_m.unwrap_or(0));
            return Err(Refusal::new("position_range", [("value", Param::text(value))]));
        }
        Ok(Position {
            latitude_e7,
            longitude_e7,
            accuracy_m,
        })
    }

    /// From degrees; NaN and infinity are refused like any other value out of range.
    pub fn from_degrees(latitude: f64, longitude: f64, accuracy_m: Option<f64>) -> Result<Position, Refusal> {
        let refused = || {
            let value = format!("{latitude}, {longitude}");
            Refusal::new("position_range", [("value", Param::text(value))])
        };
        if !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0) {
            return Err(refused());
        }
        let accuracy_m = match accuracy_m {
            Some(metres) if (0.0..=10_000_000.0).contains(&metres) => Some(metres.ceil() as u64),
            Some(_) => return Err(refused()),
            None => None,
        };
        Position::from_e7(
            (latitude * 1e7).round() as i64,
            (longitude * 1e7).round() as i64,
            accuracy_m,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(
            Position::from_degrees(60.146706, 24.906772, Some(4.2)),
            Position::from_e7(601_467_060, 249_067_720, Some(5))
        );
        assert!(Position::from_e7(900_000_000, -1_800_000_000, None).is_ok());
        for (lat, lon) in [(90.1, 0.0), (0.0, 180.1), (f64::NAN, 0.0), (f64::INFINITY, 0.0)] {
            assert_eq!(
                Position::from_degrees(lat, lon, None).unwrap_err().code(),
                "position_range"
            );
        }
        assert!(Position::from_e7(900_000_001, 0, None).is_err());
        assert!(Position::from_degrees(0.0, 0.0, Some(-1.0)).is_err());
    }
}
