"""Searchable functions and classes take choices as arguments."""

from __future__ import annotations

import collections
import pickle
from typing import Any

import pytest

import archlang as al

KERNEL = al.choose([3, 5])
Deque = al.searchable(collections.deque)


@al.searchable
def conv(width: int, kernel: int = al.choose([1, 3])) -> tuple[int, int]:
    """A pair."""
    return width, kernel


@al.searchable
class Block:
    def __init__(self, width: int, kernels: list[int]):
        self.width = width
        self.kernels = kernels


@al.searchable
class Narrow(Block):
    def __init__(self, width: int = al.choose([8, 16])):
        super(Narrow, self).__init__(width, [1])  # noqa: UP008 - as older code does


def decisions(space: Any) -> dict[str, str]:
    return {each.address: str(each.domain) for each in space.all_decisions()}


def test_without_choices_nothing_changes() -> None:
    assert conv(8, 3) == (8, 3)
    assert conv.__doc__ == "A pair."
    assert Block(8, [3]).kernels == [3]
    assert Deque([1], maxlen=1) == collections.deque([1])
    assert type(Deque()) is collections.deque


def test_a_default_is_a_decision_of_each_call() -> None:
    space = al.space_of(lambda: [conv(8), conv(16)])
    assert decisions(space) == {"conv#1.kernel": "one of 1, 3", "conv#2.kernel": "one of 1, 3"}
    assert space.build({"conv#1.kernel": 1, "conv#2.kernel": 3}) == [(8, 1), (16, 3)]


def test_what_was_made_before_is_one_decision() -> None:
    space = al.space_of(lambda: [conv(8, KERNEL), conv(16, kernel=KERNEL), Block(1, [KERNEL, 7]).kernels])
    assert decisions(space) == {"KERNEL": "one of 3, 5"}
    assert space.build({"KERNEL": 5}) == [(8, 5), (16, 5), [5, 7]]


def test_what_is_bound_in_a_run_is_one_decision() -> None:
    def model() -> Any:
        kernel = al.choose([3, 5])
        return conv(8, kernel), conv(16, kernel)

    assert [al.space_of(model).build(c) for c in al.space_of(model).enumerate()] == [
        ((8, 3), (16, 3)),
        ((8, 5), (16, 5)),
    ]


def test_a_call_with_open_choices_is_made_in_the_run() -> None:
    later = conv(al.choose([8, 16]))
    space = al.space_of(later)
    assert decisions(space) == {"conv.width": "one of 8, 16", "later.kernel": "one of 1, 3"}
    assert space.build({"conv.width": 16, "later.kernel": 1}) == (16, 1)
    nested = Deque([later, later], maxlen=al.choose([2, 3]))
    built = al.space_of(nested).build({"conv.width": 8, "later.kernel": 3, "Deque.maxlen": 2})
    assert list(built) == [(8, 3), (8, 3)]


def test_classes_stay_what_they_are() -> None:
    space = al.space_of(lambda: Narrow())
    assert decisions(space) == {"Narrow.width": "one of 8, 16"}
    built = space.build({"Narrow.width": 16})
    assert type(built) is Narrow
    assert isinstance(built, Block)
    assert (built.width, built.kernels) == (16, [1])
    assert pickle.loads(pickle.dumps(built)).width == 16


def test_choices_without_a_value_are_not_used() -> None:
    with pytest.raises(al.ArchError, match=r"al\.space_of"):
        Block(al.choose([1, 2]), [])
    with pytest.raises(al.ArchError, match="E0416"):
        bool(KERNEL)
    with pytest.raises(al.ArchError, match="no `bit_length`"):
        KERNEL.bit_length()
    assert "one of 3, 5" in repr(KERNEL)


def test_two_choices_of_one_name_are_an_error() -> None:
    other = al.choose([3, 5], name="KERNEL")
    with pytest.raises(al.ArchError, match="E0404"):
        al.space_of(lambda: [conv(8, KERNEL), conv(8, other)]).sample(0)
