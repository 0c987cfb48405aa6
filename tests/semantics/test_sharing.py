"""One decision or several: bindings, calls, `share`, `tie`; and where they have their addresses."""

import pytest

import archlang as al

HEAD = """
use std.nn
block unit(x: [n, c, h, w]) { x |> choose { wide: conv2d(c, kernel=choose [3, 5]), skip: identity } }
"""


def addresses(body: str) -> list[str]:
    space = al.loads(f"{HEAD}space s(image: f32[n, 4, 8, 8]) {{\n{body}\n}}")
    return [decision.address for decision in space.all_decisions()]


def test_a_binding_is_one_decision() -> None:
    assert addresses("k = choose [3, 5]\nimage |> conv2d(4, kernel=k) |> conv2d(4, kernel=k)") == ["k"]


def test_each_evaluation_is_a_decision() -> None:
    body = "image |> conv2d(4, kernel=choose [3, 5]) |> conv2d(4, kernel=choose [3, 5])"
    assert addresses(body) == ["kernel#1", "kernel#2"]


def test_each_call_has_its_own_decisions() -> None:
    assert addresses("image |> unit |> unit") == ["unit#1", "unit#1:wide.kernel", "unit#2", "unit#2:wide.kernel"]


def test_loops_number_the_calls() -> None:
    assert addresses("image |> repeat(2, unit)") == [
        "unit[0]",
        "unit[0]:wide.kernel",
        "unit[1]",
        "unit[1]:wide.kernel",
    ]
    assert addresses("x = image\nfor i in 0..1 { x = x |> unit }\nx")[::2] == ["unit[0]", "unit[1]"]


def test_configuration_is_evaluated_once_for_all_repeats() -> None:
    assert addresses("image |> repeat(3, conv2d(4, kernel=choose [3, 5]))") == ["kernel"]


def test_share_is_one_set_of_decisions_and_fresh_weights() -> None:
    space = al.loads(f"{HEAD}space s(image: f32[n, 4, 8, 8]) {{\nsame = share unit\nimage |> same |> same |> unit\n}}")
    assert space.size == 9
    program = space.program({"same": "wide", "same:wide.kernel": 3, "unit": "skip"})
    assert [node.weights_at for node in program.graph.nodes if node.operation.weights] == [
        "same#1:wide",
        "same#2:wide",
    ]
    assert program.cost().params == 2 * 4 * 4 * 9


def test_tie_is_one_set_of_weights() -> None:
    space = al.loads(f"{HEAD}space s(image: f32[n, 4, 8, 8]) {{\nsame = tie unit\nimage |> same |> same\n}}")
    assert space.size == 3
    program = space.program({"same": "wide", "same:wide.kernel": 3})
    assert {node.weights_at for node in program.graph.nodes} == {"same:wide"}
    assert len({node.address for node in program.graph.nodes}) == 2
    assert program.cost().params == 4 * 4 * 9


def test_two_alternatives_never_share_an_address() -> None:
    body = "f = choose { a: unit, b: unit }\nimage |> f"
    assert addresses(body) == ["f", "f:a", "f:a:wide.kernel", "f:b", "f:b:wide.kernel"]


def test_blocks_in_a_list_keep_their_label_where_they_are_applied() -> None:
    body = "fs = choose 1 of [unit, unit]\nx = image\nfor f in fs { x = x |> f }\nx"
    assert addresses(body) == ["f[0]:0", "f[0]:0:wide.kernel", "f[0]:1", "f[0]:1:wide.kernel", "fs"]


def test_as_names_a_decision() -> None:
    assert addresses("image |> conv2d(choose [4, 8] as width, kernel=choose [1, 3])") == ["kernel", "width"]


def test_one_address_with_two_domains_is_an_error() -> None:
    text = """
    def pick(n: int) { choose 1..n as k }
    space s() {
      same = share pick
      { a: same(2), b: same(3) }
    }
    """
    with pytest.raises(al.ArchError, match="E0404"):
        al.loads(text)


def test_a_decision_knows_the_decisions_that_it_hangs_from() -> None:
    text = (
        HEAD
        + """
    space s(image: f32[n, 4, 8, 8]) {
      f = choose { a: unit, b: choose { c: unit, d: relu } }
      k = choose [3, 5]
      image |> conv2d(4, kernel=k) |> f
    }
    """
    )
    parents = {decision.address: decision.parents for decision in al.loads(text).all_decisions()}
    assert parents == {
        "f": (),
        "f:a": ("f",),
        "f:a:wide.kernel": ("f", "f:a"),
        "f:b": ("f",),
        "f:b:c": ("f", "f:b"),
        "f:b:c:wide.kernel": ("f", "f:b", "f:b:c"),
        "k": (),
    }


def test_a_shared_block_ends_at_its_limit_wherever_it_is_called() -> None:
    text = """
    use std.nn
    block tree(g: block)(x: [n, c]) limit 2 { x |> choose { leaf: relu, inner: g } }
    space s(x: f32[n, 4]) {
      again = share tree(relu)
      x |> again |> tree(tree(again)) |> again
    }
    """
    # Inside two trees the third, which is shared, is beyond the limit.
    space = al.loads(text)
    assert space.size == 4
    assert {(c["tree"], c.get("tree:inner")) for c in space.enumerate()} == {("leaf", None), ("inner", "leaf")}
