# SPDX-License-Identifier: Apache-2.0
"""Command line of the model stage: ``python -m model COMMAND --help``."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from host.common.errors import FAILURES, UserError
from model.host_commands import (
    evaluate_detector,
    evaluate_driver,
    evaluate_eyes,
    evaluate_mediapipe,
    speed,
    train_eyes,
)
from model.options import read_roots
from model.training.stages import FACES, FineTuningConfig, QuantisationConfig

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., object])
Quantising = QuantisationConfig | FineTuningConfig
DETECTED = "Also with boxes of this detector: blazeface, which needs not be named, or haar."
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
    # What libraries say of themselves is of no use to whoever calls a command
    warnings.filterwarnings("ignore", module=r"(qonnx|brevitas|torch)\.")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)


@main.command()
@click.option("--sheet", type=FILE, required=True, help="PNG to write.")
@click.option("--count", default=48, show_default=True, help="Faces on the sheet.")
@click.option("--seed", default=0, show_default=True, help="Faces of another seed are others.")
@click.option("--points/--no-points", default=True, help="Draw the landmarks.")
def faces(sheet: Path, count: int, seed: int, points: bool) -> None:
    """Write a contact sheet of procedural faces."""
    import cv2

    from model.faces.render import contact_sheet, make_faces

    if not cv2.imwrite(str(sheet), contact_sheet(make_faces(count, seed), points=points)):
        raise UserError(f"{sheet} cannot be written; name a file such as sheet.png")


DATA = click.option(
    "--data",
    "roots",
    multiple=True,
    callback=read_roots,
    metavar="SOURCE=FOLDER",
    help="Folder of a source of real faces, see docs/training.md; repeatable.",
)
CACHE = click.option(
    "--cache",
    type=FOLDER,
    default=FACES,
    show_default=True,
    help="Folder in which crops and procedural faces are kept.",
)


@main.command()
@click.option(
    "--config", "name", default="quick", show_default=True, help="Name in model/training/config.py."
)
@click.option("--out", type=FOLDER, help="Folder of the results [default: train/CONFIG].")
@DATA
@CACHE
@click.option("--data-pack", "packed", type=FILE, help="One file of `pack`, instead of --data.")
@click.option("--init", type=FILE, help="FP32 checkpoint to start from.")
@click.option("--partly", is_flag=True, help="It may be of another network; take what fits.")
@click.option("--resume", is_flag=True, help="Go on from last.pt in the results' folder.")
@click.option("--minutes", type=float, help="Time to train, instead of epochs.")
@click.option("--pause", type=float, help="Minutes of this call; --resume goes on exactly.")
@click.option("--faces", "count", type=int, help="Procedural faces, instead of the config's.")
@click.option("--epochs", type=int, help="Passes over them, instead of the config's.")
@click.option("--batch", type=int, help="Faces a step, instead of the config's.")
@click.option("--seed", type=int, help="Seed, instead of the config's.")
def train(
    name: str,
    out: Path | None,
    roots: dict[str, Path],
    cache: Path,
    packed: Path | None,
    init: Path | None,
    partly: bool,
    resume: bool,
    minutes: float | None,
    pause: float | None,
    count: int | None,
    epochs: int | None,
    batch: int | None,
    seed: int | None,
) -> None:
    """Train the FP32 network; writes weights.pt, log.csv, curves.png and TensorBoard events.

    Several processes or GPUs: torchrun --nproc-per-node N -m model train ...
    """
    from model.training.config import find_config
    from model.training.source import Source
    from model.training.train import Start, Training

    config = find_config(name, faces=count, epochs=epochs, batch=batch, seed=seed)
    begin = Start(resume=resume, init=init, partly=partly, minutes=minutes, pause=pause)
    source = Source(roots=roots, cache=cache, packed=packed)
    result = Training(config, out or Path("train") / name, source, begin).run().metrics
    click.echo(
        f"measured faces: NME {result.nme:.2f} %  FR@10 {result.failure_rate:.1f} %  "
        f"AUC@10 {result.auc:.1f} %"
    )


@main.command()
@click.option("--config", "name", default="equal", show_default=True, help="Of each network.")
@click.option("--out", type=FOLDER, default=Path("train/equal"), show_default=True, help="Results.")
@DATA
@CACHE
@click.option("--data-pack", "packed", type=FILE, help="One file of `pack`, instead of --data.")
@click.option("--views", type=int, help="Faces that each network sees, instead of the config's.")
@click.option("--pause", type=float, help="Minutes a network in this call; call again to go on.")
def equal(
    name: str,
    out: Path,
    roots: dict[str, Path],
    cache: Path,
    packed: Path | None,
    views: int | None,
    pause: float | None,
) -> None:
    """Train the four networks of the switches alike, and print their table."""
    from model.compare import compare_networks
    from model.training.config import find_config
    from model.training.source import Source

    source = Source(roots=roots, cache=cache, packed=packed)
    config = find_config(name, views=views)
    click.echo(compare_networks(config, source, out, pause, partial(click.echo, err=True)))


@main.command()
@click.option("--config", "name", default="eyes", show_default=True, help="Whose mix is packed.")
@click.option("--out", type=FILE, required=True, help="File to write, NAME.npz.")
@DATA
@CACHE
def pack(name: str, out: Path, roots: dict[str, Path], cache: Path) -> None:
    """Write all faces of a training to one file of at most 60 MB, for train --data-pack."""
    from model.data.pack import write_pack
    from model.training.config import find_config
    from model.training.source import Source

    mixture, held = Source(roots=roots, cache=cache).load(find_config(name))
    quality = write_pack(mixture, held, out)
    count = sum(len(crops) for crops in mixture.parts) + len(held)
    size = out.stat().st_size / 1e6
    click.echo(f"{out}: {count} faces, {size:.1f} MB, JPEG quality {quality}")


@main.command()
@click.option("--config", "name", required=True, help="Name in model/training/config.py.")
@click.option("--sheet", type=FILE, required=True, help="PNG to write.")
@click.option("--count", type=click.IntRange(1), default=48, show_default=True, help="Faces.")
@DATA
@CACHE
def batch(name: str, sheet: Path, count: int, roots: dict[str, Path], cache: Path) -> None:
    """Write a contact sheet of augmented training faces with their points."""
    from host.common.atomic import write_image
    from model.training.config import find_config
    from model.training.sheet import training_sheet
    from model.training.source import Source

    source = Source(roots=roots, cache=cache)
    write_image(sheet, training_sheet(find_config(name), source, count))
    click.echo(f"{sheet}: {count} training faces")


def quantising(weights: str, stage: type[Quantising]) -> Callable[[Command], Command]:
    """Options that ptq and qat share: files and faces. weights: help."""
    options = (
        click.option("--weights", type=FILE, required=True, help=weights),
        click.option("--out", type=FILE, required=True, help="Checkpoint of the INT8 network."),
        click.option("--images", type=FILE, help=IMAGES),
        click.option(
            "--config",
            "recipe",
            default=stage.recipe,
            show_default=True,
            help="Configuration whose mix, loss and augmentation are used with --data.",
        ),
        DATA,
        CACHE,
        click.option("--count", default=stage.count, show_default=True, help="Images at most."),
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@main.command()
@quantising("FP32 checkpoint of the training.", QuantisationConfig)
@click.option(
    "--percentile",
    default=QuantisationConfig.percentile,
    show_default=True,
    help="Activations kept in range.",
)
@click.option("--equalise", is_flag=True, help="Bring channels to like ranges first.")
def ptq(roots: dict[str, Path], cache: Path, **options: Any) -> None:
    """Quantise a trained network without further training.

    Calibrates on training faces of the sources given with --data, else on procedural faces.
    """
    from model.training.quantisation import Quantisation
    from model.training.source import Source

    config = QuantisationConfig(**options)
    count = Quantisation(config, Source(roots=roots, cache=cache)).run()
    click.echo(f"{config.out}: INT8, calibrated on {count} images")


@main.command()
@quantising("INT8 checkpoint of ptq.", FineTuningConfig)
@click.option(
    "--steps", default=FineTuningConfig.steps, show_default=True, help="Batches to train on."
)
@click.option("--minutes", type=float, help="Time to train, instead of --steps.")
@click.option("--batch", default=FineTuningConfig.batch, show_default=True, help="Images in one.")
@click.option(
    "--rate", default=FineTuningConfig.rate, show_default=True, help="First learning rate."
)
@click.option("--resume", is_flag=True, help="Go on from OUT.last, which is kept every minute.")
def qat(roots: dict[str, Path], cache: Path, **options: Any) -> None:
    """Fine-tune a quantised network as quantised, the statistics of its normalisation frozen.

    With --data the NME of faces that are held back is printed before and after.
    """
    from model.training.quantisation import FineTuning
    from model.training.source import Source

    config = FineTuningConfig(**options)
    tuned = FineTuning(config, Source(roots=roots, cache=cache), click.echo).run()
    click.echo(f"{config.out}: INT8, fine-tuned for {tuned.steps} steps")


@main.command()
@click.option("--weights", type=FILE, required=True, help="INT8 checkpoint of ptq or qat, or FP32.")
@click.option("--out", type=FILE, required=True, help="QONNX file to write, NAME.onnx.")
@click.option("--images", type=FILE, help=IMAGES)
@click.option(
    "--count",
    type=click.IntRange(2),
    default=8,
    show_default=True,
    help="Golden images, the portrait first.",
)
@click.option("--packed", is_flag=True, help="Store the weights as INT8, a quarter of the size.")
@click.option("--fp32", is_flag=True, help="Write an FP32 checkpoint for onnxruntime, only that.")
def export(**options: Any) -> None:
    """Write the QONNX file, its golden vectors and two files for onnxruntime."""
    from model.export.files import Export

    stage = Export(**options)
    golden = stage.run()
    what = "exported in FP32" if stage.fp32 else f"exported with {golden} golden images"
    click.echo(f"{stage.out}: {what}")


@main.command()
@click.option("--out", type=FILE, required=True, help="QONNX file to write, NAME.onnx.")
@click.option("--width", default=1.0, show_default=True, help="Multiplier of all channels.")
@click.option("--stem", default="conv", show_default=True, help="conv or depthwise.")
@click.option("--head", default="fc", show_default=True, help="fc or grid.")
@click.option("--landmarks", default=98, show_default=True, help="Points.")
@click.option("--image-size", default=112, show_default=True, help="Side of the image in pixels.")
@click.option("--weight-bits", default=8, show_default=True, help="Of every weight, 2 to 8.")
@click.option("--activation-bits", default=8, show_default=True, help="Of activations, 2 to 8.")
@click.option("--seed", default=0, show_default=True, help="Of the weights.")
def untrained(out: Path, **form: Any) -> None:
    """Export a network with random weights, to explore what one of that form would cost."""
    from model.untrained import Untrained

    Untrained(**form).export(out)
    click.echo(f"{out}: random weights")


@main.command()
@click.option("--weights", type=FILE, required=True, help="FP32 checkpoint with stem=conv.")
@click.option("--out", type=FILE, required=True, help="Checkpoint to write.")
@click.option("--config", "name", default="eyes", show_default=True, help="Whose mix is seen.")
@DATA
@CACHE
@click.option("--steps", type=click.IntRange(1), default=260, show_default=True, help="Batches.")
@click.option("--batch", type=click.IntRange(2), default=16, show_default=True, help="Faces each.")
def restem(
    weights: Path,
    out: Path,
    name: str,
    roots: dict[str, Path],
    cache: Path,
    steps: int,
    batch: int,
) -> None:
    """Give a network a depthwise stem whose maps are those of its full one, as far as they can."""
    from model.data.mixture import endless
    from model.network.checkpoint import load_network, save_network
    from model.training.config import find_config
    from model.training.restem import restem as fit
    from model.training.source import Source

    config, network = find_config(name), load_network(weights)
    mixture, _ = Source(roots=roots, cache=cache).load(config)
    batches = endless(mixture, batch, network.image_size, config.seed, config.augmentation)
    left: list[float] = []
    fitted = fit(network, batches, steps, lambda step, value: left.append(value))
    save_network(fitted, out, {"stage": "restem", "steps": steps, "batch": batch})
    click.echo(f"{out}: {left[-1]:.0%} of the variance of the old maps is not explained")


@main.command()
@click.option("--weights", type=FILE, required=True, help="FP32 checkpoint of the training.")
@click.option("--out", type=FILE, required=True, help="Checkpoint to write.")
def shrink(weights: Path, out: Path) -> None:
    """Write an FP32 checkpoint in half the bytes, its filters in float16."""
    from model.network.checkpoint import save_small

    save_small(weights, out)
    click.echo(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


@main.command()
@click.option("--weights", type=FILE, required=True, help="FP32 checkpoint of the training.")
@click.option("--with", "second", type=FILE, required=True, help="One trained on from it.")
@click.option("--share", type=float, default=0.5, show_default=True, help="Of the second.")
@click.option("--out", type=FILE, required=True, help="Checkpoint to write.")
def average(weights: Path, second: Path, share: float, out: Path) -> None:
    """Mean of the weights of two stages of a training."""
    from model.network.checkpoint import average, save_network

    made = {"stage": "average", "of": [weights.name, second.name], "share": share}
    save_network(average(weights, second, share), out, made)
    click.echo(f"{out}: {1 - share:g} of {weights}, {share:g} of {second}")


@main.command()
@click.option(
    "--weights",
    "--model",
    "weights",
    type=FILE,
    required=True,
    help="Checkpoint (.pt) or QONNX file (.onnx).",
)
@click.option(
    "--dataset", default="procedural", show_default=True, help="wflw, 300w, ytf or procedural."
)
@click.option("--root", type=FOLDER, help="The data set's folder.")
@click.option("--list", "rows", type=FILE, help="Faces of another list than the test list.")
@click.option(
    "--arithmetic",
    default="auto",
    show_default=True,
    help="Of a QONNX file: integer (auto), as the hardware, or quantised.",
)
@click.option("--anchor", type=FILE, help="ONNX file of a foreign network to measure too.")
@click.option(
    "--compare",
    "other",
    type=FILE,
    help="Another file of the network: how far it is off, on the worst face too.",
)
@click.option(
    "--csim",
    type=FOLDER,
    metavar="BUILD",
    help="Build folder whose C++ must give the same integers on every face.",
)
@click.option(
    "--detector",
    is_flag=False,
    flag_value="blazeface",
    metavar="[NAME]",
    help=f"{DETECTED} Photographs are measured with it unless this is none.",
)
@click.option("--errors", type=FILE, help="CSV to write the error of each face to.")
@click.option("--picture", type=FILE, help="PNG to write, faces with true and found points.")
@click.option("--crops", type=FILE, help="Npz to write the measured faces to, for host/bench.py.")
@click.option("--images", type=FILE, help=IMAGES)
@click.option("--count", default=500, show_default=True, help="Procedural faces.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(as_json: bool, **options: Any) -> None:
    """Measure a network: FP32, quantised, or the integer graph that the hardware computes.

    All figures are in percent; NME is divided by the distance of the outer eye corners, accuracy
    is 100 - NME.
    """
    from model.evaluation.evaluation import Evaluation, EvaluationConfig
    from model.evaluation.lines import figure_lines

    stage = Evaluation(EvaluationConfig(**options))
    result = stage.run()
    for problem in stage.problems[:5]:
        click.echo(f"left out: {problem}", err=True)
    click.echo(json.dumps(result, indent=2) if as_json else "\n".join(figure_lines(result)))


@main.command()
@click.option(
    "--method",
    "methods",
    multiple=True,
    required=True,
    metavar="NAME=FILE[@TIME]",
    help="A row: checkpoint or QONNX file, and how long it took; the first is FP32.",
)
@click.option("--anchor", type=FILE, help="ONNX file of a network to compare with.")
@click.option(
    "--dataset", default="procedural", show_default=True, help="wflw, 300w, ytf or procedural."
)
@click.option("--root", type=FOLDER, help="The data set's folder.")
@click.option("--list", "rows", type=FILE, help="Faces of another list than the test list.")
@click.option("--count", default=500, show_default=True, help="Procedural faces.")
@click.option("--detector", is_flag=False, flag_value="blazeface", metavar="[NAME]", help=DETECTED)
@click.option("--out", type=FOLDER, required=True, help="Folder of the report.")
def report(
    methods: tuple[str, ...],
    anchor: Path | None,
    dataset: str,
    root: Path | None,
    rows: Path | None,
    count: int,
    detector: str | None,
    out: Path,
) -> None:
    """Write the table of all methods with their robustness, and pictures."""
    from model.evaluation.evaluate import collect_faces, detected_crops
    from model.evaluation.predictors import open_anchor
    from model.evaluation.report import Method, open_method, write_report

    opened = [open_method(text) for text in methods]
    if anchor:
        opened.insert(0, Method("anchor", anchor, open_anchor(anchor)))
    size = opened[-1].predictor.size
    faces = collect_faces(dataset, root, rows, size, None, count)
    found = detected_crops(faces, size, detector) if detector else None
    click.echo(write_report(opened, faces, out, found))


for command in (
    evaluate_detector,
    evaluate_driver,
    evaluate_eyes,
    evaluate_mediapipe,
    speed,
    train_eyes,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m model")
