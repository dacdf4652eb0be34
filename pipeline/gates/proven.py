"""Whether what is traded is what was evidenced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from pipeline.trading.rules import ONE_SLIPPAGE, Rules


def differing_rules(rules: Rules, evidenced: Mapping[str, Any] | None) -> list[str]:
    """Rules that differ from those of a recipe, in words; empty where none does.

    Parameters
    ----------
    evidenced
        As the recipe's run recorded them; None: it recorded none, so none is proven. A rule that
        an older release did not know is not compared.
    """
    if evidenced is None:
        return ["its recipe recorded no rules"]
    now, evidenced = _with_legs(vars(rules)), _with_legs(evidenced)
    return [
        f"{name} is {now[name]}, its evidence has {value}"
        for name, value in evidenced.items()
        if name in now and now[name] != value
    ]


def _with_legs(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The slippage of each leg, also where one was recorded for both."""
    plain: dict[str, Any] = to_jsonable_python(dict(rules))
    if ONE_SLIPPAGE in plain:
        plain["open_bps"] = plain["close_bps"] = plain.pop(ONE_SLIPPAGE)
    return {"max_gross": None, **plain}
