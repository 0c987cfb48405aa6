"""Small spaces with one difficulty each for supernets."""

SPACES = {
    # two decisions under `share`, an alternative that holds another choice
    "nested": """
use std.nn
use std.blocks: relu_conv_bn
block edge(x: [n, c, h, w]) -> [n, c, h, w] {
  x |> choose {
    skip: identity
    conv: relu_conv_bn(c, kernel=choose [1, 3])
    pool: avg_pool2d(3)
  }
}
space nested(image: f32[n, 3, 8, 8]) {
  cell = share edge
  image |> conv2d(4) |> cell |> cell |> global_avg_pool >> linear(5)
}
""",
    # a depth, widths that meet in a residual sum, and kernels
    "elastic": """
use std.nn
block layer(width: int)(x: [n, c, h, w]) -> [n, width, h, w] {
  x |> conv2d(choose [6, 9, 12] as inner, kernel=choose [1, 3, 5] as size)
    |> batch_norm >> relu >> conv2d(width, kernel=1)
}
space elastic(image: f32[n, 3, 8, 8]) {
  width = choose [4, 8] as width
  x = image |> conv2d(width) >> batch_norm
  for i in 0..<(choose 0..2 as depth) {
    x = x + (x |> layer(width))
  }
  x |> global_avg_pool >> linear(5)
}
""",
    # sums of subsets, and a subset that is concatenated
    "subsets": """
use std.nn
block edge(x: [n, c, h, w]) -> [n, c, h, w] {
  x |> choose { a: conv2d(c) >> batch_norm, b: max_pool2d(3), c: identity }
}
space subsets(image: f32[n, 3, 8, 8]) {
  x = image |> conv2d(4)
  states = [x, x |> relu, x |> conv2d(4)]
  y = sum(choose 2 of [s |> edge for s in states] as inputs)
  z = concat(choose 1..2 of [y, x |> edge, x] as joined)
  z |> global_avg_pool >> linear(5)
}
""",
    # attention and convolution side by side, heads and width of the feed-forward chosen
    "transformer": """
use std.nn
block attend(heads: int)(x: [n, l, d]) -> [n, l, d] {
  (x |> linear(d), x |> linear(d), x |> linear(d)) |> attention(heads) >> linear(d)
}
block mixer(x: [n, l, d]) -> [n, l, d] {
  y = x |> layer_norm
  y |> choose { attend: attend(choose [1, 2, 4]), average: linear(d), nothing: zero }
}
block layer(x: [n, l, d]) -> [n, l, d] {
  a = x + (x |> mixer)
  a + (a |> layer_norm |> linear(d * choose [1, 2, 3] as ratio) >> choose { gelu: gelu, relu: relu } >> linear(d))
}
space transformer(tokens: f32[n, 6, 8]) {
  tokens |> linear(8) |> repeat(choose 1..3 as depth, layer) |> mean(1) >> linear(5)
}
""",
    # a block that holds itself
    "recursive": """
use std.nn
block tree(x: [n, c, h, w]) -> [n, c, h, w] limit 2 {
  x |> choose {
    leaf: identity
    conv: conv2d(c) >> batch_norm
    split: both
  }
}
block both(x: [n, c, h, w]) -> [n, c, h, w] { (x |> tree) + (x |> relu |> tree) }
space recursive(image: f32[n, 3, 8, 8]) {
  image |> conv2d(4) |> tree |> global_avg_pool >> linear(5)
}
""",
}
