//! Instants in microseconds, written as RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant in microseconds since 1970-01-01T00:00:00Z; finer digits are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimestamp {
    /// It is something else.
    #[error("must be an RFC 3339 date and time such as 2026-01-31T09:30:00Z")]
    Other,
    /// Its `+` was read as a blank, as forms do.
    #[error("has a blank where `+` was meant: in an address, `+` is written `%2B`")]
    BlankForPlus,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z, before which nothing is recorded.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// 9999-12-31T23:59:59.999999Z, the last instant that RFC 3339 can write.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);
    /// 0000-01-01T00:00:00Z, the first instant that RFC 3339 can write.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000_000);

    /// From microseconds since the epoch, clamped to the years that RFC 3339 can write.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// This instant `seconds` later (earlier, if negative).
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        if let Some(instant) = read(text) {
            return Ok(instant);
        }
        let with_plus = text.rsplit_once(' ').map(|(time, offset)| format!("{time}+{offset}"));
        match with_plus.and_then(|text| read(&text)) {
            Some(_) => Err(InvalidTimestamp::BlankForPlus),
            None => Err(InvalidTimestamp::Other),
        }
    }
}

/// Reads RFC 3339, and an offset without its colon, as `strftime` and many programs write it.
fn read(text: &str) -> Option<Timestamp> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let parsed = parse(text).or_else(|| {
        let (time, offset) = text.split_at_checked(text.len().checked_sub(5)?)?;
        let digits = offset.strip_prefix(['+', '-'])?;
        let colon = digits.bytes().all(|b| b.is_ascii_digit());
        colon.then(|| parse(&format!("{time}{}:{}", &offset[..3], &offset[3..])))?
    })?;
    let micros = i64::try_from(parsed.unix_timestamp_nanos().div_euclid(1_000)).ok()?;
    (Timestamp::MIN.0..=Timestamp::MAX.0).contains(&micros).then_some(Timestamp(micros))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .map_err(|_| fmt::Error)?;
        let (year, month, day) = instant.to_calendar_date();
        let (hour, minute, second, micros) = instant.to_hms_micro();
        let month = u8::from(month);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .description(Some(
                "RFC 3339 in UTC with microseconds. Any offset is accepted and converted, with or \
                 without its colon.",
            ))
            .examples(["2026-01-31T09:30:00.000000Z"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_offsets_and_writes_utc_with_microseconds() {
        let t: Timestamp = "2026-03-01T01:02:03.1234569+02:00".parse().unwrap();
        assert_eq!(t.to_string(), "2026-02-28T23:02:03.123456Z");
        assert_eq!(t.to_string().parse(), Ok(t));
    }

    #[test]
    fn the_limits_can_be_written_and_read_back() {
        for t in [Timestamp::EPOCH, Timestamp::MAX, Timestamp::MIN] {
            assert_eq!(t.to_string().parse(), Ok(t));
        }
        assert_eq!(Timestamp::from_micros(i64::MAX), Timestamp::MAX);
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for bad in ["", "2026-01-31", "2026-13-01T00:00:00Z", "yesterday", "2026-01-31T09:30:00"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp::Other), "{bad}");
        }
    }

    #[test]
    fn an_offset_may_lack_its_colon() {
        let same = "2026-01-31T08:30:00Z".parse::<Timestamp>().unwrap();
        for text in [
            "2026-01-31T09:30:00+01:00",
            "2026-01-31T09:30:00+0100",
            "2026-01-31T09:30:00.000000+0100",
            "2026-01-31 07:00:00-0130",
        ] {
            assert_eq!(text.parse(), Ok(same), "{text}");
        }
        for bad in [
            "2026-01-31T09:30:00+01000",
            "2026-01-31T09:30:00+2500",
            "2026-01-31+0100",
            "+0100",
            "é+010",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidTimestamp::Other), "{bad}");
        }
        for blank in ["2026-01-31T09:30:00 01:00", "2026-01-31 09:30:00 0100"] {
            assert_eq!(blank.parse::<Timestamp>(), Err(InvalidTimestamp::BlankForPlus), "{blank}");
        }
    }
}
