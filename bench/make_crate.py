#!/usr/bin/env python3
"""Writes a Rust library for the benchmark, the same bytes every time.

    make_crate.py DIR [--modules N]

DIR/src/lib.rs names N modules, a file each, with a type that derives traits, a trait of its own and a function that uses the module
before. `command` is the call of rustc that cargo would make for it."""
import argparse
import pathlib

MODULE = """//! Shapes of one kind.
{before}
#[derive(Clone, Debug, Default, PartialEq, PartialOrd)]
pub struct Shape{index} {{
    pub name: String,
    pub sides: Vec<f64>,
}}

pub trait Measure{index} {{
    fn measure(&self) -> Option<f64>;
}}

impl Measure{index} for Shape{index} {{
    fn measure(&self) -> Option<f64> {{
        let sum: f64 = self.sides.iter().map(|side| side * {index}.5).sum();
        (sum > 0.0).then_some(sum)
    }}
}}

pub fn describe(shape: &Shape{index}) -> String {{
    format!("{{}} {{:?}} {{:?}}", shape.name, shape.measure(), {other})
}}
"""


def write_crate(folder: pathlib.Path, modules: int = 60) -> pathlib.Path:
    """Writes the library, and DIR/out for what rustc makes of it; returns the path of its root."""
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    for index in range(modules):
        before = f"use crate::shape{index - 1};\n" if index else ""
        other = f"shape{index - 1}::describe(&Default::default())" if index else "0"
        (folder / "src" / f"shape{index}.rs").write_text(MODULE.format(index=index, before=before, other=other))
    root = folder / "src" / "lib.rs"
    root.write_text("".join(f"pub mod shape{index};\n" for index in range(modules)))
    return root


def command(root: pathlib.Path) -> list[str]:
    """As `cargo build` calls rustc for a library."""
    return ["rustc", "--crate-name", "unit", "--edition=2021", str(root), "--error-format=json",
            "--json=diagnostic-rendered-ansi,artifacts,future-incompat", "--crate-type", "lib", "--emit=dep-info,metadata,link",
            "-C", "embed-bitcode=no", "-C", "debuginfo=2", "-C", "metadata=0123456789abcdef", "-C", "extra-filename=-0123456789abcdef",
            "--out-dir", str(root.parent.parent / "out")]


def outputs(root: pathlib.Path) -> list[pathlib.Path]:
    """What it writes, the library first."""
    out = root.parent.parent / "out"
    return [out / "libunit-0123456789abcdef.rlib", out / "libunit-0123456789abcdef.rmeta", out / "unit-0123456789abcdef.d"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--modules", type=int, default=60)
    options = parser.parse_args()
    print(write_crate(options.folder, options.modules))


if __name__ == "__main__":
    main()
