"""One thread for PyTorch in each test process, as its own tests have."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
