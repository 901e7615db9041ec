# SPDX-License-Identifier: Apache-2.0
"""Names of the outputs of a file, which the clean-up gives other names."""

from __future__ import annotations

import json

from qonnx.core.modelwrapper import ModelWrapper

KEY = "output_names"  #: of the metadata


def keep_names(model: ModelWrapper) -> None:
    """Note, in place, the names of the outputs."""
    names = [end.name for end in model.graph.output]
    model.set_metadata_prop(KEY, json.dumps(names))


def kept_names(model: ModelWrapper) -> list[str]:
    """The names that were noted; none if there were none."""
    names: list[str] = json.loads(model.get_metadata_prop(KEY) or "[]")
    return names
