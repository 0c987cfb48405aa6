"""What ATen's calls are in archlang, one file per family."""

from archlang_torch.capture.rules import arithmetic, attention, elementwise, layers, pooling, shapes, tokens

__all__ = ["arithmetic", "attention", "elementwise", "layers", "pooling", "shapes", "tokens"]
