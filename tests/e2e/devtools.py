"""A browser that is driven over its DevTools protocol, through two pipes (--remote-debugging-pipe): no port is open."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class DevtoolsError(Exception):
    """The browser refused a command, or its page threw."""


class Page:
    """One page of a browser."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self._requests = requests
        self._answers = answers
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None and not method.startswith("Browser."):
            message["sessionId"] = self._session
        self._requests.write(json.dumps(message).encode() + b"\0")
        self._requests.flush()
        while True:
            found = self._read()
            if found.get("id") == self._number:
                if "error" in found:
                    raise DevtoolsError(f"{method}: {found['error']['message']}")
                result: dict[str, Any] = found["result"]
                return result

    def wait(self, method: str, **wanted: Any) -> dict[str, Any]:
        """The next event of a kind whose parameters have these values."""
        while True:
            for event in self.events:
                if event["method"] == method and wanted.items() <= event["params"].items():
                    self.events.remove(event)
                    parameters: dict[str, Any] = event["params"]
                    return parameters
            self._read()

    def open(self, address: str) -> None:
        """Go somewhere, and wait until everything is loaded."""
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, once it is settled."""
        answer = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise DevtoolsError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait for an expression to be true; the page looks after each frame."""
        self.evaluate(
            f"new Promise((done) => {{ const look = () => ({expression}) ? done(true) "
            ": setTimeout(look, 20); look(); })"
        )

    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file to an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def click(self, selector: str) -> None:
        """Click, as a person does."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def _read(self) -> dict[str, Any]:
        content = bytearray()
        while (octet := self._answers.read(1)) != b"\0":
            if not octet:
                raise DevtoolsError("the browser has ended")
            content += octet
        found: dict[str, Any] = json.loads(content)
        if "method" in found:
            self.events.append(found)
        return found


@contextmanager
def browser(directory: Path) -> Iterator[Page]:
    """A browser with a profile of its own, without a window, that ends with the block."""
    assert CHROMIUM is not None
    to_browser, requests = os.pipe()
    answers, from_browser = os.pipe()
    words = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={directory / 'profile'}", "--remote-debugging-pipe", "--lang=vi",
    ]  # fmt: skip
    # The browser reads commands from descriptor 3 and writes to descriptor 4.
    script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", script, "browser", *words],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser)
    os.close(from_browser)
    with os.fdopen(requests, "wb") as out, os.fdopen(answers, "rb") as back:
        try:
            yield Page(out, back)
        finally:
            process.terminate()
            process.wait(timeout=30)
