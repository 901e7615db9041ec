# SPDX-License-Identifier: Apache-2.0
"""Command line of the model stage: ``python -m model COMMAND --help``."""

from __future__ import annotations

from pathlib import Path

import click

from host.errors import FAILURES, UserError

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
IMAGES = "npz with images and landmarks; default: procedural faces."


class Commands(click.Group):
    """Group whose commands end with one line and exit code 1 when the input is at fault."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a failure of ours becomes click's message."""
        try:
            return super().invoke(ctx)
        except FAILURES as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Commands)
def main() -> None:
    """Train the landmark network, quantise it to INT8 and export it."""


@main.command()
@click.option("--sheet", type=FILE, required=True, help="PNG to write.")
@click.option("--count", default=48, show_default=True, help="Faces on the sheet.")
@click.option("--seed", default=0, show_default=True, help="Faces of another seed are others.")
@click.option("--points/--no-points", default=True, help="Draw the landmarks.")
def faces(sheet: Path, count: int, seed: int, points: bool) -> None:
    """Write a contact sheet of procedural faces."""
    import cv2

    from model.faces import contact_sheet, make_faces

    if not cv2.imwrite(str(sheet), contact_sheet(make_faces(count, seed), points=points)):
        raise UserError(f"{sheet} cannot be written; name a file such as sheet.png")


@main.command()
@click.option("--config", "name", required=True, help="Configuration, see model/train.py.")
@click.option("--out", type=FOLDER, help="Folder of the results [default: train/CONFIG].")
@click.option("--cache", type=FOLDER, default=Path("train/faces"), show_default=True,
              help="Folder in which the procedural faces are kept.")
@click.option("--resume", is_flag=True, help="Go on from last.pt in the results' folder.")
@click.option("--faces", "count", type=int, help="Faces to train on, instead of the config's.")
@click.option("--epochs", type=int, help="Passes over them, instead of the config's.")
@click.option("--seed", type=int, help="Seed, instead of the config's.")
def train(
    name: str,
    out: Path | None,
    cache: Path,
    resume: bool,
    count: int | None,
    epochs: int | None,
    seed: int | None,
) -> None:
    """Train the FP32 network on procedural faces; writes weights.pt."""
    from model import train as stage

    config = stage.find_config(name, faces=count, epochs=epochs, seed=seed)
    result = stage.run_training(config, out or Path("train") / name, cache, resume)
    click.echo(
        f"held-out procedural faces: NME {result.nme:.2f} %  FR@10 {result.failure_rate:.1f} %  "
        f"AUC@10 {result.auc:.1f} %"
    )


@main.command()
@click.option("--weights", type=FILE, required=True, help="FP32 checkpoint of the training.")
@click.option("--out", type=FILE, required=True, help="Checkpoint of the INT8 twin to write.")
@click.option("--images", type=FILE, help=IMAGES)
@click.option("--count", default=512, show_default=True, help="Images to calibrate on.")
@click.option("--percentile", default=99.99, show_default=True, help="Activations kept in range.")
def ptq(weights: Path, out: Path, images: Path | None, count: int, percentile: float) -> None:
    """Quantise a trained network without further training."""
    from model.checkpoint import load_network, save_twin
    from model.images import CALIBRATION_SEED, labelled_images
    from model.quantise import as_input, post_train

    network = load_network(weights)
    pictures, _ = labelled_images(images, network.image_size, count, CALIBRATION_SEED)
    save_twin(post_train(network, as_input(pictures), percentile), out)
    click.echo(f"{out}: INT8, calibrated on {len(pictures)} images")


@main.command()
@click.option("--weights", type=FILE, required=True, help="INT8 checkpoint of ptq.")
@click.option("--out", type=FILE, required=True, help="Checkpoint of the INT8 twin to write.")
@click.option("--images", type=FILE, help=IMAGES)
@click.option("--count", default=8_000, show_default=True, help="Images to train on.")
@click.option("--steps", default=1_000, show_default=True, help="Batches to train on.")
@click.option("--batch", default=32, show_default=True, help="Images in a batch.")
@click.option("--rate", default=2e-4, show_default=True, help="First learning rate.")
def qat(
    weights: Path, out: Path, images: Path | None, count: int, steps: int, batch: int, rate: float
) -> None:
    """Fine-tune a quantised network as quantised."""
    from rich.console import Console
    from rich.progress import Progress
    from torch.nn.functional import l1_loss

    from model.checkpoint import load_twin, save_twin
    from model.images import TUNING_SEED, labelled_images
    from model.quantise import fine_tune, random_batches

    twin = load_twin(weights)
    data = labelled_images(images, twin.image_size, count, TUNING_SEED)
    batches = random_batches(*data, batch)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("fine-tuning", total=steps)

        def report(step: int, loss: float) -> None:
            progress.update(task, completed=step, description=f"fine-tuning, loss {loss:.4f}")

        fine_tune(twin, batches, steps, l1_loss, rate, report)
    save_twin(twin, out)
    click.echo(f"{out}: INT8, fine-tuned for {steps} steps")


@main.command()
@click.option("--weights", type=FILE, required=True, help="INT8 checkpoint of ptq or qat.")
@click.option("--out", type=FILE, required=True, help="QONNX file to write, NAME.onnx.")
@click.option("--images", type=FILE, help=IMAGES)
@click.option(
    "--count",
    type=click.IntRange(2),
    default=8,
    show_default=True,
    help="Golden images, the portrait first.",
)
def export(weights: Path, out: Path, images: Path | None, count: int) -> None:
    """Write the QONNX file, its golden vectors and two files for onnxruntime."""
    import numpy as np

    from model.checkpoint import load_twin
    from model.export import export_files
    from model.images import GOLDEN_SEED, labelled_images, portrait

    twin = load_twin(weights)
    others, _ = labelled_images(images, twin.image_size, count - 1, GOLDEN_SEED)
    export_files(twin, out, np.concatenate([portrait(twin.image_size)[None], others]))
    click.echo(f"{out}: exported with {len(others) + 1} golden images")


@main.command()
@click.option("--model", type=FILE, required=True, help="QONNX file.")
@click.option("--images", type=FILE, help=IMAGES)
@click.option("--count", default=500, show_default=True, help="Images to measure on.")
def evaluate(model: Path, images: Path | None, count: int) -> None:
    """Measure the integer network of a QONNX file, the one that the hardware computes."""
    from model.images import EVALUATION_SEED, labelled_images
    from model.integer import integer_network
    from model.metrics import measure

    network = integer_network(model)
    data, true = labelled_images(images, network.image_shape[0], count, EVALUATION_SEED)
    result = measure(network.run(data).landmarks, true)
    click.echo(
        f"{len(data)} images: NME {result.nme:.2f} %  FR@10 {result.failure_rate:.1f} %  "
        f"AUC@10 {result.auc:.1f} %  accuracy (100 - NME) {result.accuracy:.2f} %"
    )


if __name__ == "__main__":
    main(prog_name="python -m model")
