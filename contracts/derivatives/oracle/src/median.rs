//! What reporters agree on.

use tollway_interfaces::Price;

/// The middle of `reports`, of their values and, apart from those, of their times; `None` if there
/// are none. The lower of the two middles, where there are two.
///
/// Both are numbers that somebody reported. With three reports or more, both lie between the least
/// and the greatest of the others' reports, whichever one report is left out.
pub(crate) fn median(reports: &mut [Price]) -> Option<Price> {
    let middle = reports.len().checked_sub(1)? / 2;
    sort_by(reports, |a, b| a.value <= b.value);
    let value = reports.get(middle)?.value;
    sort_by(reports, |a, b| a.time_ms <= b.time_ms);
    let time_ms = reports.get(middle)?.time_ms;
    Some(Price { value, time_ms })
}

/// Insertion sort: there are at most seven, and the library's sort is several kilobytes of Wasm.
fn sort_by(reports: &mut [Price], in_order: impl Fn(&Price, &Price) -> bool) {
    for end in 1..reports.len() {
        let mut at = end;
        while at > 0 && !in_order(&reports[at - 1], &reports[at]) {
            reports.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[u128], expected: Option<u128>) {
        // Times run the other way, to see that both are sorted.
        let times = values.iter().map(|value| u64::MAX - *value as u64);
        let reports = values.iter().zip(times).map(|(value, time_ms)| (*value, time_ms));
        let mut reports: Vec<Price> =
            reports.map(|(value, time_ms)| Price { value, time_ms }).collect();
        let middle = (values.len().max(1) - 1) / 2;
        let mut times: Vec<u64> = reports.iter().map(|report| report.time_ms).collect();
        times.sort_unstable();
        let expected = expected.map(|value| Price { value, time_ms: times[middle] });
        assert_eq!(median(&mut reports), expected, "{values:?}");
    }

    #[test]
    fn it_is_the_lower_middle() {
        check(&[], None);
        check(&[5], Some(5));
        check(&[9, 5], Some(5));
        check(&[9, 5, 7], Some(7));
        check(&[4, 3, 2, 1], Some(2));
        check(&[1, 1, 9, 9, 1], Some(1));
        check(&[7, 6, 5, 4, 3, 2, 1], Some(4));
    }
}
