"""One run of training: what it moves, how far it is, and how it goes on after a kill."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalbook.arrays import Array, Ints

if TYPE_CHECKING:
    import pandas as pd

HEAD = 5e-3  # learning rate of the head, which starts at zero
PATIENCE = 2  # epochs without a better one before training ends
NOTED = ("step", "exp_avg", "exp_avg_sq")  # what AdamW knows of each parameter


class Training:
    """Trains the free weights of a network and a head on rows of tokens, epoch by epoch."""

    def __init__(
        self, network: Any, tokens: list[list[int]], z: Array, fit: Ints, run: dict[str, Any]
    ) -> None:
        import torch

        self.network, self.run = network, run
        self.tokens, self.z = [tokens[i] for i in fit], torch.tensor(z, dtype=torch.float32)
        with torch.random.fork_rng(devices=[]):  # the reader's own dice stay as they are
            self.head = torch.nn.Linear(network.config.hidden_size, 1)
        for p in self.head.parameters():
            torch.nn.init.zeros_(p)
        body = [p for p in network.parameters() if p.requires_grad]
        self.free = [*body, *self.head.parameters()]
        groups = [{"params": body, "lr": run["learning_rate"]}] if body else []
        groups.append({"params": list(self.head.parameters()), "lr": HEAD})
        self.optimiser = torch.optim.AdamW(groups)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.steps = run["epochs"] * math.ceil(len(fit) / run["batch_size"])
        self.step, self.best = 0, 0
        self.history: list[tuple[int, float, float]] = []  # epoch, training, validation
        self.kept: list[Any] = []  # the weights of the best epoch

    def to_the_end(self, judge: Callable[[], float], path: Path | None) -> tuple[pd.DataFrame, int]:
        """Train the epochs that are left; leave the best weights in the network and the head."""
        import pandas as pd
        import torch

        with torch.random.fork_rng(devices=[]):
            if path is not None and path.exists():
                self._resume(path)
            else:
                self._keep(0, math.nan, judge())
            while len(self.history) <= min(self.run["epochs"], self.best + PATIENCE):
                epoch = len(self.history)
                trained = self._epoch(epoch)
                self.network.eval()
                self._keep(epoch, trained, judge())
                if path is not None:
                    self._save(path)
        self._set(self.kept)
        self.network.eval()
        return pd.DataFrame(self.history, columns=["epoch", "training", "validation"]), self.best

    def _epoch(self, epoch: int) -> float:
        """Go once through the rows; return the mean loss."""
        import torch

        total = 0.0
        self.network.train()
        for batch in self._batches(epoch):
            # Each step throws its own dice, so that no file has to keep a state of chance.
            torch.manual_seed(self.run["seed"] * 1_000_003 + self.step)
            self._set_rates()
            self.optimiser.zero_grad()
            loss = self._loss(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.free, 1.0)
            self.optimiser.step()
            self.step += 1
            total += float(loss.detach()) * len(batch)
        return total / len(self.tokens)

    def _batches(self, epoch: int) -> list[Ints]:
        """Shuffle; of 8 batches at a time put texts of like length together: less padding."""
        rng, size = np.random.default_rng([self.run["seed"], epoch]), self.run["batch_size"]
        order = rng.permutation(len(self.tokens))
        batches: list[Ints] = []
        for start in range(0, len(order), 8 * size):
            part = order[start : start + 8 * size]
            part = part[np.argsort([len(self.tokens[i]) for i in part], kind="stable")]
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _set_rates(self) -> None:
        """Warm up over a tenth of the steps, then fall to zero."""
        warm = max(1, self.steps // 10)
        share = min((self.step + 1) / warm, (self.steps - self.step) / (self.steps - warm + 1))
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share

    def _loss(self, batch: Ints) -> Any:
        import torch
        from torch.nn import functional

        rows = [torch.tensor(self.tokens[i]) for i in batch]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        lengths = torch.tensor([len(row) for row in rows])[:, None]
        mask = (torch.arange(ids.shape[1]) < lengths).long()
        h = self.network(input_ids=ids, attention_mask=mask).last_hidden_state
        outputs = self.head((h * mask[:, :, None]).sum(1) / lengths)[:, 0]
        if self.run["loss"] == "bce":
            return functional.binary_cross_entropy_with_logits(outputs, self.z[batch])
        return functional.mse_loss(outputs, self.z[batch])

    def _keep(self, epoch: int, trained: float, held: float) -> None:
        """Note the losses, and keep the weights if they are the best on the held-out rows."""
        if not self.history or held < self.history[self.best][2]:
            self.best, self.kept = epoch, [p.detach().clone() for p in self.free]
        self.history.append((epoch, trained, held))

    def _set(self, weights: list[Any]) -> None:
        import torch

        with torch.no_grad():
            for p, value in zip(self.free, weights, strict=True):
                p.copy_(value)

    def _save(self, path: Path) -> None:
        """Write one file of numbers and JSON; a reader finds the old file or the new, no half."""
        from safetensors.torch import save_file

        moments = self.optimiser.state_dict()["state"]
        tensors = {f"{i}.{name}": s[name] for i, s in moments.items() for name in NOTED}
        tensors |= {f"{i}.now": p.detach() for i, p in enumerate(self.free)}
        tensors |= {f"{i}.best": p for i, p in enumerate(self.kept)}
        facts = {"run": self.run, "history": self.history, "step": self.step, "best": self.best}
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.{os.getpid()}")
        save_file(tensors, half, metadata={"facts": json.dumps(facts)})
        half.replace(path)

    def _resume(self, path: Path) -> None:
        """Take up the state of a file; refuse one that is broken or comes from another run."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as broken:
            raise ValueError(
                f"checkpoint {str(path)!r} cannot be read: remove it, and training starts anew"
            ) from broken
        other = [name for name in self.run if facts["run"].get(name) != self.run[name]]
        if other:
            raise ValueError(
                f"checkpoint {str(path)!r} is of a run with other {', '.join(other)}: pass another "
                "path, or remove the file"
            )
        each = range(len(self.free))
        state = self.optimiser.state_dict()
        state["state"] = {
            i: {name: found[f"{i}.{name}"] for name in NOTED} for i in each if f"{i}.step" in found
        }  # what has no gradient, such as a pooler that is not used, has no moments
        self.optimiser.load_state_dict(state)
        self._set([found[f"{i}.now"] for i in each])
        self.kept = [found[f"{i}.best"] for i in each]
        self.step, self.best = facts["step"], facts["best"]
        self.history = [(epoch, trained, held) for epoch, trained, held in facts["history"]]
