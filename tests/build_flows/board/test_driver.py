# SPDX-License-Identifier: Apache-2.0
"""The driver on the whole shell in Verilator: exact frames, every error, and what comes after."""

import dataclasses

import numpy as np
import pytest

from host.backends.fpga import RING, FpgaBackend
from host.board.overlay import Memory
from host.board.sim_device import SimDevice
from host.common.errors import DeviceError, UserError
from tests.build_flows.board import tiny


def exact(backend, count=3, seed=9):
    images = tiny.frames(count, seed)
    np.testing.assert_array_equal(backend.run(images), tiny.golden(images))


@pytest.mark.parametrize("stall_seed", [None, 1])
def test_a_hundred_frames_are_exact(overlay, tiny_program, stall_seed, delay):
    device = SimDevice(tiny_program, stall_seed=stall_seed, delay=delay, delay_seed=2)
    with FpgaBackend(overlay, device, timeout_s=1e-3) as backend:
        images = tiny.frames(100)
        np.testing.assert_array_equal(backend.run(images), tiny.golden(images))
        counters = backend.counters()
    assert (counters["frames_in"], counters["frames_out"]) == (100, 100)
    assert counters["frames_dropped"] == 0
    assert 100 * 20 <= counters["busy_cycles"] <= counters["cycles"]


def test_infer_gives_landmarks_and_counters(backend):
    images = tiny.frames(2)
    expected = tiny.golden(images) * 0.5 + np.array([1, 2, 3, 4])
    np.testing.assert_array_equal(backend.infer(images), expected.reshape(2, 2, 2))
    assert backend.details["counters"]["frames_out"] == 2
    assert (backend.name, backend.input_size) == ("fpga", tiny.SIDE)
    assert backend.model.startswith("tiny on simulator ")


def test_frames_are_collected_in_any_order(backend):
    images = tiny.frames(RING)
    tickets = [backend.submit(image) for image in images]
    with pytest.raises(UserError, match="4 frames are under way; collect one before the next"):
        backend.submit(images[0])
    for i in (2, 0, 3, 1):
        np.testing.assert_array_equal(backend.collect(tickets[i]), tiny.golden(images)[i])
    with pytest.raises(DeviceError, match="frame 2 is lost or was collected; submit it again"):
        backend.collect(tickets[2])
    with pytest.raises(UserError, match="frame 17 was never submitted"):
        backend.collect(17)


def test_ready_tells_without_waiting(backend):
    backend.device.let_pass(0, 0)
    ticket = backend.submit(tiny.frames(1)[0])
    assert not backend.ready(ticket)
    for _ in range(10):
        backend.device.pause()
        backend.ready(ticket)
    assert backend.ready(ticket)
    backend.collect(ticket)


def test_the_frame_counter_is_the_simulated_distance(backend, device):
    """FRAME_CYCLES against the cycles in which the simulator saw the last words."""
    ends = []
    for image in tiny.frames(3):
        backend.collect(backend.submit(image))
        ends.append(device.cycles()[1])
    assert backend.counters()["frame_cycles"] == ends[2] - ends[1]


def test_the_cycle_counter_counts_cycles(backend, device):
    device.let_pass(0, 0)
    first, begin = backend.counters()["cycles"], device.cycles()[0]
    device.pause()
    second, end = backend.counters()["cycles"], device.cycles()[0]
    assert second - first == end - begin > 500


def test_the_clock_is_measured(overlay, tiny_program, delay):
    with FpgaBackend(overlay, SimDevice(tiny_program, delay=delay), timeout_s=1e-2) as backend:
        assert backend.clk_mhz == pytest.approx(
            overlay.clk_mhz, rel=0.001 if delay[1] == 0 else 0.1
        )


@pytest.mark.parametrize("clk_mhz", [214.28, 300.0])
def test_another_clock_is_refused(overlay, tiny_program, clk_mhz):
    text = r"the accelerator runs at \d+\.\d to \d+\.\d MHz, the overlay was made for 250 MHz; rest"
    with pytest.raises(DeviceError, match=text):
        FpgaBackend(overlay, SimDevice(tiny_program, clk_mhz), timeout_s=1e-2)


@pytest.mark.parametrize("register", ["magic", "version", "config_hash"])
def test_another_design_is_refused(overlay, tiny_program, delay, register):
    other = dataclasses.replace(overlay, **{register: getattr(overlay, register) ^ 1})
    text = rf"{register.upper()} of simulator .* is 0x.*, .* has 0x"
    with pytest.raises(DeviceError, match=text):
        FpgaBackend(other, SimDevice(tiny_program, delay=delay))


class FlippedWrite(SimDevice):
    """The third slice that is written to a memory has a wrong bit."""

    def write_many(self, offset, values):
        super().write_many(offset, values ^ (np.arange(len(values)) == 2).astype(np.uint32))


