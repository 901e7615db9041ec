# SPDX-License-Identifier: Apache-2.0
"""Commands about what the host does besides the landmarks: finding faces, judging eyes."""

from __future__ import annotations

import math
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.options import read_roots

if TYPE_CHECKING:
    from model.data.records import Record
    from model.evaluation.driver import Found

FACES_SEED, COVER_SEED, FIT_SEED = 301, 1, 0  #: of train-eyes
ROOTS = "Folder of a data set to measure on: wflw, 300w, ytf; repeatable."


@click.command()
@click.option("--data", "roots", multiple=True, callback=read_roots, metavar="NAME=FOLDER",
              required=True, help=ROOTS)  # fmt: skip
@click.option("--detector", "names", multiple=True, help="blazeface, haar; default: both.")
@click.option("--quick", is_flag=True, help="As on moving pictures.")
@click.option("--condition", "chosen", multiple=True, help="Of the table's; default: all.")
@click.option("--count", default=200, show_default=True, help="Faces with open eyes a data set.")
def evaluate_detector(
    roots: dict[str, Path],
    names: tuple[str, ...],
    quick: bool,
    chosen: tuple[str, ...],
    count: int,
) -> None:
    """Measure face detectors: how many faces they find, and how their squares lie."""
    from host.common.errors import UserError
    from host.face.detect.choice import DETECTORS, open_detector
    from model.evaluation.detection import (
        CONDITIONS,
        Rates,
        collect_samples,
        offsets,
        rates,
        rates_table,
        scatter_table,
    )

    unknown = sorted(set(chosen) - set(CONDITIONS))
    if unknown:
        raise UserError(f"condition {unknown[0]!r} is unknown; use one of {', '.join(CONDITIONS)}")
    samples = collect_samples(roots, count)
    detectors = {name: open_detector(name, quick) for name in names or DETECTORS}
    results: dict[str, list[Rates]] = {}
    for name, detector in detectors.items():
        results[name] = []
        for one in rates(detector, samples, chosen or tuple(CONDITIONS)):
            click.echo(f"{name}, {one.condition}: {one.found} of {one.faces}", err=True)
            results[name].append(one)
    click.echo(rates_table(results))
    click.echo(scatter_table({name: offsets(one, samples) for name, one in detectors.items()}))


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="Npz to write; the host reads host/face/weights/eyes.npz.")  # fmt: skip
@click.option("--drawn", default=60, show_default=True, help="Procedural faces.")
@click.option("--data", "roots", multiple=True, callback=read_roots, metavar="NAME=FOLDER",
              help="Training faces of a source, see docs/training.md; repeatable.")  # fmt: skip
@click.option("--count", default=1000, show_default=True,
              help="Faces of each source, beside all with a closed or a hidden eye.")  # fmt: skip
def train_eyes(out: Path, drawn: int, roots: dict[str, Path], count: int) -> None:
    """Train the test of the eyes, can they be judged and are they open, on faces."""
    from itertools import chain

    from model.training import eyes

    faces = chain(eyes.real_faces(roots, count), eyes.drawn_faces(drawn, FACES_SEED))
    found = eyes.collect_eyes(faces, COVER_SEED)
    click.echo(
        f"{len(found.visible)} eyes, {100 * found.visible.mean():.0f} % of them visible, "
        f"{int(((found.open < 0.5) & (found.trust > 0)).sum())} shut"
    )
    eyes.write_network(out, eyes.fit_twice(found, FIT_SEED))


@click.command()
@click.option("--data", "roots", multiple=True, callback=read_roots, metavar="NAME=FOLDER",
              required=True, help=ROOTS)  # fmt: skip
@click.option("--weights", "files", multiple=True, metavar="NAME=FILE",
              help="Networks to compare; default: the shipped one.")  # fmt: skip
@click.option("--count", default=100, show_default=True, help="Faces with open eyes a data set.")
def evaluate_eyes(roots: dict[str, Path], files: tuple[str, ...], count: int) -> None:
    """Measure how often eyes are said to be visible, on faces as they are and covered."""
    from host.backends import DEFAULT_MODEL, open_backend
    from host.face.eyes import WEIGHTS, load_network
    from model.evaluation.detection import collect_samples
    from model.evaluation.eyes import measure_eyes, measure_hidden

    pairs = [text.partition("=") for text in files] or [("shipped", "=", str(WEIGHTS))]
    networks = {name: load_network(Path(file)) for name, _, file in pairs}
    backend = open_backend("cpu", DEFAULT_MODEL)
    try:
        click.echo(measure_eyes(collect_samples(roots, count), backend, networks))
        click.echo(measure_hidden(collect_samples(roots, sys.maxsize), backend, networks))
    finally:
        backend.close()


