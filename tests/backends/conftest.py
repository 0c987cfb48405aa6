"""One thread for each test process: small networks gain nothing by more, and lose much beside others."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
