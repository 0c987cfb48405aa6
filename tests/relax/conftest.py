"""What all tests of supernets share."""

import torch

# On small networks several threads cost more than they save.
torch.set_num_threads(1)
