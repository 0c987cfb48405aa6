"""Model-based searchers of the literature, as choices of parts."""

from __future__ import annotations

import attrs
from attrs.validators import ge, in_

from archlang.searchers.smbo.acquisitions import ACQUISITIONS
from archlang.searchers.smbo.search import Smbo, SmboSettings
from archlang.searchers.smbo.surrogates import SURROGATES


@attrs.frozen(kw_only=True)
class BananasSettings(SmboSettings):
    """Those of `smbo`, with an ensemble, independent Thompson sampling, and mutants of the best as candidates."""

    surrogate: str = attrs.field(default="ensemble", validator=in_(tuple(SURROGATES)))
    acquisition: str = attrs.field(default="its", validator=in_(tuple(ACQUISITIONS)))
    initial: int = attrs.field(default=10, validator=ge(1))
    pool: int = attrs.field(default=0, validator=ge(0))
    rounds: int = attrs.field(default=0, validator=ge(0))


class Bananas(Smbo):
    """BANANAS (White et al. 2021): an ensemble of networks on programs, independent Thompson sampling, and
    mutants of the best programs as candidates. Of programs with graphs the networks see the neighbourhoods too, in
    place of the paper's paths: see `encoding`."""

    name = "bananas"
    Settings = BananasSettings


@attrs.frozen(kw_only=True)
class GbdtNasSettings(SmboSettings):
    """Those of `smbo`, with boosted trees, of which the mean alone counts; `prune` picks are left out."""

    surrogate: str = attrs.field(default="boosting", validator=in_(tuple(SURROGATES)))
    acquisition: str = attrs.field(default="mean", validator=in_(tuple(ACQUISITIONS)))
    initial: int = attrs.field(default=40, validator=ge(1))
    prune: int = attrs.field(default=4, validator=ge(0))


class GbdtNas(Smbo):
    """GBDT-NAS (Luo et al. 2020): boosted trees predict scores, the programs predicted best are evaluated,
    and picks that lower the prediction most are pruned from the space."""

    name = "gbdt-nas"
    Settings = GbdtNasSettings


@attrs.frozen(kw_only=True)
class NeuralPredictorSettings(SmboSettings):
    """Those of `smbo`, with an ensemble, of which the mean alone counts, over many draws."""

    surrogate: str = attrs.field(default="ensemble", validator=in_(tuple(SURROGATES)))
    acquisition: str = attrs.field(default="mean", validator=in_(tuple(ACQUISITIONS)))
    initial: int = attrs.field(default=60, validator=ge(1))
    pool: int = attrs.field(default=1000, validator=ge(0))
    parents: int = attrs.field(default=0, validator=ge(0))
    rounds: int = attrs.field(default=0, validator=ge(0))


class NeuralPredictor(Smbo):
    """Neural Predictor (Wen et al. 2020): networks learn from programs drawn at random, and of many more
    draws those predicted best are evaluated. The networks see encoded choices and neighbourhoods in graphs
    (see `encoding`), in place of the paper's graph convolutions."""

    name = "neural-predictor"
    Settings = NeuralPredictorSettings
