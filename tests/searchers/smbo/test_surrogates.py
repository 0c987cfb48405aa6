"""What all surrogates keep to."""

from random import Random

import numpy as np
import pytest

from archlang.searchers.smbo.features import Features
from archlang.searchers.smbo.surrogates import SURROGATES, surrogate_class
from archlang.space import Choices, loads

SPACE = loads("space s { { kinds: [choose { p: 0, q: 1, r: 2 } for i in 0..<4], rate: choose 0.0..1.0 } }")


def worth(programs: list[Choices]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([list(each.values()).count("q") + 2 * float(each["rate"]) for each in programs])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SURROGATES)
def test_what_was_not_told_is_predicted(name: str) -> None:
    random = Random(0)
    programs, others = ([SPACE.draw(random) for _ in range(count)] for count in (70, 60))
    features = Features(SPACE)
    found = []
    for _ in range(2):
        surrogate = surrogate_class(name)()
        surrogate.fit(features, programs, worth(programs), 5)
        found.append(surrogate.predict(features, others))
    assert np.corrcoef(found[0].mean, worth(others))[0, 1] > 0.85
    assert (found[0].mean == found[1].mean).all()
    assert (found[0].spread >= 0).all()
    members = found[0].members
    if members is not None:
        assert members.mean(axis=0) == pytest.approx(found[0].mean)
        assert members.std(axis=0) == pytest.approx(found[0].spread)
