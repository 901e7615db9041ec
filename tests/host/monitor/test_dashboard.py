# SPDX-License-Identifier: Apache-2.0
"""The web page: what it serves, whom it refuses, and that it works in a browser."""

import http.client
import json
import shutil
import socket
import threading
import time
from dataclasses import fields
from urllib.parse import urlsplit

import pytest

from host.common.errors import UserError
from host.monitor.dashboard import Dashboard
from host.monitor.explain import MEANINGS
from host.monitor.judge import STATE_COLOURS
from host.monitor.pipeline import Pipeline
from host.monitor.state import ALARMS, ASLEEP, STATES
from host.monitor.thresholds import Thresholds, read_thresholds
from host.monitor.track import DirectSearch, Tracker
from tests.host.drivers import Backend, Finder, Source, picture
from tests.host.monitor.test_sinks import observation

ALL = "\ue009a\ue009"  # Ctrl-A for WebDriver


@pytest.fixture
def watched():
    """A dashboard fed by an endless pipeline."""
    dashboard = Dashboard("0")

    def draw(number):
        time.sleep(0.02)
        return picture(left=200 + number % 20)

    tracker = Tracker(Backend(), DirectSearch(Finder()))
    pipeline = Pipeline(Source(draw, 10**9, live=True), tracker, [dashboard])
    dashboard.attach(pipeline)
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    yield dashboard
    pipeline.stop()
    thread.join(5)
    assert not thread.is_alive()


