# SPDX-License-Identifier: Apache-2.0
"""Configurations of the training."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from host.common.errors import UserError
from model.data.mixture import Balance, MixConfig
from model.data.registry import PROCEDURAL
from model.network.pfld import HEAD_CHOICES, STEM_CHOICES
from model.training.losses import LOSSES

OPTIMISERS = ("adamw", "adam")
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(MixConfig):
    """What is trained, on what, and how."""

    width: float = 1.0
    """Multiplier of the network's channels."""
    s3: str = "conv7x7"
    """Reading of the last convolution, see PFLD."""
    stem: str = "conv"
    """Second layer: conv, or depthwise."""
    head: str = "fc"
    """What gives the landmarks: fc, or grid with a mixture over cells as its loss."""
    epochs: int = 40
    """Passes over the mix."""
    views: int = 0
    """Faces to show in all, instead of ``epochs``; 0 for none."""
    batch: int = 128
    """Faces a step over all processes, at least 2 a process."""
    rate: float = 3e-3
    """Highest learning rate."""
    warm_up: float = 0.05
    """Share of the steps in which the rate rises."""
    schedule: str = "cosine"
    """What the rate does then: fall along a cosine to 0, or stay constant."""
    optimiser: str = "adamw"
    """adamw, or adam with the decay in the gradient."""
    decay: float = 1e-4
    """Weight decay."""
    average: float = 0.998
    """Decay of the weights' moving average, which is what is measured and shipped."""
    loss: str = "wing"
    """Of a point: wing, adaptive_wing or squared."""
    answer_weight: float = 0.1
    """With head grid: weight of the points' loss of the best cells beside that of the mixture."""
    lid_weight: float = 0.0
    """Weight of a term for the openings of the eyes."""
    pose_weight: float = 1.0
    """Weight of the auxiliary branch's term; with 0 the branch is left out, it costs 12 %."""
    angle_weights: bool = False
    """PFLD's weighting: the loss of a face times the error of its angles."""
    attribute_weights: bool = False
    """PFLD's weighting: faces with rare attributes count more."""
    size_weights: bool = False
    """Faces with close eye corners count more, as the metric does."""
    augmentation: float = 1.0
    """Strength of the random changes; 0 for none."""
    calm: float = 0.0
    """Share of the epochs, at the end, that run with 0.6 times that strength."""
    frozen: bool = False
    """Train with the running statistics of the batch normalisations, as the network is used. After
    a short training they differ from those of batches so much that rare poses go astray."""
    live: int = 0
    """Steps at the beginning in which ``frozen`` does not hold yet: for layers that are new."""
    bfloat16: bool = False
    """Also on a CPU, where that has instructions for it; a GPU always computes in bfloat16."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_least()
        self._check_choices()
        if self.angle_weights and not self.pose_weight:
            raise UserError("angle_weights needs the auxiliary branch; set pose_weight above 0")

    def _check_least(self) -> None:
        least = {"faces": 2, "held_out": 1, "epochs": 1, "batch": 2, "threads": 1, "seed": 0}
        least |= {
            "live": 0,
            "views": 0,
            "pose_weight": 0,
            "answer_weight": 0,
            "lid_weight": 0,
            "augmentation": 0,
            "decay": 0,
        }
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UserError(f"{name}={getattr(self, name)} is too small; use {value} or more")
        if PROCEDURAL in self.sources and self.batch > self.faces:
            raise UserError(f"batch={self.batch} is more than faces={self.faces}; use fewer")
        if not self.rate > 0:
            raise UserError(f"rate={self.rate} is not positive; use for example 0.003")
        for name in ("warm_up", "average", "calm"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)} is outside of 0 <= {name} < 1")

    def _check_choices(self) -> None:
        choices = {
            "loss": LOSSES,
            "optimiser": OPTIMISERS,
            "schedule": SCHEDULES,
            "stem": STEM_CHOICES,
            "head": HEAD_CHOICES,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                value = getattr(self, name)
                raise UserError(f"{name}={value!r} is unknown; use one of {', '.join(allowed)}")

    def strength(self, epoch: int) -> float:
        """Strength of the augmentation in ``epoch``, counted from 0."""
        calm = epoch >= self.epochs * (1 - self.calm)
        return self.augmentation * (0.6 if calm and self.calm else 1.0)


REAL = (("wflw", 3.0), ("wflw_partial", 1.5), ("wider98", 1.0), ("300w", 1.0), ("ytf", 0.4))

EYES = TrainConfig(
    stem="depthwise",
    head="grid",
    mix=(("wflw", 3.0), ("wflw_partial", 1.5), ("wider98", 1.0), ("300w", 1.0), ("ytf", 0.6)),
    balance=Balance(closed=6, winking=10, turned=8),
    epochs=1_000,
    batch=16,
    rate=7e-4,
    warm_up=0.0002,
    schedule="constant",
    decay=1e-3,
    average=0.999,
    lid_weight=0.3,
    pose_weight=0.0,
    size_weights=True,
    frozen=True,
    live=400,
    bfloat16=True,
    threads=1,
)

MORE = replace(EYES, live=0, measured="ytf")
"""From trained weights; all faces of wflw, and one of eight of ytf is measured instead."""

HALF = replace(EYES, width=0.5, warm_up=0.02, schedule="cosine", frozen=False, live=0)
"""Half the width, from random weights, with batch statistics."""

CONFIGS = {
    "best": TrainConfig(
        mix=REAL,
        epochs=150,
        batch=64,
        rate=2e-3,
        decay=1e-3,
        average=0.999,
        lid_weight=0.25,
        pose_weight=0.0,
        size_weights=True,
        calm=0.2,
    ),
    "eyes": EYES,
    "eyes_finish": replace(EYES, rate=3e-4, warm_up=0.02, schedule="cosine", live=0, epochs=10),
    "eyes_more": MORE,
    "eyes_more_finish": replace(
        MORE, rate=6e-4, warm_up=0.01, schedule="cosine", epochs=10, lid_weight=0.5
    ),
    "eyes_small": replace(HALF, batch=32, views=400_000, rate=1.5e-3),
    "eyes_small_finish": replace(HALF, batch=16, views=200_000, rate=8e-4),
    "equal": replace(HALF, batch=16, views=300_000, rate=1e-3),
    "paper": TrainConfig(
        mix=(("wflw", 1.0),),
        epochs=100,
        batch=64,
        rate=1e-4,
        warm_up=0.0,
        schedule="constant",
        optimiser="adam",
        decay=1e-5,
        average=0.0,
        loss="squared",
        angle_weights=True,
        attribute_weights=True,
    ),
    "finish": TrainConfig(
        mix=(("wflw", 4.0), ("wflw_partial", 1.0), ("wider98", 0.3), ("300w", 0.4)),
        epochs=10,
        batch=32,
        rate=2e-4,
        average=0.998,
        lid_weight=0.25,
        pose_weight=0.0,
        size_weights=True,
        augmentation=0.5,
        frozen=True,
    ),
    "quick": TrainConfig(
        width=0.25,
        faces=3_000,
        held_out=200,
        epochs=6,
        batch=32,
        rate=4e-3,
        average=0.99,
        augmentation=0.5,
    ),
    "pfld_025x": TrainConfig(width=0.25, faces=6_000, epochs=14, batch=32, rate=4e-3, average=0.99),
    "pfld_1x": TrainConfig(faces=100_000, epochs=60, rate=2e-3),
    "smoke": TrainConfig(width=0.125, faces=256, held_out=32, epochs=4, batch=32),
}
"""Named configurations of ``python -m model train``. On real faces: eyes trains the product's
network, eyes_finish goes on from its weights, eyes_more and eyes_more_finish do so with the faces
held back, equal compares networks, best and finish trained the one before, paper is the
reference's. The others use procedural faces; quick is the default."""


def find_config(name: str, **changes: Any) -> TrainConfig:
    """Configuration ``name`` with the fields in ``changes`` that are not None replaced."""
    if name not in CONFIGS:
        raise UserError(f"config {name!r} is unknown; use one of {', '.join(CONFIGS)}")
    known = [field.name for field in fields(TrainConfig)]
    for key in changes:
        if key not in known:
            raise UserError(f"field {key!r} is unknown; use one of {', '.join(known)}")
    return replace(CONFIGS[name], **{k: v for k, v in changes.items() if v is not None})
