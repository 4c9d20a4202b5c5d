"""Headless Chromium over its DevTools pipe: two file descriptors, no socket, no dependency."""

import fcntl
import json
import os
import shutil
import subprocess
import time
from base64 import b64decode
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
    "--hide-scrollbars", "--remote-debugging-pipe", "--disable-extensions", "--mute-audio",
)  # fmt: skip


def find_browser() -> str | None:
    """Path of a Chromium, or nothing."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of one browser; events that arrive between answers are kept."""

    def __init__(self, *, width: int = 1400, height: int = 900) -> None:
        program = find_browser()
        if program is None:
            raise RuntimeError("no Chromium on this machine")
        self._profile = TemporaryDirectory(prefix="picosweep-browser-", ignore_cleanup_errors=True)
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()

        def onto_3_and_4() -> None:
            """The browser reads commands on descriptor 3 and answers on 4."""
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_child, from_child)]
            for descriptor, end in zip((3, 4), ends, strict=True):
                os.dup2(end, descriptor)

        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(3, 4), preexec_fn=onto_3_and_4,  # noqa: PLW1509 - one thread starts it
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": self._profile.name},
        )  # fmt: skip
        os.close(to_child)
        os.close(from_child)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        try:
            page = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.resize(width, height)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        self._process.terminate()
        self._process.wait(30)
        os.close(self._read)
        os.close(self._write)
        self._profile.cleanup()

    def call(self, method: str, *, within: float = 60, **params: Any) -> dict[str, Any]:
        """One DevTools command; its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        deadline = time.monotonic() + within
        while True:
            answer = self._next(deadline)
            if answer.get("id") != self._number:
                self.events.append(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            else:
                return dict(answer["result"])

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select([self._read], [], [], left)[0]:
                raise TimeoutError("the browser did not answer")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise RuntimeError("the browser ended")
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(head))

    def resize(self, width: int, height: int, *, mobile: bool = False, scale: float = 1) -> None:
        """Sets the window's size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=scale, mobile=mobile,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """Makes the page see a light or dark system."""
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )

    def open(self, page: Path | str) -> None:
        """Opens a file or an address and waits until its scripts have run."""
        url = page if isinstance(page, str) else page.resolve().as_uri()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait(self, condition: str, within: float = 30) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + within
        while not self.run(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(condition)
            time.sleep(0.05)

    def screenshot(self, file: Path, selector: str | None = None) -> Path:
        """The window, or one element whole."""
        params: dict[str, Any] = {"format": "png"}
        if selector:
            box = self.run(
                "(() => {const r = document.querySelector(" + json.dumps(selector) + ")"
                ".getBoundingClientRect();"
                "return {x: r.left + scrollX, y: r.top + scrollY, width: r.width, "
                "height: r.height};})()"
            )
            params |= {"clip": {**box, "scale": 1}, "captureBeyondViewport": True}
        file.write_bytes(b64decode(self.call("Page.captureScreenshot", **params)["data"]))
        return file

    def messages(self) -> list[str]:
        """Everything the console said, errors included."""
        self.run("0")
        said = {"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"}
        return [
            json.dumps(event["params"])[:600]
            for event in self.events
            if event.get("method") in said
        ]

    def requests(self) -> list[str]:
        """Every address the page asked for, but for the page itself and data written in it."""
        urls = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("file:", "data:", "about:"))] + [
            url for url in urls[1:] if url.startswith("file:")
        ]
