"""Capturing PyTorch modules.

    nn.Module ── torch.export ──▶ ATen calls ── rules, patterns ──▶ Captured

`exporting` gets the calls, `lowerer` goes through them, `rules/` says what each of them is in archlang,
`patterns` recognises what ATen spells out.
"""

from archlang_torch.capture.capture import capture, outputs
from archlang_torch.capture.exporting import macs

__all__ = ["capture", "macs", "outputs"]
