# SPDX-License-Identifier: Apache-2.0
"""What the adapter to pynq says of a wrong board, and where there is none.

The driver itself is tested on the simulated shell and on pynq's own code, in
tests/build_flows/board.
"""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from host.backends import open_backend
from host.board.pynq_device import PynqDevice
from host.common.errors import DeviceError, UserError
from tests.host.conftest import ROOT


class Clocks:
    """A clock that only has one frequency."""

    def __init__(self, mhz):
        self._mhz = mhz

    fclk0_mhz = property(lambda self: self._mhz, lambda self, value: None)


@pytest.fixture
def board(monkeypatch):
    """The stand-in for pynq; its parts can be changed before the device is opened."""
    part = SimpleNamespace(mmio=None)
    overlay = SimpleNamespace(
        ip_dict={"landmarks_0": {}, "axi_dma_0": {}},
        landmarks_0=part,
        axi_dma_0=SimpleNamespace(sendchannel=part, recvchannel=part),
    )
    board = SimpleNamespace(
        __version__="3.0.1",
        Overlay=lambda path: overlay,
        overlay=overlay,
        Clocks=Clocks(99.999),
        allocate=None,
    )
    monkeypatch.setitem(sys.modules, "pynq", board)
    monkeypatch.setattr("host.board.pynq_device.np.__version__", "1.26.4")
    return board


@pytest.mark.parametrize(("boot_mhz", "loads"), [(99.999, 0), (107.1, 1)])
def test_a_clock_that_was_off_is_set_and_the_part_configured_again(
    board, tmp_path, boot_mhz, loads
):
    told = []
    board.Clocks = SimpleNamespace(fclk0_mhz=boot_mhz)
    board.overlay.parser = "parser"
    board.Bitstream = SimpleNamespace(
        download=lambda *what: told.append((*what, board.Clocks.fclk0_mhz))
    )
    PynqDevice(tmp_path / "landmarks.bit").open()
    assert told == [(board.overlay, "parser", 100)] * loads


def test_a_numpy_that_this_pynq_cannot_use(board, tmp_path, monkeypatch):
    monkeypatch.setattr("host.board.pynq_device.np.__version__", "2.2.6")
    with pytest.raises(UserError, match=r"pynq 3\.0\.1 has no buffers with numpy 2\.2\.6; install"):
        PynqDevice(tmp_path / "x.bit").open()
    board.__version__ = "4.0.0"
    PynqDevice(tmp_path / "x.bit").open()


def test_a_clock_that_cannot_be_had(board, tmp_path):
    board.Clocks = Clocks(93.75)
    text = r"the clock of the fabric is 93\.75 MHz after it was set to 100 MHz; restart the board"
    with pytest.raises(DeviceError, match=text):
        PynqDevice(tmp_path / "landmarks.bit").open()


@pytest.mark.parametrize("version", ["2.7.0", "3.0.0", "devel"])
def test_a_pynq_that_is_too_old(board, tmp_path, version):
    board.__version__ = version
    with pytest.raises(UserError, match=rf"pynq {version} is not known .* needs 3\.0\.1 or later"):
        PynqDevice(tmp_path / "x.bit").open()


def test_a_known_pynq(board, tmp_path):
    for board.__version__ in ("3.0.1", "4.0.0", "3.1.2.dev1"):
        PynqDevice(tmp_path / "x.bit").open()


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
    with pytest.raises(DeviceError, match=rf"pynq 3\.0\.1 cannot load .*x\.bit: {text}; run as"):
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
