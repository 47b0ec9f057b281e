"""A headless Chromium, driven with Python's standard library alone."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import urllib.parse

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
         "--disable-background-networking", "--remote-debugging-pipe", "--hide-scrollbars")
READ_PAGE = """(() => {
  const words = (id) => document.getElementById(id)?.textContent ?? "";
  const spans = [...document.querySelectorAll("#log .token")];
  return {state: document.getElementById("main").dataset.state, error: words("error"), model: words("model"),
          text: document.querySelector("#log .text")?.textContent ?? "", spans: spans.map((span) => span.textContent),
          speed: words("speed"), tokens: words("tokens"), joules: words("joules"), co2e: words("co2e"),
          requests: performance.getEntriesByType("resource").map((entry) => entry.name)};
})()"""


def find_browser():
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "there is no Chromium to open the page with; scripts/oracle.sh installs one"
    return path


class Browser:
    """Reads the browser's answers from one pipe and writes calls to another: its descriptors 3 and 4."""

    def __init__(self, path):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read_end, self.commands = os.pipe()
        self.replies, write_end = os.pipe()
        # Copies above 9 cannot be overwritten while 3 and 4 are filled.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (read_end, write_end)]
        self.process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={self.profile.name}", "about:blank"], pass_fds=(3, 4),
            preexec_fn=lambda: (os.dup2(ends[0], 3), os.dup2(ends[1], 4)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in (*ends, read_end, write_end):
            os.close(end)
        self.buffer, self.last_id, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.session = None
            self.call("Browser.close", timeout=5)
            self.process.wait(10)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.commands)
        os.close(self.replies)
        self.profile.cleanup()

    def call(self, method, timeout=60, **params):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            reply = self.receive(deadline)
            if reply.get("id") != self.last_id:
                self.events.append(reply)
            elif "error" in reply:
                raise RuntimeError(f"{method}: {reply['error']['message']}")
            else:
                return reply["result"]

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.replies], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            data = os.read(self.replies, 1 << 16)
            if not data:
                raise RuntimeError("the browser ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"].get("exception", {}).get("description")))
        return result["result"].get("value")

    def wait_for(self, condition, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.evaluate(condition):
                return True
            time.sleep(0.05)
        return False

    def open(self, url):
        problem = self.call("Page.navigate", url=url).get("errorText")
        if problem:
            raise RuntimeError(f"{url}: {problem}")
        return self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'", 30)

    def screenshot(self, path):
        with open(path, "wb") as image:
            image.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def complaints(self):
        """The exceptions and errors that the browser has logged."""
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"].get("exception", {}).get("description")))
            elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found


def page_after_writing(path, url, fields):
    """Opens the server's page with these fields filled in, lets it write, and returns what it then shows."""
    with Browser(path) as browser:
        browser.open(f"{url}/?{urllib.parse.urlencode(fields | {'write': 1})}")
        ended = "['done', 'failed', 'stopped'].includes(document.getElementById('main')?.dataset.state)"
        if not browser.wait_for(ended, 60):
            raise TimeoutError("the page was not done after 60 s")
        return browser.evaluate(READ_PAGE) | {"complaints": browser.complaints()}
