/// Whether a schedule is a cron expression of five fields: minute, hour, day of the month, month, day
/// of the week. The error is a sentence for people.
pub(super) fn validate(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!("a cron expression has five fields (minute hour day month weekday), not {}", fields.len()));
    }
    for (text, field) in fields.iter().zip(&FIELDS) {
        for part in text.split(',') {
            validate_part(part, field)?;
        }
    }
    Ok(())
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

fn validate_part(part: &str, field: &Field) -> Result<(), String> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step
        && !step.parse::<u32>().is_ok_and(|step| step >= 1 && step <= field.high)
    {
        return Err(format!("`{step}` is no step for the {}", field.name));
    }
    if range == "*" {
        return Ok(());
    }
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (value(first, field)?, Some(value(last, field)?)),
        None => (value(range, field)?, None),
    };
    match last {
        Some(last) if last < first => Err(format!("`{range}` runs backwards ({})", field.name)),
        Some(_) | None => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::validate;

    #[test]
    fn schedules() {
        for good in ["0 4 * * *", "*/15 0-6,22 1 JAN-jun mon-FRI", "5 4 * * 7", "0 */12 * * *"] {
            assert_eq!(validate(good), Ok(()), "{good}");
        }
        for bad in ["", "* * * *", "60 * * * *", "@daily", "*/0 * * * *", "9-5 * * * *", "* * 0 * *", "a * * * *"] {
            assert!(validate(bad).is_err(), "{bad}");
        }
    }
}
