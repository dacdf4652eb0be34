"""Registering a logged model: a new version or the equal one, its links, and `challenger`.

By who holds `registry.alone`. A version is whole at once; a kill before its alias is made good by
the next that looks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from pipeline.contract import Aliases, LifeTags, Tags
from pipeline.io.tracking import registered, uploads
from pipeline.io.tracking.registry import describe, versions
from pipeline.io.tracking.values import ModelVersion

LOGGED = "models:/"
"""Start of the address of a logged model."""

IDENTITY = (Tags.RECIPE, Tags.LEARNED_DIGEST, Tags.MODEL_DIGEST)
"""Tags that two versions of an equal model share."""


@dataclass(frozen=True)
class Listed:
    """The registered model as it was read, for who holds the lock: nobody here changes it then.

    Attributes
    ----------
    versions
        Newest first.
    aliases
        Number of the version by alias.
    exists
        Whether it is there at all.
    """

    versions: Sequence[ModelVersion] = ()
    aliases: Mapping[str, int] = field(default_factory=dict)
    exists: bool = True

    @property
    def next_number(self) -> int:
        """The number that `register` gives: numbers are not used again."""
        return int(self.versions[0].version) + 1 if self.versions else 1

    @property
    def makes_challenger(self) -> bool:
        """Whether a version registered now becomes the challenger: the first one always does."""
        return registered.moves_challenger() or Aliases.CHALLENGER not in self.aliases

    def equal_version(self, tags: Mapping[str, str]) -> int | None:
        """The version of the same recipe, learned rows and model, to the last bit, if any.

        Parameters
        ----------
        tags
            As a version of it would have them.
        """
        if not all(tags.get(name) for name in IDENTITY):
            return None
        for version in self.versions:
            if all(version.tags.get(name) == tags[name] for name in IDENTITY):
                return int(version.version)
        return None


def listed() -> Listed:
    """The registered model as it is now, in two requests."""
    try:
        model = MlflowClient().get_registered_model(registered.name())
    except MlflowException as error:
        if not registered.is_absent(error):
            raise
        return Listed(exists=False)
    aliases = {alias: int(version) for alias, version in model.aliases.items()}
    return Listed(versions(), aliases)


def register(
    model_uri: str, tags: Mapping[str, str], text: str = "", known: Listed | None = None
) -> int:
    """Register a logged model as the next version and, if it is to be, make it the challenger.

    The pages of its run and of its model link to the version.

    Parameters
    ----------
    text
        What a person reads on its page; also the description of its run.
    known
        Of `settle_challenger`, by who still holds the lock; None: it is called here.

    Notes
    -----
    A kill between two steps is made good by `settle_challenger`.
    """
    client, name, known = MlflowClient(), registered.name(), known or settle_challenger()
    intent = {LifeTags.CHALLENGER_INTENT: "true"} if known.makes_challenger else {}
    if not known.exists:
        _make_model(client, name)
    is_logged = model_uri.startswith(LOGGED)
    version = client.create_model_version(
        name, model_uri, tags={**tags, **intent}, description=text, await_creation_for=0,
        model_id=model_uri.removeprefix(LOGGED) if is_logged else None,
    )  # fmt: skip
    number = int(version.version)
    link = [partial(_link, model_uri, number)] if is_logged else []
    if intent:
        _make_challenger(number, *link)
    else:
        uploads.side_by_side(link)
    return number


def _make_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):  # on another machine
            raise


def _link(model_uri: str, number: int) -> None:
    """Let the page of a logged model lead to a version."""
    link = {MLFLOW_MODEL_VERSIONS: json.dumps([{"name": registered.name(), "version": number}])}
    MlflowClient().set_logged_model_tags(model_uri.removeprefix(LOGGED), link)


def take_again(number: int, model_uri: str, known: Listed | None = None) -> None:
    """Let a version stand for an equal model that was logged again, instead of registering it.

    The page of the new run links to it, and it becomes the challenger as a new one would.

    Parameters
    ----------
    known
        Of `settle_challenger`, by who still holds the lock; None: it is called here.
    """
    link, known = partial(_link, model_uri, number), known or settle_challenger()
    if known.makes_challenger:
        _make_challenger(number, link)
    else:
        link()


def settle_challenger() -> Listed:
    """Describe and move `challenger` to the newest version, where a kill came before.

    Returns
    -------
    Listed
        The model as it is then.
    """
    known = listed()
    newest = known.versions[0] if known.versions else None
    if newest is None or LifeTags.CHALLENGER_INTENT not in newest.tags:
        return known
    if not newest.description:
        describe(newest.version, _note_of(newest.run_id))
    _make_challenger(newest.version)
    return listed()


def _note_of(run_id: str | None) -> str:
    """What a run's page says; nothing of a version without a run, or of a run that is gone."""
    if not run_id:
        return ""
    try:
        return str(MlflowClient().get_run(run_id).data.tags.get(Tags.NOTE, ""))
    except MlflowException as error:
        if registered.is_absent(error):
            return ""
        raise


def _make_challenger(number: int | str, *beside: Callable[[], None]) -> None:
    """Move the alias; the intent, which makes good a kill before, goes last of all.

    Parameters
    ----------
    beside
        What else is to be done before that.
    """
    client, name = MlflowClient(), registered.name()
    version = str(number)
    uploads.side_by_side(
        [
            partial(client.set_registered_model_alias, name, Aliases.CHALLENGER, version),
            partial(client.set_model_version_tag, name, version, LifeTags.CHALLENGED, "true"),
            *beside,
        ]
    )
    client.delete_model_version_tag(name, version, LifeTags.CHALLENGER_INTENT)
