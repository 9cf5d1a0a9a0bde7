use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// A moment in UTC to the second, written `2026-11-24T15:50:00Z`, from the year 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

const DAY: u64 = 86_400;
const LAST: u64 = 253_402_300_799;

impl Timestamp {
    /// The moment `seconds` after 1970-01-01T00:00:00Z; the last second of the year 9999 if that is later.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// The moment `days` later.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self::from_unix(self.0 + u64::from(days) * DAY)
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first day of `year`.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || {
            Error::new(ErrorKind::Value, "a moment is written in UTC, as in 2026-11-24T15:50:00Z")
        };
        let shape = b"dddd-dd-ddTdd:dd:ddZ";
        let fits = |(byte, shape): (u8, u8)| {
            if shape == b'd' { byte.is_ascii_digit() } else { byte == shape }
        };
        if text.len() != shape.len() || !text.bytes().zip(shape.iter().copied()).all(fits) {
            return Err(refused());
        }
        let number =
            |range: std::ops::Range<usize>| text[range].parse::<u64>().map_err(|_| refused());
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let date =
            year >= 1970 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
        if !date || hour > 23 || minute > 59 || second > 59 {
            return Err(refused());
        }
        let days = days_before(year) + (1..month).map(|m| days_in(year, m)).sum::<u64>() + day - 1;
        Ok(Self(days * DAY + hour * 3600 + minute * 60 + second))
    }
}

text_form!(Timestamp);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, time) = (self.0 / DAY, self.0 % DAY);
        let mut year = 1970 + days / 366;
        while days_before(year + 1) <= days {
            year += 1;
        }
        days -= days_before(year);
        let mut month = 1;
        while days >= days_in(year, month) {
            days -= days_in(year, month);
            month += 1;
        }
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(f, "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_unix_clock() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-24T15:50:00Z", 1_795_535_400),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            let moment: Timestamp = text.parse().unwrap();
            assert_eq!(moment.unix(), seconds, "{text}");
            assert_eq!(moment.to_string(), text);
        }
    }

    #[test]
    fn impossible_moments_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-1-1T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01 00:00:00Z",
            "",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_day_survives_writing_and_reading() {
        for day in 0..60_000 {
            let moment = Timestamp::from_unix(day * DAY + 1);
            assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }
    }
}
