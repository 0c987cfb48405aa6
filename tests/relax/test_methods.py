"""Every method on every kind of space, from its beginning to a program, at toy size."""

import numpy as np
import pytest

import archlang as al
from archlang.relax import NAMES
from archlang.relax.methods import METHODS, method_of
from archlang.space import Space
from tests.relax.spaces import SPACES

TOY = {
    "darts": lambda: al.load("std.spaces.darts", channels=4, layers=3, classes=5),
    "nasbench201": lambda: al.load("std.spaces.nasbench201", channels=4, repeats=1, classes=5),
    "ofa_mobilenetv3": lambda: al.load("std.spaces.ofa_mobilenetv3", width=0.25, size=32, classes=5),
    "transformer": lambda: al.loads(SPACES["transformer"]),
    "recursive": lambda: al.loads(SPACES["recursive"]),
}
QUICK = {"epochs": 2, "batch_size": 8}
SELECTING = {"selection.trials": 6, "selection.recalibration": 8}


def quick(name: str) -> dict[str, int]:
    """Settings that make a method short."""
    selection = type(METHODS[name].selection).__name__
    if selection in ("Searching", "Pareto"):
        return QUICK | SELECTING
    return QUICK | ({"selection.interval": 0, "selection.at_once": 30} if selection == "Perturbation" else {})


def noise(space: Space) -> tuple[np.ndarray, ...]:
    """Noise of five classes."""
    random = np.random.default_rng(0)
    shape = space.sample(seed=0).graph.inputs[0].type.shape[1:]
    return tuple(
        part
        for count in (32, 8)
        for part in (random.standard_normal((count, *shape)).astype(np.float32), np.arange(count) % 5)
    )


def test_the_names_are_those_of_the_presets() -> None:
    assert tuple(METHODS) == NAMES


@pytest.mark.parametrize("space", TOY)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_on_every_space(name: str, space: str) -> None:
    made = TOY[space]()
    outcome = al.train_supernet(made, noise(made), method=name, settings=quick(name))
    assert len(outcome.history) == 2
    assert all(np.isfinite(epoch.loss) for epoch in outcome.history)
    best, inherited = outcome.best, outcome.inherited
    assert best is not None
    assert inherited is not None
    assert made.choices(best.choices) == best.choices
    network = inherited.build("torch")
    assert sum(weight.size for weight in inherited.weights.values()) >= sum(w.numel() for w in network.parameters())


def test_a_misspelt_method_and_setting() -> None:
    with pytest.raises(al.ArchError, match="there is no method `pcdarts`") as found:
        method_of("pcdarts")
    assert "did you mean `pc-darts`" in str(found.value)
    with pytest.raises(al.ArchError, match="`weights` of the method `darts` has no setting `rate`"):
        method_of("darts", {"weights.rate": 0.1})
    with pytest.raises(al.ArchError, match=r"the setting `epochs` of the method `darts` is 0"):
        method_of("darts", {"epochs": 0})


def test_settings_of_parts_are_changed_by_dotted_names() -> None:
    changed = method_of("gdas", {"weights.lr": "0.2", "sampler.hard": False, "epochs": 3})
    assert (changed.weights.lr, changed.sampler.hard, changed.epochs) == (0.2, False, 3)
    assert changed.weights.decay == METHODS["gdas"].weights.decay
