"""The names of decisions in Python follow the text of the function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import archlang as al


def addresses(function: Callable[[], Any]) -> list[str]:
    """The decisions of the programs of a function, or of some of them."""
    return list(al.space_of(function).sketch)


def unit(width: int, kernel: int = 3) -> Any:
    return width, kernel, al.choose(["relu", "gelu"], name="act")


def stage(width: int) -> Any:
    kernel = al.choose([3, 5])
    return [unit(width, kernel=kernel) for _ in range(2)]


class Block:
    def __init__(self, width: int):
        self.width = width
        self.kernel = al.choose([3, 5])


class Wide(Block):
    def __init__(self) -> None:
        width = al.choose([8, 16])
        super().__init__(width)
        self.more = self.head(al.integer(1, 2))

    def head(self, depth: int) -> Any:
        return [al.choose(["a", "b"]) for _ in range(depth)]


def test_a_decision_is_named_by_what_it_is_bound_to() -> None:
    def model() -> Any:
        width = al.choose([8, 16])
        left, right = al.choose([1, 2]), al.choose([3, 4])
        names = {"rate": al.real(0.1, 0.2)}
        config = dict(depth=al.integer(1, 3))
        config["drop"] = al.real(0.0, 0.5)
        units: list[Any] = []
        units.append(al.choose(["a", "b"]))
        if (size := al.choose([1, 2])) > 1:
            units.append(size)
        return width, left, right, names, config, int(al.choose([7, 9], name="told"))

    assert (
        addresses(model) == ["config", "depth", "drop", "left", "rate", "right", "size", "told", "units", "width"][1:]
    )


def test_an_argument_is_named_by_its_parameter() -> None:
    def model() -> Any:
        return unit(al.choose([8, 16]), kernel=al.choose([3, 5])), [unit(max(4, al.choose([8, 16])))]

    assert addresses(model) == ["unit#1.act", "unit#1.kernel", "unit#1.width", "unit#2.act", "unit#2.width"]


def test_calls_lead_to_a_decision() -> None:
    def model() -> Any:
        return [stage(8), stage(16)]

    inner = [".kernel", "/unit[0].act", "/unit[1].act"]
    assert addresses(model) == [f"stage#{place}{name}" for place in (1, 2) for name in inner]


def test_classes_are_named_and_methods_too() -> None:
    assert addresses(lambda: Wide()) == [
        "Wide.width",
        "Wide/Block.kernel",
        "Wide/head.choice[0]",
        "Wide/head.choice[1]",
        "Wide/head.depth",
    ]


def test_loops_have_their_own_numbers_where_they_count() -> None:
    def model() -> Any:
        kept = al.choose([0, 1, 2, 3], 2, name="kept")
        for place in range(4):
            if place in kept:
                unit(place)
        for number, width in enumerate([8, 8], start=5):
            unit(width, kernel=number)
        return kept

    found = {address for c in al.space_of(model, limit=200).enumerate() for address in c}
    assert found == {"kept", *(f"unit#1[{place}].act" for place in range(4)), "unit#2[5].act", "unit#2[6].act"}


def test_other_loops_are_counted_by_what_is_asked() -> None:
    def model() -> Any:
        found = []
        while al.choose([True, False], name="more") and len(found) < 3:
            found.append(al.choose(["a", "b"]) if al.choose([False, True], name="either") else "c")
        for width in (8, 8):
            for _ in range(2):
                found.append(unit(width))
        return found

    space = al.space_of(model)
    everything = {f"more[{turn}]": turn < 3 for turn in range(4)} | {f"either[{turn}]": turn == 2 for turn in range(3)}
    acts = {f"unit[{width}][{place}].act": "relu" for place in range(2) for width in range(2)}
    assert space.choices({**everything, "found#1[2]": "b", **acts})


def test_what_is_asked_before_does_not_change_names() -> None:
    def model() -> Any:
        if al.choose([True, False], name="first"):
            unit(1)
            stage(1)
        return unit(2)

    space = al.space_of(model)
    assert set(space.choices({"first": False, "unit#2.act": "relu"})) == {"first", "unit#2.act"}
    assert {"unit#1.act", "stage.kernel"} < set(space.sketch)


def test_alternatives_are_part_of_the_way() -> None:
    def edge() -> Any:
        return al.choose({"conv": lambda: unit(8, kernel=al.choose([3, 5])), "skip": None})

    def model() -> Any:
        return edge()

    assert addresses(model) == ["edge", "edge:conv/unit.act", "edge:conv/unit.kernel"]
    (decision,) = (found for found in al.space_of(model).all_decisions() if found.address.endswith("act"))
    assert decision.parents == ("edge",)


def test_elements_of_subsets_are_part_of_the_way() -> None:
    def model() -> Any:
        return al.choose({"a": lambda: al.choose([1, 2]), "b": 0}, (1, 2), repeated=True, name="units")

    assert addresses(model) == ["units", "units:a[0]", "units:a[1]"]


def test_calls_through_others_are_counted() -> None:
    def model() -> Any:
        block = Block
        made = functools.partial(unit, 8)
        return block(1), list(map(unit, [1, 2])), made()

    assert addresses(model) == ["block.kernel", "made.act", "unit[0].act", "unit[1].act"]


def test_libraries_in_between_do_not_count() -> None:
    from contextlib import ExitStack

    def model() -> None:
        with ExitStack() as stack:
            stack.callback(unit, 8)

    assert all("ExitStack" not in address and address.endswith("act") for address in addresses(model))


def test_without_a_source_calls_are_numbered() -> None:
    names: dict[str, Any] = {"al": al}
    exec("def f():\n a = al.choose([1, 2])\n b = al.choose([3, 4])\n return a, b", names)
    assert len(addresses(names["f"])) == 2
    assert al.space_of(names["f"]).size == 4


def test_one_name_of_two_alternatives_is_an_error() -> None:
    def model() -> Any:
        return al.choose([1, 2], name="x"), al.choose([3, 4], name="x")

    with pytest.raises(al.ArchError, match="E0404"):
        al.space_of(model).sample(0)
