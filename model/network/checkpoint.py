# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: a dictionary that torch.load reads with ``weights_only``.

``config``: arguments of PFLD. ``state_dict``: weights. ``quantised``: True if the network is.
``made``: the stage and its options. ``git``, ``versions``: see host.common.provenance.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch

from host.common.atomic import replacing
from host.common.errors import UserError
from host.common.provenance import provenance
from model.network.pfld import PFLD
from model.network.quantised import build_quantised

KEYS = ("config", "state_dict")  #: that every checkpoint has
DAMAGED = (OSError, EOFError, pickle.UnpicklingError, RuntimeError, ValueError, LookupError,
           TypeError, AttributeError)  # fmt: skip
"""What torch raises where a file holds something else than it should."""


def save(content: dict[str, Any], path: Path) -> None:
    """Write with torch.save; ``path`` is whole or as it was."""
    with replacing(path) as partial:
        torch.save(content, partial)


def save_network(network: PFLD, path: Path, made: Mapping[str, Any]) -> None:
    """Write an FP32 network; ``made`` is the stage that made it and its options, plain values."""
    save(_content(network, made), path)


def save_quantised(network: PFLD, path: Path, made: Mapping[str, Any]) -> None:
    """As :func:`save_network`, for a quantised network."""
    save(_content(network, made) | {"quantised": True}, path)


def _content(network: PFLD, made: Mapping[str, Any]) -> dict[str, Any]:
    state = {name: value.cpu() for name, value in network.state_dict().items()}
    return {"config": network.config(), "state_dict": state, "made": dict(made), **provenance()}


def load_quantised(path: Path) -> PFLD:
    """The quantised network in ``path``; UserError for any other file."""
    content = read_checkpoint(path)
    if not content.get("quantised"):
        raise UserError(
            f"{path} holds an FP32 network; quantise it first with `python -m model ptq`"
        )
    return _filled(build_quantised, content, path)


def load_network(path: Path) -> PFLD:
    """The FP32 network in the training checkpoint ``path``; UserError for any other file."""
    content = read_checkpoint(path)
    if content.get("quantised"):
        raise UserError(f"{path} is quantised already; give the FP32 checkpoint of the training")
    branch = any(name.startswith("pose.") for name in content["state_dict"])
    return _filled(lambda config: PFLD(**config, pose_branch=branch), content, path)


def _filled(
    build: Callable[[Mapping[str, Any]], PFLD], content: Mapping[str, Any], path: Path
) -> PFLD:
    """The network that ``build`` makes of the config, with the weights."""
    try:
        network = build(content["config"])
        network.load_state_dict(content["state_dict"])
    except DAMAGED as error:
        raise UserError(
            f"the config and the weights in {path} do not fit this version or each other; train "
            f"or quantise anew: {reason(error)}"
        ) from error
    network.eval()
    return network


def save_small(path: Path, out: Path) -> None:
    """Write the FP32 checkpoint ``path`` in half the bytes: filters in float16, all else as it is.

    The new file says of itself what the old one did.
    """
    load_network(path)
    content = read_checkpoint(path)
    state = content["state_dict"]
    content["state_dict"] = {n: v.half() if v.ndim > 1 else v for n, v in state.items()}
    save(content, out)


def average(first: Path, second: Path, share: float) -> PFLD:
    """The FP32 network between two: (1 - share) of the weights in ``first``, share of ``second``.

    One must have been trained on from the other; the mean then keeps much of what each is good at
    (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    Raises:
        UserError: share is not from 0 to 1, or the networks differ in more than their weights.
    """
    if not 0 <= share <= 1:
        raise UserError(f"share={share:g}; give a number from 0 to 1")
    network, other = load_network(first), load_network(second)
    mine, yours = network.state_dict(), other.state_dict()
    if network.config() != other.config() or mine.keys() != yours.keys():
        raise UserError(f"{first} and {second} are not the same network; average stages of one")
    for name, value in mine.items():
        if value.is_floating_point():
            value.lerp_(yours[name], share)
    return network


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Content of a checkpoint with the keys config and state_dict; UserError for another file."""
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        raise UserError(f"{path} is not a checkpoint of this project: {reason(error)}") from error
    if isinstance(content, dict) and all(isinstance(content.get(key), Mapping) for key in KEYS):
        return content
    raise UserError(
        f"{path} is not a checkpoint: it needs the keys {' and '.join(KEYS)}, mappings both"
    )


def reason(error: Exception) -> str:
    """Kind and beginning of what torch says, which may name every tensor, in one line."""
    return f"{type(error).__name__}: {shorten(str(error), 200, placeholder=' ...')}"
