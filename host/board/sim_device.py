# SPDX-License-Identifier: Apache-2.0
"""The packaged accelerator in Verilator as a device; a stand-in for the board.

Its program is built by ``python -m build_flows shell``; build_flows/design/simulator/shell.cpp
has the commands. Time is simulated time: it passes in register accesses, in ``pause``, and before
whatever is called as long as ``delay`` says, for on a board time passes there too.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from host.board.device import Channel
from host.common.arrays import Bytes, U32Array
from host.common.errors import DeviceError, UserError

PAUSE_CYCLES = 500
BUSY = {"send": 1, "receive": 2}
FAILED = 4


class SimDevice:
    """Drives one simulator process; see host.board.device.Device."""

    def __init__(
        self,
        program: Path,
        clk_mhz: float = 250.0,
        preload: bool = False,
        stall_seed: int | None = None,
        delay: tuple[int, int] = (0, 0),
        delay_seed: int = 0,
    ) -> None:
        """Describe the simulation.

        Args:
            program: the simulator.
            clk_mhz: clock that turns cycles into seconds.
            preload: the weight memories begin with the weights of the build.
            stall_seed: the DMA engine pauses at random.
            delay: the least and the most cycles that pass before each call and each access.
            delay_seed: of the delays.
        """
        self._command = [str(program)]
        if stall_seed is not None:
            self._command += ["--stall-seed", str(stall_seed)]
        if preload:
            self._command.append("+preload")
        self.name = f"sim_{os.getpid()}_{id(self)}"
        self.where = f"simulator {program}"
        self._clk_hz = clk_mhz * 1e6
        self._delay, self._delay_seed = delay, delay_seed
        self._process: subprocess.Popen[bytes] | None = None
        self._target: Bytes | None = None
        self._size = 0
        self._without_tlast: set[Channel] = set()

    def open(self) -> None:
        """Start the program; it begins behind the reset. UserError if it cannot be started."""
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._log.close()
            raise UserError(
                f"cannot start {self._command[0]}: {error.strerror or error}; "
                "make it with: python -m build_flows shell --config demo"
            ) from error
        if self._delay != (0, 0):
            self.let_pass(*self._delay, self._delay_seed)

    def let_pass(self, least: int, most: int, seed: int = 0) -> None:
        """From now on ``least`` to ``most`` cycles pass before each call and each access."""
        self._tell("p", least, most, struct.pack("<I", seed))

    def read(self, offset: int) -> int:
        """Value of the 32-bit register at byte ``offset``."""
        return int(self.read_many(offset, 1)[0])

    def write(self, offset: int, value: int) -> None:
        """Set the register at ``offset``."""
        self._tell("w", offset, value)

    def read_many(self, offset: int, count: int) -> U32Array:
        """Read the same register ``count`` times."""
        self._tell("R", offset, count)
        return np.frombuffer(self._answer(4 * count), "<u4").astype(np.uint32)

    def write_many(self, offset: int, values: U32Array) -> None:
        """Write ``values`` one by one to the same register."""
        self._tell("W", offset, len(values), values.astype("<u4").tobytes())

    def buffer(self, size: int) -> Bytes:
        """Memory of ``size`` bytes."""
        self._run(0)
        return np.zeros(size, np.uint8)

    def send(self, buffer: Bytes) -> None:
        """Begin to send a buffer as one packet."""
        self._tell("s", len(buffer), self._loses_tlast("send"), buffer.tobytes())

    def receive(self, buffer: Bytes) -> None:
        """Begin to receive one packet into a buffer."""
        self._target = buffer
        self._tell("g", len(buffer), self._loses_tlast("receive"))

    def idle(self, channel: Channel) -> bool:
        """Whether the last transfer has ended; DeviceError if it has failed."""
        state = self._run(0)
        if channel == "receive" and state & FAILED:
            raise DeviceError("DMA error on the channel receive: the packet is too long")
        if state & BUSY[channel]:
            return False
        if channel == "receive" and self._target is not None:
            self._fetch(self._target)
            self._target = None
        return True

    def received(self) -> int:
        """Bytes of the last packet."""
        self._run(0)
        return self._size

    def reset_dma(self) -> None:
        """End both transfers, whatever their state."""
        self._target = None
        self._tell("x")

    def lose_tlast(self, channel: Channel) -> None:
        """The end of the next packet on a channel is not marked; for tests."""
        self._without_tlast.add(channel)

    def interrupt(self) -> bool:
        """Level of the interrupt."""
        self._tell("i")
        return self._answer(4) != bytes(4)

    def cycles(self) -> tuple[int, int]:
        """Cycles since the start, and at the last word of the last packet received.

        For tests: no time passes in it, nor in ``interrupt``.
        """
        self._tell("c")
        now, frame_end = struct.unpack("<QQ", self._answer(16))
        return now, frame_end

    def time(self) -> float:
        """Simulated seconds."""
        self._run(0)
        return self.cycles()[0] / self._clk_hz

    def pause(self) -> None:
        """Run until a channel becomes idle, at most PAUSE_CYCLES."""
        self._run(PAUSE_CYCLES, sum(BUSY.values()))

    def close(self) -> None:
        """End the simulation."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None
        self._log.close()

    def _loses_tlast(self, channel: Channel) -> bool:
        lost = channel in self._without_tlast
        self._without_tlast.discard(channel)
        return lost

    def _run(self, cycles: int, channels: int = 0) -> int:
        self._tell("a", cycles, channels)
        (state,) = struct.unpack("<I", self._answer(4))
        return int(state)

    def _fetch(self, target: Bytes) -> None:
        self._tell("d")
        (self._size,) = struct.unpack("<I", self._answer(4))
        target[: self._size] = np.frombuffer(self._answer(self._size), np.uint8)

    def _tell(self, command: str, a: int = 0, b: int = 0, data: bytes = b"") -> None:
        stdin = self._running().stdin
        assert stdin is not None
        try:
            stdin.write(struct.pack("<cII", command.encode(), a, b) + data)
            stdin.flush()
        except OSError as error:
            raise self._ended() from error

    def _answer(self, size: int) -> bytes:
        stdout = self._running().stdout
        assert stdout is not None
        data = stdout.read(size)
        if len(data) != size:
            raise self._ended()
        return data

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise UserError("the simulator is not open; open the device first")
        return self._process

    def _ended(self) -> DeviceError:
        code = self._running().wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().split("\n") if line]
        return DeviceError(f"{self.where} ended: {lines[-1] if lines else f'exit code {code}'}")
