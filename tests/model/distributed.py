# SPDX-License-Identifier: Apache-2.0
"""Trains a small network for two epochs and saves it; started alone or by torchrun."""

import sys

import torch

from model import parallel
from model.config import TrainConfig
from model.data.crops import from_procedural
from model.faces import make_faces
from model.sources import Mixture
from model.train import Trainer


def main(path: str) -> None:
    torch.set_num_threads(1)
    parallel.start(torch.device("cpu"))
    config = TrainConfig(width=0.125, faces=24, epochs=2, batch=8, rate=1e-3, average=0.9)
    mixture = Mixture((from_procedural(make_faces(24, 1)),), (1.0,))
    trainer = Trainer(config)
    losses = [trainer.train_epoch(mixture) for _ in range(2)]
    if parallel.rank() == 0:
        torch.save({"losses": losses, "weights": trainer.weights()["state_dict"]}, path)
    parallel.stop()


if __name__ == "__main__":
    main(sys.argv[1])
