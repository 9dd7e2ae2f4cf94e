#!/usr/bin/env python3
"""Writes translation units for the benchmark, the same bytes every time.

    make_unit.py DIR [--headers N] [--system] [--c]

DIR/unit.cpp includes N headers of its own from DIR/include; each holds a template and an inline function and includes the
one before. With --system the unit also uses a good part of the C++ standard library (about 300 headers with GCC 12).
With --c it is a small C program text, DIR/unit.c, with one header. Compile with `-I DIR/include -c DIR/unit.cpp`."""
import argparse
import pathlib

STANDARD = """algorithm any array atomic chrono complex condition_variable deque filesystem fstream functional future iomanip
iostream list map memory mutex numeric optional queue random regex set sstream string thread tuple unordered_map variant
vector""".split()

# Makes the compiler instantiate containers, streams and regular expressions: an object of some 250 KB with -O1.
USES_LIBRARY = """
std::map<std::string, std::vector<std::regex>> patterns;
std::string numbered(int count) {
  std::ostringstream text;
  for (int i = 0; i < count; ++i) text << i << ' ';
  patterns[text.str()].emplace_back("a+b");
  return text.str();
}
"""

SMALL_C = """#include "shape.h"
#include <stdio.h>

static double area(const struct shape *s) { return s->width * s->height; }

double total_area(const struct shape *shapes, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) sum += area(&shapes[i]);
  printf("%d shapes\\n", count);
  return sum;
}
"""


def own_header(index: int) -> str:
    before = f'#include "layer{index - 1}.h"\n' if index else ""
    return (f"#pragma once\n{before}"
            f"template <class T> T scale{index}(T value) {{ return value * {index + 2} + {index * 11 % 17}; }}\n"
            f"inline int shift{index}(int value) {{ return scale{index}(value) - {index}; }}\n")


def write_cpp(folder: pathlib.Path, headers: int, system: bool) -> pathlib.Path:
    """Writes DIR/unit.cpp and its headers; returns the unit's path."""
    lines = [f"#include <{name}>" for name in STANDARD] if system else []
    for index in range(headers):
        (folder / "include" / f"layer{index}.h").write_text(own_header(index))
        lines.append(f'#include "layer{index}.h"')
    sum_of_all = " + ".join(f"shift{index}(value)" for index in range(headers)) or "value"
    lines.append(f"int unit(int value) {{ return {sum_of_all}; }}")
    if system:
        lines.append(USES_LIBRARY)
    unit = folder / "unit.cpp"
    unit.write_text("\n".join(lines) + "\n")
    return unit


def write_c(folder: pathlib.Path) -> pathlib.Path:
    """Writes the small C unit and its header; returns the unit's path."""
    (folder / "include" / "shape.h").write_text("#pragma once\nstruct shape { double width, height; };\n")
    unit = folder / "unit.c"
    unit.write_text(SMALL_C)
    return unit


def write_unit(folder: pathlib.Path, headers: int = 0, system: bool = False, c: bool = False) -> pathlib.Path:
    """Writes one unit into `folder`, which is made when missing; returns the unit's path."""
    (folder / "include").mkdir(parents=True, exist_ok=True)
    return write_c(folder) if c else write_cpp(folder, headers, system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--headers", type=int, default=10)
    parser.add_argument("--system", action="store_true")
    parser.add_argument("--c", action="store_true")
    options = parser.parse_args()
    print(write_unit(options.folder, options.headers, options.system, options.c))


if __name__ == "__main__":
    main()
