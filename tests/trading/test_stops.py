from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.trading import stops

NAN = math.nan


@pytest.mark.parametrize(
    ("side", "distance", "expected"), [(1, -2, 48), (1, 3, 53), (-1, -2, 52), (-1, 3, 47)]
)
def test_levels_lie_around_the_previous_close(side, distance, expected):
    found = stops.level(np.array([50.0]), np.array([side]), distance)
    assert found.item() == expected


@pytest.mark.parametrize(
    ("side", "opened", "filled"),
    [
        (1, 50.5, True),
        (1, 50.6, False),
        (1, 40.0, True),
        (-1, 49.5, True),
        (-1, 49.4, False),
        (-1, 60.0, True),
        (1, NAN, True),  # no open is another reason
    ],
)
def test_the_open_must_be_no_worse_than_the_limit(side, opened, filled):
    sides, reference = np.array([float(side)]), np.array([50.0])
    limit = stops.limit_price(reference, sides, 100.0)
    assert stops.within_limit(sides, np.array([opened]), limit).item() == filled


def test_without_a_limit_every_open_is_good_enough():
    assert stops.within_limit(np.array([1.0]), np.array([99.0]), np.array([NAN])).all()


@pytest.mark.parametrize(
    ("side", "bar", "price", "kind"),
    [
        # open, high, low, close; long with stop 48 and target 53
        (1, (50.0, 52.0, 49.0, 51.0), 51.0, "close"),
        (1, (50.0, 52.0, 48.0, 51.0), 48.0, "stop"),
        (1, (50.0, 53.0, 49.0, 51.0), 53.0, "target"),
        (1, (50.0, 54.0, 47.0, 53.5), 48.0, "stop"),  # both reached: the stop first
        (1, (47.0, 54.0, 46.0, 53.5), 47.0, "stop"),  # opened beyond the stop: at the open
        (1, (54.0, 55.0, 47.0, 48.0), 54.0, "target"),  # opened beyond the target: at the open
        # short with stop 52 and target 47
        (-1, (50.0, 51.0, 49.0, 49.5), 49.5, "close"),
        (-1, (50.0, 52.0, 49.0, 49.5), 52.0, "stop"),
        (-1, (50.0, 51.0, 47.0, 49.5), 47.0, "target"),
        (-1, (50.0, 53.0, 46.0, 46.5), 52.0, "stop"),
        (-1, (53.0, 54.0, 46.0, 46.5), 53.0, "stop"),
        (-1, (46.0, 53.0, 45.0, 52.5), 46.0, "target"),
    ],
)
def test_how_a_position_ends(side, bar, price, kind):
    opened, high, low, close = (np.array([value]) for value in bar)
    sides = np.array([float(side)])
    stop, target = (stops.level(np.array([50.0]), sides, away) for away in (-2.0, 3.0))
    end = stops.exits(sides, opened, high, low, close, stop, target)
    assert end.price.item() == price
    assert stops.EXITS[end.kind].item() == kind


@pytest.mark.parametrize(
    ("stop", "target", "price"), [(NAN, NAN, 51.0), (48.0, NAN, 48.0), (NAN, 53.0, 53.0)]
)
def test_a_level_that_is_not_set_is_never_reached(stop, target, price):
    opened, high, low, close, *levels = (
        np.array([value]) for value in (50.0, 54.0, 47.0, 51.0, stop, target)
    )
    assert stops.exits(np.array([1.0]), opened, high, low, close, *levels).price.item() == price
