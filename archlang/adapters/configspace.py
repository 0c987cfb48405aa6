"""ConfigSpace: spaces as its configuration spaces, and programs as configurations."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from archlang.adapters.names import Names, texts
from archlang.diagnostics import ArchError, error
from archlang.extras import required
from archlang.semantics.decision import Decision, Integers, OneOf, Pick, Reals, Subsets
from archlang.space.choices import Choices
from archlang.space.clauses import Clause, Unwritten, clauses

if TYPE_CHECKING:
    from archlang.space import SearchSpace

Configuration: TypeAlias = Any  # a ConfigSpace.Configuration
ConfigurationSpace: TypeAlias = Any  # a ConfigSpace.ConfigurationSpace
LISTED = 1_000  # picks of a decision that are listed


def to_configspace(space: SearchSpace, seed: int | None = None) -> ConfigurationSpace:
    """A space as a `ConfigSpace.ConfigurationSpace`: its valid configurations are the programs.

    Parameters have the addresses of the decisions. Alternatives are categorical, by their labels; subsets
    too (of up to 1,000 picks), written as lists; integers in steps ordinal. Decisions that hang from others
    are conditional on them; requirements become forbidden clauses. ArchError (E0921) for what cannot be said so:
    budgets, requirements with many exceptions, larger subsets, spaces that are not evaluated as a whole.
    """
    try:
        known = clauses(space)
        for decision, _ in known.made:
            _listed(decision)
    except Unwritten as why:
        what = f"`{space.name}` cannot be written as a configuration space"
        hints = ["search the space itself with a searcher"]
        raise ArchError(error("E0921", what, notes=[str(why)], hints=hints)) from None
    library = required("ConfigSpace", "a configuration space", "configspace")
    names = Names(space)
    found = library.ConfigurationSpace(name=space.name, seed=seed)
    # ConfigSpace wants defaults that are valid together.
    program = space.draw(Random(0))
    default = {decision: program[decision.address] for decision in space.decisions(program)}
    parameters = {
        decision: _parameter(library, names.of(decision), decision, default.get(decision)) for decision, _ in known.made
    }

    found.add(*parameters.values())
    conditions = [
        _any(library, [_condition(library, parameters, decision, clause) for clause in cases])
        for decision, cases in known.made
        if () not in cases
    ]
    found.add(*conditions)
    found.add(*(_forbidden(library, parameters, clause) for clause in known.excluded))
    return found


def choices_from(space: SearchSpace, configuration: Configuration) -> Choices:
    """The choices that a configuration of `to_configspace(space)` stands for; ConfigSpace keeps floats to some
    13 digits."""
    names = Names(space)
    picks = {}
    for decision in space.all_decisions():
        name = names.of(decision)
        if name in configuration:
            picks[decision.address] = _pick(decision, configuration[name])
    return space.choices(picks)


def configuration_from(space: SearchSpace, choices: Choices, within: ConfigurationSpace) -> Configuration:
    """The configuration that stands for choices; `within` is `to_configspace(space)`."""
    names = Names(space)
    values = {names.of(decision): _value(decision, choices[decision.address]) for decision in space.decisions(choices)}
    return required("ConfigSpace", "a configuration space", "configspace").Configuration(within, values=values)


def _parameter(library: Any, name: str, decision: Decision, default: Pick | None) -> Any:
    """A decision as a parameter."""
    domain = decision.domain
    if domain.size == 1:
        return library.Constant(name, _value(decision, domain.pick(0)))
    chosen = {} if default is None else {"default_value": _value(decision, default)}
    if isinstance(domain, Reals):
        return library.UniformFloatHyperparameter(name, domain.low, domain.high, log=domain.log, **chosen)
    if isinstance(domain, Integers) and domain.step == 1:
        return library.UniformIntegerHyperparameter(name, domain.low, domain.high, **chosen)
    values = [_value(decision, pick) for pick in _listed(decision)]
    kind = library.OrdinalHyperparameter if isinstance(domain, Integers) else library.CategoricalHyperparameter
    return kind(name, values, **chosen)


def _listed(decision: Decision) -> list[Pick]:
    """The picks of a decision that is to be categorical or ordinal; none of others. Raises `Unwritten` where
    they are too many."""
    domain = decision.domain
    if isinstance(domain, Reals) or (isinstance(domain, Integers) and domain.step == 1):
        return []
    if domain.size > LISTED and not isinstance(domain, OneOf):
        raise Unwritten(f"`{decision.address}` takes {domain}: more than {LISTED:,} picks to list")
    return [domain.pick(index) for index in range(domain.size)]


def _value(decision: Decision, pick: Pick) -> Any:
    """A pick as a value of the parameter: alternatives and subsets as text."""
    if not isinstance(decision.domain, OneOf | Subsets):
        return pick
    return next(text for text, other in texts(_listed(decision)).items() if other == pick and type(other) is type(pick))


def _pick(decision: Decision, value: Any) -> Pick:
    """The pick that a value stands for; values come as numpy's."""
    domain = decision.domain
    if isinstance(domain, Reals):
        return float(value)
    if isinstance(domain, Integers):
        return int(value)
    return texts(_listed(decision))[str(value)]


def _condition(library: Any, parameters: dict[Decision, Any], child: Decision, clause: Clause) -> Any:
    """That a decision is made where each of others takes one of some picks."""
    parts = [
        library.InCondition(parameters[child], parameters[parent], [_value(parent, pick) for pick in picks])
        for parent, picks in clause
    ]
    return parts[0] if len(parts) == 1 else library.AndConjunction(*parts)


def _any(library: Any, conditions: list[Any]) -> Any:
    return conditions[0] if len(conditions) == 1 else library.OrConjunction(*conditions)


def _forbidden(library: Any, parameters: dict[Decision, Any], clause: Clause) -> Any:
    """That others do not all take one of some picks."""
    parts = [
        library.ForbiddenInClause(parameters[decision], [_value(decision, pick) for pick in picks])
        for decision, picks in clause
    ]
    return parts[0] if len(parts) == 1 else library.ForbiddenAndConjunction(*parts)
