"""Blocks raised from flat graphs: their trees, their classes, and what cannot be a block."""

from __future__ import annotations

from collections.abc import Sequence

from archlang.ir.block_classes import BlockClass, CallStep, OpStep, Parameter, block_classes
from archlang.ir.graph import Graph, Node
from archlang.ir.raising import BlockInstance, raise_blocks, tokens
from tests.graphs import Sketch, nasbench201, relu_conv_bn


def outline(instance: BlockInstance) -> list[object]:
    """The tree as nested lists of names."""
    return [
        step.item.operation.name if isinstance(step.item, Node) else [step.item.address, *outline(step.item)]
        for step in instance.body
    ]


def replayed(graph: Graph, top: BlockInstance) -> list[Node]:
    """The nodes in the order in which the tree runs them, checked to get the values that they need."""
    order: list[Node] = []
    nodes = {id(node): number + len(graph.inputs) for number, node in enumerate(graph.nodes)}

    def run(instance: BlockInstance, inputs: Sequence[int]) -> list[int]:
        values = list(inputs)
        for step in instance.body:
            given = [values[i] for i in step.inputs]
            if isinstance(step.item, Node):
                assert given == list(step.item.inputs)
                order.append(step.item)
                values.append(nodes[id(step.item)])
            else:
                results = run(step.item, given)
                assert len(results) == step.results
                values += results
        assert tuple(values) == instance.values
        return [values[i] for i in instance.outputs]

    assert run(top, range(len(graph.inputs))) == [output.value for output in graph.outputs]
    assert sorted(map(id, order)) == sorted(map(id, graph.nodes))
    return order


def classes_of(graph: Graph) -> dict[str, BlockClass]:
    return {block.name: block for block in block_classes(raise_blocks(graph))}


def test_tokens() -> None:
    assert tokens("stage[2]/edge#2:conv3/conv2d") == ("stage", "[2]", "edge#2", ":conv3", "conv2d")
    assert tokens(":a[0]") == (":a", "[0]")
    assert tokens("") == ()


def test_the_tree_of_nasbench201() -> None:
    graph = nasbench201(repeats=1)
    top = raise_blocks(graph)
    assert [step.item.address for step in top.body] == [
        "conv2d",
        "batch_norm#1",
        "shared#1[0]",
        "resnet_basic#1",
        "shared#2[0]",
        "resnet_basic#2",
        "shared#3[0]",
        "batch_norm#2",
        "relu#1",
        "global_avg_pool#1",
        "linear#1",
    ]
    cell = top.body[2].item
    assert isinstance(cell, BlockInstance)
    edge = ["relu", "conv2d", "batch_norm"]
    path = "shared#1[0]/edge"
    # Edges of one operation without weights are that operation.
    assert outline(cell) == [
        [f"{path}#1", [f"{path}#1:conv3", *edge]],
        [f"{path}#2", [f"{path}#2:conv1", *edge]],
        "identity",
        "add",
        "avg_pool2d",
        "zero",
        "add",
        [f"{path}#6", [f"{path}#6:conv3", *edge]],
        "add",
    ]
    assert replayed(graph, top) == list(graph.nodes)


def test_classes_of_nasbench201() -> None:
    classes = classes_of(nasbench201(repeats=2))
    assert list(classes) == ["relu_conv_bn", "edge_conv3", "edge_conv1", "cell", "resnet_basic", "nasbench201"]
    unit = classes["relu_conv_bn"]
    assert {name: set(values) for name, values in unit.parameters.items()} == {
        "out": {16, 32, 64},
        "kernel": {1, 3},
        "stride": {1, 2},
        "padding": {0, 1},
    }
    convolution = unit.body[1]
    assert isinstance(convolution, OpStep)
    slots = dict(convolution.slots)
    assert (slots["out"], slots["kernel"], slots["dilation"]) == (Parameter("out"), Parameter("kernel"), 1)
    edge = classes["edge_conv3"]
    assert tuple(edge.parameters) == ("out",)
    (call,) = edge.body
    assert isinstance(call, CallStep)
    assert (call.block, call.at, call.inputs) == (unit, ":conv3", (0,))
    assert dict(call.arguments) == {"out": Parameter("out"), "kernel": 3, "stride": 1, "padding": 1}


