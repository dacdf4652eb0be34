"""What a trade costs: commission, half-spread and slippage, impact, borrowed shares.

Everything is known before the open but the price that a cost is a fraction of. One *side* is one
fill; a round trip is two of them and, for shares sold short, the fee of one day.
"""

from __future__ import annotations

import numpy as np

from pipeline.trading.estimates import Values
from pipeline.trading.rules import BPS, Rules
from pipeline.trading.slots import Costs


def round_trip_before_size(
    side: float, reference: Values, spread: Values | None, rules: Rules
) -> Values | float:
    """Cost of a round trip as far as no size decides it, as a fraction of the notional.

    Parameters
    ----------
    side
        1 long, -1 short.
    reference, spread
        Previous close in currency, and estimated spread as a fraction (where a side costs part of
        it), sessions x symbols.
    """
    commission: Values | float = rules.commission_bps * BPS
    if rules.commission_per_share > 0.0:
        with np.errstate(divide="ignore"):
            commission = commission + rules.commission_per_share / reference
    if rules.commission_maximum is not None:
        commission = np.minimum(commission, rules.commission_maximum)
    cost = (commission + rules.open_bps * BPS) + (commission + rules.close_bps * BPS)
    if spread is not None:
        cost = cost + 2.0 * rules.spread_fraction * spread
    return cost + rules.borrow_fee if side < 0.0 else cost


def impact_rate(volatility: Values, mean_dollar_volume: Values, rules: Rules) -> Values:
    """Square-root impact of a notional of 1: coefficient x volatility / root of dollar volume.

    An order of a tenth of the day's dollar volume thus costs 0.32 x coefficient x the volatility
    of a session, per side. A fill that was cut pays the rate of what was ordered.

    Sources: Torre (1997), BARRA Market Impact Model Handbook (the root); Almgren, Thum, Hauptmann
    and Li (2005), "Direct Estimation of Equity Market Impact", Risk 18 (a power of 0.6).
    """
    known = mean_dollar_volume > 0.0
    root = np.sqrt(mean_dollar_volume, out=np.ones_like(mean_dollar_volume), where=known)
    return np.where(known, rules.impact * volatility / root, np.nan)


def expected_round_trip(shares: Values, reference: Values, costs: Costs) -> Values:
    """Cost of buying and selling this many shares at the previous close, over their notional.

    0 where there are none.
    """
    notional = shares * reference
    charged = np.maximum(shares * costs.per_share + notional * costs.commission, costs.minimum)
    commission = np.fmin(charged, costs.maximum * notional) / np.where(
        notional > 0.0, notional, np.inf
    )
    impact = costs.impact * np.sqrt(notional)
    legs = (commission + costs.slippage_in + impact) + (commission + costs.slippage_out + impact)
    return np.where(notional > 0.0, legs + costs.borrow, 0.0)
