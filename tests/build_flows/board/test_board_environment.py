# SPDX-License-Identifier: Apache-2.0
"""host/ in an environment as on the board: Python 3.10, its requirements, nothing else of ours."""

import shutil
import subprocess
from pathlib import Path

import pytest

from host.common.paths import ROOT

ABSENT = ("torch", "finn", "onnx", "onnxruntime", "click", "rich", "brevitas", "qonnx")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "host").rglob("*.py")
    if path.stem != "__init__"
)
PROGRAM = f"""
import importlib, importlib.util, sys
assert sys.version_info[:2] == (3, 10), sys.version
found = [name for name in {ABSENT} if importlib.util.find_spec(name)]
assert not found, found
for name in {MODULES}:
    importlib.import_module(name)
import numpy
print(numpy.__version__)
"""
PYNQ = """
from pynq.lib.dma import _SDMAChannel
from types import SimpleNamespace
import numpy as np
import pynq
from host.common.errors import DeviceError
from host.board.pynq_device import DMA_RESET, PynqDevice

class Memory:  # the registers of an AXI DMA engine whose transfers end at once
    def __init__(self): self.status = {4: 0, 0x34: 0}; self.length = 0
    def read(self, offset):
        if offset in self.status: return self.status[offset]
        return self.length if offset in (0x28, 0x58) else 0
    def write(self, offset, value):
        if offset in (0x28, 0x58):
            self.length = value
            self.status[offset - 0x24] = 2

class Buffer(np.ndarray):
    physical_address = 0x1000
    def flush(self): Buffer.flushed = True
    def invalidate(self): Buffer.invalidated = True
    def freebuffer(self): Buffer.freed = True

memory = Memory()
channels = [_SDMAChannel(memory, 1 << 26, 8, kind, False) for kind in (1, 0)]
dma = SimpleNamespace(mmio=memory, sendchannel=channels[0], recvchannel=channels[1])
overlay = SimpleNamespace(ip_dict={"landmarks_0": {}, "axi_dma_0": {}}, axi_dma_0=dma,
                          landmarks_0=SimpleNamespace(mmio=memory))
pynq.Overlay = lambda path: overlay
pynq.allocate = lambda shape, dtype: np.zeros(shape, dtype).view(Buffer)
pynq.Clocks = SimpleNamespace(fclk0_mhz=100.0)
device = PynqDevice("x.bit")
device.open()
buffer = device.buffer(64)
device.receive(buffer)
device.send(buffer)
assert device.idle("send") and device.idle("receive") and device.received() == 64
assert Buffer.flushed and Buffer.invalidated
device.reset_dma()
memory.status[0x34] = 0x21
try:
    device.idle("receive")
except DeviceError as error:
    print(error)
device.close()
assert Buffer.freed
print(pynq.__version__)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def python_3_10():
    """A Python 3.10 that starts; the name on PATH may be a shim of another version."""
    for name in ("python3.10", *Path.home().glob(".pyenv/versions/3.10*/bin/python3.10")):
        program = shutil.which(name)
        if program and subprocess.run([program, "-V"], capture_output=True).returncode == 0:
            return program
    return None


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Python of a new environment with the board's requirements."""
    found = python_3_10()
    if found is None:
        pytest.skip("Python 3.10 is not installed")
    folder = tmp_path_factory.mktemp("board") / "venv"
    subprocess.run([found, "-m", "venv", folder], check=True)
    program = folder / "bin" / "python"
    requirements = ROOT / "host" / "requirements-board.txt"
    install(program, "-r", str(requirements))
    return program


def install(python, *what):
    command = [python, "-m", "pip", "install", "--quiet", *what]
    subprocess.run(command, check=True, capture_output=True)


def output(python, program):
    done = subprocess.run([python, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_host_imports_with_the_requirements_alone(python):
    assert output(python, PROGRAM).startswith("1.26")


def test_the_command_without_pynq_is_one_line(python):
    command = [python, "host/run.py", "--backend", "fpga"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the backend fpga runs on a KV260 with pynq")


def test_the_adapter_fits_the_real_dma_channel(python):
    """pynq's own channel class over registers of a DMA engine made here."""
    install(python, "-r", str(ROOT / "host" / "requirements-board.txt"), "pynq")
    lines = output(python, PYNQ).splitlines()
    assert lines[0] == "DMA error on the channel receive: status 0x21"
    assert int(lines[-1].split(".")[0]) >= 3
