# SPDX-License-Identifier: Apache-2.0
"""All well-known networks, and their export.

``python -m tests.build_flows.public_networks FOLDER [NAME ...]`` writes NAME.onnx.
"""

from tests.build_flows.brevitas_networks import exported, main
from tests.build_flows.well_known import finn, pictures, quantisers, signals, usual

FAMILIES = (finn, signals, pictures, quantisers, usual)
NETWORKS = {name: row for family in FAMILIES for name, row in family.NETWORKS.items()}


def export(name, folder):
    """``folder``/``name``.onnx."""
    return exported(name, NETWORKS[name], folder)


if __name__ == "__main__":
    main(NETWORKS)
