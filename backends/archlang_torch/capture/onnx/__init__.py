"""Reading ONNX files as programs.

    file ── checked ──▶ nodes ── nodes/, ATen's rules, patterns ──▶ Captured

`file` reads and describes a file, `walking` goes through its nodes, `nodes/` says which of ATen's calls each
of them is, `patterns` recognises what exporters spell out, `places` finds the modules in the nodes' names,
and `running` computes a file's outputs. Nothing that a file holds is imported or executed.
"""

from archlang_torch.capture.onnx.frontend import OnnxFrontend

__all__ = ["OnnxFrontend"]
