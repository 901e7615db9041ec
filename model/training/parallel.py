# SPDX-License-Identifier: Apache-2.0
"""Several processes that train one network, as torchrun starts them; one process without it.

Every process draws the same batch of faces and keeps its slice. Gradients are averaged by
DistributedDataParallel and batch statistics are taken over all slices, so that the result is that
of one process with the whole batch.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.parallel import DistributedDataParallel

from host.common.errors import UserError


def start(device: torch.device) -> None:
    """Join the other processes when torchrun has started this one: NCCL on GPUs, else gloo."""
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")


def stop() -> None:
    """Leave the group of processes, if there is one, once all have come here."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def world() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process; process 0 writes files and reports."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(batch: int) -> slice:
    """This process's part of a batch; UserError unless the batch divides evenly."""
    if batch % world():
        raise UserError(f"batch={batch} does not divide among {world()} processes")
    part = batch // world()
    return slice(rank() * part, (rank() + 1) * part)


def mean(value: float) -> float:
    """Mean of a number over the processes."""
    if world() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total) / world()


class _Total(torch.autograd.Function):
    """Sum of a tensor over the processes; its gradient is summed the same way."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class SharedNorm(nn.BatchNorm2d):
    """Batch normalisation with the statistics of all processes, on CPUs as well as on GPUs."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised (B, C, H, W); in training the statistics are those of every slice."""
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * world()
        total = _Total.apply(x.sum((0, 2, 3)))
        average = total / count
        centred = x - average[:, None, None]
        variance = _Total.apply((centred**2).sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(average, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        zeros, ones = torch.zeros_like(average), torch.ones_like(average)
        scaled = centred / (variance + self.eps).sqrt()[:, None, None]
        return batch_norm(scaled, zeros, ones, self.weight, self.bias, eps=0.0)


def distribute(network: nn.Module, device: torch.device) -> nn.Module:
    """What to call for the forward pass: ``network``, wrapped where several processes train it.

    Its batch normalisations become SharedNorm in place; names of the weights stay.
    """
    if world() == 1:
        return network
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedNorm
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)
