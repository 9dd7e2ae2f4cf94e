//! The pages in `docs/` name every setting, statistic, dependency and trap that there is, and tests that exist.
use crate::layering::packages;
use crate::{expect_none, read, root};
use cachepot_config::keys::KEYS;
use cachepot_engine::stats::ROWS;

/// The traps that concern what is built here.
const TRAPS: [std::ops::RangeInclusive<u32>; 4] = [1..=184, 217..=246, 247..=287, 321..=326];

/// Whether a page names this in code style.
fn names(page: &str, name: &str) -> bool {
    page.contains(&format!("`{name}`"))
}

#[test]
fn every_setting_has_its_row() {
    let page = read("docs/book/reference/settings.md");
    let all = KEYS.iter().flat_map(|key| key.file_names().chain(key.variables()));
    expect_none(&all.filter(|name| !names(&page, name)).map(str::to_owned).collect::<Vec<_>>());
    let example = read("examples/config.toml");
    let keys = KEYS.iter().filter_map(|key| key.file_name?.rsplit('.').next());
    expect_none(
        &keys.filter(|key| !example.contains(&format!("{key} = "))).map(str::to_owned).collect::<Vec<_>>(),
    );
}

#[test]
fn every_statistic_has_its_row() {
    let page = read("docs/book/reference/statistics.md");
    expect_none(
        &ROWS.iter().map(|row| row.name.to_owned()).filter(|name| !names(&page, name)).collect::<Vec<_>>(),
    );
}

#[test]
fn every_dependency_has_its_reason() {
    let page = read("docs/DEPENDENCIES.md");
    let all = packages().into_iter().flat_map(|package| package.dependencies);
    let others = all.filter(|name| !name.starts_with("cachepot-"));
    expect_none(&others.filter(|name| !names(&page, name)).collect::<Vec<_>>());
}

#[test]
fn every_trap_has_its_row() {
    let page = read("docs/traps.md");
    let numbers = TRAPS.into_iter().flatten();
    let missing = numbers.filter(|number| !page.contains(&format!("\n| T{number} |")));
    expect_none(&missing.map(|number| format!("T{number}")).collect::<Vec<_>>());
}

/// Rows name tests as `file: test`, several of them with commas.
#[test]
fn the_tests_of_traps_exist() {
    let mut findings = Vec::new();
    for line in read("docs/traps.md").lines().filter(|line| line.starts_with("| T")) {
        for part in line.split('`').skip(1).step_by(2) {
            let Some((file, tests)) = part.split_once(".rs: ") else { continue };
            let file = format!("{file}.rs");
            let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
                findings.push(format!("{file}: not there"));
                continue;
            };
            let gone = tests.split(", ").filter(|test| !text.contains(&format!("fn {test}(")));
            findings.extend(gone.map(|test| format!("{file}: no test `{test}`")));
        }
    }
    expect_none(&findings);
}
