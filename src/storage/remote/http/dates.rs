//! Dates as they stand in requests and answers. All of them are in UTC; years are those of four digits.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A moment in parts: year, month from 1, day from 1, seconds of the day, day of the week from Thursday.
struct Parts {
    year: u64,
    month: u64,
    day: u64,
    second: u64,
    weekday: u64,
}

fn parts(time: SystemTime) -> Parts {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let (mut year, mut day) = (1970, days);
    while day >= days_of_year(year) {
        day -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while day >= days_of_month(year, month) {
        day -= days_of_month(year, month);
        month += 1;
    }
    Parts { year, month, day: day + 1, second, weekday: days % 7 }
}

fn is_leap(year: u64) -> bool {
    (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
}

fn days_of_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// As in `20130524T000000Z`.
pub(in super::super) fn compact(time: SystemTime) -> String {
    let Parts { year, month, day, second, .. } = parts(time);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// As in `Fri, 24 May 2013 00:00:00 GMT`.
pub(in super::super) fn http(time: SystemTime) -> String {
    let Parts { year, month, day, second, weekday } = parts(time);
    let name = |names: &[&'static str], at: u64| {
        usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
    };
    let (weekday, month) = (name(&DAYS, weekday), name(&MONTHS, month - 1));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Reads what [`http`] writes.
pub(in super::super) fn from_http(text: &str) -> Option<SystemTime> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let year = words.next()?.parse().ok()?;
    moment([year, month, day], words.next()?)
}

/// Reads `2013-05-24T00:00:00Z`, also with a fraction of a second and with an offset.
pub(in super::super) fn from_rfc3339(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.split('-').map(|part| part.parse().ok());
    let date = [date.next()??, date.next()??, date.next()??];
    let (time, zone) = time.split_at(time.find(['Z', 'z', '+', '-'])?);
    let time = moment(date, time.split('.').next()?)?;
    let Some((hours, minutes)) = zone.get(1..)?.split_once(':') else {
        return zone.eq_ignore_ascii_case("Z").then_some(time);
    };
    let ahead = clock([hours.parse().ok()?, minutes.parse().ok()?, 0])?;
    if zone.starts_with('+') { time.checked_sub(ahead) } else { time.checked_add(ahead) }
}

fn moment([year, month, day]: [u64; 3], time: &str) -> Option<SystemTime> {
    let mut time = time.split(':').map(|part| part.parse().ok());
    let time = clock([time.next()??, time.next()??, time.next()??])?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    let days = (1970..year).map(days_of_year).sum::<u64>()
        + (1..month).map(|month| days_of_month(year, month)).sum::<u64>()
        + (day - 1);
    UNIX_EPOCH.checked_add(Duration::from_secs(days * DAY_SECONDS) + time)
}

/// A time of day; 60 is a second that was added to a day.
fn clock([hours, minutes, seconds]: [u64; 3]) -> Option<Duration> {
    let is_time = hours < 24 && minutes < 60 && seconds <= 60;
    is_time.then(|| Duration::from_secs((hours * 60 + minutes) * 60 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn known_dates() {
        for (seconds, short, long) in [
            (0, "19700101T000000Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "20000229T000000Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_369_353_600, "20130524T000000Z", "Fri, 24 May 2013 00:00:00 GMT"),
            (1_767_225_599, "20251231T235959Z", "Wed, 31 Dec 2025 23:59:59 GMT"),
        ] {
            assert_eq!((compact(at(seconds)), http(at(seconds))), (short.to_owned(), long.to_owned()));
        }
    }

    #[test]
    fn dates_of_answers_are_read() {
        for text in ["2013-05-24T00:00:00Z", "2013-05-24T02:00:00.123+02:00", "2013-05-23T23:30:00-00:30"] {
            assert_eq!(from_rfc3339(text), Some(at(1_369_353_600)), "{text}");
        }
        for text in ["", "2013-05-24", "2013-02-29T00:00:00Z", "2013-13-01T00:00:00Z", "2013-05-24T24:00:00Z"]
        {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
        assert_eq!(from_http("soon"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0_u64..200_000_000_000) {
            prop_assert_eq!(from_http(&http(at(seconds))), Some(at(seconds)));
        }

        #[test]
        fn any_text_is_refused_or_read(text in "\\PC{0,30}", like in "[0-9]{1,6}-[0-9]{1,3}-[0-9]{1,3}T[0-9:.Z+-]{0,14}") {
            let _ = (from_http(&text), from_rfc3339(&text), from_rfc3339(&like));
        }
    }
}
