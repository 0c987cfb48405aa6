"""Distributions over the picks of one decision, with parameters that learn.

Each begins even over the picks. `options` are the picks that lead on (None: any of the domain), and
chances are relative to these: `log_chance` is the logarithm of the chance of a pick among them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random

from archlang.semantics.decision import Domain, OneOf, Pick, Reals, Subsets

Options = tuple[Pick, ...] | None
Vector = list[float]

TABLE = 256  # picks of which each has a parameter of its own
CELLS = 2**20  # parts that the range of a decision with more picks, or of floats, is divided into
NARROWEST, WIDEST, FARTHEST = math.log(0.02), math.log(2.0), 8.0
NODES = [math.log(r / (1 - r)) for r in ((node + 0.5) / 32 for node in range(32))]
RARE = 1e-4  # no pick becomes rarer by a fit
TINY = 1e-300  # chances whose logarithm is taken are no less
STEPS = 12  # of a fit that has no closed form


class Distribution(ABC):
    """Chances of the picks of one decision, given by `parameters`."""

    parameters: Vector

    @abstractmethod
    def draw(self, options: Options, random: Random) -> Pick:
        """A pick."""

    @abstractmethod
    def log_chance(self, pick: Pick, options: Options) -> float:
        """The logarithm of the chance of a pick."""

    @abstractmethod
    def gradient(self, pick: Pick, options: Options) -> Vector:
        """The derivatives of `log_chance` by the parameters."""

    @abstractmethod
    def entropy(self, pick: Pick, options: Options) -> float:
        """How spread the chances are, in nats up to a constant; for picks made in steps, summed over the
        steps that lead to `pick`."""

    @abstractmethod
    def entropy_gradient(self, pick: Pick, options: Options) -> Vector:
        """The derivatives of `entropy` by the parameters."""

    @abstractmethod
    def fit(self, picks: Sequence[tuple[Pick, Options]], smoothing: float) -> None:
        """Go the share `smoothing` of the way to the parameters under which the picks are likeliest."""

    def direction(self, weighted: Sequence[tuple[Pick, Options, float]], entropy: float) -> Vector:
        """The sum over weighted picks of the gradient by its weight, and of that of the entropy by `entropy`."""
        found = [0.0] * len(self.parameters)
        for pick, options, weight in weighted:
            parts = self.gradient(pick, options), self.entropy_gradient(pick, options)
            found = [old + weight * one + entropy * other for old, one, other in zip(found, *parts, strict=True)]
        return found

    def climb(self, direction: Sequence[float], rate: float) -> None:
        """Move the parameters along a direction."""
        self.parameters = [old + rate * change for old, change in zip(self.parameters, direction, strict=True)]


def distribution(domain: Domain) -> Distribution:
    """The kind of distribution that fits a domain: a table of its picks where these are few or without
    order, else a squashed logistic for numbers, and chances of the elements for subsets."""
    if isinstance(domain, OneOf) or domain.size <= TABLE:
        return Table(domain)
    return Elements(domain) if isinstance(domain, Subsets) else Squashed(domain)


class Table(Distribution):
    """A logit a pick; softmax over the options."""

    def __init__(self, domain: Domain):
        size = int(domain.size)
        self._all = tuple(map(domain.pick, range(size)))
        self._places = {(type(pick), pick): place for place, pick in enumerate(self._all)}
        self._known: dict[Options, _Chances] = {}
        self.parameters = [0.0] * size

    def climb(self, direction: Sequence[float], rate: float) -> None:
        super().climb(direction, rate)
        self._known = {}

    def _chances(self, options: Options) -> _Chances:
        if options is None or len(options) == len(self._all):
            options = None
        found = self._known.get(options)
        if found is None:
            places = range(len(self._all)) if options is None else list(map(self._place, options))
            found = self._known[options] = _Chances(options or self._all, places, self.parameters)
        return found

    def _place(self, pick: Pick) -> int:
        return self._places[type(pick), pick]

    def draw(self, options: Options, random: Random) -> Pick:
        known = self._chances(options)
        return known.picks[min(bisect_right(known.sums, random.random()), len(known.picks) - 1)]

    def log_chance(self, pick: Pick, options: Options) -> float:
        return self._chances(options).logs[self._place(pick)]

    def gradient(self, pick: Pick, options: Options) -> Vector:
        return self.direction([(pick, options, 1.0)], 0.0)

    def entropy(self, pick: Pick, options: Options) -> float:
        return self._chances(options).entropy

    def entropy_gradient(self, pick: Pick, options: Options) -> Vector:
        return self.direction([(pick, options, 0.0)], 1.0)

    def direction(self, weighted: Sequence[tuple[Pick, Options, float]], entropy: float) -> Vector:
        # Of a softmax the gradient is 1 at the pick, less the chance of each: the latter is summed up
        # for all picks among the same options.
        found = [0.0] * len(self.parameters)
        among: dict[int, tuple[_Chances, float, float]] = {}
        for pick, options, weight in weighted:
            found[self._place(pick)] += weight
            known = self._chances(options)
            _, total, bonus = among.get(id(known), (known, 0.0, 0.0))
            among[id(known)] = known, total + weight, bonus + entropy
        for known, total, bonus in among.values():
            for place, chance in known.by_place:
                found[place] -= chance * (total + bonus * (known.logs[place] + known.entropy))
        return found

    def fit(self, picks: Sequence[tuple[Pick, Options]], smoothing: float) -> None:
        chances = [(1 - smoothing) * chance for chance in softmax(self.parameters)]
        for pick, _ in picks:
            chances[self._place(pick)] += smoothing / len(picks)
        self.parameters = [math.log(max(chance, RARE)) for chance in chances]
        self._known = {}


class _Chances:
    """The chances of some picks, whose logits are at `places` of the parameters."""

    def __init__(self, picks: Sequence[Pick], places: Sequence[int], parameters: Vector):
        chances = softmax([parameters[place] for place in places])
        self.picks = picks
        self.sums = list(accumulate(chances))
        self.by_place = list(zip(places, chances, strict=True))
        self.logs = {place: math.log(max(chance, TINY)) for place, chance in self.by_place}
        self.entropy = -sum([chance * self.logs[place] for place, chance in self.by_place])


class Squashed(Distribution):
    """A logistic distribution, squashed by the logistic function to the interval from 0 to 1, which is
    divided into as many cells as there are picks (at most `CELLS`).

    With location 0 and scale 1 it is even; sums of chances are differences of its distribution function
    in closed form, so that options that are a run of the picks are taken into account exactly.
    Parameters: the location, and the logarithm of the scale.
    """

    def __init__(self, domain: Domain):
        self._domain = domain
        self._cells = int(min(domain.size, CELLS))
        self.parameters = [0.0, 0.0]

    def climb(self, direction: Sequence[float], rate: float) -> None:
        super().climb(direction, rate)
        self._bound()

    def _bound(self) -> None:
        location, scale = self.parameters
        self.parameters = [max(-FARTHEST, min(FARTHEST, location)), max(NARROWEST, min(WIDEST, scale))]

    def _share(self, pick: Pick) -> float:
        """Where in the interval a pick lies."""
        domain = self._domain
        if isinstance(domain, Reals):
            if domain.log:
                return math.log(domain.check(pick) / domain.low) / math.log(domain.high / domain.low)
            return (domain.check(pick) - domain.low) / (domain.high - domain.low)
        return (domain.index(pick) + 0.5) / int(domain.size)

    def _pick(self, share: float) -> Pick:
        domain = self._domain
        if isinstance(domain, Reals):
            low, high = domain.low, domain.high
            at = low * (high / low) ** share if domain.log else low + share * (high - low)
            return float(min(max(at, low), high))
        return domain.pick(min(int(share * int(domain.size)), int(domain.size) - 1))

    def _cell(self, pick: Pick) -> tuple[float, float]:
        cell = min(int(self._share(pick) * self._cells), self._cells - 1)
        return cell / self._cells, (cell + 1) / self._cells

    def _range(self, options: Options) -> tuple[float, float]:
        """The part of the interval that the options lie in."""
        if not options:
            return 0.0, 1.0
        return self._cell(options[0])[0], self._cell(options[-1])[1]

    def _standard(self, share: float) -> float:
        if share <= 0 or share >= 1:
            return -math.inf if share <= 0 else math.inf
        location, scale = self.parameters
        return (math.log(share / (1 - share)) - location) / math.exp(scale)

    def draw(self, options: Options, random: Random) -> Pick:
        low, high = (sigmoid(self._standard(end)) for end in self._range(options))
        at = low + (high - low) * random.random()
        location, scale = self.parameters
        inner = location + math.exp(scale) * math.log(max(at, 1e-15) / max(1 - at, 1e-15))
        pick = self._pick(sigmoid(inner))
        if options is None or len(options) == self._domain.size:
            return pick
        share = self._share(pick)
        return min(options, key=lambda option: abs(self._share(option) - share))

    def log_chance(self, pick: Pick, options: Options) -> float:
        return self._log_mass(*self._cell(pick))[0] - self._log_mass(*self._range(options))[0]

    def gradient(self, pick: Pick, options: Options) -> Vector:
        inside, whole = self._log_mass(*self._cell(pick))[1], self._log_mass(*self._range(options))[1]
        return [one - other for one, other in zip(inside, whole, strict=True)]

    def _log_mass(self, low: float, high: float) -> tuple[float, Vector]:
        """The logarithm of the chance of a part of the interval, and its derivatives."""
        if low <= 0 and high >= 1:
            return 0.0, [0.0, 0.0]
        before, after = self._standard(low), self._standard(high)
        # In the upper half what is left tells apart what sums up to nearly 1.
        mass = sigmoid(-before) - sigmoid(-after) if before > 0 else sigmoid(after) - sigmoid(before)
        mass = max(mass, TINY)
        slopes = [sigmoid(w) * sigmoid(-w) for w in (before, after)]
        scale = math.exp(self.parameters[1])
        by_location = (slopes[0] - slopes[1]) / (scale * mass)
        turns = [slope * w if math.isfinite(w) else 0.0 for slope, w in zip(slopes, (before, after), strict=True)]
        return math.log(mass), [by_location, (turns[0] - turns[1]) / mass]

    def entropy(self, pick: Pick, options: Options) -> float:
        # ln of the density of u = sigmoid(location + scale * l) is that of the logistic l, less
        # ln scale, less ln u(1 - u); the mean is taken over the middles of equal chances.
        location, scale = self.parameters
        inner = [location + math.exp(scale) * node for node in NODES]
        return scale + 2 + sum(math.log(sigmoid(x)) + math.log(sigmoid(-x)) for x in inner) / len(NODES)

    def entropy_gradient(self, pick: Pick, options: Options) -> Vector:
        location, scale = self.parameters
        reach = [math.exp(scale) * node for node in NODES]
        slopes = [1 - 2 * sigmoid(location + x) for x in reach]
        return [
            sum(slopes) / len(NODES),
            1 + sum(x * slope for x, slope in zip(reach, slopes, strict=True)) / len(NODES),
        ]

    def fit(self, picks: Sequence[tuple[Pick, Options]], smoothing: float) -> None:
        shares = [sum(self._cell(pick)) / 2 for pick, _ in picks]
        inner = [math.log(share / (1 - share)) for share in shares]
        mean = sum(inner) / len(inner)
        # The standard deviation of a logistic distribution is its scale times pi / sqrt(3).
        scale = math.sqrt(3 * sum((x - mean) ** 2 for x in inner) / len(inner)) / math.pi
        location, old = self.parameters
        kept = 1 - smoothing
        self.parameters = [
            kept * location + smoothing * mean,
            math.log(max(kept * math.exp(old) + smoothing * scale, math.exp(NARROWEST))),
        ]
        self._bound()


class Elements(Distribution):
    """Subsets element by element: first how many, then one after the other of those that may follow. Each
    length and each element has a logit, beside the logarithm of the number of picks that go on with it.

    Options are kept to when drawing; chances are those among all picks.
    """

    def __init__(self, domain: Subsets):
        self._domain = domain
        self._lengths = domain.high - domain.low + 1
        self.parameters = [0.0] * (self._lengths + domain.of)

    def _step(self, length: int | None, before: tuple[int, ...]) -> tuple[list[int], Vector]:
        """The parameters that compete for the next step, and the chances of each. `length` None: how long."""
        domain = self._domain
        if length is None:
            places = [n for n in range(self._lengths) if domain.count(domain.low + n)]
            bases = [math.log(domain.count(domain.low + n)) for n in places]
        else:
            rest = length - len(before) - 1
            counts = {one: domain.completions(one, list(before), rest) for one in domain.candidates(list(before))}
            places = [self._lengths + one for one, count in counts.items() if count]
            bases = [math.log(count) for count in counts.values() if count]
        return places, softmax([base + self.parameters[p] for base, p in zip(bases, places, strict=True)])

    def _steps(self, pick: Pick) -> list[tuple[int, list[int], Vector]]:
        """What was taken in each step to a pick, among what, and with which chances."""
        assert isinstance(pick, tuple)
        found = [(len(pick) - self._domain.low, *self._step(None, ()))]
        for place, element in enumerate(pick):
            found.append((self._lengths + element, *self._step(len(pick), pick[:place])))
        return found

    def draw(self, options: Options, random: Random) -> Pick:
        allowed = None if options is None or len(options) == self._domain.size else set(options)
        for _ in range(50):
            pick = self._drawn(random)
            if allowed is None or pick in allowed:
                return pick
        assert options
        return options[int(random.random() * len(options))]

    def _drawn(self, random: Random) -> Pick:
        places, chances = self._step(None, ())
        length = self._domain.low + random.choices(places, chances)[0]
        pick: tuple[int, ...] = ()
        while len(pick) < length:
            places, chances = self._step(length, pick)
            pick = (*pick, random.choices(places, chances)[0] - self._lengths)
        return pick

    def log_chance(self, pick: Pick, options: Options) -> float:
        return sum(math.log(max(chances[places.index(taken)], TINY)) for taken, places, chances in self._steps(pick))

    def gradient(self, pick: Pick, options: Options) -> Vector:
        found = [0.0] * len(self.parameters)
        for taken, places, chances in self._steps(pick):
            found[taken] += 1
            for place, chance in zip(places, chances, strict=True):
                found[place] -= chance
        return found

    def entropy(self, pick: Pick, options: Options) -> float:
        return sum(entropy_of(chances) for _, _, chances in self._steps(pick))

    def entropy_gradient(self, pick: Pick, options: Options) -> Vector:
        found = [0.0] * len(self.parameters)
        for _, places, chances in self._steps(pick):
            entropy = entropy_of(chances)
            for place, chance in zip(places, chances, strict=True):
                found[place] -= chance * (math.log(max(chance, TINY)) + entropy)
        return found

    def fit(self, picks: Sequence[tuple[Pick, Options]], smoothing: float) -> None:
        # Picks have no closed likeliest parameters; the likelihood is concave in them.
        for _ in range(STEPS):
            gradients = [self.gradient(pick, options) for pick, options in picks]
            self.climb([sum(column) / len(picks) for column in zip(*gradients, strict=True)], smoothing)


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x)."""
    return 1 / (1 + math.exp(-x)) if x > 0 else (math.exp(x) / (1 + math.exp(x)) if x > -700 else 0.0)


def softmax(logits: Sequence[float]) -> Vector:
    """Chances in proportion to the exponentials."""
    most = max(logits)
    weights = [math.exp(logit - most) for logit in logits]
    total = sum(weights)
    return [weight / total for weight in weights]


def entropy_of(chances: Sequence[float]) -> float:
    """The entropy of chances, in nats."""
    return -sum(chance * math.log(chance) for chance in chances if chance > 0)
