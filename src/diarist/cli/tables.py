"""Tables that can be read on a terminal of any width: nothing is cut, and no name is folded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from diarist.cli.terminal import literal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

ANY_WIDTH = 1000  # a table is measured without the screen's limit, or every one would seem to fit


def show(
    console: Console,
    rows: Sequence[Mapping[str, str | Text]],
    layouts: Sequence[Sequence[Sequence[str]]],
    *,
    names: Sequence[str],
    right: Collection[str] = (),
) -> None:
    """Print the first layout that fits, or else each row as a list of its own.

    Args:
        console: where.
        rows: a cell for each heading.
        layouts: from wide to narrow; each is tables below each other, and a table is its headings, from left to right.
        names: the headings of the cells that name a row.
        right: headings of columns with numbers.
    """
    for layout in layouts:
        tables = [_table(rows, headings, right) for headings in layout]
        if all(_width(console, table) <= console.width for table in tables):
            for number, table in enumerate(tables):
                if number:
                    console.print()
                console.print(table)
            return
    for row in rows:
        _stack(console, row, names)


def _table(rows: Sequence[Mapping[str, str | Text]], headings: Sequence[str], right: Collection[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(literal(heading), justify="right" if heading in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell(row[heading]) for heading in headings))
    return table


def _stack(console: Console, row: Mapping[str, str | Text], names: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text(" ").join(_cell(row[name]) for name in names if row[name]), style="bold", overflow="fold")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, cell in row.items():
        if heading not in names and cell:
            grid.add_row(f"  {heading}", _cell(cell))
    console.print(grid)


def _cell(cell: str | Text) -> Text:
    return literal(cell) if isinstance(cell, str) else cell


def _width(console: Console, table: Table) -> int:
    return console.measure(table, options=console.options.update(width=ANY_WIDTH)).maximum
