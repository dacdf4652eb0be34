"""Size and power of the gates: how often each kind of made-up world is promoted.

`python -m tests.soak.gate_worlds noise --worlds 200` counts one kind. Forecasts come from a least
squares fit on what was known before each session, done again every 21 sessions on all sessions
before, so a world takes a second instead of a retrain's minutes; trading, metrics and gates are
those of a retrain. The audit counts as passed and ridge as equal, since the fit is linear itself.
Like the default target the fit is of what the symbols do not share; in the worlds named ``LEVEL``
it forecasts the market's level too.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta as beta_distribution

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.gates.evidence import luck
from pipeline.gates.gates import Answer, Gates
from pipeline.gates.skill import activity, beyond_members, deflated, members_return, timing_ic
from pipeline.gates.verdict import evaluate, verdict
from pipeline.gates.version import AS_TRAINED
from pipeline.learning.metrics import r2, rank_ic, spa_relative_pvalue
from pipeline.recipe.books import books
from pipeline.schemas import ROW
from pipeline.stats.inference import newey_west_t
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules

BEFORE = 273
"""Sessions before the evidence: a year to fit on, and what features look back."""

REFIT_EVERY = 21
GAP, MOVE = 0.01, 0.02
COMMON = 0.25
"""Part of the variance that all symbols share."""

BANKROLL = 1_000_000.0
ASSUMED = {**AS_TRAINED, "audit/passed": 1.0, "test/ridge_pvalue": 1.0}

Values = np.ndarray


@dataclass(frozen=True)
class Prices:
    """Prints of the open and the close, sessions x symbols, and a signal known before the open."""

    open: Values
    close: Values
    signal: Values


def prices(
    random: np.random.Generator, sessions: int, symbols: int, *, drift: float = 0.0, ic: float = 0.0
) -> Prices:
    """Random walks.

    Parameters
    ----------
    drift
        Mean return from open to close of every symbol.
    ic
        Correlation of the signal with what the symbols' moves do not share; that of the forecasts,
        which have to be learned, is about a tenth lower.
    """
    shape = (sessions, symbols)
    gaps, moves = (
        size * (np.sqrt(COMMON) * random.normal(size=(sessions, 1))
                + np.sqrt(1 - COMMON) * random.normal(size=shape))
        for size in (GAP, MOVE)
    )  # fmt: skip
    signal = random.normal(size=shape)
    moves += drift + ic * MOVE * np.sqrt(1 - COMMON) * signal
    close = 50.0 * np.cumprod((1.0 + gaps) * (1.0 + moves), axis=0)
    return Prices(close / (1.0 + moves), close, signal)


def noise(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
    """Nothing to find."""
    return prices(random, sessions, symbols)


def drift(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
    """A market that rises by half of its price a year while it is open."""
    return prices(random, sessions, symbols, drift=0.002)


def hindsight(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
    """The best quarter of all symbols, chosen at the end."""
    every = prices(random, sessions, 4 * symbols)
    order = np.argsort(every.close[-1] / every.close[BEFORE])
    return _of(every, order[-symbols:])


def hindsight_both(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
    """The best and the worst eighth, chosen at the end."""
    every = prices(random, sessions, 4 * symbols)
    order = np.argsort(every.close[-1] / every.close[BEFORE])
    return _of(every, np.r_[order[: symbols // 2], order[-(symbols - symbols // 2) :]])


def bounce(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
    """Every print lies half a spread of 50 bps above or below a random walk."""
    walk = prices(random, sessions, symbols)
    sides = random.choice([-0.0025, 0.0025], size=(2, sessions, symbols))
    return Prices(walk.open * (1 + sides[0]), walk.close * (1 + sides[1]), walk.signal)


def stale(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
    """The same where nine opens in ten are a copy of the close before."""
    seen = bounce(random, sessions, symbols)
    copied = random.random((sessions - 1, symbols)) < 0.9
    opened = seen.open.copy()
    opened[1:][copied] = seen.close[:-1][copied]
    return Prices(opened, seen.close, seen.signal)


def _edge(ic: float) -> Callable[[np.random.Generator, int, int], Prices]:
    def world(random: np.random.Generator, sessions: int, symbols: int) -> Prices:
        return prices(random, sessions, symbols, ic=ic)

    return world


WORLDS: Mapping[str, Callable[[np.random.Generator, int, int], Prices]] = {
    "noise": noise,
    "drift": drift,
    "hindsight": hindsight,
    "hindsight_both": hindsight_both,
    "bounce": bounce,
    "stale": stale,
    "edge_1": _edge(0.011),
    "edge_2": _edge(0.022),
    "edge_3": _edge(0.033),
}


LEVEL = {"drift", "hindsight"}


def _of(every: Prices, columns: Values) -> Prices:
    return Prices(*(getattr(every, name)[:, columns] for name in ("open", "close", "signal")))


def features(seen: Prices) -> Values:
    """Sessions x symbols x columns, known at the close before: past returns, scaled, the signal."""
    logs = np.log(seen.close)
    columns = []
    for span in (1, 5, 21, 252):
        past = np.full_like(logs, np.nan)
        past[span + 1 :] = logs[span:-1] - logs[: -span - 1]
        columns.append(past)
    inside = np.full_like(logs, np.nan)
    inside[1:] = (seen.close / seen.open - 1.0)[:-1]
    scaled = [_scaled(column) for column in (*columns, inside, seen.signal)]
    return np.stack([np.ones_like(logs), *scaled], axis=2)


def _scaled(values: Values) -> Values:
    mean, spread = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
    return np.nan_to_num((values - mean) / spread)


def forecasts(seen: Prices, level: bool) -> tuple[Values, Values]:
    """Forecasts of the sessions after the first year by fits on sessions before, and their mean."""
    known, moves = features(seen), seen.close / seen.open - 1.0
    known[:, :, 0] = float(level)
    squares = np.einsum("tnk,tnl->tkl", known, known)[253:].cumsum(axis=0)
    products = np.einsum("tnk,tn->tk", known, moves)[253:].cumsum(axis=0)
    predicted, means = np.full_like(moves, np.nan), np.full_like(moves, np.nan)
    for first in range(BEFORE, len(moves), REFIT_EVERY):
        until = first - 1 - 253
        fit = _shrunk(squares[until], products[until], float((moves[253:first] ** 2).mean()))
        block = slice(first, first + REFIT_EVERY)
        predicted[block] = known[block] @ fit
        means[block] = moves[253:first].mean()
    return predicted[BEFORE:], means[BEFORE:]


def _shrunk(squares: Values, products: Values, variance: float) -> Values:
    """Least squares, shrunk as James and Stein (1961) do: without skill next to nothing is left."""
    fit = np.linalg.lstsq(squares, products, rcond=1e-9)[0]
    explained = float(fit @ squares @ fit) / variance
    return fit * max(0.0, 1.0 - (len(fit) - 2) / explained) if explained > 0.0 else fit


def judged(
    seen: Prices, rules: Rules, gates: Gates, looks: float = 1.0, *, level: bool = False
) -> tuple[str, str]:
    """Verdict and the first gate that failed; what costs much is not looked at after a failure."""
    predicted, mean = forecasts(seen, level)
    metrics = measured(seen, predicted, mean, rules, looks, gates)
    answers = evaluate(metrics, gates)
    decisive = [answer for answer in answers if answer.decisive]
    failed = [answer.name for answer in decisive if answer.answer is Answer.FAIL]
    others = [answer.name for answer in decisive if answer.answer is not Answer.PASS]
    return verdict(answers), next(iter([*failed, *others]), "-")


def measured(
    seen: Prices,
    predicted: Values,
    mean: Values,
    rules: Rules,
    looks: float,
    gates: Gates | None = None,
) -> dict[str, float]:
    """What the gates look at.

    Parameters
    ----------
    predicted, mean
        Of the last sessions of the prices.
    gates
        Those that need not be asked further once one of them has failed, nor beyond what they ask;
        None: all is measured.
    """
    metrics = skill(seen, predicted, mean)
    if gates is not None and _failed(metrics, gates):
        return metrics
    return metrics | traded(seen, predicted, rules, looks, metrics, gates)


def _tall(values: Values) -> pd.Series:
    return pd.Series(_wide(values).stack())


def _wide(values: Values) -> pd.DataFrame:
    sessions = pd.bdate_range("2010-01-04", periods=len(values), name=ROW[0]).as_unit("us")
    names = pd.Index([f"S{n:04d}" for n in range(values.shape[1])], name=ROW[1])
    return pd.DataFrame(values, sessions, names)


def skill(seen: Prices, predicted: Values, mean: Values) -> dict[str, float]:
    """What the gates look at of the forecasts, without the trading and its bootstraps."""
    count = len(predicted)
    returns, forecast = _tall((seen.close / seen.open - 1.0)[-count:]), _tall(predicted)
    ic, timing = rank_ic(returns, forecast), timing_ic(returns, forecast).dropna()
    return {
        **ASSUMED,
        "backtest/sessions": float(count),
        "test/rank_ic": float(ic.mean()),
        "test/rank_ic_t": newey_west_t(ic),
        "test/timing_ic_t": newey_west_t(timing),
        "test/r2": r2(returns, forecast),
        "test/r2_vs_train_mean": r2(returns, forecast, _tall(mean)),
    }


def traded(
    seen: Prices,
    predicted: Values,
    rules: Rules,
    looks: float,
    skilled: Mapping[str, float],
    gates: Gates | None = None,
) -> dict[str, float]:
    """What the gates look at of the trading.

    Parameters
    ----------
    skilled
        Of `skill`, which the gates are asked about as well.
    gates
        As of `measured`.
    """
    count = len(predicted)
    opened, closed = seen.open[-count:], seen.close[-count:]
    returns, forecast = _tall(closed / opened - 1.0), _tall(predicted)

    def failed() -> bool:
        return gates is not None and bool(_failed({**skilled, **metrics}, gates))

    before = _wide(seen.close[-count - 1 : -1]).set_axis(_wide(closed).index)
    result = books(rules, BANKROLL, forecast, _market(_wide(opened), _wide(closed), before))
    net, members = result.net_returns, members_return(forecast, returns)
    metrics = {"backtest/trades": float(len(result.ledger)), **activity(result)}
    metrics |= deflated(net, members, looks)
    if failed():
        return metrics
    metrics |= beyond_members(net, members, looks, 1)
    if failed():
        return metrics
    metrics["test/spa_relative_pvalue"] = spa_relative_pvalue(returns, forecast, seed=1)
    if gates is None:
        metrics |= luck(net, looks, 1)
    return metrics


def _market(opened: pd.DataFrame, closed: pd.DataFrame, before: pd.DataFrame) -> Market:
    sessions = pd.DatetimeIndex(closed.index)
    return Market(
        open=opened,
        close=closed,
        high=pd.DataFrame(np.maximum(opened, closed)),
        low=pd.DataFrame(np.minimum(opened, closed)),
        volume=opened * 0.0 + 1e7,
        regimes=pd.Series("RANGING", sessions),
        known={"previous_close": before, "mean_dollar_volume": opened * 0.0 + 1e9},
        sectors=pd.Series(dtype="str"),
        previous_session=sessions[0] - pd.Timedelta(days=1),
    )


def _failed(metrics: Mapping[str, float], gates: Gates) -> str:
    """The first required gate that fails for good."""
    answers = evaluate(metrics, gates)
    return next((a.name for a in answers if a.decisive and a.answer is Answer.FAIL), "")


def interval(passed: int, worlds: int) -> tuple[float, float]:
    """Clopper and Pearson's (1934) 95 % interval of a share."""
    low = beta_distribution.ppf(0.025, passed, worlds - passed + 1) if passed else 0.0
    high = beta_distribution.ppf(0.975, passed + 1, worlds - passed) if passed < worlds else 1.0
    return float(low), float(high)


