# SPDX-License-Identifier: Apache-2.0
"""From a trained to a quantised network: what the commands ptq and qat and programs use.

Quantisation(QuantisationConfig(weights=Path("weights.pt"), out=Path("int8.pt"))).run()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from model.data.crops import Crops
from model.data.labelled import CALIBRATION_SEED, TUNING_SEED, labelled_images
from model.data.mixture import Mixture, calibration_images
from model.network.checkpoint import load_network, load_quantised, save_quantised
from model.network.pfld import PFLD
from model.training.config import TrainConfig, find_config
from model.training.ptq import Length, Tuner, as_input, post_train, random_batches
from model.training.qat import face_batches, face_loss, plain_loss, run_tuner
from model.training.source import Source
from model.training.stages import FACES, FineTuningConfig, QuantisationConfig
from model.training.train import measure_crops

PROCEDURAL = Source(cache=FACES)


class Quantisation:
    """Calibrates on training faces of the real sources, else on procedural ones."""

    def __init__(self, config: QuantisationConfig, source: Source = PROCEDURAL) -> None:
        self.config, self.source = config, source

    def run(self) -> int:
        """Write the checkpoint of the quantised network; the number of images calibrated on."""
        config, network = self.config, load_network(self.config.weights)
        images = self._images(network.image_size)
        quantised = post_train(network, images, config.percentile, config.equalise)
        made = {
            "stage": "ptq",
            "recipe": config.recipe if self.source.real else "procedural",
            "percentile": config.percentile,
            "equalise": config.equalise,
            "images": len(images),
        }
        save_quantised(quantised, config.out, made)
        return len(images)

    def _images(self, size: int) -> Tensor:
        config = self.config
        if self.source.real:
            mixture, _ = self.source.load(find_config(config.recipe))
            return calibration_images(mixture, config.count, size, CALIBRATION_SEED)
        return as_input(labelled_images(config.images, size, config.count, CALIBRATION_SEED)[0])


@dataclass(frozen=True)
class Tuned:
    """What a fine-tuning ends with."""

    steps: int
    """Batches in all."""
    nme: float | None
    """Of the faces that are only measured, in percent; None without real faces."""


class FineTuning:
    """Trains a quantised network on, the statistics of its normalisation frozen."""

    def __init__(
        self,
        config: FineTuningConfig,
        source: Source = PROCEDURAL,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """``tell`` hears the NME of the measured faces before and after, where there are any."""
        self.config, self.source, self.tell = config, source, tell

    def run(self) -> Tuned:
        """Write the checkpoint of the tuned network, and every minute what to resume from."""
        config, network = self.config, load_quantised(self.config.weights)
        tuner = Tuner(network, Length(config.steps, config.minutes), config.rate)
        recipe, mixture, held = self._faces()
        self._measure("before", network, held)
        if config.resume:
            tuner.load(config.last)
        seed = TUNING_SEED + tuner.step  # another order after resuming
        if mixture is None:
            data = labelled_images(config.images, network.image_size, config.count, TUNING_SEED)
            run_tuner(tuner, random_batches(*data, config.batch, seed), plain_loss, config.last)
        else:
            size = network.image_size
            batches = face_batches(recipe, mixture, config.batch, size, seed)
            run_tuner(tuner, batches, face_loss(recipe, size), config.last)
        save_quantised(network, config.out, self._made(tuner))
        return Tuned(tuner.step, self._measure("after", network, held))

    def _faces(self) -> tuple[TrainConfig, Mixture | None, Crops | None]:
        recipe = find_config(self.config.recipe)
        return (recipe, *(self.source.load(recipe) if self.source.real else (None, None)))

    def _measure(self, when: str, network: PFLD, held: Crops | None) -> float | None:
        if held is None:
            return None
        nme = float(measure_crops(network, held).nme)
        self.tell(f"{when}: {nme:.2f} % NME on {len(held)} faces")
        return nme

    def _made(self, tuner: Tuner) -> dict[str, Any]:
        config = self.config
        return {
            "stage": "qat",
            "recipe": config.recipe if self.source.real else "procedural",
            "batch": config.batch,
            "rate": config.rate,
            "steps": tuner.step,
            "seconds": tuner.seconds,
        }
