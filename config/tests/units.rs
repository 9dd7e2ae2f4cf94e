//! Sizes and durations.

use std::time::Duration;

use proptest::prelude::*;

use crate::{ByteSize, parse_duration};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

fn size(text: &str) -> Option<u64> {
    text.parse().ok().map(ByteSize::as_bytes)
}

#[test]
fn sizes_have_these_forms() {
    let rows = [
        ("0", 0),
        ("1048576", MIB),
        ("500M", 500 * MIB),
        ("10G", 10 * GIB),
        ("10GB", 10 * GIB),
        ("10GiB", 10 * GIB),
        ("10gib", 10 * GIB),
        ("1.5GiB", GIB + GIB / 2),
        ("2K", 2 * KIB),
        ("2k", 2 * KIB),
        ("10t", 10 * TIB),
        (" 5 g", 5 * GIB),
        ("\t7 MB \n", 7 * MIB),
        ("12B", 12),
        ("0.1K", 102),
        ("0.0000000000000000000001T", 0),
        ("007", 7),
    ];
    for (text, bytes) in rows {
        assert_eq!(size(text), Some(bytes), "{text:?}");
    }
}

#[test]
fn sizes_saturate() {
    for text in ["18446744073709551616", "99999999999999999999999999999G", "16777216T", "16777215.99999999T"]
    {
        let bytes = size(text).expect(text);
        assert!(bytes >= u64::MAX - TIB, "{text}: {bytes}");
    }
    assert_eq!(size("18446744073709551616"), Some(u64::MAX));
    assert_eq!(size("16777216T"), Some(u64::MAX));
}

#[test]
fn nonsense_is_no_size_and_the_error_names_the_forms() {
    let rows = [
        "", " ", "-1", "+1", "G", "10X", "10GG", "10iB", "10i", "1.5", "1.5B", "1.G", ".5G", "1,5G", "1e3",
        "0x10", "10G 5", "ten", "10 G iB", "٣G", "1_000",
    ];
    for text in rows {
        let error = text.parse::<ByteSize>().expect_err(text).to_string();
        for form in ["`1048576`", "`500M`", "`10G`", "`1.5GiB`", "`10GB`"] {
            assert!(error.contains(form), "{text:?}: {error}");
        }
    }
}

#[test]
fn sizes_are_shown_in_whole_binary_units() {
    let rows = [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (KIB, "1 KiB"),
        (10 * GIB, "10 GiB"),
        (256 * MIB, "256 MiB"),
        (GIB + GIB / 2, "2 GiB"),
        (GIB + GIB / 2 - 1, "1 GiB"),
        (MIB - 1, "1 MiB"),
        (u64::MAX, "16 EiB"),
    ];
    for (bytes, text) in rows {
        assert_eq!(ByteSize::from_bytes(bytes).to_string(), text);
    }
    assert_eq!(ByteSize::from_bytes(10 * GIB).detailed(), "10737418240 (10 GiB)");
}

#[test]
fn durations_have_these_forms() {
    let rows = [("600", 600), ("0", 0), ("10s", 10), ("5m", 300), (" 2 h ", 7200)];
    for (text, seconds) in rows {
        assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text:?}");
    }
    for text in ["", "-1", "1.5", "10x", "s", "5 minutes", "1m30s"] {
        let error = parse_duration(text).expect_err(text).to_string();
        assert!(error.contains("`600`") && error.contains("`10s`"), "{error}");
    }
}

#[test]
fn the_longest_duration_can_be_added_to_a_clock() {
    let longest = parse_duration("99999999999999999999h").expect("a duration");
    assert!(std::time::Instant::now().checked_add(longest).is_some());
}

proptest! {
    #[test]
    fn any_text_is_answered_without_a_panic(text in any::<String>()) {
        let _ = text.parse::<ByteSize>();
        let _ = parse_duration(&text);
    }

    #[test]
    fn text_like_a_size_is_answered_without_a_panic(text in "[0-9]{0,40}[.]?[0-9]{0,40} ?[kKmMgGtT]?i?[bB]?") {
        let _ = text.parse::<ByteSize>();
    }

    #[test]
    fn plain_bytes_come_back(bytes in any::<u64>()) {
        prop_assert_eq!(size(&bytes.to_string()), Some(bytes));
        let shown = ByteSize::from_bytes(bytes).detailed();
        prop_assert_eq!(shown.split(' ').next().map(str::to_owned), Some(bytes.to_string()));
    }

    #[test]
    fn every_spelling_of_a_unit_is_the_same_size(number in 0u64..1 << 20, unit in "[kmgt]") {
        let plain = size(&format!("{number}{unit}"));
        let upper = unit.to_uppercase();
        for other in [format!("{number}{upper}"), format!("{number} {unit}ib"), format!(" {number}{upper}B")] {
            prop_assert_eq!(size(&other), plain);
        }
    }

    #[test]
    fn the_shown_size_is_never_off_by_more_than_half_a_unit(bytes in 1024u64..1 << 50) {
        let shown = ByteSize::from_bytes(bytes).to_string();
        let (number, unit) = shown.split_once(' ').expect("number and unit");
        let multiplier: u128 = match unit {
            "KiB" => 1 << 10, "MiB" => 1 << 20, "GiB" => 1 << 30, "TiB" => 1 << 40, _ => 1 << 50,
        };
        let shown_bytes = number.parse::<u128>().expect("a number") * multiplier;
        prop_assert!(shown_bytes.abs_diff(u128::from(bytes)) <= multiplier / 2);
    }
}
