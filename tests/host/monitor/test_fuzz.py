# SPDX-License-Identifier: Apache-2.0
"""Whatever comes from outside ends in a result or in one line, never in a traceback.

The same examples in every normal run. The slow test lets atheris change them by the code that they
reach, FUZZ_S seconds a kind (fuzz.py).
"""

import io
import json
import os
import subprocess
import sys
from contextlib import suppress

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.face import image as pictures
from host.face.header import read_header
from host.monitor.cli import parse_size
from host.monitor.dashboard import Dashboard
from host.monitor.hooks import CommandHook
from host.monitor.pipeline import Pipeline
from host.monitor.sinks.mqtt import parse_broker
from host.monitor.sources import is_picture, open_source
from host.monitor.thresholds import Thresholds, read_thresholds
from host.monitor.track import DirectSearch, Tracker
from host.monitor.web import Handler, split_address
from tests.host.conftest import ROOT
from tests.host.drivers import Backend, Finder, Source, picture

hypothesis = pytest.importorskip("hypothesis", reason="needs hypothesis")
st = pytest.importorskip("hypothesis.strategies")

PIXELS = 10**6  #: that a picture may have here

TEXT = st.text(max_size=60)
NAMES = st.one_of(st.sampled_from(["asleep_s", "alarm_states", "self", "closed_below", ""]), TEXT)
NUMBERS = st.one_of(st.integers(), st.floats(), st.integers(10**300, 10**400))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT, st.sampled_from(["asleep", "tired"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=10,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
DEEP = st.integers(1, 100_000).map(lambda depth: "[" * depth)
CUT = st.tuples(st.integers(0, 9), st.one_of(st.just(1.0), st.floats(0, 1)), st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8))  # fmt: skip
"""Which seed, how much of it, and which bytes become what."""

HEADERS = st.dictionaries(
    st.sampled_from(["Host", "Content-Length", "Content-Type", "Expect", "Transfer-Encoding"]),
    st.one_of(st.sampled_from(["localhost", "application/json", "[", "-1", "\u00b2", "7"]), TEXT),
)
PATHS = st.one_of(
    st.sampled_from(["/", "/state", "/about", "/thresholds", "/recalibrate", "/save", "http://["]),
    TEXT,
)
QUERIES = st.one_of(st.sampled_from(["since=1", "since=%C2%B2", "token=x", "a&" * 20]), TEXT)
REQUESTS = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "get"]), PATHS, QUERIES, HEADERS,
    st.one_of(OBJECTS.map(json.dumps), DEEP, TEXT),
)  # fmt: skip


class Desk:
    """What the checks need, made once."""

    def __init__(self, folder):
        self.folder = folder
        self.dashboard = Dashboard("0")
        tracker = Tracker(Backend(), DirectSearch(Finder()))
        self.dashboard.attach(Pipeline(Source(lambda _: picture(), 1), tracker, []))
        small = np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8)
        endings = (".png", ".jpg", ".bmp", ".webp", ".tif")
        self.pictures = [cv2.imencode(ending, small)[1].tobytes() for ending in endings]
        self.clips = [self._clip(folder / name, code) for name, code in (
            ("a.mp4", "mp4v"), ("a.avi", "MJPG"), ("a.mkv", "mp4v"))]  # fmt: skip

    @staticmethod
    def _clip(path, code):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
        for number in range(5):
            writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
        writer.release()
        return path.suffix, path.read_bytes()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    made = Desk(tmp_path_factory.mktemp("fuzz"))
    yield made
    made.dashboard.close()


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """A damaged size may be large without the test taking gigabytes."""
    monkeypatch.setattr(pictures, "MAX_PIXELS", PIXELS)


def damaged(data, cut):
    _, share, changes = cut
    kept = bytearray(data[: max(1, round(share * len(data)))])
    for at, value in changes:
        kept[min(int(at * len(kept)), len(kept) - 1)] = value
    return bytes(kept)


