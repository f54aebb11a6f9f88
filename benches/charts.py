"""The charts of docs/performance.md."""

from collections.abc import Callable
from pathlib import Path

import report

COLOURS = {"limit": "#b8b8b8", "peer": "#d9a066", "ours": "#3b6ea5"}


def draw(
    path: Path, tables: dict[str, report.Table], figure: Callable[[report.Result], float], unit: str
) -> None:
    """A panel of bars for each row, the drivers below one another, best row first."""
    import matplotlib as mpl
    from matplotlib import pyplot

    # The same figures make the same file, and its words stay words.
    mpl.rcParams.update({"svg.hashsalt": "mqttsession", "svg.fonttype": "none", "font.size": 9})
    first = next(iter(tables.values()))
    names = sorted(first.good, key=lambda name: first.value(name, figure))
    height = 0.6 + 0.24 * len(names)
    shape, panels = pyplot.subplots(
        1, len(tables), sharey=True, squeeze=False, figsize=(3.2 * len(tables) + 1.4, height)
    )
    for panel, (row, table) in zip(panels[0], tables.items(), strict=True):
        there = [name for name in names if name in table.good]
        values = [table.value(name, figure) for name in there]
        colours = [COLOURS[table.good[name][0]["role"]] for name in there]
        bars = panel.barh([names.index(name) for name in there], values, color=colours)
        panel.bar_label(bars, [report.count(value) for value in values], padding=2, fontsize=7)
        panel.set_xscale("log")
        panel.minorticks_off()
        panel.set_xlim(min(values) / 3, max(values) * 12)
        panel.set_yticks(range(len(names)), names)
        panel.set_title(row)
        panel.set_xlabel(unit)
        panel.spines[["top", "right"]].set_visible(False)
    shape.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    shape.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(shape)
