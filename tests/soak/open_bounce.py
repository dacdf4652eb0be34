"""A bounce in the printed open fakes a reversal: from which error of the indication is it refused?

`python -m tests.soak.open_bounce` counts the made-up worlds promoted at each error. Without a
planted reversal the truth is a random walk, and the open is printed above or below it by a coin.
Who knows the print knows the way back from it, and is filled at it: in history nothing tells that
from a true reversal but an indication that does not know on which side the print will lie. Gaps are
of 0.1 % and moves of 1 %, calmer than those of stocks, so that the bounce is not lost among them.

``walk``: a random walk with gaps of 1 %, and nothing else. ``bounce_10`` and ``bounce_20``: prints
10 and 20 bp off. ``reversal``: no bounce, and gaps of 1 % of which a quarter goes back until the
close.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.gates.gates import Answer
from pipeline.gates.verdict import evaluate, verdict
from tests.soak.gate_worlds import BEFORE, COMMON, Prices, forecasts, measured

ERRORS_BPS = (0.0, 25.0, 50.0, 100.0)
BPS = 1e-4
OVERRIDES = ("strategy=auctions",)


@dataclass(frozen=True)
class Kind:
    """Standard deviations of gaps and moves, the bounce, and what goes back of a gap."""

    gap: float
    move: float
    bounce: float = 0.0
    reversal: float = 0.0


KINDS = {
    "walk": Kind(gap=0.01, move=0.015),
    "bounce_10": Kind(gap=0.001, move=0.01, bounce=0.001),
    "bounce_20": Kind(gap=0.001, move=0.01, bounce=0.002),
    "reversal": Kind(gap=0.01, move=0.015, reversal=0.25),
}


def world(kind: Kind, error_bps: float, seed: int, sessions: int, symbols: int) -> Prices:
    """Prints, and as the signal the indicated gap less that of all symbols."""
    random = np.random.default_rng(seed)
    shape = (sessions, symbols)
    gaps, moves = (
        size * (np.sqrt(COMMON) * random.normal(size=(sessions, 1))
                + np.sqrt(1 - COMMON) * random.normal(size=shape))
        for size in (kind.gap, kind.move)
    )  # fmt: skip
    moves -= kind.reversal * gaps
    close = 50.0 * np.cumprod((1.0 + gaps) * (1.0 + moves), axis=0)
    printed = close / (1.0 + moves) * (1.0 + kind.bounce * random.choice([-1.0, 1.0], shape))
    indicated = printed * (1.0 + error_bps * BPS * random.normal(size=shape))
    before = np.vstack([np.full((1, symbols), 50.0), close[:-1]])
    gap = indicated / before - 1.0
    return Prices(printed, close, gap - gap.mean(axis=1, keepdims=True))


def accepted(
    kind: str, error_bps: float, *, worlds: int, first: int = 0, years: int = 2, symbols: int = 100
) -> tuple[int, str]:
    """How many worlds are promoted, and the gate that refused the first of the others."""
    settings = check(compose(list(OVERRIDES)))
    rules, gates = build.rules(settings), settings.gates
    told = []
    for seed in range(first, first + worlds):
        seen = world(KINDS[kind], error_bps, seed, BEFORE + 252 * years, symbols)
        answers = evaluate(measured(seen, *forecasts(seen, False), rules, 1.0), gates)
        others = [a.name for a in answers if a.decisive and a.answer is not Answer.PASS]
        told.append((verdict(answers), next(iter(others), "-")))
    refused = [gate for answer, gate in told if answer != "accepted"]
    return len(told) - len(refused), next(iter(refused), "-")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--errors", nargs="*", type=float, default=ERRORS_BPS, help="in bp")
    parser.add_argument("--kinds", nargs="*", choices=sorted(KINDS), default=list(KINDS))
    given = parser.parse_args()
    for name in given.kinds:
        for error in given.errors:
            passed, gate = accepted(name, error, worlds=given.worlds)
            print(
                f"{name:10} error {error:4.0f} bp: {passed} of {given.worlds} promoted; "
                f"first refused by {gate}",
                flush=True,
            )
