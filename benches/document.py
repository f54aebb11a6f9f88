"""docs/performance.md: its measured part and its charts are written here, the rest by hand."""

import sys

import charts
import report
from drivers import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN = "<!-- make bench writes from here ... -->"
END = "<!-- ... to here -->"
CHARTS = {
    "publish": ("pub/0/16", "pub/1/16", "pub/2/16"),
    "receive": ("recv/0/16", "recv/1/16", "recv/2/16"),
    "sizes": ("pub/0/1024", "pub/0/65536", "recv/0/1024", "recv/0/65536"),
}


def write(measured: str, tables: dict[str, report.Table]) -> None:
    """Replace the measured part, and draw the charts whose rows have been measured."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"benches: {PAGE.relative_to(ROOT)} has no place for what was measured")
    pictures = []
    for name, rows in CHARTS.items():
        if all(row in tables and tables[row].good for row in rows):
            picture = PAGE.parent / PAGE.stem / f"{name}.svg"
            charts.draw(picture, {row: tables[row] for row in rows}, report.rate, "messages/s")
            pictures.append(f"![{', '.join(rows)}]({picture.relative_to(PAGE.parent)})\n")
    parts = [before, BEGIN, "\n\n", *pictures, "\n", measured.strip(), "\n\n", END, after]
    PAGE.write_text("".join(parts), encoding="utf-8")