def counted(
    kind: str, worlds: int, *, first: int = 0, years: int = 3, symbols: int = 150,
    looks: float = 1.0, overrides: tuple[str, ...] = (),
) -> str:  # fmt: skip
    """A line: how many of so many worlds were promoted, and what stood in the way of the others."""
    settings = check(compose(list(overrides)))
    rules, gates = build.rules(settings), settings.gates
    reasons: Counter[str] = Counter()
    for seed in range(first, first + worlds):
        random = np.random.default_rng([seed, list(WORLDS).index(kind)])
        seen = WORLDS[kind](random, BEFORE + 252 * years, symbols)
        answer, gate = judged(seen, rules, gates, looks, level=kind in LEVEL)
        reasons["promoted" if answer == "accepted" else gate] += 1
    passed = reasons.pop("promoted", 0)
    low, high = interval(passed, worlds)
    listed = ", ".join(f"{name} {count}" for name, count in reasons.most_common())
    return (
        f"{kind}, {years} years, {symbols} symbols: {passed} of {worlds} promoted "
        f"({passed / worlds:.1%}, 95 % {low:.1%} to {high:.1%}); first refused by: {listed or '-'}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(WORLDS))
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--symbols", type=int, default=150)
    parser.add_argument("--looks", type=float, default=1.0)
    parser.add_argument("overrides", nargs="*", help="Hydra overrides of the strategy")
    given = vars(parser.parse_intermixed_args())
    given["overrides"] = tuple(given["overrides"])
    print(counted(**given), flush=True)
