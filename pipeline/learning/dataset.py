"""The learner's matrix: snapshots joined to labels, with every lost row counted."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData, TooFewSessions
from pipeline.schemas import ROW, SESSION, STATIC, SYMBOL, TARGET

NO_LABEL = "no label"
NO_FEATURES = "all features missing"
INFINITE = "infinite value"
UNKNOWN_CATEGORY = "unknown"


@dataclass(frozen=True)
class Dataset:
    """Rows to learn from or to score, sorted by session, then symbol.

    Attributes
    ----------
    features
        rows x columns, index ``schemas.ROW``; float32, static attributes as strings. Known at
        the decision time of the row's session.
    returns
        Open-to-close return of each row (a fraction), known once its final bar exists.
    dropped
        Rows that ``join`` left out, by reason.
    """

    features: pd.DataFrame
    returns: pd.Series
    dropped: dict[str, int] = field(default_factory=dict)

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Distinct sessions, sorted."""
        return pd.DatetimeIndex(self.row_sessions.unique(), name=SESSION)

    @property
    def row_sessions(self) -> pd.DatetimeIndex:
        """Session of every row."""
        return pd.DatetimeIndex(self.features.index.get_level_values(SESSION))

    @property
    def session_codes(self) -> np.ndarray:
        """Position of every row's session in ``sessions``."""
        return np.asarray(self.sessions.get_indexer(self.row_sessions))

    @property
    def ages(self) -> np.ndarray:
        """How many sessions each row's session lies before the newest one."""
        return len(self.sessions) - 1 - self.session_codes

    @property
    def numeric(self) -> list[str]:
        """Names of the number columns."""
        return [str(name) for name in self.features if _is_number(self.features, name)]

    @property
    def categorical(self) -> list[str]:
        """Names of the string columns."""
        return [str(name) for name in self.features if not _is_number(self.features, name)]

    def at(self, sessions: pd.DatetimeIndex) -> Dataset:
        """The rows of these sessions; ``dropped`` still speaks of the whole join."""
        return self.rows(np.flatnonzero(self.row_sessions.isin(sessions)))

    def rows(self, positions: np.ndarray) -> Dataset:
        """The rows at these positions; neighbours are not copied."""
        place = positions if (np.diff(positions) != 1).any() else _stretch(positions)
        return replace(self, features=self.features.iloc[place], returns=self.returns.iloc[place])


def _stretch(positions: np.ndarray) -> slice:
    return slice(positions[0], positions[-1] + 1) if len(positions) else slice(0)


def join(
    snapshots: pd.DataFrame, labels: pd.DataFrame, columns: Sequence[str] | None = None
) -> Dataset:
    """Snapshots with their labels; a row that cannot be learned from is dropped and counted.

    Parameters
    ----------
    snapshots
        Long frame (session, symbol) of features.
    labels
        Long frame (session, symbol) with the column ``schemas.TARGET``.
    columns
        Features to use, in the model's order; default all.

    Raises
    ------
    InvalidData
        A column is missing (never filled with a constant) or a row occurs twice.
    TooFewSessions
        No row is left.
    """
    columns = list(snapshots.columns if columns is None else columns)
    _check(snapshots, labels, columns)
    features = _typed(snapshots[columns].sort_index(), "float32")
    returns = labels[TARGET].reindex(features.index).astype("float64")
    reason = _reasons(features, returns)
    dropped = {str(name): int(count) for name, count in reason[reason != ""].value_counts().items()}
    usable = (reason == "").to_numpy()
    if not usable.any():
        raise TooFewSessions(
            "dataset",
            f"none of {len(features)} snapshots can be learned from, dropped: {dropped}",
            "snapshots and labels of the same sessions",
        )
    return Dataset(features[usable], returns[usable], dropped)


def model_inputs(features: pd.DataFrame) -> pd.DataFrame:
    """Features as the model's signature declares them: float64 and strings, none missing.

    Fitting and serving on the same types keeps the last bits of scaled inputs equal. A missing
    attribute is the category ``UNKNOWN_CATEGORY``, whatever kind of null stood for it.

    Parameters
    ----------
    features
        By (session, symbol), known before the session opens.

    Returns
    -------
    DataFrame
        The same rows and columns: numbers as float64, NaN where unknown; categories as strings.
    """
    return _typed(features, "float64")


def digest(dataset: Dataset) -> str:
    """Fingerprint of names, rows and values: 32 hex digits of a SHA-256.

    The order of the rows does not matter, the order of the columns (which a model depends on)
    does. MLflow's own digest stops at row 10,000 and skips dates.
    """
    features = dataset.features.sort_index()
    total = hashlib.sha256()
    _add_words(total, pd.Series(features.columns, dtype="str"))
    sessions = pd.DatetimeIndex(features.index.get_level_values(SESSION))
    total.update(sessions.to_numpy().astype("datetime64[us]").astype("<i8").tobytes())
    _add_words(total, features.index.get_level_values(SYMBOL).to_series())
    for name in features:
        if _is_number(features, name):
            _add_numbers(total, features[name], "<f4")
        else:
            _add_words(total, features[name])
    _add_numbers(total, dataset.returns.sort_index(), "<f8")
    return total.hexdigest()[:32]


def _is_number(features: pd.DataFrame, name: Hashable) -> bool:
    # a static column without any value often arrives as float
    return name not in STATIC and pd.api.types.is_numeric_dtype(features[name])


def _typed(features: pd.DataFrame, number: str) -> pd.DataFrame:
    words = [name for name in features if not _is_number(features, name)]
    typed = features.astype({name: "str" if name in words else number for name in features})
    return typed.fillna(dict.fromkeys(words, UNKNOWN_CATEGORY))


def _check(snapshots: pd.DataFrame, labels: pd.DataFrame, columns: list[str]) -> None:
    missing = [name for name in columns if name not in snapshots]
    missing += [] if TARGET in labels else [TARGET]
    if missing:
        raise InvalidData("dataset", f"missing columns {missing}", "every column the model uses")
    for name, frame in (("snapshots", snapshots), ("labels", labels)):
        if list(frame.index.names) != ROW:
            raise InvalidData("dataset", f"{name} indexed by {list(frame.index.names)}", f"{ROW}")
        if frame.index.has_duplicates:
            twice = frame.index[frame.index.duplicated()][0]
            raise InvalidData("dataset", f"{name} hold {twice} twice", "one row a symbol, session")


def _reasons(features: pd.DataFrame, returns: pd.Series) -> pd.Series:
    """Why each row is unusable (the first reason counts), or an empty string."""
    numbers = features.select_dtypes("number").to_numpy()
    infinite = np.isinf(numbers).any(axis=1) | np.isinf(returns.to_numpy())
    empty = np.isnan(numbers).all(axis=1) & (numbers.shape[1] > 0)
    reason = np.select(
        [returns.isna().to_numpy(), infinite, empty], [NO_LABEL, INFINITE, NO_FEATURES], ""
    )
    return pd.Series(reason, index=features.index)


def _add_words(total: hashlib._Hash, words: pd.Series) -> None:
    codes, known = pd.factorize(words, sort=True)
    total.update("\x1f".join(map(str, known)).encode() + b"\x1e")
    total.update(codes.astype("<i8").tobytes())


def _add_numbers(total: hashlib._Hash, numbers: pd.Series, dtype: str) -> None:
    values = numbers.to_numpy().astype(dtype)
    values[np.isnan(values)] = np.nan  # a NaN has many bit patterns
    total.update(values.tobytes())
