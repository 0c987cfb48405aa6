"""Random programs with random blocks and ties: tree = flat graph = module = emitted file."""

from __future__ import annotations

import torch
from archlang_torch import backend, build
from hypothesis import given, settings
from hypothesis import strategies as st

from archlang.ir.graph import Graph
from archlang.ir.raising import raise_blocks
from tests.graphs import Sketch
from tests.ir.test_raising import replayed
from tests.torch.emitted import namespace_of
from tests.torch.running import results_of, values_of

WIDTH = 4


@st.composite
def programs(draw: st.DrawFn) -> Graph:
    """A program over vectors of one width, with frames opened, closed, left and entered again."""
    sketch = Sketch("program")
    for name in draw(st.sampled_from([("x",), ("a", "b")])):
        sketch.input(name, WIDTH)
    values = list(range(len(sketch.inputs)))
    sites = st.sampled_from(["f", "g", "f[0]", "f[1]", ":a", ":b", "h#1", "h_1"])
    homes = st.sampled_from([None, None, None, "f", "g", "f[0]"])

    def body(depth: int) -> None:
        for _ in range(draw(st.integers(1, 4))):
            picked = draw(st.sampled_from(["linear", "norm", "relu", "add", "drop", "identity", "block"]))
            x, y = draw(st.sampled_from(values)), draw(st.sampled_from(values))
            if picked == "block" and depth < 3:
                site = draw(sites)
                if sketch.path or site[0] != ":":
                    with sketch.block(site, site.strip(":").partition("[")[0], draw(homes)):
                        body(depth + 1)
            elif picked == "linear":
                values.append(sketch.linear(x, WIDTH, draw(st.booleans())))
            elif picked == "norm":
                values.append(sketch.batch_norm(x))
            elif picked == "add":
                values.append(sketch.add(x, y))
            elif picked == "drop":
                rate = draw(st.sampled_from([0.1, 0.2]))
                values.append(sketch.apply("drop_path", x, output=sketch.shape(x), rate=rate))
            elif picked == "identity":
                values.append(sketch.identity(x))
            else:
                values.append(sketch.relu(x))

    body(0)
    outputs = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
    if len(outputs) == 1:
        return sketch.graph(*outputs)
    return sketch.graph(**{f"out{i}": value for i, value in enumerate(outputs)})


@given(programs())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_form_computes_the_same(graph: Graph) -> None:
    """Ties between operations of different weights are left out: the language refuses them."""
    shapes: dict[str, object] = {}
    for node in graph.nodes:
        weights = node.operation.weights
        if weights and shapes.setdefault(node.weights_at, weights) != weights:
            return
    replayed(graph, raise_blocks(graph))
    network = build(graph).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(len(name))))
            if name.endswith("running_var"):
                value.abs_().add_(0.5)
    inputs = [torch.randn(5, WIDTH) for _ in graph.inputs]
    values = values_of(graph, network, inputs)
    expected = [values[output.value] for output in graph.outputs]
    emitted = namespace_of(backend.emit(graph))["build"]().eval()
    emitted.load_state_dict(network.state_dict())
    for form in (network, emitted):
        assert isinstance(form(*inputs), dict) == (graph.outputs[0].name != "")
        for one, other in zip(results_of(form, inputs), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
