"""Which registered model a command works with: its name, and whether versions become challenger.

Chosen once a command, as MLflow's own address of the store is. Every source of data has a model of
its own; a store that an older release filled keeps the one name it used for all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from pipeline.contract import Tags
from pipeline.schemas import MODEL_NAME

NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where there is no model, version or alias."""

FORBIDDEN = "PERMISSION_DENIED"


@dataclass
class _Chosen:
    configured: str = MODEL_NAME
    data_source: str = ""
    moves_challenger: bool = True
    name: str | None = MODEL_NAME


_chosen = _Chosen()


def select(configured: str, data_source: str, *, moves_challenger: bool = True) -> None:
    """Work with this model from here on.

    Parameters
    ----------
    configured
        ``registry.model``.
    data_source
        Of the command; with it, a store of an older release is known.
    moves_challenger
        Whether a new version becomes `challenger` where another one is.
    """
    global _chosen
    _chosen = _Chosen(configured, data_source, moves_challenger, None)


def moves_challenger() -> bool:
    """Whether a new version becomes `challenger` where another one is."""
    return _chosen.moves_challenger


def name() -> str:
    """Name of the model in the registry.

    That of `select`; where it is the source's default, is not registered, and ``intraday_return``
    has versions of this source, then that one, which older releases used for all sources.
    """
    if _chosen.name is None:
        _chosen.name = _resolved(_chosen.configured, _chosen.data_source)
    return _chosen.name


def _resolved(configured: str, data_source: str) -> str:
    if configured != f"{MODEL_NAME}_{data_source}" or not re.fullmatch(r"\w+", data_source):
        return configured
    client = MlflowClient()
    try:
        client.get_registered_model(configured)
    except MlflowException as error:
        if not is_absent(error, configured):
            raise
    else:
        return configured
    where = f"name = '{MODEL_NAME}' and tag.{Tags.DATA_SOURCE} = '{data_source}'"
    return MODEL_NAME if client.search_model_versions(where, max_results=1) else configured


def is_absent(error: MlflowException, model: str | None = None) -> bool:
    """Whether what was requested is not there: an alias, a version, or the model itself.

    A server with logins forbids everybody to ask about a model that does not exist. It does exist
    where a search, which leaves out what may not be read, finds it.

    Parameters
    ----------
    model
        Whom the question was about; None: the chosen one.
    """
    if error.error_code == FORBIDDEN:
        where = f"name = '{name() if model is None else model}'"
        return not MlflowClient().search_registered_models(where, max_results=1)
    return error.error_code in NOT_THERE
