"""What ONNX nodes are, one file per family: mostly calls of ATen, whose rules say the rest."""

from archlang_torch.capture.onnx.nodes import arithmetic, elementwise, layers, pooling, recurrent, shapes, tokens

__all__ = ["arithmetic", "elementwise", "layers", "pooling", "recurrent", "shapes", "tokens"]
