# SPDX-License-Identifier: Apache-2.0
"""Real servers on the loopback: MJPEG by FFmpeg, RTSP by GStreamer, MQTT by mosquitto."""

import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

RTSP = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch("( videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=320,"
                   "height=240,framerate=25/1 ! jpegenc ! rtpjpegpay name=pay0 )")
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read(name):
    return Path(f"/proc/net/{name}").read_text().splitlines()


def served(port):
    """True if this machine listens on a TCP port or has accepted somebody; asked without a visit:
    FFmpeg takes one reader only."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in read(name)]
    return any(row[1].endswith(f":{port:04X}") and row[3] in ("0A", "01") for row in rows)


@contextmanager
def server(words, port):
    """Run a program until it listens on ``port``; it is killed at the end."""
    with subprocess.Popen(
        list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            end = time.monotonic() + 30
            while not served(port):
                assert process.poll() is None, process.stderr.read().decode()
                assert time.monotonic() < end
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


def mjpeg(port):
    """A camera of moving pictures over HTTP, for one reader."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    return server(
        ["ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i",
         "testsrc2=size=320x240:rate=25", "-c:v", "mjpeg", "-f", "mpjpeg", "-listen", 1,
         f"http://127.0.0.1:{port}/cam.mjpg"],
        port,
    )  # fmt: skip


def rtsp(port):
    """A camera of moving pictures over RTSP."""
    python = "/usr/bin/python3"
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([python, "-c", check], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("needs Debian's gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good")
    return server([python, "-c", RTSP, port], port)


def mosquitto(folder, port, *settings):
    """An MQTT broker; ``settings`` are lines of its configuration."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("needs mosquitto")
    lines = [f"listener {port} 127.0.0.1", "persistence false", "user root", *settings]
    if not any(line.startswith("password_file") for line in settings):
        lines.append("allow_anonymous true")
    (folder / "mosquitto.conf").write_text("\n".join([*lines, ""]))
    return server([program, "-c", folder / "mosquitto.conf"], port)
