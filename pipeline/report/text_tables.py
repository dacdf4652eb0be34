"""Tables of text: as Markdown, and for a terminal."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd

TERMINAL = 100
"""Columns that everything printed fits, but for commands and paths."""


def markdown_table(table: pd.DataFrame) -> list[str]:
    """The lines of a Markdown table, without its index; a bar inside a cell does not end it.

    >>> markdown_table(pd.DataFrame({"gate": ["a|b"], "answer": ["pass"]}))
    ['| gate | answer |', '|---|---|', '| a\\\\|b | pass |']
    """
    head = _row(table.columns)
    return [head, "|" + "---|" * len(table.columns), *(_row(row) for row in table.to_numpy())]


def wrapped(text: str, indent: int = 0) -> str:
    """Prose in lines of at most `TERMINAL` letters, all but the first indented by so many.

    Commands, which are pasted, are left whole.
    """
    hanging = " " * indent
    lines = textwrap.wrap(
        text, TERMINAL, break_long_words=False, break_on_hyphens=False, subsequent_indent=hanging
    )
    return "\n".join(lines)


def paragraphs(table: pd.DataFrame) -> str:
    """Rows of words too long for columns: the first cell, beside it all others that have words.

    Parameters
    ----------
    table
        Its columns' names are the first row.

    Examples
    --------
    >>> print(paragraphs(pd.DataFrame({"name": ["a", "bc"], "is": ["one", ""], "of": ["x", "y"]})))
    name  is; of
    a     one; x
    bc    y
    """
    rows = [table.columns.tolist(), *table.astype(str).to_numpy().tolist()]
    width = max((len(first) for first, *_ in rows), default=0)
    return "\n".join(
        wrapped(f"{first:<{width}}  {'; '.join(filter(None, others))}", width + 2)
        for first, *others in rows
    )


def _row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def terminal_table(table: pd.DataFrame, words: tuple[str, ...] = ()) -> str:
    """A table of text for a terminal, without its index: numbers to the right, words to the left.

    Parameters
    ----------
    table
        Cells of text; columns named in ``words`` are set to the left.

    >>> print(terminal_table(pd.DataFrame({"what": ["a", "bcd"], "value": ["1", "22"]}), ("what",)))
    what  value
    a         1
    bcd      22
    """
    columns = [
        _column(str(name), [str(cell) for cell in table[name]], left=name in words)
        for name in table.columns
    ]
    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def _column(name: str, cells: list[str], *, left: bool) -> list[str]:
    width = max(map(len, [name, *cells]))
    return [cell.ljust(width) if left else cell.rjust(width) for cell in [name, *cells]]
