# SPDX-License-Identifier: Apache-2.0
"""The web page: what it serves, whom it refuses, and that it works in a browser."""

import http.client
import json
import shutil
import threading
import time
from urllib.parse import urlsplit

import pytest

from host.common.errors import UserError
from host.monitor.dashboard import Dashboard
from host.monitor.pipeline import Pipeline
from host.monitor.track import DirectSearch, Tracker
from tests.host.drivers import Backend, Finder, Source, picture

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
        ('{"asleep_s": -1}', "threshold asleep_s=-1; give a number above 0"),
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


@pytest.mark.parametrize("address", ["", "port", "1.2.3.4:", "70000"])
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


def test_the_page_works_in_a_browser(watched, tmp_path):
    """Picture moves, curves fill, a threshold change takes effect."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("needs Chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1200,1000"):
        options.add_argument(flag)
    page = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
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
        assert page.find_element("id", "state").text == "normal"
        field = page.find_element("id", "asleep_s")
        field.send_keys(ALL, "3.25\t")
        wait_for(lambda: watched._pipeline.thresholds.asleep_s == 3.25, 60)
        field.send_keys(ALL, "-1\t")
        wait_for(lambda: "give a number above 0" in page.find_element("id", "problem").text, 60)
        page.save_screenshot(str(tmp_path / "dashboard.png"))
    finally:
        page.quit()
