"""A second backtest in plain loops, written from the description of the rules alone.

It shares no code with the project: prices and estimates go in as nested dictionaries of floats,
trades and equity come out as dictionaries. Where the project is quick, this one is plain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Number = float | None
BPS = 1e-4
"""Cents that are halves in theory round as their float64 product says; rates are written so."""


@dataclass
class Day:
    """One session of one symbol; None is unknown."""

    prediction: Number
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    previous_close: Number
    mean_dollar_volume: Number
    volatility: Number
    spread: Number
    average_true_range: Number
    beta: float
    sector: str
    indicated: Number = None
    """Open indicated before the auction; None: the orders were decided the evening before."""
    worse: tuple[tuple[float, Number], ...] = ()
    """Basis points that the open is worse by, and the forecast for it; in their order."""

    @property
    def sized_on(self) -> Number:
        return self.previous_close if self.indicated is None else self.indicated


@dataclass
class Order:
    symbol: str
    side: int
    prediction: Number
    weight: float
    price: Number
    day: Day
    is_hedge: bool = False
    shares: float = 0.0


def positive(value: Number) -> bool:
    return value is not None and value > 0


def whole(units: float) -> float:
    """To whole units of money, halves to the even one."""
    return float(round(units))


class Engine:
    """Plays the rules session by session."""

    def __init__(self, rules: dict[str, Any], units: int) -> None:
        self.rules, self.units = rules, units

    def run(
        self,
        days: list[dict[str, Day]],
        regimes: list[str],
        hedges: list[dict[str, Any] | None],
        bankroll: float,
    ) -> tuple[list[float], list[dict[str, Any]]]:
        equity = whole(bankroll * self.units)
        curve, trades = [equity / self.units], []
        for number, session in enumerate(days):
            orders = self.orders(session, regimes[number], hedges[number], equity)
            cash, made = equity, 0.0
            for rank, order in enumerate(orders, start=1):
                trade = self.fill(order, cash)
                cash -= trade.pop("outlay")
                made += trade["net"]
                trades.append(
                    {
                        "session": number,
                        "rank": rank,
                        "symbol": order.symbol,
                        "side": order.side,
                        "ordered": order.shares,
                        "cash": cash,
                        "equity": equity + made,
                        **trade,
                    }
                )
            equity += made
            curve.append(equity / self.units)
        return curve, trades

    # what to trade

    def orders(
        self, session: dict[str, Day], regime: str, hedge: dict[str, Any] | None, equity: float
    ) -> list[Order]:
        rules = self.rules
        slots = min(
            rules["max_positions"], rules["regime_positions"].get(regime, rules["max_positions"])
        )
        sides = [1]
        if rules["sides"] == "long_short":
            sides, slots = [1, -1], slots // 2
        chosen: list[tuple[float, str, int]] = []
        for side in sides:
            found = [
                (-self.score(day, side), symbol, side)
                for symbol, day in session.items()
                if self.is_candidate(day, side)
            ]
            found.sort()
            by_sector: dict[str, int] = {}
            taken = 0
            for entry in found:
                sector = session[entry[1]].sector
                cap = rules["max_sector_positions"]
                if cap is not None and by_sector.get(sector, 0) >= cap:
                    continue
                if taken == slots:
                    break
                by_sector[sector] = by_sector.get(sector, 0) + 1
                taken += 1
                chosen.append(entry)
        chosen.sort()
        orders = [
            Order(s, side, session[s].prediction, 0.0, session[s].sized_on, session[s])
            for _, s, side in chosen
        ]
        self.set_weights(orders)
        leg = self.hedge_leg(orders, hedge)
        self.set_shares(orders, leg, equity / self.units)
        return [*orders, leg] if leg is not None and leg.shares > 0 else orders

    def is_candidate(self, day: Day, side: int) -> bool:
        rules = self.rules
        if day.prediction is None:
            return False
        if any(forecast is None for _, forecast in day.worse):
            return False
        if day.worse and not positive(day.indicated):
            return False
        if rules["min_dollar_volume"] > 0 and (
            day.mean_dollar_volume is None or day.mean_dollar_volume < rules["min_dollar_volume"]
        ):
            return False
        by_risk = (
            rules["rank_by"] == "edge_over_volatility"
            or rules["weights"] == "volatility"
            or rules["impact"] > 0
        )
        if by_risk and not positive(day.volatility):
            return False
        by_size = rules["impact"] > 0 or rules["max_participation"] is not None
        if by_size and not positive(day.mean_dollar_volume):
            return False
        if rules["spread_fraction"] > 0 and day.spread is None:
            return False
        waits = rules["stop_atr"] is not None or rules["target_atr"] is not None
        if waits and not positive(day.average_true_range):
            return False
        least = rules["min_edge_bps"]
        if least is not None:
            return side * day.prediction > least * BPS
        cost = self.cost_before_size(day, side)
        return cost is not None and side * day.prediction > cost

    def cost_before_size(self, day: Day, side: int) -> Number:
        rules = self.rules
        commission = rules["commission_bps"] * BPS
        if rules["commission_per_share"] > 0:
            if day.sized_on is None:
                return None
            commission += rules["commission_per_share"] / day.sized_on
        if rules["commission_maximum"] is not None:
            commission = min(commission, rules["commission_maximum"])
        cost = (commission + rules["open_bps"] * BPS) + (commission + rules["close_bps"] * BPS)
        if rules["spread_fraction"] > 0:
            cost += 2 * rules["spread_fraction"] * (day.spread or 0.0)
        if side < 0:
            cost += rules["borrow_bps_a_year"] * BPS / 360
        return cost

    def score(self, day: Day, side: int) -> float:
        assert day.prediction is not None
        edge = side * day.prediction
        if self.rules["rank_by"] == "net_edge":
            cost = self.cost_before_size(day, side)
            return edge - cost if cost is not None else -math.inf
        if self.rules["rank_by"] == "edge_over_volatility":
            assert day.volatility
            return edge / day.volatility
        return edge

    # how much of it

    def set_weights(self, orders: list[Order]) -> None:
        rules = self.rules
        parts = rules["max_positions"]
        for order in orders:
            own = [other for other in orders if other.side == order.side]
            if rules["weights"] == "equal":
                weight = 1 / parts
            elif rules["weights"] == "edge":
                edges = [max(o.side * (o.prediction or 0.0), 0.0) for o in own]
                edge = max(order.side * (order.prediction or 0.0), 0.0)
                weight = edge / sum(edges) * len(own) / parts if sum(edges) > 0 else 0.0
            else:
                calm = [1 / (o.day.volatility or math.inf) for o in own]
                weight = 1 / (order.day.volatility or math.inf) / sum(calm) * len(own) / parts
            order.weight = min(weight, rules["max_position_fraction"])

    def hedge_leg(self, orders: list[Order], hedge: dict[str, Any] | None) -> Order | None:
        if self.rules["hedge"] == "none":
            return None
        held = sum(o.side * o.weight * self.beta(o) for o in orders)
        total = sum(o.weight for o in orders) + abs(held)
        if held != 0 and total > 1:
            for order in orders:
                order.weight /= total
        if hedge is None or not positive(hedge["reference"]):
            return None
        day = Day(
            None, hedge["open"], hedge["close"], hedge["close"], hedge["close"], None,
            hedge["reference"], None, None, None, None, 1.0, "",
        )  # fmt: skip
        return Order(hedge["symbol"], 0, None, 0.0, hedge["reference"], day, True)

    def beta(self, order: Order) -> float:
        return order.day.beta if self.rules["hedge"] == "beta" else 1.0

    def set_shares(self, orders: list[Order], leg: Order | None, equity: float) -> None:
        rules = self.rules
        for order in orders:
            if not positive(order.price) or equity <= 0:
                continue
            assert order.price
            shares = equity * order.weight / order.price
            if rules["max_participation"] is not None:
                most = (
                    rules["max_participation"] * (order.day.mean_dollar_volume or 0.0) / order.price
                )
                shares = min(shares, most)
            if rules["whole_shares"]:
                shares = float(math.floor(shares))
            order.shares = shares
            by_size = rules["commission_minimum"] > 0 or rules["impact"] > 0
            if rules["min_edge_bps"] is None and by_size and shares > 0:
                assert order.prediction is not None
                if not order.side * order.prediction > self.cost_of_size(order):
                    order.shares = 0.0
        self.within_reserve(orders, equity)
        if leg is not None:
            parts = [o.shares * (o.price or 0.0) * self.beta(o) for o in orders]
            net = sum(o.side * part for o, part in zip(orders, parts, strict=True))
            if abs(net) > 1e-9 * sum(abs(part) for part in parts):
                assert leg.price
                leg.side = -1 if net > 0 else 1
                leg.shares = abs(net) / leg.price

    def cost_of_size(self, order: Order) -> float:
        rules = self.rules
        assert order.price
        notional = order.shares * order.price
        commission = order.shares * rules["commission_per_share"]
        commission += notional * rules["commission_bps"] * BPS
        commission = max(commission, rules["commission_minimum"])
        if rules["commission_maximum"] is not None:
            commission = min(commission, rules["commission_maximum"] * notional)
        legs = 0.0
        for leg in ("open", "close"):
            legs += commission / notional + self.slippage(order, leg) + self.impact(order)
        borrow = rules["borrow_bps_a_year"] * BPS / 360 if order.side < 0 else 0.0
        return legs + borrow

    def slippage(self, order: Order, leg: str) -> float:
        if order.is_hedge:
            return 0.0
        spread = self.rules["spread_fraction"] * (order.day.spread or 0.0)
        return self.rules[f"{leg}_bps"] * BPS + spread

    def impact(self, order: Order) -> float:
        """Of what was ordered, per side."""
        if order.is_hedge or self.rules["impact"] == 0 or not order.shares:
            return 0.0
        assert order.price
        assert order.day.mean_dollar_volume
        assert order.day.volatility
        participation = order.shares * order.price / order.day.mean_dollar_volume
        return self.rules["impact"] * order.day.volatility * math.sqrt(participation)

    # what becomes of it

    def fill(self, order: Order, cash: float) -> dict[str, Any]:
        shares = order.shares if self.can_trade(order) else 0.0
        if shares > 0 and self.outlay(order, shares) > cash:
            wanted = shares
            shares = min(wanted, self.affordable(order, cash))
            if self.outlay(order, shares) > cash:
                shares = min(wanted, self.affordable(order, cash - 2))
        if shares <= 0:
            return {"filled": 0.0, "gross": 0.0, "net": 0.0, "outlay": 0.0, "exit": ""}
        price, kind = self.exit(order)
        day = order.day
        assert day.open
        entry = self.side_of_trade(order, shares, day.open, "open")
        ending = self.side_of_trade(order, shares, price, "close")
        borrow = 0.0
        if order.side < 0:
            rate = self.rules["borrow_bps_a_year"] * BPS / 360
            borrow = whole(shares * (self.units * (day.open * rate)))
        gross = order.side * (ending["notional"] - entry["notional"])
        fees = sum(part for leg in (entry, ending) for k, part in leg.items() if k != "notional")
        return {
            "filled": shares,
            "gross": gross,
            "commission": entry["commission"] + ending["commission"],
            "slippage": entry["slippage"] + ending["slippage"],
            "impact": entry["impact"] + ending["impact"],
            "borrow": borrow,
            "net": gross - fees - borrow,
            "outlay": sum(entry.values()),
            "exit": kind,
        }

    def can_trade(self, order: Order) -> bool:
        day, rules = order.day, self.rules
        if order.shares <= 0:
            return False
        if not positive(day.open) or not positive(day.close) or day.volume == 0:
            return False
        assert day.open
        worst = self.limit(order)
        if worst is not None and order.side * (day.open - worst) > 0:
            return False
        waits = rules["stop_atr"] is not None or rules["target_atr"] is not None
        return not waits or order.is_hedge or (positive(day.high) and positive(day.low))

    def limit(self, order: Order) -> Number:
        """The worst open to trade at: by the rule, and where the forecast reaches the hurdle."""
        limits = []
        if order.is_hedge or not order.price:
            return None
        if self.rules["limit_bps"] is not None:
            limits.append(order.price * (1 + order.side * self.rules["limit_bps"] * BPS))
        if order.day.worse:
            least = self.rules["min_edge_bps"]
            hurdle = self.cost_before_size(order.day, order.side) if least is None else least * BPS
            assert hurdle is not None
            assert order.prediction is not None
            reach, edge = 0.0, order.side * order.prediction
            for bps, forecast in order.day.worse:
                assert forecast is not None
                after = order.side * forecast
                if after > hurdle or edge <= after:
                    reach, edge = bps, after
                    if after > hurdle:
                        continue
                    break
                reach += (edge - hurdle) / (edge - after) * (bps - reach)
                break
            limits.append(order.price * (1 + order.side * reach * BPS))
        return (min(limits) if order.side > 0 else max(limits)) if limits else None

    def within_reserve(self, orders: list[Order], equity: float) -> None:
        """Every order could be filled at its limit: together they may not take more than this."""
        if self.rules["max_gross"] is None:
            return
        left = max(equity, 0.0) * self.rules["max_gross"]
        for order in orders:
            limit = self.limit(order) if order.side > 0 else None
            worst = limit if limit is not None else order.price
            if not order.shares or not positive(worst):
                continue
            assert worst is not None
            most = left / worst
            order.shares = min(
                order.shares, float(math.floor(most)) if self.rules["whole_shares"] else most
            )
            left = max(left - order.shares * worst, 0.0)

    def exit(self, order: Order) -> tuple[float, str]:
        day, rules = order.day, self.rules
        assert day.open
        assert day.close
        waits = rules["stop_atr"] is not None or rules["target_atr"] is not None
        if order.is_hedge or not waits:
            return day.close, "close"
        assert order.price
        assert day.average_true_range
        assert day.high
        assert day.low
        stop = target = None
        if rules["stop_atr"] is not None:
            stop = order.price - order.side * rules["stop_atr"] * day.average_true_range
        if rules["target_atr"] is not None:
            target = order.price + order.side * rules["target_atr"] * day.average_true_range
        worst = day.low if order.side > 0 else day.high
        best = day.high if order.side > 0 else day.low
        if stop is not None and order.side * (day.open - stop) <= 0:
            return day.open, "stop"
        if target is not None and order.side * (day.open - target) >= 0:
            return day.open, "target"
        if stop is not None and order.side * (worst - stop) <= 0:
            return stop, "stop"
        if target is not None and order.side * (best - target) >= 0:
            return target, "target"
        return day.close, "close"

    def commission_rate(self, order: Order) -> tuple[float, float, float]:
        """On the notional, a share, and the least."""
        if order.is_hedge:
            return self.rules["hedge_bps"] * BPS, 0.0, 0.0
        return (
            self.rules["commission_bps"] * BPS,
            self.rules["commission_per_share"],
            self.rules["commission_minimum"],
        )

    def side_of_trade(
        self, order: Order, shares: float, price: float, leg: str
    ) -> dict[str, float]:
        rate, per_share, minimum = self.commission_rate(order)
        of_a_share = {
            "notional": price,
            "commission": price * rate + per_share,
            "slippage": price * self.slippage(order, leg),
            "impact": price * self.impact(order),
        }
        units = {name: shares * (self.units * amount) for name, amount in of_a_share.items()}
        units["commission"] = max(units["commission"], self.units * minimum)
        most = self.rules["commission_maximum"]
        if most is not None and not order.is_hedge:
            units["commission"] = min(units["commission"], most * units["notional"])
        return {name: whole(amount) for name, amount in units.items()}

    def outlay(self, order: Order, shares: float) -> float:
        if shares <= 0:
            return 0.0
        assert order.day.open
        return sum(self.side_of_trade(order, shares, order.day.open, "open").values())

    def affordable(self, order: Order, cash: float) -> float:
        rate, per_share, minimum = self.commission_rate(order)
        assert order.day.open
        money = cash / self.units
        price = order.day.open * (1 + self.slippage(order, "open") + self.impact(order))
        shares = money / (price + order.day.open * rate + per_share)
        if minimum > 0:
            shares = min(shares, (money - minimum) / price)
        most = self.rules["commission_maximum"]
        if most is not None and not order.is_hedge:
            shares = max(shares, money / (price + most * order.day.open))
        shares = max(shares, 0.0)
        return math.floor(shares) if self.rules["whole_shares"] and not order.is_hedge else shares
