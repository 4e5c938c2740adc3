//! Numbers and names as people read them. Programs get the plain ones, in JSON.

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration with three digits that matter: `840 ns`, `12.3 µs`, `1.25 ms`, `3.20 s`.
pub fn duration(ns: u64) -> String {
    let (size, unit) = match ns {
        ..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1e3, "µs"),
        1_000_000..1_000_000_000 => (1e6, "ms"),
        _ => (1e9, "s"),
    };
    let value = ns as f64 / size;
    let decimals = match value {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {unit}")
}

/// A speed-up: one decimal below a hundred, none above.
pub fn factor(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}") } else { thousands(value.round() as u64) }
}

/// `1 call`, `2 calls`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// Shortens the addresses in a key's name, so that the field and the other parts stay in sight:
/// `token.balances[0x1111…1111]`.
pub fn short_key(name: &str) -> String {
    const HEX_SHOWN_MAX: usize = 16;
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find("0x") {
        let (before, hex) = rest.split_at(at);
        let digits = hex[2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        text.push_str(before);
        let (number, after) = hex.split_at(2 + digits);
        if digits > HEX_SHOWN_MAX {
            let head = if number[2..].starts_with("00000000") { "" } else { &number[2..6] };
            text.push_str(&format!("0x{head}…{}", &number[number.len() - 4..]));
        } else {
            text.push_str(number);
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// At most `chars_max` characters of a text, with `…` in its middle if some are missing.
pub fn fit(text: &str, chars_max: usize) -> String {
    let count = text.chars().count();
    if count <= chars_max {
        return text.to_owned();
    }
    let kept = chars_max.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// The text with its first letter as a capital.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A paragraph in lines of at most 100 characters.
pub fn wrapped(text: &str) -> String {
    const COLUMNS_MAX: usize = 100;
    let mut lines = String::new();
    let mut columns = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if columns > 0 && columns + 1 + length > COLUMNS_MAX {
            lines.push('\n');
            columns = 0;
        } else if columns > 0 {
            lines.push(' ');
            columns += 1;
        }
        lines.push_str(word);
        columns += length;
    }
    lines
}

/// Whether a character could do more than show itself: control codes, which steer terminals and are
/// not allowed in XML, and what turns the direction of a text around. Names come from contracts, so
/// they hold anything.
pub fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The text with `\u{fffd}` for every hostile character but line ends.
pub fn harmless(text: &str) -> String {
    let shown = |character| match character {
        '\n' => '\n',
        character if is_hostile(character) => '\u{fffd}',
        character => character,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(12_345_678), "12,345,678");
        assert_eq!(count(1, "call"), "1 call");
        assert_eq!(count(2_000, "call"), "2,000 calls");
    }

    #[test]
    fn units_grow_with_the_number() {
        assert_eq!(duration(0), "0 ns");
        assert_eq!(duration(840), "840 ns");
        assert_eq!(duration(1_250), "1.25 µs");
        assert_eq!(duration(99_960), "100 µs");
        assert_eq!(duration(12_340_000), "12.3 ms");
        assert_eq!(factor(1.96), "2.0");
        assert_eq!(factor(1_234.4), "1,234");
    }

    #[test]
    fn addresses_are_shortened() {
        let key = |address: &str| format!("token.balances[0x{address}]");
        assert_eq!(short_key(&key(&"1a".repeat(32))), "token.balances[0x1a1a…1a1a]");
        assert_eq!(short_key(&key(&format!("{:064x}", 0x2a))), "token.balances[0x…002a]");
        assert_eq!(short_key("dex.reserves[17]"), "dex.reserves[17]");
        assert_eq!(short_key("a[0x01, 0xff]"), "a[0x01, 0xff]");
        assert_eq!(short_key("0x"), "0x");
    }

    #[test]
    fn terminals_are_not_steered() {
        assert_eq!(harmless("a\u{1b}[31mb\nc\u{9b}\u{202e}"), "a\u{fffd}[31mb\nc\u{fffd}\u{fffd}");
        assert_eq!(harmless("transfer × ü"), "transfer × ü");
    }

    #[test]
    fn long_texts_lose_their_middle() {
        assert_eq!(fit("short", 10), "short");
        assert_eq!(fit("0123456789", 5), "01…89");
        assert_eq!(fit("äöüäöü", 3), "ä…ü");
        assert_eq!(fit("ab", 0), "…");
    }

    #[test]
    fn paragraphs_break_between_words() {
        let text = wrapped(&"word ".repeat(30));
        assert_eq!(text.lines().map(|line| line.chars().count()).max(), Some(99));
        assert_eq!(text.split_whitespace().count(), 30);
    }

    #[test]
    fn sentences_start_with_capitals() {
        assert_eq!(sentence("a call"), "A call");
        assert_eq!(sentence(""), "");
    }
}
