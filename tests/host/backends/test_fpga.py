# SPDX-License-Identifier: Apache-2.0
"""The adapter to pynq with a stand-in for pynq, and what is said where there is no board.

The driver itself is tested on the simulated shell, in tests/build_flows/board.
"""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from host.backends import open_backend
from host.board.pynq_device import DMA_RESET, DMA_RUN, PynqDevice
from host.common.errors import DeviceError, UserError
from tests.host.conftest import ROOT


class Registers:
    """Registers that keep what is written."""

    def __init__(self):
        self.values, self.written = {}, []

    def read(self, offset):
        return self.values.get(offset, 0)

    def write(self, offset, value):
        assert type(value) is int  # as pynq demands
        self.written.append((offset, value))


class Engine:
    """A channel of the DMA engine as pynq has it."""

    def __init__(self):
        self.error, self.running, self.idle, self.transferred = False, True, False, 0
        self.buffers, self.waited, self.started = [], 0, 0

    def transfer(self, buffer):
        if self.buffers and not self.idle:
            raise RuntimeError("DMA channel not idle")
        self.buffers.append(buffer)

    def wait(self):
        self.waited += 1
        self.transferred = self.buffers[-1].nbytes

    def start(self):
        self.started += 1


class Buffer(np.ndarray):
    freed = 0

    def freebuffer(self):
        Buffer.freed += 1


class Clocks:
    """A clock that only has one frequency."""

    def __init__(self, mhz):
        self._mhz = mhz

    fclk0_mhz = property(lambda self: self._mhz, lambda self, value: None)


@pytest.fixture
def board(monkeypatch):
    """The stand-in for pynq; its parts can be changed before the device is opened."""
    dma = SimpleNamespace(mmio=Registers(), sendchannel=Engine(), recvchannel=Engine())
    overlay = SimpleNamespace(
        ip_dict={"landmarks_0": {}, "axi_dma_0": {}},
        landmarks_0=SimpleNamespace(mmio=Registers()),
        axi_dma_0=dma,
    )
    board = SimpleNamespace(
        Overlay=lambda path: overlay,
        overlay=overlay,
        Clocks=Clocks(99.999),
        allocate=lambda shape, dtype: np.zeros(shape, dtype).view(Buffer),
    )
    monkeypatch.setitem(sys.modules, "pynq", board)
    return board


@pytest.fixture
def device(board, tmp_path):
    device = PynqDevice(tmp_path / "landmarks.bit")
    device.open()
    return device


def test_registers(board, device):
    registers = board.overlay.landmarks_0.mmio
    registers.values[8] = 7
    device.write(4, np.uint32(5))
    device.write_many(12, np.array([1, 2**32 - 1], np.uint32))
    assert registers.written == [(4, 5), (12, 1), (12, 2**32 - 1)]
    assert device.read(8) == 7
    assert device.read_many(8, 3).tolist() == [7, 7, 7]


def test_transfers(board, device):
    engine = board.overlay.axi_dma_0.recvchannel
    buffer = device.buffer(16)
    device.receive(buffer)
    assert engine.buffers[0] is buffer
    assert not device.idle("receive")
    assert engine.waited == 0
    with pytest.raises(DeviceError, match="the channel receive takes no transfer: DMA channel not"):
        device.receive(buffer)
    engine.idle = True
    assert device.idle("receive")
    assert (engine.waited, device.received()) == (1, 16)
    device.send(buffer)
    assert not device.idle("send")


@pytest.mark.parametrize("state", [{"error": True}, {"running": False}])
def test_a_failed_transfer(board, device, state):
    dma = board.overlay.axi_dma_0
    dma.mmio.values[0x34] = 0x4011
    vars(dma.recvchannel).update(state)
    with pytest.raises(DeviceError, match="DMA error on the channel receive: status 0x4011"):
        device.idle("receive")
    assert device.idle("send") is False


def test_the_dma_engine_is_reset_and_started(board, device):
    dma = board.overlay.axi_dma_0
    device.reset_dma()
    assert dma.mmio.written == [(0, DMA_RESET), (0, DMA_RUN), (0x30, DMA_RUN)]
    assert (dma.sendchannel.started, dma.recvchannel.started) == (1, 1)
    dma.mmio.values[0] = DMA_RESET
    with pytest.raises(DeviceError, match=r"is not out of its reset after 0\.1 s; restart"):
        device.reset_dma()
    dma.mmio.values[0], dma.mmio.values[0x34] = 0, 1
    with pytest.raises(DeviceError, match=r"the channel receive does not start after 0\.1 s; rest"):
        device.reset_dma()


def test_buffers_are_freed_once(device):
    Buffer.freed = 0
    device.buffer(4), device.buffer(8)
    device.close()
    device.close()
    assert Buffer.freed == 2


def test_a_clock_that_cannot_be_had(board, tmp_path):
    board.Clocks = Clocks(93.75)
    text = r"the clock of the fabric is 93\.75 MHz after it was set to 100 MHz; restart the board"
    with pytest.raises(DeviceError, match=text):
        PynqDevice(tmp_path / "landmarks.bit").open()


def test_another_bitstream(board, tmp_path):
    board.overlay.ip_dict = {"axi_dma_0": {}, "other": {}}
    with pytest.raises(DeviceError, match=r"has no landmarks_0; it has axi_dma_0, other"):
        PynqDevice(tmp_path / "x.bit").open()


def test_an_engine_without_a_channel(board, tmp_path):
    del board.overlay.axi_dma_0.recvchannel
    with pytest.raises(DeviceError, match=r"axi_dma_0 of .*x\.bit has no recvchannel: its \.hwh"):
        PynqDevice(tmp_path / "x.bit").open()


@pytest.mark.parametrize(
    ("error", "text"),
    [(RuntimeError("No Devices Found"), "No Devices Found"), (KeyError("ps"), "'ps'")],
)
def test_a_bitstream_that_cannot_be_loaded(board, tmp_path, error, text):
    def fail(path):
        raise error

    board.Overlay = fail
    with pytest.raises(DeviceError, match=rf"pynq cannot load .*x\.bit: {text}; run as"):
        PynqDevice(tmp_path / "x.bit").open()


def test_off_the_board_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(UserError, match="the backend fpga runs on a KV260 with pynq, which"):
        open_backend("fpga")


def test_the_command_off_the_board():
    """One line on stderr and exit code 1, as a user sees it."""
    program = (
        "import sys; sys.modules['pynq'] = None; sys.argv = ['run.py', '--backend', 'fpga'];"
        "import runpy; runpy.run_path('host/run.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: the backend fpga runs on a KV260 with pynq")
    assert done.stderr.count("\n") == 1


def test_a_missing_overlay_says_how_to_make_it(board, tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*settings\.json: .*make bitstream CONFIG="):
        open_backend("fpga", build=tmp_path / "kv260_1x")