class FlippedMemory(SimDevice):
    """A bit of a memory flips behind the check of what was written."""

    flipped = False

    def read_many(self, offset, count):
        if count == 8 and not self.flipped:
            self.flipped = True
            for at, value in ((0x108, 1 << 20 | 1), (0x10C, 0xFFFFFFEF), (0x10C, 0xFF)):
                self.write(at, value)
            self.write(0x110, 0)
            self.write(0x108, 1 << 20)
        return super().read_many(offset, count)


def test_a_wrong_write_is_seen_by_the_checksum(overlay, tiny_program, delay):
    with pytest.raises(DeviceError, match="the checksum of the weights written is 0x"):
        FpgaBackend(overlay, FlippedWrite(tiny_program, delay=delay))


def test_a_flipped_bit_is_seen_by_read_back(overlay, tiny_program, delay):
    text = "weight memory b word 1 slice 0 reads 0xffffffef, written was 0xffffffff"
    with pytest.raises(DeviceError, match=text):
        FpgaBackend(overlay, FlippedMemory(tiny_program, delay=delay))


def test_a_memory_that_does_not_exist_is_a_chain_error(overlay, tiny_program, delay):
    more = Memory("c", 8, 1, np.zeros(1, np.uint32))
    other = dataclasses.replace(overlay, memories=(*overlay.memories, more))
    with pytest.raises(DeviceError, match="weight chain error: not all weights were written"):
        FpgaBackend(other, SimDevice(tiny_program, delay=delay))


@pytest.mark.parametrize(("size", "name"), [(9, "short frame"), (17, "long frame"),
                                            (33, "long frame")])  # fmt: skip
def test_a_wrong_frame_is_reported_and_the_next_is_right(backend, device, size, name):
    device.send(np.full(size, 255, np.uint8))
    while not device.idle("send"):
        device.pause()
    device.pause()
    with pytest.raises(DeviceError, match=f"the accelerator reports {name}; it was reset"):
        backend.run(tiny.frames(1))
    exact(backend)


def test_a_wrong_frame_is_discarded_by_the_hardware(backend, device, overlay):
    """Without any help of the driver: a short, a long and a good frame give one result."""
    good = tiny.frames(1)
    result = device.buffer(16)
    device.receive(result)
    for packet in (np.full(3, 255, np.uint8), np.full(40, 255, np.uint8), good.reshape(-1)):
        device.send(packet)
        while not device.idle("send"):
            device.pause()
    while not device.idle("receive"):
        device.pause()
    assert result.view("<i4").tolist() == tiny.golden(good)[0].tolist()
    assert device.read(overlay.registers["ERRORS"]) == 0b011
    counters = backend.counters()
    names = ("frames_in", "frames_out", "frames_dropped")
    assert [counters[name] for name in names] == [3, 1, 2]


def test_no_result_is_a_timeout(backend, device, overlay):
    device.write(overlay.registers["WEIGHT_CONTROL"], 0)  # no weights: nothing can come
    with pytest.raises(DeviceError, match=r"no result within 0\.001 s, 2 frames inside; the"):
        backend.run(tiny.frames(2))
    exact(backend)


def test_a_reset_in_mid_frame(backend):
    tickets = [backend.submit(image) for image in tiny.frames(3)]
    backend.recover()
    for ticket in tickets:
        with pytest.raises(DeviceError, match=f"frame {ticket} is lost or was collected"):
            backend.collect(ticket)
    exact(backend, 10)


@pytest.mark.parametrize("stall_seed", [None, 3])
def test_recovery_whatever_time_passes_between_the_resets(overlay, tiny_program, stall_seed):
    """An engine in mid-packet pushes more of it into the accelerator that was just reset.

    The packet is as long as a real frame: longer than any reset, shorter than some delays.
    """
    device = SimDevice(tiny_program, stall_seed=stall_seed)
    with FpgaBackend(overlay, device, timeout_s=1e-3) as backend:
        for cycles in (0, 10, 25, 40, 60, 100, 500, 2_500, 12_000, 30_000):
            device.send(np.zeros(112 * 112, np.uint8))
            device.let_pass(cycles, cycles)
            backend.recover()
            device.let_pass(0, 0)
            exact(backend, 2)


def test_after_a_dma_error_it_goes_on(backend, device, monkeypatch):
    receive, images = device.receive, tiny.frames(3)
    with monkeypatch.context() as patch:  # a place too small for the result
        patch.setattr(device, "receive", lambda buffer: receive(buffer[:8]))
        with pytest.raises(DeviceError, match="DMA error on the channel receive: the packet is to"):
            backend.run(images)
    exact(backend)


class Interrupted(SimDevice):
    """Ctrl-C arrives as a call of a given name returns, when it is armed."""

    armed = None

    def _pass(self, name, found=None):
        if self.armed == name:
            self.armed = None
            raise KeyboardInterrupt
        return found

    def send(self, buffer):
        super().send(buffer)
        self._pass("send")

    def idle(self, channel):
        return self._pass(f"idle {channel}", super().idle(channel))