def test_interleaved_calls_are_put_in_order() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    with sketch.block("f", "f"):
        a = sketch.linear(x, 4)
    with sketch.block("g", "g"):
        b = sketch.linear(x, 4)
    c = sketch.relu(b)
    with sketch.block("f", "f"):
        d = sketch.add(a, c)
    graph = sketch.graph(d)
    top = raise_blocks(graph)
    # `f` needs `c` before it can be called.
    assert outline(top) == [["g", "linear"], "relu", ["f", "linear", "add"]]
    replayed(graph, top)


def test_a_block_that_is_left_and_entered_again_stays_flat() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    with sketch.block("f", "f"):
        a = sketch.linear(x, 4)
    b = sketch.relu(a)
    with sketch.block("f", "f"):
        c = sketch.linear(b, 4)
    graph = sketch.graph(c)
    top = raise_blocks(graph)
    assert outline(top) == ["linear", "relu", "linear"]
    replayed(graph, top)


def test_results_that_are_used_outside() -> None:
    sketch = Sketch()
    x, y = sketch.input("x", 4), sketch.input("y", 4)
    with sketch.block("f", "f"):
        a = sketch.linear(y, 4)
        b = sketch.add(a, x)
    graph = sketch.graph(first=a, second=b)
    (step,) = raise_blocks(graph).body
    assert isinstance(step.item, BlockInstance)
    assert (step.inputs, step.results, step.item.outputs) == ((1, 0), 2, (2, 3))
    replayed(graph, raise_blocks(graph))


def tied(sites: Sequence[tuple[str, str]]) -> Graph:
    sketch = Sketch("tied")
    x = sketch.input("x", 4, 8, 8)
    for site, home in sites:
        with sketch.block(site, "unit", home=home):
            x = relu_conv_bn(sketch, x, 4, 3)
    return sketch.graph(x)


def test_tied_calls_have_one_home() -> None:
    graph = tied([("t#1", "t"), ("t#2", "t")])
    top = raise_blocks(graph)
    assert [(step.item.address, step.item.home) for step in top.body if isinstance(step.item, BlockInstance)] == [
        ("t#1", "t"),
        ("t#2", "t"),
    ]
    classes = block_classes(top)
    assert [block.name for block in classes] == ["unit", "tied"]
    assert [step.at for step in classes[-1].body if isinstance(step, CallStep)] == ["t", "t"]


def test_weights_of_another_block_dissolve_both() -> None:
    graph = tied([("a", "a"), ("b", "b")])
    stolen = list(graph.nodes)
    last = stolen[-1]
    stolen[-1] = Node(last.address, last.operation, last.inputs, "a/batch_norm")
    graph = Graph(graph.name, graph.inputs, tuple(stolen), graph.outputs, graph.blocks)
    assert outline(raise_blocks(graph)) == ["relu", "conv2d", "batch_norm"] * 2


def test_tied_calls_that_differ_are_dissolved() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4, 8, 8)
    for call, stride in enumerate((1, 2)):
        with sketch.block(f"t#{call + 1}", "unit", home="t"):
            x = relu_conv_bn(sketch, x, 4, 3, stride)
    assert outline(raise_blocks(sketch.graph(x))) == ["relu", "conv2d", "batch_norm"] * 2


def test_blocks_of_one_name_with_unlike_bodies() -> None:
    sketch = Sketch("f")
    x = sketch.input("x", 4)
    for number in range(3):
        with sketch.block(f"f#{number}", "f"):
            for _ in range(number % 2 + 1):
                x = sketch.linear(x, 4)
    assert list(classes_of(sketch.graph(x))) == ["f_2", "f_3", "f"]


def test_different_attributes_of_one_name_get_parameters_of_their_own() -> None:
    sketch = Sketch()
    x = sketch.input("x", 4)
    for number, (first, second) in enumerate([(3, 5), (6, 7)]):
        with sketch.block(f"mlp[{number}]", "mlp"):
            x = sketch.linear(sketch.linear(x, first, site="up"), second, site="down#1")
    mlp = classes_of(sketch.graph(x))["mlp"]
    assert mlp.parameters == {"out": (3, 6), "down_out": (5, 7)}
