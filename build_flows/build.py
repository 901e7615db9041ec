# SPDX-License-Identifier: Apache-2.0
"""A configuration and the folder it is built in: what the commands, tests and programs use.

Build(load_config("demo")).until("stitch").simulate(images).found
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from build_flows import synthesise
from build_flows.board import bitstream, simulator
from build_flows.config import BuildConfig
from build_flows.cpp import network as cpp
from build_flows.design.simulate import Run, provide_simulator, write_trace
from build_flows.design.verify import Golden
from build_flows.explore.budget import budget_of
from build_flows.explore.choices import space_of
from build_flows.explore.front import Explorer, Search
from build_flows.flow import Listener, Step, StepResult, run_steps
from build_flows.parts import part_of
from build_flows.report import publish, withdraw
from build_flows.steps import STEPS
from host.backends.csim import CsimBackend
from host.board.settings import BUILD_IT, load
from host.board.simulation import PRELOAD
from host.common.arrays import Images
from host.common.errors import UserError
from host.common.json_file import read_object
from host.common.lock import owning
from host.common.paths import WORK


class Build:
    """Steps are run up to where they are needed; those whose inputs did not change are kept.

    What a finished build has published stays only as long as every step is kept. While one process
    builds, or writes something else into the folder, others wait for it.
    """

    def __init__(
        self,
        cfg: BuildConfig,
        out: Path | None = None,
        listener: Listener | None = None,
        steps: Sequence[Step] = STEPS,
    ) -> None:
        """``out`` is ``build/<name>`` unless given; nothing is written yet."""
        self.cfg, self.out = cfg, out or WORK / "build" / cfg.name
        self.listener, self._steps = listener or Listener(), steps
        self.results: list[StepResult] = []

    def until(self, step: str | None = None) -> Build:
        """Run the steps up to and including ``step``, all of them without one.

        Raises UserError for an unknown step, and whatever a step raises.
        """
        with self._owned():
            self._run(step)
        return self

    def folder(self, step: str) -> Path:
        """Folder of a step that has run."""
        return self.out / step

    def model(self, step: str) -> ModelWrapper:
        """The graph that a step has given."""
        return ModelWrapper(str(self.folder(step) / "model.onnx"))

    @property
    def golden(self) -> Golden:
        """Images with the integers that the network gives for them."""
        return Golden.load(self.cfg)

    @property
    def cache(self) -> Path:
        """Folder of what is kept by content: compiled simulators and libraries, cell counts."""
        return self.out / "cache"

    @property
    def design(self) -> Path:
        """The stitched design."""
        return self.folder("stitch") / "design"

    def report(self) -> dict[str, Any]:
        """Content of report.json."""
        found: dict[str, Any] = read_object(self.out / "report.json")
        return found

    def simulate(self, images: Images, stall_seed: int | None = None) -> Run:
        """Send images (N, height, width) through the stitched design, weights preloaded.

        ``stall_seed`` makes both ends stall at random. The simulator is compiled once, minutes.
        """
        self.until("stitch")
        with self._owned(), TemporaryDirectory(dir=self.out, prefix=".run_") as scratch:
            self.listener.started("simulation")
            folder, model = Path(scratch), self.model("stitch")
            program = provide_simulator(model, self.design, folder, self.cache)
            return program.run(images, folder, stall_seed, PRELOAD)

    def trace(self, window: range, path: Path) -> None:
        """Write the waveforms of the first golden image in a window of cycles as VCD."""
        self.until("stitch")
        with self._owned():
            self.listener.started("trace")
            image = self.golden.images[:1]
            write_trace(self.model("stitch"), self.design, image, window, path, self.cache)

    def explorer(self, search: Search) -> Explorer:
        """Searches for foldings of this network, see build_flows.explore.front."""
        self.until("map")
        self.listener.started("costs of all choices")
        part = self.cfg.part if search.part is None else search.part
        clk_mhz = self.cfg.clk_mhz if search.clk_mhz is None else search.clk_mhz
        budget = budget_of(part, search.fill)
        space = space_of(self.model("map"), part_of(part), search.pumped)
        tell = self.listener.started
        return Explorer(space, budget, clk_mhz, search.time_limit, tell)

    def synthesise(self, kernels: Sequence[str] = ()) -> dict[str, Any]:
        """Count the cells of every unit with yosys; they go into synthesis.json and the report.

        With ``kernels`` the units of these in the folded design, and nothing is written.
        """
        step = "fold" if kernels else "stitch"
        with self._owned():
            self._run(step)
            tell = self.listener.started
            found = synthesise.synthesise_units(self.model(step), self.cfg, self.out, tell, kernels)
            if not kernels:
                synthesise.keep(found, self.out)
                self._run(None)
        return found

    def cpp(self) -> CsimBackend:
        """The network's C++ as a library; it is compiled once, a minute."""
        self.until("hls")
        with self._owned():
            self.listener.started("compiling")
            return CsimBackend(self.out)

    def vitis_ip(self) -> Path:
        """The C++ through Vitis HLS: the exported IP."""
        self.until("hls")
        with self._owned():
            self.listener.started(f"vitis_hls, see {self.folder('hls') / cpp.LOG}")
            return cpp.run_vitis(self.folder("hls"))

    def board(self) -> tuple[Path, Path]:
        """Accelerator and shell in Verilator and their overlay, for host.board.sim_device."""
        self.until()
        with self._owned():
            self.listener.started("simulator of the shell")
            return simulator.simulate_board(self.out)

    def bitstream(self, clk_mhz: float, overlay: Path | None) -> dict[str, Any]:
        """Run Vivado and write ``overlay``; without one only synthesise out of context."""
        self.until()
        script, cfg = bitstream.SCRIPT_OF[overlay is None], self.cfg
        with self._owned():
            folder = self.out / "vivado"
            project = bitstream.write_project(self.design, folder, cfg.name, cfg.part, clk_mhz)
            self.listener.started(f"vivado, see {project.log(script)}")
            result = bitstream.run_vivado(project, script)
            if overlay is not None:
                host = load(self.out, BUILD_IT, BUILD_IT)
                bitstream.publish(project, host, self.design, overlay, result)
        return result

    def _run(self, until: str | None) -> None:
        names = [step.name for step in self._steps]
        if until is not None and until not in names:
            raise UserError(f"unknown step {until}; known are {', '.join(names)}")
        steps = self._steps[: names.index(until) + 1 if until else None]
        self.results = run_steps(steps, self.cfg, self.out, self.listener, withdraw)
        if steps[-1].name == STEPS[-1].name:
            publish(self.folder(steps[-1].name), self.out)

    def _owned(self) -> AbstractContextManager[None]:
        return owning(self.out, self.listener.waiting)
