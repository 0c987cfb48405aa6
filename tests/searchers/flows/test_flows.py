"""What each flow asks of the searchers in it, and what it tells them."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import archlang as al
from archlang.diagnostics import ArchError
from archlang.searchers import Constraint, Constraints, Exhausted, Objective, Recipe, Scores
from archlang.searchers.flows.flow import Flow
from archlang.searchers.random import RandomSearch
from archlang.space import Choices, Space, loads
from archlang.testing.searcher import SIZES, drive, make_space, proposals_of, score

GOAL = (Objective("score"),)


class Recorder(RandomSearch):
    """Random search that keeps what it is told."""

    name = "recorder"

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.told: list[tuple[Choices, Scores | None]] = []

    def observe(self, choices: Choices, scores: Scores | None) -> None:
        super().observe(choices, scores)
        self.told.append((choices, scores))


RECORDER = Recipe(Recorder)


def flow(name: str, space: Space, seed: int = 0, **settings: Any) -> Flow:
    made = Recipe.of(name, settings).make(space, GOAL, seed)
    assert isinstance(made, Flow)
    return made


def told_scores(searcher: Recorder) -> dict[Choices, float]:
    return {choices: scores[0] for choices, scores in searcher.told if scores is not None}


def step(searcher: Flow) -> Choices:
    choices = searcher.ask()
    searcher.tell(choices, score(choices))
    return choices


# ---------------------------------------------------------------- then, alternate


def test_then_hands_over_after_so_many_proposals() -> None:
    space = make_space("flat")
    searcher: Any = flow("then", space, stages=(RECORDER, 5, RECORDER, 3, RECORDER))
    flying = [searcher.ask() for _ in range(6)]
    assert [stage.asked for stage in searcher._stages] == [5, 1, 0]
    for choices in flying:
        searcher.tell(choices, score(choices))
    for stage in searcher._stages[1:]:
        assert told_scores(stage) == {choices: score(choices)["score"] for choices in flying}
    for _ in range(6):
        step(searcher)
    assert [stage.asked for stage in searcher._stages] == [5, 3, 4]
    assert len(searcher._stages[2].told) == 12


def test_then_hands_over_what_is_used_up() -> None:
    searcher: Any = flow("then", make_space("small"), stages=("grid", 50, "random(dedupe=false)"))
    first = [step(searcher) for _ in range(SIZES["small"])]
    assert first == list(make_space("small").enumerate())
    assert [step(searcher) in first for _ in range(10)] == [True] * 10


def test_evolution_goes_on_with_the_programs_of_another_searcher() -> None:
    space = loads("space ones { { bits: [choose [0, 1] for i in 0..<30] } }")
    searcher = Recipe.of("then(random, 30, evolution(population=30))").make(space, GOAL)
    told: list[Choices] = []
    for number in range(60):
        choices = searcher.ask()
        if number >= 30:
            assert min(sum(choices[a] != parent[a] for a in choices) for parent in told[-30:]) == 1
        searcher.tell(choices, {"score": sum(map(int, choices.values()))})  # type: ignore[arg-type]
        told.append(choices)


def test_searchers_alike_in_a_flow_have_their_own_seeds() -> None:
    space = make_space("flat")
    searcher: Any = flow("then", space, stages=("random(dedupe=false)", 20, "random(dedupe=false)"))
    found = [step(searcher) for _ in range(40)]
    assert found[:20] != found[20:]
    other: Any = flow("then", space, seed=1, stages=("random(dedupe=false)", 20, "random(dedupe=false)"))
    assert [step(other) for _ in range(20)] not in (found[:20], found[20:])


def test_alternate_takes_turns_and_passes_over_what_is_used_up() -> None:
    searcher: Any = flow("alternate", make_space("small"), members=("grid", RECORDER, "random(dedupe=false)"))
    found = [step(searcher) for _ in range(5)]
    assert [member.asked for member in searcher._members] == [2, 2, 1]
    assert [choices for choices, _ in searcher._members[1].told] == found
    for _ in range(25):
        step(searcher)
    assert searcher._members[0].asked == SIZES["small"]
    assert searcher.asked == 30


# ---------------------------------------------------------------- parts, nested


def own(choices: Choices, *addresses: str) -> dict[str, Any]:
    return {address: choices[address] for address in addresses}


def test_parts_are_put_together() -> None:
    space = make_space("flat")
    searcher: Any = flow("parts", space, parts=(("a", RECORDER), ("b", RECORDER)), rest=RECORDER)
    alone: Any = flow("parts", space, parts=(("a", RECORDER), ("b", RECORDER)), rest=RECORDER)
    for _ in range(20):
        choices = searcher.ask()
        proposals = [member.ask() for member in alone._members]
        assert own(choices, "a") == own(proposals[0], "a")
        assert own(choices, "b") == own(proposals[1], "b")
        assert own(choices, "c", "d") == own(proposals[2], "c", "d")
        searcher.tell(choices, score(choices))
        for member, proposal in zip(searcher._members, proposals, strict=True):
            assert member.told[-1] == (proposal, (score(choices)["score"],)), "told of its own proposal"
        for member, proposal in zip(alone._members, proposals, strict=True):
            member.observe(proposal, (score(choices)["score"],))


def test_parts_that_requirements_forbid_become_the_nearest_program() -> None:
    space = make_space("constrained")
    searcher: Any = flow("parts", space, parts=(("a", "random(dedupe=false)"), ("b", RECORDER)))
    alone: Any = flow("parts", space, parts=(("a", "random(dedupe=false)"), ("b", RECORDER)))
    changed = 0
    for _ in range(25):
        choices = searcher.ask()
        first, second = (member.ask() for member in alone._members)
        wanted = {"a": first["a"], "b": second["b"]}
        fewest = min(sum(other[at] != wanted[at] for at in wanted) for other in space.enumerate())
        assert sum(choices[at] != wanted[at] for at in wanted) == fewest
        changed += fewest
        searcher.tell(choices, score(choices))
        told = searcher._members[1].told[-1][0]
        assert told == (second if choices["b"] == second["b"] else choices)
        alone._members[1].observe(told, (score(choices)["score"],))
    assert changed > 0


def test_what_no_part_names_is_drawn() -> None:
    searcher = flow("parts", make_space("flat"), parts=(("a", "random"),))
    found = [step(searcher) for _ in range(30)]
    assert len({choices["b"] for choices in found}) == 3
    assert len({choices["d"] for choices in found}) == 3


@pytest.mark.parametrize("flying", [1, 11])
def test_nested_search_tells_the_best_of_each_round(flying: int) -> None:
    searcher: Any = flow("nested", make_space("flat"), outer=RECORDER, inner=RECORDER, part="a", trials=4)
    chance = random.Random(1)
    rounds: list[list[Choices]] = []
    waiting: list[Choices] = []
    for number in range(40):
        choices = searcher.ask()
        if number % 4 == 0:
            rounds.append([])
        rounds[-1].append(choices)
        waiting.append(choices)
        while len(waiting) >= flying:
            done = waiting.pop(chance.randrange(len(waiting)))
            searcher.tell(done, score(done))
    for done in waiting:
        searcher.tell(done, score(done))
    for members in rounds:
        assert len({choices["a"] for choices in members}) == 1, "the outer searcher's part is held"
        assert len(set(members)) == 4
    # With repeats of a part left out, each is told once with the best of its round.
    told = Counter((choices["a"], scores[0]) for choices, scores in searcher._outer.told)
    best = Counter((members[0]["a"], max(score(choices)["score"] for choices in members)) for members in rounds)
    assert not best - told
    assert set(told) <= set(best)


def test_rest_of_a_nested_search_begins_anew_or_continues() -> None:
    anew: Any = flow("nested", make_space("flat"), outer="random", inner=RECORDER, part="a", trials=5)
    on: Any = flow("nested", make_space("flat"), outer="random", inner=RECORDER, part="a", trials=5, continues=True)
    for _ in range(20):
        step(anew)
        step(on)
    assert anew._inner.asked < 10, "the first one only had the first round"
    assert len(on._inner.told) >= 20


def test_part_is_held_against_requirements() -> None:
    space = make_space("constrained")
    searcher = flow("nested", space, outer="random", inner="random", part="b", trials=3)
    found = [step(searcher) for _ in range(30)]
    by_part: dict[Any, int] = Counter(choices["b"] for choices in found)
    # b = 1 allows one program, b = 2 two; then the round ends before its trials.
    for b, count in by_part.items():
        assert count % 3 == 0 or int(b) < 3


def test_parts_are_addresses_of_the_space() -> None:
    with pytest.raises(ArchError, match="there is no decision at `stem`"):
        flow("nested", make_space("flat"), outer="random", inner="random", part="stem")


# ---------------------------------------------------------------- filter, distinct, retry


def test_filter_by_a_condition_narrows_the_space() -> None:
    space = make_space("budget")
    searcher: Any = flow("filter", space, searcher=RECORDER, condition="macs <= 2k")
    kept = {choices for choices in space.enumerate() if space.program(choices).cost().macs <= 2000}
    assert {step(searcher) for _ in range(len(kept))} == kept
    with pytest.raises(Exhausted):
        searcher.ask()
    before = len(searcher._searcher.told)
    for choices in space.enumerate():
        searcher.tell(choices, score(choices))
    assert len(searcher._searcher.told) == before + len(kept), "it is told of no others"


def test_filter_by_a_function_tells_what_it_refuses_as_failed() -> None:
    space = make_space("flat")
    searcher: Any = flow("filter", space, searcher=RECORDER, condition=lambda program: program.choices["a"] == 2)
    found = [step(searcher) for _ in range(18)]
    assert {choices["a"] for choices in found} == {2}
    assert len(set(found)) == 18
    refused = [choices for choices, scores in searcher._searcher.told if scores is None]
    assert refused
    assert all(choices["a"] != 2 for choices in refused)
    with pytest.raises(Exhausted):
        searcher.ask()


def test_distinct_tells_of_a_repeat_what_came_of_the_first() -> None:
    space = make_space("small")
    repeating = Recipe(Recorder, {"dedupe": False})
    searcher: Any = flow("distinct", space, searcher=repeating)
    flying = [searcher.ask() for _ in range(5)]
    waiting = searcher._searcher.asked - 5
    assert waiting > 0
    assert not searcher._searcher.told, "nothing is known yet"
    for choices in flying:
        searcher.tell(choices, score(choices))
    step(searcher)
    told = searcher._searcher.told
    assert len(told) == searcher._searcher.asked, "each of its proposals was told"
    assert len({choices for choices, _ in told}) == 6
    assert all(scores == (score(choices)["score"],) for choices, scores in told)


def test_distinct_by_function_leaves_out_networks_that_are_equal() -> None:
    space = loads("""
