"""Whether what is traded is what was evidenced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from pipeline.trading.rules import ONE_SLIPPAGE, Rules
from pipeline.values import typed

MAX_BANKROLL_RATIO = 2.0
"""Between two bankrolls that are traded alike: within it the equity of an evidence of years wanders
itself, and whole shares round much the same."""


@dataclass(frozen=True)
class Traded:
    """By what forecasts become orders.

    Attributes
    ----------
    rules
        Of the strategy.
    bankroll
        Currency.
    regimes
        Hash of the limits that regimes follow from.
    """

    rules: Rules
    bankroll: float
    regimes: str


def differing_rules(now: Traded, evidenced: Mapping[str, Any]) -> list[str]:
    """What differs from what a recipe was evidenced with, in words; empty where nothing does.

    The bankroll counts where the rules make it matter, and the regimes' limits where regimes cap
    positions.

    Parameters
    ----------
    evidenced
        Content of the recipe, as its run recorded it; without rules none is proven. What an older
        release did not know is not compared.
    """
    if evidenced.get("rules") is None:
        return ["its recipe recorded no rules"]
    differing = _other_rules(now.rules, evidenced["rules"])
    bankroll, regimes = evidenced.get("bankroll"), evidenced.get("regimes")
    if now.rules.depend_on_bankroll and bankroll and _is_another(now.bankroll, bankroll):
        differing.append(
            f"bankroll is {now.bankroll:g}, its evidence has {bankroll:g}: more than "
            f"{MAX_BANKROLL_RATIO:g} times apart"
        )
    if now.rules.regime_positions and regimes and regimes != now.regimes:
        differing.append(f"regimes follow from limits {now.regimes}, its evidence has {regimes}")
    return differing


def _is_another(one: float, other: float) -> bool:
    return max(one, other) > MAX_BANKROLL_RATIO * min(one, other)


def _other_rules(rules: Rules, evidenced: Mapping[str, Any]) -> list[str]:
    now, before = _with_legs(vars(rules)), _with_legs(evidenced)
    return [
        f"{name} is {typed(now[name])}, its evidence has {typed(value)}"
        for name, value in before.items()
        if name in now and now[name] != value
    ]


def _with_legs(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The slippage of each leg, also where one was recorded for both."""
    plain: dict[str, Any] = to_jsonable_python(dict(rules))
    if ONE_SLIPPAGE in plain:
        plain["open_bps"] = plain["close_bps"] = plain.pop(ONE_SLIPPAGE)
    return {"max_gross": None, **plain}
