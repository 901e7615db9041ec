# SPDX-License-Identifier: Apache-2.0
"""Trains a small network for two epochs and saves it; started alone or by torchrun.

In float64, so that sums in another order differ in the last places only.
"""

import sys

import torch

from model.data.augment import Batch
from model.data.crops import from_procedural
from model.data.mixture import Mixture
from model.faces.render import make_faces
from model.training import parallel
from model.training.config import TrainConfig
from model.training.train import Trainer


class Exact(Mixture):
    """A mixture whose batches are in float64."""

    def batch(self, *arguments: object) -> Batch:
        tensors = super().batch(*arguments).tensors()
        return Batch(*(t.double() if t.is_floating_point() else t for t in tensors))


def main(path: str) -> None:
    torch.set_num_threads(1)
    parallel.start(torch.device("cpu"))
    config = TrainConfig(width=0.125, faces=24, epochs=2, batch=8, rate=1e-3, average=0.9)
    mixture = Exact((from_procedural(make_faces(24, 1)),), (1.0,))
    torch.set_default_dtype(torch.float64)
    trainer = Trainer(config)
    torch.set_default_dtype(torch.float32)
    losses = [trainer.train_epoch(mixture) for _ in range(2)]
    if parallel.rank() == 0:
        torch.save({"losses": losses, "weights": trainer.average.state_dict()}, path)
    parallel.stop()


if __name__ == "__main__":
    main(sys.argv[1])
