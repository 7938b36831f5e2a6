"""The optimiser's step: skipped on a bad batch, with nothing asked of the device."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dataset.errors import DataError
from train.config import TrainConfig


class Optimiser:
    """Fused AdamW over named parameters, whose gradients are clipped already."""

    def __init__(
        self,
        named: Mapping[str, nn.Parameter],
        groups: Sequence[Mapping[str, Any]],
        config: TrainConfig,
    ) -> None:
        """`groups` part the parameters; each has "params", and its "share" of the run's rate."""
        self.config, self._named = config, dict(named)
        self.parameters = list(self._named.values())
        self.adam = torch.optim.AdamW(
            [dict(group) for group in groups],
            lr=config.lr,
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
            fused=True,
        )

    def step(self, rate: float, bad: Tensor) -> None:
        """Step at the learning rate `rate`, and drop the gradients; where `bad` (bool, ()) holds
        nothing changes."""
        for group in self.adam.param_groups:
            group["lr"] = rate * group["share"]
        # The flag by which torch's gradient scaler skips a step without asking the device.
        self.adam.found_inf = bad.float()  # type: ignore[attr-defined]
        self.adam.grad_scale = None  # type: ignore[attr-defined]
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The state of every parameter as optimiser.KEY.NAME; nothing before the first step."""
        return {
            f"optimiser.{key}.{name}": value
            for name, parameter in self._named.items()
            for key, value in self.adam.state[parameter].items()
        }

    def restore(
        self,
        state: Mapping[str, Tensor],
        origin: Path,
        own: Callable[[str, Tensor], Tensor] = lambda _name, whole: whole,
    ) -> None:
        """The inverse of `tensors`; raises DataError naming `origin` if one does not fit.

        `own` cuts this process's part out of what belongs to a whole parameter.
        """
        try:
            for name, parameter in self._named.items():
                # Laid out like the weights: the fused optimiser pairs them in order of memory.
                moments = {
                    key: torch.empty_like(parameter).copy_(
                        own(name, state[f"optimiser.{key}.{name}"])
                    )
                    for key in ("exp_avg", "exp_avg_sq")
                }
                # A copy: what was read would keep the whole file mapped, removed or not.
                step = state[f"optimiser.step.{name}"].to(parameter.device, copy=True)
                self.adam.state[parameter] = {"step": step, **moments}
        except (KeyError, RuntimeError) as error:
            raise DataError(
                f"checkpoint {origin} does not hold the optimiser's state of this network;"
                " use the version that wrote it, or train again with --restart"
            ) from error