@click.command()
@click.option("--data", "roots", multiple=True, callback=read_roots, metavar="NAME=FOLDER",
              required=True, help=ROOTS)  # fmt: skip
@click.option("--model", type=click.Path(dir_okay=False, path_type=Path),
              help="ONNX file; default: what watches a driver.")  # fmt: skip
@click.option("--no-look", is_flag=True, help="Judge eyes by the landmarks alone.")
@click.option("--thresholds", "limits", type=click.Path(dir_okay=False, path_type=Path),
              help="JSON with other limits than the defaults.")  # fmt: skip
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path),
              help="PNG to write: aspect ratios of closed and open eyes.")  # fmt: skip
@click.option("--against", type=click.Path(dir_okay=False, path_type=Path),
              help="Another ONNX file for the plot.")  # fmt: skip
def evaluate_driver(
    roots: dict[str, Path],
    model: Path | None,
    no_look: bool,
    limits: Path | None,
    plot: Path | None,
    against: Path | None,
) -> None:
    """Measure on real faces how well closed eyes, wide mouths and calibration are judged."""
    from host.backends import DEFAULT_MODEL, open_backend
    from host.monitor.thresholds import Thresholds, read_thresholds
    from model.evaluation.driver import drawn_by_hand, driver_faces, figures, figures_of_shut
    from model.evaluation.habits import habits
    from model.evaluation.scatter import scatter

    records, path = driver_faces(roots), model or DEFAULT_MODEL
    found = _found(records, path, not no_look)
    if plot is not None:
        from model.evaluation.lid_plot import plot_lids

        others = {} if against is None else {against.stem: _found(records, against, False)}
        plot_lids({**others, path.stem: found}, plot)
    chosen = Thresholds() if limits is None else read_thresholds(limits)
    told, numbers = figures(found, chosen), habits(found, records, chosen)
    if by_hand := drawn_by_hand(roots):
        records = driver_faces(by_hand)
        opened, shut = (_found(records, path, not no_look, drawn) for drawn in (False, True))
        told |= figures_of_shut(opened, shut, chosen)
        with closing(open_backend("cpu", path)) as backend:
            numbers |= scatter(records, backend)
    for name, value in told.items():
        share = "-" if math.isnan(value) else f"{100 * value:.1f} %"
        shown = f"{value}" if isinstance(value, int) else share
        click.echo(f"{name}: {shown}")
    for name, value in numbers.items():
        click.echo(f"{name}: {value:.4f}")


@click.command()
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="Folder of 300-W; its common test list is measured.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), help="Pictures, evenly chosen; default: all.")
def evaluate_mediapipe(root: Path, count: int | None) -> None:
    """Measure MediaPipe's eyes and its speed beside ours, on the same pictures."""
    from model.data.registry import measured_faces
    from model.evaluation import mediapipe

    finders = {
        "this project": mediapipe.own_finder(),
        "MediaPipe": mediapipe.mediapipe_finder(attention=False),
        "MediaPipe, attention": mediapipe.mediapipe_finder(attention=True),
    }
    records = measured_faces("300w", root).records
    chosen = records if count is None else records[:: max(1, len(records) // count)][:count]
    with click.progressbar(length=len(chosen), file=sys.stderr) as bar:
        click.echo(mediapipe.compare(finders, chosen, lambda done: bar.update(1)))


@click.command()
@click.argument("files", nargs=-1, required=True,
                type=click.Path(dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--rounds", default=60, show_default=True, help="Turns of each file.")
def speed(files: tuple[Path, ...], rounds: int) -> None:
    """Measure the processor time of ONNX files on one thread of onnxruntime, in turns."""
    from model.evaluation.speed import measure, table

    click.echo(table(files, measure(files, rounds)))


def _found(records: list[Record], model: Path, looking: bool, shut: bool = False) -> Found:
    """What a network finds of faces, eyes drawn shut or not, and the eye test if ``looking``."""
    from host.backends import open_backend
    from host.face.eyes import look_at_eyes
    from model.evaluation.driver import find

    backend = open_backend("cpu", model)
    try:
        return find(records, backend, look_at_eyes if looking else None, shut)
    finally:
        backend.close()
