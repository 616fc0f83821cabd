//! Schedules: cron expressions of five fields, in UTC, as GitHub reads them.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date, tz::Offset};

/// A cron expression: minute, hour, day of the month, month, day of the week (POSIX crontab, with steps and names).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    /// A bit for each value that is meant.
    fields: [u64; 5],
    /// Both are given: a day is meant where either takes it, as crontab(5) says.
    either_day: bool,
}

struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Three-letter names, the first of which means `low`.
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, words: &[] },
    Field { name: "hour", low: 0, high: 23, words: &[] },
    Field { name: "day of the month", low: 1, high: 31, words: &[] },
    Field {
        name: "month",
        low: 1,
        high: 12,
        words: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    Field { name: "day of the week", low: 0, high: 7, words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

/// Beyond this no day is looked for: between two 29 February can be eight years.
const LONGEST_DAYS: u32 = 8 * 366;

impl FromStr for Cron {
    /// A sentence for people.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        if parts.len() != 5 {
            return Err(format!(
                "a cron expression has five fields (minute hour day month weekday), not {}",
                parts.len()
            ));
        }
        let mut fields = [0; 5];
        for ((text, field), bits) in parts.iter().zip(&FIELDS).zip(&mut fields) {
            for part in text.split(',') {
                *bits |= part_bits(part, field)?;
            }
        }
        // Sunday has two numbers.
        fields[4] |= fields[4] >> 7 & 1;
        let either_day = !parts[2].starts_with('*') && !parts[4].starts_with('*');
        Ok(Self { fields, either_day })
    }
}

/// What one part of a list means.
fn part_bits(part: &str, field: &Field) -> Result<u64, String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let every = match step {
        None => 1,
        Some(step) => {
            let number = step.parse::<u32>().ok().filter(|step| (1..=field.high).contains(step));
            number.ok_or_else(|| format!("`{step}` is no step for the {}", field.name))?
        }
    };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (field.low, field.high),
        Some((first, last)) => (value(first, field)?, value(last, field)?),
        // `5/15` is from 5 on.
        None if step.is_some() => (value(range, field)?, field.high),
        None => {
            let only = value(range, field)?;
            (only, only)
        }
    };
    if last < first {
        return Err(format!("`{range}` runs backwards ({})", field.name));
    }
    Ok((first..=last).step_by(every as usize).fold(0, |bits, value| bits | 1 << value))
}

fn value(text: &str, field: &Field) -> Result<u32, String> {
    if let Some(index) = field.words.iter().position(|word| word.eq_ignore_ascii_case(text)) {
        return Ok(field.low + index as u32);
    }
    let number = text.parse::<u32>().ok().filter(|number| (field.low..=field.high).contains(number));
    number.ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        format!("`{text}` is no {} ({}–{})", field.name, field.low, field.high)
    })
}

impl Cron {
    /// The first minute after `time` that it means; none where there is none, as of 30 February.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let start = Offset::UTC.to_datetime(time);
        let mut date = start.date();
        let mut from = i16::from(start.hour()) * 60 + i16::from(start.minute()) + 1;
        for _ in 0..LONGEST_DAYS {
            if self.means_day(date)
                && let Some(minute) =
                    (from..24 * 60).find(|minute| has(self.fields[0], minute % 60) && has(self.fields[1], minute / 60))
            {
                let time = date.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                return Offset::UTC.to_timestamp(time).ok();
            }
            date = date.tomorrow().ok()?;
            from = 0;
        }
        None
    }

    fn means_day(&self, date: Date) -> bool {
        let day = has(self.fields[2], date.day().into());
        let weekday = has(self.fields[4], date.weekday().to_sunday_zero_offset().into());
        has(self.fields[3], date.month().into()) && if self.either_day { day || weekday } else { day && weekday }
    }
}

fn has(bits: u64, value: i16) -> bool {
    bits >> value & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_schedule() {
        for good in ["0 4 * * *", "*/15 0-6,22 1 JAN-jun mon-FRI", "5 4 * * 7", "0 */12 * * *"] {
            assert!(good.parse::<Cron>().is_ok(), "{good}");
        }
        for bad in ["", "* * * *", "60 * * * *", "@daily", "*/0 * * * *", "9-5 * * * *", "* * 0 * *", "a * * * *"] {
            assert!(bad.parse::<Cron>().is_err(), "{bad}");
        }
    }

    #[test]
    fn when_it_is_next() {
        let next = |cron: &str, after: &str| {
            let next = cron.parse::<Cron>().unwrap().next_after(after.parse().unwrap());
            next.map_or("never".to_owned(), |next| next.to_string())
        };
        // 27 November 2026 is a Friday.
        for (cron, after, expected) in [
            ("0 4 * * *", "2026-11-27T03:59:59Z", "2026-11-27T04:00:00Z"),
            ("0 4 * * *", "2026-11-27T04:00:00Z", "2026-11-28T04:00:00Z"),
            ("*/15 * * * *", "2026-11-27T04:44:10Z", "2026-11-27T04:45:00Z"),
            ("5/20 * * * *", "2026-11-27T04:46:00Z", "2026-11-27T05:05:00Z"),
            ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
            ("0 0 29 2 *", "2026-11-27T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 30 2 *", "2026-11-27T00:00:00Z", "never"),
            ("0 6 * * mon-fri", "2026-11-27T07:00:00Z", "2026-11-30T06:00:00Z"),
            ("0 6 * * 7", "2026-11-27T07:00:00Z", "2026-11-29T06:00:00Z"),
            ("0 6 * * 0", "2026-11-27T07:00:00Z", "2026-11-29T06:00:00Z"),
            // Either, where both are given; both, where one begins with a star.
            ("0 6 1 * mon", "2026-11-27T07:00:00Z", "2026-11-30T06:00:00Z"),
            ("0 6 1 * mon", "2026-11-30T07:00:00Z", "2026-12-01T06:00:00Z"),
            ("0 6 */2 * mon", "2026-11-27T07:00:00Z", "2026-12-07T06:00:00Z"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron} after {after}");
        }
    }
}
