# SPDX-License-Identifier: Apache-2.0
"""The network on the accelerator, through any host.board.device.Device.

Frames go through a ring of buffers: while one is computed the next is sent, and results are
received in the order of the frames. Nothing waits without a limit. After an error the accelerator
is reset and ready again; frames that were inside are lost, and whoever asks for them is told. So it
is at the next call after an interruption, as by Ctrl-C.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path

import numpy as np

from host.backends.base import Accelerator
from host.board.device import Device
from host.board.overlay import Memory, Overlay, read_overlay
from host.board.registers import (
    RESET,
    RESETTING,
    WEIGHTS_BUSY,
    WEIGHTS_ERROR,
    WEIGHTS_RUN,
    WEIGHTS_RUNNING,
)  # fmt: skip
from host.board.weights import address, slices_per_word
from host.common.arrays import Accumulators, Image, Images, U32Array
from host.common.errors import DeviceError, UserError

log = logging.getLogger(__name__)

CLOCK_PART = 0.02  #: of timeout_s: how long the clock is measured
CLOCK_TOLERANCE = 0.02
RING = 4  #: frames that are prepared, inside or not yet fetched from their buffer
TOTALS = ("CYCLES", "BUSY_CYCLES", "FULL_CYCLES", "EMPTY_CYCLES", "BLOCKED_CYCLES")
COUNTERS = ("FRAMES_IN", "FRAMES_OUT", "FRAMES_DROPPED", "FRAME_CYCLES")


class LostError(DeviceError):
    """A frame is asked for that was lost in an earlier error, or given already."""


class FpgaBackend(Accelerator):
    """Runs frames on an accelerator; a context manager."""

    name = "fpga"

    def __init__(
        self, overlay: Overlay, device: Device, timeout_s: float = 1.0, load: bool = True
    ) -> None:
        """Check the accelerator, load its weights and read them back, start it.

        Args:
            overlay: what the accelerator should be.
            device: what it is; opened and closed with the driver.
            timeout_s: without any progress for so long, on the device's clock, it has failed.
            load: False leaves the weights as they are and compares nothing.

        Raises:
            UserError: another driver uses the device.
            DeviceError: it is not the accelerator of the overlay, or does not work.
        """
        self.overlay = self.settings = overlay
        self.device, self.timeout_s = device, timeout_s
        self.model = f"{overlay.config} on {device.where}"
        self.details: Mapping[str, object] = {}
        self._closed = self._opened = self._broken = False
        self._lock = _lock(device)
        try:
            device.open()
            self._opened = True
            self._check_identity()
            self._inputs = [device.buffer(prod(overlay.shape)) for _ in range(RING)]
            self._outputs = [device.buffer(4 * overlay.outputs) for _ in range(RING)]
            self._next = 0
            self._forget()
            self._reset()
            self.clk_mhz = self._measure_clock()
            if load:
                self.load_weights()
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> FpgaBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- frames --------------------------------------------------------------------------------

    def accumulate(self, images: Images) -> Accumulators:
        """Integers (N, outputs) for frames uint8 (N, *settings.shape).

        ``details`` then holds the counters. Raises DeviceError; the frames are then lost.
        """
        accumulators = self.run(images)
        self.details = {"clk_mhz": round(self.clk_mhz, 1), "counters": self.counters()}
        return accumulators

    def run(self, images: Images) -> Accumulators:
        """Accumulators (N, outputs) of frames (N, *settings.shape), several of them in flight.

        Frames that were submitted one by one stay under way; UserError if they are RING.
        """
        images = self.overlay.frames(images)
        waiting: deque[int] = deque()
        results = []
        try:
            for image in images:
                if waiting and len(self._slots) == RING:
                    results.append(self.collect(waiting.popleft()))
                waiting.append(self.submit(image))
            results += [self.collect(ticket) for ticket in waiting]
        except UserError:  # none of these frames is under way
            raise
        except BaseException:
            self._broken = True  # nobody can collect those that are
            raise
        return np.stack(results)

    def submit(self, image: Image) -> int:
        """Begin one frame uint8 of ``settings.shape`` and return the ticket for ``collect``.

        RING frames may be under way; UserError if that many have not been collected.
        """
        self._check_open()
        image = self.overlay.frames(image[np.newaxis])[0]
        with self._guarded():
            if len(self._slots) == RING:
                raise UserError(f"{RING} frames are under way; collect one before the next submit")
            ticket, self._next = self._next, self._next + 1
            self._inputs[ticket % RING][:] = image.reshape(-1)
            self._slots.append(ticket)
            self._unsent.append(ticket)
            self._move()
        return ticket

    def ready(self, ticket: int) -> bool:
        """Whether ``collect`` would return at once; also moves frames on."""
        with self._guarded():
            self._check_ticket(ticket)
            self._move()
        return ticket in self._done

    def collect(self, ticket: int) -> Accumulators:
        """Wait for the accumulators (outputs,) of a frame; each can be collected once."""
        with self._guarded():
            self._check_ticket(ticket)
            self._wait(lambda: ticket in self._done, "no result")
            self._slots.remove(ticket)
            return self._done.pop(ticket)

    def counters(self) -> dict[str, int]:
        """Counters since the last reset; the cycles all of one moment."""
        self._check_open()
        values = {}
        for name in TOTALS:  # CYCLES first: it freezes the others
            low = self._read(name)
            values[name.lower()] = low | self.device.read(self._at(name) + 4) << 32
        return values | {name.lower(): self._read(name) for name in COUNTERS}

    def close(self) -> None:
        """Stop the accelerator and give the device back; can be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._opened:
                self._reset()
        except DeviceError as error:
            log.warning("the accelerator could not be stopped: %s", error)
        finally:
            self.device.close()
            self._lock.close()

    # -- moving frames -------------------------------------------------------------------------

    def _forget(self) -> None:
        """No frame is under way."""
        self._slots: list[int] = []  # tickets whose buffers are taken
        self._unsent: deque[int] = deque()
        self._unreceived: deque[int] = deque()
        self._sending = self._receiving = False
        self._done: dict[int, Accumulators] = {}

    def _move(self) -> None:
        """Take what has come, begin what can begin."""
        device = self.device
        if self._receiving and device.idle("receive"):
            self._receiving = False
            self._finish(self._unreceived.popleft())
        if self._sending and device.idle("send"):
            self._sending = False
        if self._unsent and not self._sending:
            ticket = self._unsent.popleft()
            device.send(self._inputs[ticket % RING])
            self._sending = True
            self._unreceived.append(ticket)
        if self._unreceived and not self._receiving:
            device.receive(self._outputs[self._unreceived[0] % RING])
            self._receiving = True

    def _finish(self, ticket: int) -> None:
        size, expected = self.device.received(), 4 * self.overlay.outputs
        self._check_errors()
        if size != expected:
            raise DeviceError(f"the accelerator gave {size} bytes for a frame, not {expected}")
        output = self._outputs[ticket % RING]
        self._done[ticket] = np.frombuffer(output.tobytes(), "<i4").astype(np.int32)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Move frames until the condition holds; DeviceError after timeout_s without progress."""
        since, state = self.device.time(), self._progress()
        while True:
            self._move()
            if condition():
                return
            if self._progress() != state:
                since, state = self.device.time(), self._progress()
            elif self.device.time() - since > self.timeout_s:
                self._check_errors()
                raise DeviceError(
                    f"{what} within {self.timeout_s:g} s, {len(self._unreceived)} frames inside; "
                    "the accelerator was reset"
                )
            self.device.pause()

    def _progress(self) -> tuple[int, int, bool]:
        return len(self._unsent), len(self._done), self._sending

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Do something with frames; after an error recover, and report what happened.

        An interruption leaves engine and lists in disagreement, which the next call mends.
        """
        self._check_open()
        if self._broken:
            self.recover()
        self._broken = True
        try:
            yield
        except (UserError, LostError):  # nothing has moved
            self._broken = False
            raise
        except DeviceError:
            self.recover()
            raise
        self._broken = False

    # -- control -------------------------------------------------------------------------------

    def recover(self) -> None:
        """Reset DMA engine and accelerator and start again; frames under way are lost.

        The weights stay in their memories.
        """
        self._check_open()
        self._broken = True
        self._forget()
        self._reset()
        self._start()
        self._broken = False

    def load_weights(self) -> None:
        """Write all weights and read them back; the accelerator must stand.

        Raises DeviceError with the first memory and word that differ.
        """
        self._write("WEIGHT_CONTROL", 0)
        self._write("WEIGHT_STATUS", WEIGHTS_ERROR)
        self._write("WEIGHT_CHECKSUM", 0)
        for index, memory in enumerate(self.overlay.memories):
            self._write("WEIGHT_ADDRESS", address(index))
            self.device.write_many(self._at("WEIGHT_DATA"), memory.slices)
        self._check_weights("written")
        self.verify_weights()

    def verify_weights(self) -> None:
        """Read all weights back and compare; the accelerator must stand.

        Raises DeviceError with the first memory and word that differ.
        """
        self._write("WEIGHT_CHECKSUM", 0)
        for index, memory in enumerate(self.overlay.memories):
            self._write("WEIGHT_ADDRESS", address(index))
            found = self.device.read_many(self._at("WEIGHT_DATA"), len(memory.slices))
            wrong = np.flatnonzero(found != memory.slices)
            if len(wrong):
                raise DeviceError(_difference(memory, int(wrong[0]), found))
        self._check_weights("read back")

    def _check_weights(self, what: str) -> None:
        self._until("WEIGHT_STATUS", WEIGHTS_BUSY, 0, f"weights not {what}")
        if self._read("WEIGHT_STATUS") & WEIGHTS_ERROR:
            raise DeviceError(f"weight chain error: not all weights were {what}")
        found = self._read("WEIGHT_CHECKSUM")
        if found != self.overlay.checksum:
            raise DeviceError(
                f"the checksum of the weights {what} is {found:#010x}, the overlay has "
                f"{self.overlay.checksum:#010x}"
            )

    def _check_identity(self) -> None:
        overlay = self.overlay
        for register, expected in (
            ("MAGIC", overlay.magic), ("VERSION", overlay.version),
            ("CONFIG_HASH", overlay.config_hash),
        ):  # fmt: skip
            found = self._read(register)
            if found != expected:
                raise DeviceError(
                    f"{register} of {self.device.where} is {found:#010x}, {overlay.folder} has "
                    f"{expected:#010x}; bitstream and settings.json do not belong together"
                )

    def _measure_clock(self) -> float:
        """MHz by the cycle counter against the device's time.

        The counter is read somewhere between two readings of the time, so the clock is known to lie
        between two values. DeviceError if none of those is the clock of the overlay.
        """
        begin, first, after_begin = self.device.time(), self._cycles(), self.device.time()
        while self.device.time() - after_begin < CLOCK_PART * self.timeout_s:
            self.device.pause()
        before_end, last, end = self.device.time(), self._cycles(), self.device.time()
        cycles = (last - first) % (1 << 32)
        low, high = (1e-6 * cycles / span for span in (end - begin, before_end - after_begin))
        expected = self.overlay.clk_mhz
        if low > expected * (1 + CLOCK_TOLERANCE) or high < expected * (1 - CLOCK_TOLERANCE):
            raise DeviceError(
                f"the accelerator runs at {low:.1f} to {high:.1f} MHz, the overlay was made for "
                f"{expected:g} MHz; restart the board, and see docs/board.md"
            )
        return (low + high) / 2

    def _cycles(self) -> int:
        return self._read("CYCLES")  # the low half

    def _reset(self) -> None:
        """Reset everything but the registers and the contents of the memories.

        Between the first reset of the accelerator and that of the DMA engine the engine sends on:
        a part of a packet whose rest never comes. The second reset of the accelerator removes it.
        The first one lets an engine end that waited for the accelerator.
        """
        try:
            self._soft_reset()
        finally:  # the engine must not write into memory that may be given back
            self.device.reset_dma()
        self._soft_reset()
        self._write("ERRORS", (1 << len(self.overlay.errors)) - 1)

    def _soft_reset(self) -> None:
        self._write("CONTROL", RESET)
        self._until("STATUS", RESETTING, 0, "the soft reset did not end")

    def _start(self) -> None:
        self._write("WEIGHT_CONTROL", WEIGHTS_RUN)
        self._until("WEIGHT_STATUS", WEIGHTS_RUNNING, WEIGHTS_RUNNING, "the weights do not stream")

    def _until(self, register: str, mask: int, value: int, what: str) -> None:
        begin = self.device.time()
        while self._read(register) & mask != value:
            if self.device.time() - begin > self.timeout_s:
                raise DeviceError(f"{what} within {self.timeout_s:g} s; load the overlay again")

    def _check_errors(self) -> None:
        bits = self._read("ERRORS")
        names = [name for i, name in enumerate(self.overlay.errors) if bits >> i & 1]
        if names:
            raise DeviceError(
                f"the accelerator reports {', '.join(names)}; it was reset, frames under way are "
                "lost"
            )

    def _check_open(self) -> None:
        if self._closed:
            raise UserError("the backend fpga is closed; open it again")

    def _check_ticket(self, ticket: int) -> None:
        if 0 <= ticket < self._next and ticket not in self._slots:
            raise LostError(f"frame {ticket} is lost or was collected; submit it again")
        if ticket not in self._slots:
            raise UserError(f"frame {ticket} was never submitted")

    def _at(self, register: str) -> int:
        return self.overlay.registers[register]

    def _read(self, register: str) -> int:
        return self.device.read(self._at(register))

    def _write(self, register: str, value: int) -> None:
        self.device.write(self._at(register), value)


def open_board(folder: Path) -> FpgaBackend:
    """Load the overlay in ``folder`` into the KV260 and open it.

    Raises:
        UserError: this is no board with pynq, or the folder is not usable.
        DeviceError: the accelerator does not work.
    """
    from host.board.pynq_device import PynqDevice, require_pynq

    require_pynq()
    overlay = read_overlay(folder)
    return FpgaBackend(overlay, PynqDevice(overlay.bitstream))


def _lock(device: Device) -> socket.socket:
    """Exclusive use of the device until the socket is closed, or the program has ended.

    The name of a socket can be taken once on a machine; this one is no file (Linux).
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0landmarks_{device.name}")
    except OSError as error:
        lock.close()
        raise UserError(
            f"{device.where} is used by another driver; end that program first"
        ) from error
    return lock


def _difference(memory: Memory, position: int, found: U32Array) -> str:
    word, part = divmod(position, slices_per_word(memory.bits))
    return (
        f"weight memory {memory.name} word {word} slice {part} reads "
        f"{int(found[position]):#010x}, written was {int(memory.slices[position]):#010x}"
    )