def thresholds_file(desk, text):
    path = desk.folder / "limits.json"
    path.write_bytes(text.encode(errors="replace"))
    assert isinstance(read_thresholds(path), Thresholds)


def thresholds_object(_, values):
    assert isinstance(Thresholds().changed(**values), Thresholds)


def request(desk, parts):
    method, path, query, headers, body = parts
    lines = [f"{method} {path}?{query} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    head = "\r\n".join(" ".join(line.splitlines()) for line in lines)
    sent = f"{head}\r\n\r\n{body}".encode(errors="replace")
    answer = io.BytesIO()

    class Connection:
        def settimeout(self, _):
            pass

        def makefile(self, *_):
            return io.BytesIO(sent)

        def sendall(self, data):
            answer.write(data)

    Bound = type("Bound", (Handler,), {"dashboard": desk.dashboard})
    Bound(Connection(), ("127.0.0.1", 1), None)
    status = answer.getvalue()
    assert not status or b"HTTP/1." in status or b"<!DOCTYPE" in status


def picture_bytes(desk, cut):
    data = damaged(desk.pictures[cut[0] % len(desk.pictures)], cut)
    image = pictures.decode("x", data)
    assert image.ndim == 3
    assert image.dtype == np.uint8


def header_bytes(_, data):
    header = read_header(data)
    assert header is None or (header.width >= 0 and header.height >= 0)


def container(desk, cut):
    suffix, data = desk.clips[cut[0] % len(desk.clips)]
    path = desk.folder / f"damaged{suffix}"
    path.write_bytes(damaged(data, cut))
    source = open_source(str(path))
    try:
        last = -1.0
        for _ in range(200):
            frame = source.read()
            if frame is None:
                break
            assert frame.time_s >= last
            last = frame.time_s
    finally:
        source.close()


def words(_, text):
    is_picture(text)
    for parse in (parse_size, split_address, parse_broker, CommandHook):
        with suppress(UserError):
            parse(text)


MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"RIFF\0\0\0\0WEBPVP8 ", b"II*\0", b"MM\0*")
KINDS = {
    "thresholds file": (thresholds_file, st.one_of(OBJECTS.map(json.dumps), DEEP, TEXT)),
    "thresholds": (thresholds_object, OBJECTS),
    "request": (request, REQUESTS),
    "picture": (picture_bytes, CUT),
    "header": (header_bytes, st.builds(bytes.__add__, st.sampled_from(MAGIC), st.binary())),
    "container": (container, CUT),
    "words": (words, TEXT),
}


def run(desk, kind, examples, **settings):
    check, strategy = KINDS[kind]

    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=list(hypothesis.HealthCheck), **settings,
    )  # fmt: skip
    @hypothesis.given(strategy)
    def one(value):
        with suppress(UserError):
            check(desk, value)

    return one


@pytest.mark.parametrize("kind", KINDS)
def test_odd_input_is_no_traceback(desk, kind):
    run(desk, kind, 60, derandomize=True)()


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", KINDS)
def test_input_that_seeks_its_way_through_the_code_is_no_traceback(kind, tmp_path):
    pytest.importorskip("atheris", reason="needs atheris")
    seconds = os.environ.get("FUZZ_S", "60")
    command = [sys.executable, "-m", "tests.host.monitor.fuzz", kind, seconds, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, errors="replace")
    told = (done.stdout + done.stderr)[-4000:]
    assert done.returncode == 0, told
    print("\n".join(line for line in told.splitlines() if line.startswith(("stat::", "Done"))))


@pytest.mark.parametrize("kind", ["thresholds", "picture", "container"])
def test_the_examples_reach_what_they_should(desk, kind):
    """Some thresholds are taken and some refused; some damaged files are read and some not."""
    check, strategy = KINDS[kind]
    outcomes = set()

    @hypothesis.settings(max_examples=80, deadline=None, database=None, derandomize=True)
    @hypothesis.given(strategy)
    def one(value):
        try:
            check(desk, value)
            outcomes.add("taken")
        except UserError:
            outcomes.add("refused")

    one()
    assert outcomes == {"taken", "refused"}
