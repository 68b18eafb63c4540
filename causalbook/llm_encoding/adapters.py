"""Low-rank adapters: a few new numbers beside the frozen weights of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module

ATTENTION = ("query", "value", "q_proj", "v_proj")  # as BERT and as Llama name the two layers


def add_adapters(network: Module, rank: int, *, alpha: float = 16.0, seed: int) -> list[str]:
    r"""Freeze a network and put an adapter beside each query and value layer, in place.

    $$h = W x + b + \frac{\alpha}{r} B A x, \qquad A \in \mathbb{R}^{r \times d_{in}}, \quad
      B \in \mathbb{R}^{d_{out} \times r}, \quad B = 0 \text{ at the start}$$

    so that nothing changes until B learns. Only A and B are trained.

    Parameters: `network` a torch module with linear layers called query and value (BERT), or
    q_proj and v_proj (Llama); `rank` r, at most the smaller side of W; `alpha` scales what they
    add; `seed` for A, normal with variance 1 / d_in. Returns the names of the layers.
    Raises ValueError for a rank that is not from 1 to the size of a layer, and for no such layer.
    Source: Hu et al. (2022).
    """
    import torch

    found = [(name, layer) for name, layer in network.named_modules() if _adapts(name, layer)]
    if not found:
        raise ValueError(f"network has no linear layer called {', '.join(ATTENTION)}: no attention")
    smallest = min(min(layer.weight.shape) for _, layer in found)
    if not isinstance(rank, int) or not 1 <= rank <= smallest:
        raise ValueError(f"rank is {rank!r}: pass a whole number from 1 to {smallest}, the layers'")
    network.requires_grad_(False)
    chance = torch.Generator().manual_seed(seed)
    for name, layer in found:
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, _adapter(layer, rank, alpha / rank, chance))
    return [name for name, _ in found]


def merge_adapters(network: Module) -> Module:
    r"""Add each adapter to the weights beside it, in place: $W \leftarrow W + (\alpha / r) B A$.

    The network computes the same with no layer more than at first. Returns the network.

    Parameters: `network`, as `add_adapters` left it and training changed it.
    Source: Hu et al. (2022), on merging.
    """
    import torch

    for name, layer in list(network.named_modules()):
        if hasattr(layer, "frozen"):
            parent, _, own = name.rpartition(".")
            with torch.no_grad():
                layer.frozen.weight += layer.scale * layer.B @ layer.A
            setattr(network.get_submodule(parent), own, layer.frozen)
    return network


def _adapts(name: str, layer: Any) -> bool:
    return name.rpartition(".")[2] in ATTENTION and hasattr(layer, "in_features")


def _adapter(frozen: Any, rank: int, scale: float, chance: Any) -> Any:
    import torch

    class Adapter(torch.nn.Module):
        """A frozen linear layer and what the adapter adds to it."""

        def __init__(self) -> None:
            super().__init__()
            self.frozen, self.scale = frozen, scale
            kind, width = frozen.weight.dtype, frozen.in_features
            draws = torch.randn(rank, width, generator=chance, dtype=kind) / math.sqrt(width)
            self.A = torch.nn.Parameter(draws)
            self.B = torch.nn.Parameter(torch.zeros(frozen.out_features, rank, dtype=kind))

        def forward(self, x: Any) -> Any:
            return self.frozen(x) + self.scale * (x @ self.A.T @ self.B.T)

    return Adapter()