use std.nn

space twins(image: f32[n, 1, 4, 4]) {
  image |> choose { one: conv2d(2), same: conv2d(2) >> identity, other: conv2d(3) } |> choose [relu, tanh]
        |> global_avg_pool >> linear(2)
}
""")
    searcher = flow("distinct", space, searcher="random", by="function")
    found = [step(searcher) for _ in range(4)]
    with pytest.raises(Exhausted):
        searcher.ask()
    hashes = {space.program(choices).canonical_hash for choices in space.enumerate()}
    assert len(found) == len(hashes) == 4
    assert space.size == 6
    assert {space.program(choices).canonical_hash for choices in found} == hashes


def test_programs_by_another_fidelity_are_no_repeats() -> None:
    class Halves(RandomSearch):
        """Each program by the half, then in full."""

        name = "halves"

        def propose(self, random: random.Random) -> Choices:
            if self.asked % 2 == 0:
                self.last = self.space.draw(random)
            return self.last.at(1.0 if self.asked % 2 else 0.5)

    searcher = flow("distinct", make_space("floats"), searcher=Recipe(Halves))
    found = [step(searcher) for _ in range(6)]
    assert [choices.fidelity for choices in found] == [0.5, 1.0] * 3
    assert found[::2] == found[1::2]


def test_retry_proposes_a_failed_program_again() -> None:
    searcher: Any = flow("retry", make_space("flat"), searcher=RECORDER, times=2)
    first = searcher.ask()
    searcher.tell(first, None)
    assert searcher.ask() == first
    second = searcher.ask()
    assert second != first
    searcher.tell(first, None)
    searcher.tell(second, score(second))
    assert [choices for choices, _ in searcher._searcher.told] == [second]
    assert searcher.ask() == first
    searcher.tell(first, None)
    assert searcher._searcher.told[-1] == (first, None)
    assert searcher.ask() not in (first, second)


# ---------------------------------------------------------------- all flows


def test_ask_that_finds_nothing_is_undone() -> None:
    """`distinct` asks and tells others before it gives up: replayed without those asks it goes on alike."""

    def make() -> Any:
        return flow("distinct", make_space("flat"), searcher=Recipe(Recorder, {"dedupe": False}), attempts=2)

    original, again = make(), make()
    raised = 0
    for _ in range(80):
        try:
            choices = original.ask()
        except Exhausted:
            raised += 1
            known = original.space.draw(random.Random(raised))
            for searcher in (original, again):
                searcher.tell(known, score(known))
            # The same repeats come again until another ask is made: ask the next one from both.
            if raised > 5:
                break
            continue
        assert again.ask() == choices
        for searcher in (original, again):
            searcher.tell(choices, score(choices))
    assert raised > 5
    assert original._searcher.told == again._searcher.told
    assert original._searcher.asked == again._searcher.asked


def test_constraints_are_judged_once() -> None:
    limits = Constraints(limits=(Constraint.parse("cost <= 4"),), handling="penalty", weight=2)
    recipe = Recipe.of("retry", {"searcher": Recipe.of("then", {"stages": (RECORDER,)})})
    searcher: Any = recipe.make(make_space("flat"), GOAL, 0, limits)
    for _ in range(20):
        step(searcher)
    told = searcher._searcher._stages[0].told
    for choices, scores in told:
        metrics = score(choices)
        assert scores == (pytest.approx(metrics["score"] - 2 * max(0.0, (metrics["cost"] - 4) / 4)),)
    assert any(score(choices)["cost"] > 4 for choices, _ in told)


def test_flows_nest() -> None:
    text = (
        'then(random, 5, distinct(parts([("a", evolution(population=3)), ("b", retry(random))], '
        'rest=alternate(random, evolution))), 20, nested(random, evolution, part="a", trials=2))'
    )
    events = [drive(Recipe.of(text).make(make_space("flat"), GOAL, 4), 80, 1, parallel=3, failing=0.1) for _ in "ab"]
    assert events[0] == events[1]
    assert len(proposals_of(events[0])) > 35


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("then(random, 50)", "there are searchers, with a number of proposals between two"),
        ("then(random, 0, random)", "there are searchers, with a number of proposals between two"),
        ("then()", "there are searchers, with a number of proposals between two"),
        ("alternate()", "it alternates between searchers"),
        ("then(random, 5, evolutoin)", "did you mean `evolution`?"),
        ("then(random, 5, evolution(popluation=3))", "did you mean `population`?"),
        ("retry(evolution(sample=0))", "the setting `sample` of the searcher `evolution` is 0, expected a number >= 1"),
        ("retry(3)", "the setting `searcher` of the searcher `retry` is 3, expected a searcher"),
        ("nested(random, random)", "the searcher `nested` needs the setting `part`: a text"),
        ('parts(["a", random])', "expected a list of (a text, a searcher)"),
        ("distinct(random, by=name)", "expected one of 'choices', 'function'"),
        ("filter(random, 3)", 'the condition is a text such as "macs <= 300M"'),
        ('filter(random, "macs <=")', "error[E01"),
        ("retry(random, 1, 2)", "`retry` takes at most 2 settings"),
    ],
)
def test_wrong_flows_are_refused(text: str, message: str) -> None:
    with pytest.raises(ArchError) as refused:
        Recipe.of(text).make(make_space("flat"), GOAL)
    assert message in str(refused.value)


def test_studies_of_flows_are_resumed(tmp_path: Path) -> None:
    def evaluate(program: al.Program) -> float:
        if program.choices["a"] == 3:
            raise RuntimeError("broken")
        return score(program.choices)["score"]

    recipe = Recipe.of("then(random, 4, retry(distinct(evolution(population=3, sample=2)), times=1))")
    space = make_space("flat")
    whole = al.search(space, evaluate, searcher=recipe, maximize="value", trials=20, reuse=False)
    store = tmp_path / "flow.db"
    al.search(space, evaluate, searcher=recipe, maximize="value", trials=7, store=store, reuse=False)
    resumed = al.resume(store, evaluator=evaluate, trials=20)
    assert [trial.choices for trial in resumed.trials] == [trial.choices for trial in whole.trials]
    assert resumed.record.searcher == str(recipe)
    assert whole.failed