def ask(dashboard, path, body=None, host=None, kind="application/json"):
    url = urlsplit(dashboard.url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    headers = {"Host": host or url.netloc} | ({"Content-Type": kind} if body is not None else {})
    connection.request("GET" if body is None else "POST", path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_the_page_its_state_and_its_stream(watched):
    status, page = ask(watched, "/")
    assert (status, page.count("<canvas")) == (200, 0)
    assert "Driver monitor" in page
    state = wait_for(lambda: (s := json.loads(ask(watched, "/state")[1]))["points"] and s)
    newest = state["points"][-1]["n"]
    assert {"t", "state", "mar", "yaw_deg", "opening"} <= set(state["points"][0])
    assert state["thresholds"]["asleep_s"] == 1.5
    later = json.loads(ask(watched, f"/state?since={newest}")[1])["points"]
    assert all(point["n"] > newest for point in later)
    assert ask(watched, "/nothing")[0] == 404
    url = urlsplit(watched.url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.getheader("Content-Type").startswith("multipart/x-mixed-replace")
    data = answer.read(60_000)
    assert data.count(b"--frame") >= 2
    assert b"\xff\xd8\xff" in data
    answer.close()
    connection.close()
    wait_for(lambda: watched._watchers == 0)


def test_thresholds_change_and_wrong_ones_are_refused(watched):
    assert ask(watched, "/thresholds", '{"asleep_s": 2.5}')[0] == 200
    assert json.loads(ask(watched, "/state")[1])["thresholds"]["asleep_s"] == 2.5
    for body, message in (
        ('{"asleep_s": -1}', "threshold asleep_s=-1; give a number from 0.3 to 10"),
        ('{"sleep": 1}', "unknown threshold 'sleep'; known are"),
        ("[1]", "no JSON object of thresholds"),
        ("{", "Expecting property name"),
    ):
        status, text = ask(watched, "/thresholds", body)
        assert status == 400
        assert message in text
    assert ask(watched, "/thresholds", " " * 5000)[0] == 400
    assert ask(watched, "/thresholds", "{}", kind="text/plain")[0] == 400
    assert ask(watched, "/other", "{}")[0] == 400


def test_what_the_page_says_about_thresholds_and_states(watched):
    about = json.loads(ask(watched, "/about")[1])
    assert [one["name"] for one in about["thresholds"]] == [f.name for f in fields(Thresholds)]
    assert all(len(one["text"]) > 10 for one in about["thresholds"])
    units = {one["name"]: one["unit"] for one in about["thresholds"]}
    assert (units["asleep_s"], units["nod_deg"], units["yawn_mar"]) == ("s", "degrees", "")
    assert [one["name"] for one in about["states"]] == list(STATE_COLOURS)
    assert set(STATES) == set(STATE_COLOURS) <= set(MEANINGS)


def test_calibration_begins_anew_on_a_post(watched):
    called = []
    watched._pipeline.judge.recalibrate = lambda: called.append(True)
    assert ask(watched, "/recalibrate")[0] == 404
    assert called == []
    assert ask(watched, "/recalibrate", "{}")[0] == 200
    assert called == [True]


def test_thresholds_are_saved_where_the_command_line_says(watched, tmp_path):
    status, text = ask(watched, "/save", "{}")
    assert (status, text) == (400, "no file to save to; start with --thresholds FILE, or download "
                              "them\n")  # fmt: skip
    watched._file = tmp_path / "limits.json"
    assert ask(watched, "/thresholds", '{"asleep_s": 2.5, "alarm_states": ["tired"]}')[0] == 200
    assert ask(watched, "/save", "{}")[0] == 200
    saved = read_thresholds(tmp_path / "limits.json")
    assert (saved.asleep_s, saved.alarm_states) == (2.5, ("tired",))
    watched._file = tmp_path / "no" / "limits.json"
    assert "cannot write" in ask(watched, "/save", "{}")[1]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /state?since=%C2%B2 HTTP/1.1\r\nHost: localhost\r\n", 200),
        (b"GET /state?since=" + b"9" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n", 200),
        (b"GET /state?" + b"a=1&" * 50 + b" HTTP/1.1\r\nHost: localhost\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: [\r\n", 400),
        (b"GET / HTTP/1.1\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n", 403),
        (b"POST /thresholds HTTP/1.1\r\nHost: localhost\r\nContent-Length: \xb2\r\n"
         b"Content-Type: application/json\r\n", 400),
        (b"POST /thresholds HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n"
         b"Content-Type: application/json\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: localhost\r\n", 501),
    ],
)  # fmt: skip
def test_odd_requests_get_an_answer_and_no_traceback(watched, capfd, head, status):
    url = urlsplit(watched.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(head + b"\r\n")
        answer = connection.recv(1000)
    assert int(answer.split()[1]) == status
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "body",
    ["[" * 2000, '{"self": 1}', '{"\\ud800": 1}', '{"asleep_s": 1e999}', '{"asleep_s": NaN}',
     '{"asleep_s": ' + "9" * 400 + "}", '{"alarm_states": "asleep"}', '{"alarm_states": [[]]}',
     '{"alarm_states": ["sleepy"]}', '{"": {}}', "\x00"],
)  # fmt: skip
def test_odd_bodies_are_refused(watched, capfd, body):
    assert ask(watched, "/thresholds", body)[0] == 400
    assert capfd.readouterr().err == ""


def test_ipv6():
    dashboard = Dashboard("[::1]:0")
    try:
        assert dashboard.url.startswith("http://[::1]:")
        assert ask(dashboard, "/state")[0] == 200
        assert dashboard.token == ""
    finally:
        dashboard.close()
    dashboard = Dashboard("[::]:0")
    assert len(dashboard.token) > 20
    dashboard.close()


def test_other_sites_cannot_reach_the_loopback_through_the_browser(watched):
    assert ask(watched, "/state", host="evil.example")[0] == 403


def test_beyond_the_loopback_a_token_is_needed():
    dashboard = Dashboard("0.0.0.0:0")
    try:
        assert len(dashboard.token) > 20
        assert dashboard.url.endswith(f"?token={dashboard.token}")
        assert ask(dashboard, "/state")[0] == 403
        assert ask(dashboard, "/state?token=wrong")[0] == 403
        assert ask(dashboard, f"/state?token={dashboard.token}")[0] == 200
        assert ask(dashboard, f"/thresholds?token={dashboard.token}", "{}")[0] == 400
    finally:
        dashboard.close()


@pytest.mark.parametrize(
    "address", ["", "port", "1.2.3.4:", "70000", "::1:80", "[::1:80", "\u0663", "[host]:80"]
)
def test_addresses_that_are_none(address):
    with pytest.raises(UserError, match="the dashboard's address .* is none; give PORT or"):
        Dashboard(address)


def test_a_taken_port_is_named():
    first = Dashboard("0")
    try:
        with pytest.raises(UserError, match="cannot listen at .*: Address already in use; give"):
            Dashboard(str(urlsplit(first.url).port))
    finally:
        first.close()


@pytest.fixture
def browser():
    """Headless Chromium, 1200 pixels wide."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("needs Chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    options.page_load_strategy = "eager"  # the stream of pictures has no end
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1200,1000"):
        options.add_argument(flag)
    page = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield page
    page.quit()


def test_the_page_works_in_a_browser(watched, browser, tmp_path):
    """Picture moves, curves fill, a threshold change takes effect, a button calibrates anew."""
    page = browser
    page.get(watched.url)
    drawn = """const c = document.querySelectorAll("canvas")[arguments[0]];
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return d.filter((v, i) => i % 4 == 3 && v > 0).length"""
    for index in range(3):
        least = wait_for(lambda i=index: page.execute_script(drawn, i), 60)
        wait_for(lambda i=index, n=least: page.execute_script(drawn, i) > n, 60)
    pixels = """const i = document.getElementById("live"), c = document.createElement("canvas");
        c.width = i.naturalWidth; c.height = i.naturalHeight; if (!c.width) return "";
        c.getContext("2d").drawImage(i, 0, 0); return c.toDataURL()"""
    one = wait_for(lambda: page.execute_script(pixels), 60)
    wait_for(lambda: page.execute_script(pixels) not in ("", one), 60)
    state = watched.state(0)["state"]
    wait_for(lambda: page.find_element("id", "state").text in (state, watched.state(0)["state"]))
    field = page.find_element("id", "asleep_s")
    field.send_keys(ALL, "3.25\t")
    wait_for(lambda: watched._pipeline.judge.thresholds.asleep_s == 3.25, 60)
    field.send_keys(ALL, "-1\t")
    wait_for(lambda: "give a number from" in page.find_element("id", "problem").text, 60)
    row = page.find_element("css selector", ".limit:has(#asleep_s)").text
    assert "Eyes closed for this long: asleep." in row
    assert "\ns\n" in row or " s\n" in row
    called = []
    watched._pipeline.judge.recalibrate = lambda: called.append(True)
    page.find_element("id", "recalibrate").click()
    wait_for(lambda: called, 60)
    page.find_element("css selector", "[data-alarm=tired]").click()
    wait_for(lambda: "tired" in watched._pipeline.judge.thresholds.alarm_states, 60)
    page.save_screenshot(str(tmp_path / "dashboard.png"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_seen_at_a_glance_on_a_telephone(browser, scheme):
    """360 pixels wide: nothing sticks out; name, meaning and fault are readable on their colour."""
    page, dashboard = browser, Dashboard("0")
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.get(dashboard.url)
        page.find_element("id", "sound").click()
        colours = set()
        for number, state in enumerate(STATES):
            seen = observation(number, state)
            seen.frame = seen.frame._replace(fault="the picture is frozen")
            dashboard.write(seen)
            wait_for(lambda s=state: page.find_element("id", "state").text == s, 60)
            assert (
                page.find_element("id", "why").text == f"the picture is frozen. {MEANINGS[state]}"
            )
            pulses = "alarm" in page.find_element("id", "banner").get_attribute("class")
            assert pulses == (state in ALARMS)
            colour = page.execute_script(
                "const pen = document.createElement('canvas').getContext('2d');"
                "const banner = document.getElementById('banner');"
                "pen.fillStyle = getComputedStyle(banner).backgroundColor;"
                "pen.fillRect(0, 0, 1, 1); return [...pen.getImageData(0, 0, 1, 1).data]"
            )
            assert contrast(colour[:3], (255, 255, 255)) >= 3  # large letters, WCAG 1.4.3
            colours.add(tuple(colour))
        assert len(colours) == len(STATES)
        assert page.execute_script("return document.documentElement.scrollWidth") == 360
        assert page.execute_script("return scrollY") == 0
        dashboard.write(observation(99, ASLEEP))
        before = page.execute_script("return window.beeps")
        wait_for(lambda: page.execute_script("return window.beeps") >= before + 2, 60)
        dashboard.close()
        wait_for(lambda: page.find_element("id", "state").text == "no connection", 60)
    finally:
        if not dashboard.closed:
            dashboard.close()


def contrast(one, other):
    """Ratio of luminances after WCAG."""

    def luminance(colour):
        parts = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_picture_that_stops_coming_is_told_by_the_page(browser):
    dashboard = Dashboard("0")
    try:
        dashboard.write(observation(0))
        browser.get(dashboard.url)
        wait_for(lambda: browser.find_element("id", "state").text == "stopped", 60)
        assert "nobody is watched" in browser.find_element("id", "why").text
    finally:
        dashboard.close()
