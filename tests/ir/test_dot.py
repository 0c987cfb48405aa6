"""The picture of a graph: every node once, blocks as nested boxes."""

from __future__ import annotations

from archlang.ir.dot import dot_text
from tests.ir.handmade import Sketch


def test_nested_blocks() -> None:
    sketch = Sketch("picture")
    x = sketch.input(3, 8, 8, name="image")
    y = sketch.conv2d(x, 4, address="cell[0]/edge:conv/conv2d")
    y = sketch.apply("relu", y, address="cell[0]/act")
    graph = sketch.graph(
        sketch.apply("add", y, y, address="add"), blocks={"cell[0]": "cell", "cell[0]/edge:conv": "conv"}
    )
    assert dot_text(graph) == (
        """\
digraph "picture" {
  node [shape=box, style=rounded]
  i0 [label="image\\nf32[n, 3, 8, 8]", shape=ellipse]
  subgraph "cluster cell[0]" {
    label="cell[0]: cell"
    subgraph "cluster cell[0]/edge:conv" {
      label="edge:conv: conv"
      n0 [label="conv2d\\n[n, 4, 8, 8]"]
    }
    n1 [label="act\\nrelu\\n[n, 4, 8, 8]"]
  }
  n2 [label="add\\n[n, 4, 8, 8]"]
  i0 -> n0
  n0 -> n1
  n1 -> n2
  n1 -> n2
  o0 [label="output", shape=ellipse]
  n2 -> o0
}
"""
    )
