//! Calendar days as spans of time.

use activity_logs_model::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp as Instant};

/// The time zone with this name, whatever its case, and the name as the IANA database writes it.
pub(crate) fn find_zone(name: &str) -> Option<(String, TimeZone)> {
    let zone = TimeZone::get(name).ok()?;
    // `Etc/Unknown` is found too, but is no name of the database.
    let name = zone.iana_name()?.to_owned();
    Some((name, zone))
}

/// The last `count` calendar days of a time zone, the last of them today, and the first instant
/// after today.
///
/// # Errors
/// When a day lies outside of the years that can be written.
pub(crate) fn last_days(
    zone: &TimeZone,
    now: Timestamp,
    count: u64,
) -> Result<Vec<(Date, Timestamp)>, jiff::Error> {
    let today = Instant::from_microsecond(now.as_micros())?.to_zoned(zone.clone()).date();
    let days = i64::try_from(count).unwrap_or(i64::MAX);
    let first = today.checked_sub(Span::new().try_days(days.saturating_sub(1))?)?;
    let begins = |offset: i64| {
        let date = first.checked_add(Span::new().try_days(offset)?)?;
        // Where midnight is skipped, the day begins when the skipping ends.
        let begin = date.to_zoned(zone.clone())?.timestamp();
        Ok((date, Timestamp::from_micros(begin.as_microsecond())))
    };
    (0..=days).map(begins).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(zone: &str, now: &str, count: u64) -> Vec<(String, String)> {
        let days = last_days(&find_zone(zone).unwrap().1, now.parse().unwrap(), count).unwrap();
        days.into_iter().map(|(date, from)| (date.to_string(), from.to_string())).collect()
    }

    fn hours(zone: &str, now: &str, count: u64) -> Vec<i64> {
        let days = last_days(&find_zone(zone).unwrap().1, now.parse().unwrap(), count).unwrap();
        days.windows(2)
            .map(|pair| (pair[1].1.as_micros() - pair[0].1.as_micros()) / 3_600_000_000)
            .collect()
    }

    #[test]
    fn today_is_the_last_day_of_the_zone() {
        let utc = |text: &str| format!("{text}T00:00:00.000000Z");
        assert_eq!(
            days("UTC", "2026-03-01T23:59:59.999999Z", 2),
            [
                ("2026-02-28".to_owned(), utc("2026-02-28")),
                ("2026-03-01".to_owned(), utc("2026-03-01")),
                ("2026-03-02".to_owned(), utc("2026-03-02")),
            ]
        );
        let vienna = days("Europe/Vienna", "2026-01-31T23:30:00Z", 1);
        assert_eq!(vienna[0], ("2026-02-01".to_owned(), "2026-01-31T23:00:00.000000Z".to_owned()));
    }

    #[test]
    fn zones_have_their_name_in_the_database() {
        for (asked, name) in [
            ("UTC", Some("UTC")),
            ("europe/vienna", Some("Europe/Vienna")),
            ("America/Argentina/Buenos_Aires", Some("America/Argentina/Buenos_Aires")),
            ("Mars/Olympus", None),
            ("Etc/Unknown", None),
            ("+01:00", None),
            ("CET-1CEST,M3.5.0,M10.5.0/3", None),
            ("../etc/localtime", None),
            ("", None),
        ] {
            assert_eq!(find_zone(asked).map(|(name, _)| name).as_deref(), name, "{asked}");
        }
    }

    #[test]
    fn days_are_as_long_as_clocks_say() {
        assert_eq!(hours("Europe/Vienna", "2026-03-30T12:00:00Z", 3), [24, 23, 24]);
        assert_eq!(hours("Europe/Vienna", "2026-10-26T12:00:00Z", 3), [24, 25, 24]);
        // Beirut skips its midnight.
        assert_eq!(hours("Asia/Beirut", "2026-03-30T12:00:00Z", 3), [24, 23, 24]);
    }
}
