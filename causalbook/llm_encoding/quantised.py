"""Linear layers that multiply whole numbers of 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TINY = 1e-30  # the step of a row whose entries are all equal


class Int8Linear(nn.Module):
    r"""A linear layer with rounded weights and inputs.

    $$y_{io} = r_o \Big(s_i \sum_j q_{ij} k_{oj} + m_i \sum_j k_{oj}\Big) + b_o, \qquad
      q_{ij} = \mathrm{round}\big((x_{ij} - m_i) / s_i\big), \quad
      k_{oj} = \mathrm{round}(W_{oj} / r_o)$$

    Each output has its own step $r_o = \max_j |W_{oj}| / 127$, fixed once. Each row has its own
    step $s_i$, a 255th of its range, and its own middle $m_i$, found when it comes, so no row
    depends on another. A weight takes one byte in place of four.
    Source: Jacob et al. (2018, section 2).
    """

    k: Tensor
    r: Tensor
    sums: Tensor

    def __init__(self, full: nn.Linear) -> None:
        super().__init__()
        weight = full.weight.detach()
        r = weight.abs().amax(dim=1, keepdim=True).clamp(min=TINY) / 127
        k = torch.round(weight / r)
        self.register_buffer("k", k.to(torch.int8))
        self.register_buffer("r", r.squeeze(1))
        self.register_buffer("sums", k.sum(dim=1))
        self.bias = full.bias

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to the last dimension of x."""
        rows = x.reshape(-1, x.shape[-1])
        low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
        s = ((high - low) / 255).clamp(min=TINY)
        m = low + 128 * s  # so that q runs from -128 to 127
        q = (rows - m).div_(s).round_().to(torch.int8)
        y = torch._int_mm(q, self.k.t()).float().mul_(s).add_(m * self.sums).mul_(self.r)
        if self.bias is not None:
            y += self.bias
        return y.reshape(*x.shape[:-1], -1)


def quantised(network: nn.Module) -> nn.Module:
    """Put an Int8Linear in the place of each linear layer, in the network itself; return it."""
    for name, part in network.named_children():
        if isinstance(part, nn.Linear):
            setattr(network, name, Int8Linear(part))
        else:
            quantised(part)
    return network
