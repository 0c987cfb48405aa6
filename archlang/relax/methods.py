"""Named methods: presets of parts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from archlang.diagnostics import ArchError, did_you_mean, error
from archlang.relax.method import Method
from archlang.relax.mixtures.dirichlet import Dirichlet
from archlang.relax.mixtures.gates import Gates
from archlang.relax.mixtures.gumbel import FBNET, GDAS, SNAS, Gumbel
from archlang.relax.mixtures.sigmoid import Sigmoid
from archlang.relax.mixtures.softmax import Softmax
from archlang.relax.paths.controlled import Controlled
from archlang.relax.paths.fair import Fair
from archlang.relax.paths.sandwich import Sandwich
from archlang.relax.paths.shrinking import Shrinking
from archlang.relax.paths.uniform import Uniform
from archlang.relax.penalties.concentration import Concentration
from archlang.relax.penalties.cost import MultipliedCost
from archlang.relax.penalties.projection import Projection
from archlang.relax.penalties.zero_one import ZeroOne
from archlang.relax.selections.argmax import Argmax
from archlang.relax.selections.pareto import Pareto
from archlang.relax.selections.perturbation import Perturbation
from archlang.relax.selections.searching import Searching
from archlang.relax.settings import ArchitectureSettings, WeightSettings
from archlang.relax.updates.alternating import Alternating
from archlang.relax.updates.joint import Joint
from archlang.relax.updates.rarts import Rarts
from archlang.relax.updates.reinforce import Reinforce
from archlang.relax.updates.unrolled import Unrolled
from archlang.relax.updates.weights_only import WeightsOnly
from archlang.settings import read_settings

# What the papers on the DARTS space train the weights by is what `Method` has without settings. Where a paper
# searches on a larger data set, epochs and batches are its own.
METHODS: dict[str, Method] = {
    # Liu et al. 2019, first and second order.
    "darts": Method(sampler=Softmax(null=True), selection=Argmax()),
    "darts2": Method(sampler=Softmax(null=True), update=Unrolled(), selection=Argmax()),
    # Xu et al. 2020: a quarter of the channels, edges weighted, the architecture from epoch 15 on.
    "pc-darts": Method(
        sampler=Softmax(null=True, edges="softmax"),
        partial=4,
        weights=WeightSettings(lr=0.1, least=0.0),
        architecture=ArchitectureSettings(lr=6e-4),
        architecture_from=0.3,
        batch_size=256,
        selection=Argmax(),
    ),
    # Xie et al. 2019: one level.
    "snas": Method(sampler=Gumbel(null=True, temperature=SNAS), update=Joint(), epochs=150, selection=Argmax()),
    # Dong and Yang 2019.
    "gdas": Method(
        sampler=Gumbel(hard=True, temperature=GDAS),
        update=Alternating(weights_first=True),
        weights=WeightSettings(nesterov=True, decay=5e-4),
        epochs=250,
        selection=Argmax(),
    ),
    # Wu et al. 2019: the loss times 0.2 * (log E)^0.6, the architecture after a tenth of the epochs.
    "fbnet": Method(
        sampler=Gumbel(temperature=FBNET),
        update=Alternating(weights_first=True),
        penalties=(MultipliedCost(scale=0.2, exponent=0.6, reference=math.e),),
        weights=WeightSettings(lr=0.1, least=0.0, decay=1e-4),
        architecture=ArchitectureSettings(lr=0.01, betas=(0.9, 0.999), decay=5e-4),
        architecture_from=1 / 9,
        train_share=0.8,
        batch_size=192,
        epochs=90,
        selection=Argmax(),
    ),
    # Chen et al. 2021, without the progressive part.
    "drnas": Method(
        sampler=Dirichlet(null=True),
        penalties=(Concentration(),),
        weights=WeightSettings(lr=0.1, least=0.0),
        architecture=ArchitectureSettings(lr=6e-4, decay=0.0),
        selection=Argmax(),
    ),
    # Chu et al. 2020.
    "fairdarts": Method(sampler=Sigmoid(), penalties=(ZeroOne(),), selection=Argmax(threshold=0.85)),
    # Cai et al. 2019: two paths for every fifth step of the architecture, weights alone for a quarter of the epochs.
    "proxyless": Method(
        sampler=Gates(),
        update=Alternating(weights_first=True, interval=5),
        penalties=(MultipliedCost(),),
        weights=WeightSettings(lr=0.025, least=0.0, nesterov=True, decay=4e-5, clip=None, smoothing=0.1),
        architecture=ArchitectureSettings(lr=1e-3, betas=(0.0, 0.999), decay=0.0),
        architecture_from=0.25,
        epochs=160,
        batch_size=256,
        selection=Argmax(),
    ),
    # Xue et al. 2021: two sets of weights, one level.
    "rarts": Method(sampler=Softmax(null=True), update=Rarts(), selection=Argmax()),
    # Jin et al. 2019: no more multiply-adds than programs have on average.
    "rc-darts": Method(sampler=Softmax(null=True), penalties=(Projection(),), selection=Argmax()),
    # Wang et al. 2021.
    "darts-pt": Method(sampler=Softmax(null=True), selection=Perturbation(at_once=2)),
    # Guo et al. 2020.
    "spos": Method(
        sampler=Uniform(),
        update=WeightsOnly(),
        weights=WeightSettings(lr=0.5, least=0.0, decay=4e-5, smoothing=0.1),
        epochs=120,
        batch_size=1024,
        selection=Searching(searcher="evolution(population=50)"),
    ),
    # Chu et al. 2021: every alternative once in each step, then a search for accuracy and few multiply-adds.
    "fairnas": Method(
        sampler=Fair(),
        update=WeightsOnly(),
        weights=WeightSettings(lr=0.045, least=0.0, decay=4e-5),
        epochs=150,
        batch_size=256,
        selection=Pareto(),
    ),
    # Yu et al. 2020, trained as in AttentiveNAS (Wang et al. 2021).
    "bignas": Method(
        sampler=Sandwich(),
        update=WeightsOnly(),
        weights=WeightSettings(lr=0.1, least=0.0, nesterov=True, decay=1e-5, clip=1.0, clip_values=True, smoothing=0.1),
        epochs=360,
        batch_size=256,
        selection=Searching(searcher="evolution(population=64)"),
    ),
    # Cai et al. 2020: kernels, then depths, then widths.
    "ofa": Method(
        sampler=Shrinking(),
        kernel_transform=True,
        update=WeightsOnly(),
        weights=WeightSettings(lr=0.03, least=0.0, nesterov=True, decay=3e-5, clip=None, smoothing=0.1),
        epochs=590,
        batch_size=256,
        selection=Searching(searcher="evolution(population=100)"),
    ),
    # Pham et al. 2018.
    "enas": Method(
        sampler=Controlled(),
        update=Reinforce(),
        weights=WeightSettings(lr=0.05, least=0.0005, nesterov=True, decay=1e-4),
        epochs=310,
        batch_size=128,
        selection=Searching(searcher="evolution(population=20)", trials=100),
    ),
}


def method_of(name: str, settings: Mapping[str, Any] | None = None) -> Method:
    """The method of that name with some settings changed: `epochs`, or those of a part, `weights.lr`,
    `sampler.temperature`. ArchError: E1002 there is no such method, or it has no such setting."""
    method = METHODS.get(name)
    if method is None:
        hints = did_you_mean(name, METHODS) or (f"there are {', '.join(METHODS)}",)
        raise ArchError(error("E1002", f"there is no method `{name}`", hints=hints))
    changed: Method = _changed(method, dict(settings or {}), f"the method `{name}`")
    return changed


def _changed(part: Any, settings: Mapping[str, Any], of: str) -> Any:
    """A part with some settings changed, those of parts in it by dotted names."""
    inner: dict[str, dict[str, Any]] = {}
    own: dict[str, Any] = {}
    for name, value in settings.items():
        head, dot, rest = name.partition(".")
        if dot and attrs.has(type(getattr(part, head, None))):
            inner.setdefault(head, {})[rest] = value
        else:
            own[name] = value
    fields = [field.name for field in attrs.fields(type(part))]
    kept = {name: getattr(part, name) for name in fields if name not in own}
    for name, changes in inner.items():
        kept[name] = _changed(kept[name], changes, f"`{name}` of {of}")
    return read_settings(type(part), {**kept, **own}, of, "E1002", "E1002")