@pytest.mark.parametrize("name", ["send", "idle send", "idle receive"])
@pytest.mark.parametrize("count", [1, 6])
def test_after_an_interruption_every_result_is_that_of_its_frame(
    overlay, tiny_program, name, count
):
    device = Interrupted(tiny_program)
    with FpgaBackend(overlay, device, timeout_s=1e-3) as backend:
        lost = backend.submit(tiny.frames(1)[0])
        device.armed = name
        with pytest.raises(KeyboardInterrupt):
            backend.run(tiny.frames(count))
        exact(backend)
        with pytest.raises(DeviceError, match="frame 0 is lost or was collected"):
            backend.collect(lost)
        exact(backend)


def test_frames_under_way_stay_so_while_others_run(backend):
    frames = tiny.frames(8)
    mine = [backend.submit(frame) for frame in frames[:3]]
    found = backend.run(frames[3:])
    np.testing.assert_array_equal(found, tiny.golden(frames[3:]))
    mine.append(backend.submit(frames[3]))
    with pytest.raises(UserError, match="4 frames are under way; collect one"):
        backend.run(frames[4:])
    found = np.stack([backend.collect(ticket) for ticket in mine])
    np.testing.assert_array_equal(found, tiny.golden(frames[:4]))
    exact(backend)


def test_the_engine_is_stopped_though_the_accelerator_does_not_answer(overlay, tiny_program):
    class Deaf(SimDevice):
        deaf, engine_resets = False, 0

        def read(self, offset):
            found = super().read(offset)
            return 0xFFFF if self.deaf and offset == self.status else found

        def reset_dma(self):
            self.engine_resets += 1
            super().reset_dma()

    device = Deaf(tiny_program)
    device.status = overlay.registers["STATUS"]
    backend = FpgaBackend(overlay, device, timeout_s=1e-4)
    backend.submit(tiny.frames(1)[0])
    device.deaf, before = True, device.engine_resets
    backend.close()
    assert device.engine_resets == before + 1


@pytest.mark.parametrize(("packet", "bit"), [(16, 1), (5, 2)])
def test_the_interrupt_follows_its_enable(backend, device, overlay, packet, bit):
    """Bit 0 when a frame went out, bit 1 at an error; low without enable and when cleared."""
    at = overlay.registers
    device.receive(device.buffer(16))
    device.send(np.zeros(packet, np.uint8))
    for _ in range(3):
        device.pause()
    assert device.read(at["IRQ_STATUS"]) == bit
    assert not device.interrupt()
    device.write(at["IRQ_ENABLE"], 3 - bit)
    assert not device.interrupt()
    device.write(at["IRQ_ENABLE"], bit)
    assert device.interrupt()
    device.write(at["IRQ_STATUS"], bit)
    assert not device.interrupt()
    assert device.read(at["IRQ_STATUS"]) == 0


def test_offsets_without_register_read_zero(backend, device, overlay):
    used = set(overlay.registers.values())
    for offset in (0x30, 0x3C, 0x68, 0xFC, 0x200, 0xFFC):
        assert offset not in used
        device.write(offset, 0xFFFFFFFF)
        assert device.read(offset) == 0
    exact(backend)


def test_two_drivers_at_once_are_refused(backend, device, overlay):
    with pytest.raises(UserError, match="is used by another driver; end that program first"):
        FpgaBackend(overlay, device)
    exact(backend)


def test_closed_is_closed(overlay, tiny_program, delay, caplog):
    """Also with a frame on its way, without a word."""
    backend = FpgaBackend(overlay, SimDevice(tiny_program, delay=delay))
    backend.submit(tiny.frames(1)[0])
    backend.close()
    assert not caplog.records
    backend.close()
    with pytest.raises(UserError, match="the backend fpga is closed; open it again"):
        backend.run(tiny.frames(1))
    again = FpgaBackend(overlay, SimDevice(tiny_program, delay=delay))
    exact(again)
    again.close()


def test_without_weights_uram_is_empty_and_preload_fills_it(overlay, tiny_program, delay):
    with FpgaBackend(
        overlay, SimDevice(tiny_program, preload=True, delay=delay), load=False
    ) as backend:
        exact(backend)


def test_a_simulator_that_ends(overlay, tmp_path):
    program = tmp_path / "simulator"
    program.write_text("#!/bin/sh\necho simulator: broken >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(DeviceError, match="simulator ended: simulator: broken"):
        FpgaBackend(overlay, SimDevice(program))


def test_a_simulator_that_is_none(overlay, tmp_path):
    with pytest.raises(UserError, match="cannot start .*/none: No such file or directory; make it"):
        FpgaBackend(overlay, SimDevice(tmp_path / "none"))


def test_frames_of_another_size_are_refused(backend):
    with pytest.raises(UserError, match=r"the network takes uint8 \(N, 4, 4\) with N at least 1"):
        backend.run(np.zeros((1, 5, 5), np.uint8))
