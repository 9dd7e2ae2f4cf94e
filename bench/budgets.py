"""The budgets that the benchmark compares with, and the table it prints.

Budgets in milliseconds were set where an empty static process takes `REFERENCE_EMPTY`, so they are compared as multiples of
one: a slower machine gets as much more."""

REFERENCE_EMPTY = 0.3


class Table:
    """Rows of what was measured, its budget, and whether it was met.

    Where `trusted` is False, as when what ran was no hit, no row gets a verdict."""

    def __init__(self, title: str, trusted: bool = True):
        self.title, self.trusted = title, trusted
        self.rows: list[tuple[str, str, str, str]] = []

    def at_most(self, what: str, measured: float | None, budget: float, unit: str = "", note: str = "") -> None:
        """A row that is met when `measured` is at most `budget`; None was not measured."""
        self._row(what, f"<= {number(budget)}{unit}", measured, unit, note, lambda value: value <= budget)

    def at_least(self, what: str, measured: float | None, budget: float, unit: str = "", note: str = "") -> None:
        self._row(what, f">= {number(budget)}{unit}", measured, unit, note, lambda value: value >= budget)

    def told(self, what: str, measured: float | None, unit: str = "", note: str = "") -> None:
        """A row without a budget."""
        self._row(what, "", measured, unit, note, None)

    def _row(self, what, budget, measured, unit, note, met) -> None:
        if measured is None:
            shown, verdict = "not measured", "?"
        else:
            shown = number(measured) + unit + (f" ({note})" if note else "")
            verdict = "" if met is None else "?" if not self.trusted else "met" if met(measured) else "NOT met"
        self.rows.append((what, budget, shown, verdict))

    def text(self) -> str:
        """The table in Markdown, its columns aligned for reading as plain text too."""
        rows = [("what", "budget", "measured", "verdict"), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return f"## {self.title}\n\n" + "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", " ")
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def empties(milliseconds: float) -> float:
    """A budget in milliseconds as a multiple of an empty static process."""
    return milliseconds / REFERENCE_EMPTY
