"""Former keys of the configuration still work, on a command line and in what a run logged."""

from __future__ import annotations

import pytest

from pipeline.aliases import RENAMED, renamed_config, renamed_overrides
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.errors import InvalidSettings


@pytest.mark.parametrize(
    ("word", "renamed"),
    [
        ("model.least_slope=0.2", "model.min_slope=0.2"),
        ("++model.least_slope=0.2", "++model.min_slope=0.2"),
        ("~model.least_slope", "~model.min_slope"),
        ("model.target.against=[beta_63]", "model.target.neutralise=[beta_63]"),
        ("features.session_wide_from_sessions=1", "features.min_window_for_session_features=1"),
        (
            "model.target={winsorise: 0.0, against: [a], ranked: false}",
            "model.target={winsorise: 0.0, neutralise: [a], ranked: false}",
        ),
        ("hpo.told_trials={ridge: 4}", "hpo.recorded_trials={ridge: 4}"),
        ("model={least_slope: 0}", "model={min_slope: 0}"),
        ("model={target: {against: []}}", "model={target: {neutralise: []}}"),
        ("model={other: {against: []}}", "model={other: {against: []}}"),
    ],
)
def test_a_former_key_of_a_command_is_today_s(word: str, renamed: str) -> None:
    assert renamed_overrides([word]) == [renamed]


@pytest.mark.parametrize(
    "word", ["-m", "--cfg", "model=ridge", "seed=3", "model.least_slopes=1", "a b", "x=least_slope"]
)
def test_every_other_word_stays_as_it_is(word: str) -> None:
    assert renamed_overrides([word]) == [word]


def as_logged_before() -> dict:
    """A configuration with every renamed key under its former name."""
    content = check(compose([])).model_dump(mode="json", by_alias=True)
    for former, current in RENAMED.items():
        *sections, name = current.split(".")
        section = content
        for part in sections:
            section = section[part]
        section[former.rpartition(".")[2]] = section.pop(name)
    return content


def test_a_configuration_logged_before_is_checked_as_one_of_today() -> None:
    before = as_logged_before()
    with pytest.raises(InvalidSettings, match="least_slope"):
        Settings.from_config(before)

    assert Settings.from_config(renamed_config(before)) == check(compose([]))
    assert "least_slope" in before["model"]  # what was handed in is not changed


def test_commands_with_former_keys_compose() -> None:
    words = ["model.least_slope=0.7", "model.target.against=[beta_63]"]
    model = check(compose(renamed_overrides(words))).model

    assert model.min_slope == 0.7
    assert model.target.neutralise == ("beta_63",)


def test_a_key_under_both_names_is_refused() -> None:
    content = check(compose([])).model_dump(mode="json", by_alias=True)
    content["model"]["least_slope"] = 0.5

    with pytest.raises(InvalidSettings, match="least_slope"):
        Settings.from_config(renamed_config(content))
