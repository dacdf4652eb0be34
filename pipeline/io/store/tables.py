"""Tables of the store: what is kept, by which key, in which unit.

Prices are in currency per share, volumes in shares, sessions are dates of the exchange. ``changes``
lists every change of a fact; ``builds`` says after which of them a result was built. A change is
known by its revision, a random text: its number comes again where a backup is put back.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
)

from pipeline.schemas import BAR_FIELDS, INDICATORS, LABELS, SESSION, SYMBOL

SCHEMA_VERSION = 2
"""Counts up with every change of a table; `pipeline.io.store.upgrades` has the way from each older
one. A table that is new, or a new column that may be empty, needs none: a store without it gets
it."""

metadata = MetaData()

TEXT = String().with_variant(String(collation="C"), "postgresql")
"""Sorted by code points in every database, as SQLite does."""


def _by_session_and_symbol(name: str, *columns: Column) -> Table:
    """Rows lie on disk in the order of their key, so that a range of sessions is one read."""
    key = (Column(SESSION, Date, primary_key=True), Column(SYMBOL, TEXT, primary_key=True))
    return Table(name, metadata, *key, *columns, sqlite_with_rowid=False)


def _floats(*names: str) -> list[Column]:
    return [Column(name, Float) for name in names]


meta = Table(
    "meta",
    metadata,
    Column("schema_version", Integer, primary_key=True),
    Column("store_id", TEXT, nullable=False),
)

symbols = Table(
    "symbols",
    metadata,
    Column(SYMBOL, TEXT, primary_key=True),
    Column("exchange", TEXT),
    Column("sector", TEXT),
    Column("name", TEXT),
    Column("kind", TEXT, nullable=False),
)

bars = _by_session_and_symbol("bars", *_floats(*BAR_FIELDS), Column("final", Boolean))
gaps = _by_session_and_symbol("gaps", Column("reason", TEXT))
actions = _by_session_and_symbol("actions", *_floats("split", "dividend"))
"""Splits (new shares for one old one) and dividends (currency per share) by the session on which
they go ex, as the source reports them: the close before is of other shares."""
quarantine = _by_session_and_symbol("quarantine", Column("reason", TEXT), *_floats(*BAR_FIELDS))
EARNINGS_FLOATS = ("eps_estimate", "eps_reported", "surprise_percent")
EARNINGS_TEXTS = ("announced_at", "first_known", "last_known")
earnings = _by_session_and_symbol(
    "earnings", *_floats(*EARNINGS_FLOATS), *(Column(name, TEXT) for name in EARNINGS_TEXTS)
)
"""Earnings dates by the day in the exchange's zone; per-share numbers in currency. A date is known
since the moment of the download that first listed it (``first_known``), and a row holds what the
last download that lists it had (``last_known``): numbers as of then, not as of the date. A date
that was moved stays, with an older ``last_known``. Moments are ISO texts, in UTC."""

indicators = _by_session_and_symbol("indicators", *_floats(*INDICATORS))
labels = _by_session_and_symbol("labels", *_floats(*LABELS))

REGIME_FLOATS = ("trend_strength", "volatility_percentile", "slope_20", "vix_level")
regimes = _by_session_and_symbol("regimes", *_floats(*REGIME_FLOATS), Column("regime", TEXT))
"""The symbol is the index that the state was calculated from."""

SIGNAL_FLOATS = (
    "prediction", "weight", "shares", "reference_price", "notional", "limit", "stop", "target",
    "edge_bps", "cost_bps",
)  # fmt: skip
"""Prices in currency, NULL where an order has none; edge and expected cost of a round trip in basis
points. Up to ``notional`` they are as old as the table."""
signals = Table(
    "signals",
    metadata,
    Column(SESSION, Date, primary_key=True),
    Column("model_version", TEXT, primary_key=True),
    Column(SYMBOL, TEXT, primary_key=True),
    Column("rank", Integer),
    Column("side", TEXT),
    *_floats(*SIGNAL_FLOATS),
)

changes = Table(
    "changes",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("revision", TEXT, nullable=False, unique=True),
    Column("kind", TEXT, nullable=False),
    Column("first_session", Date),
    Column("last_session", Date),
    Column("symbols", Integer, nullable=False),
    Column("at", DateTime, nullable=False),
    sqlite_autoincrement=True,
)

bar_changes = Table(
    "bar_changes",
    metadata,
    Column("number", Integer, primary_key=True),
    Column(SYMBOL, TEXT, primary_key=True),
    Column("what", TEXT, primary_key=True),
    Column("first_session", Date, nullable=False),
    Column("bars", Integer, nullable=False),
)
"""Of a change of bars: the symbols whose past it changed, beside adding sessions at the end."""

builds = Table(
    "builds",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("revision", TEXT, nullable=False),
    Column("detail", JSON, nullable=False),
)

digests = Table(
    "digests",
    metadata,
    Column("table", TEXT, primary_key=True),
    Column("month", TEXT, primary_key=True),
    Column("digest", TEXT, nullable=False),
)
"""Of the rows of a month, as they were written; see `pipeline.io.store.digests`."""

looks = Table(
    "looks",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("run_id", TEXT, nullable=False),
    Column("forecast", TEXT, nullable=False),
    Column("strategy", TEXT, nullable=False),
    Column("recipe", TEXT, nullable=False),
    Column("opening", TEXT, nullable=False),
    Column("first", Date, nullable=False),
    Column("last", Date, nullable=False),
    Column("witnesses", JSON, nullable=False),
    Column("at", DateTime, nullable=False),
)
"""Results out of sample whose figures could be seen; see `pipeline.gates.looks`."""

evenings = Table(
    "evenings",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    *(Column(name, TEXT, nullable=False) for name in ("session", "model", "role", "kind")),
    Column("unseen", Boolean, nullable=False),
    *(Column(name, TEXT, nullable=False) for name in (
        "made_at", "data_until", "revision", "digest", "state", "rules")),
    Column("bankroll", Float, nullable=False),
    Column("orders", TEXT, nullable=False),
    Column("symbols", Integer, nullable=False),
    *(Column(name, TEXT, nullable=False) for name in ("content", "previous", "hash")),
)  # fmt: skip
"""The forecast ledger, one row a model and evening; see `pipeline.monitor.chain`. Days and moments
are texts: they are kept as they were hashed."""

forecasts = Table(
    "forecasts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column(SYMBOL, TEXT, primary_key=True),
    Column("prediction", Float, nullable=False),
    Column("seal", TEXT, nullable=False),
    sqlite_with_rowid=False,
)
"""Open-to-close returns forecast in an entry of ``evenings``, fractions."""

OUTCOME_FLOATS = (
    "rank_ic", "hit_rate", "calibration", "r2", "decile_spread",
    *(f"decile_{number}" for number in range(1, 11)),
    "net_return", "gross_return", "net_pnl", "benchmark_return",
)  # fmt: skip
"""All fractions but the P&L, in currency; deciles are means over the session's mean."""

outcomes = Table(
    "outcomes",
    metadata,
    *(Column(name, TEXT, primary_key=True) for name in ("session", "model", "kind")),
    Column("number", Integer, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("symbols", Integer, nullable=False),
    Column("trades", Integer, nullable=False),
    *_floats(*OUTCOME_FLOATS),
)
"""What became of an entry of ``evenings`` once the session's final bars were there."""
