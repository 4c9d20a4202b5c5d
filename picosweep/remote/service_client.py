"""A service from a program: what the local commands do, done where `picosweep serve` runs."""

import http.client
import json
import os
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from picosweep.sweeps.errors import InputError, Problem, input_error

TOKEN: Final = "PICOSWEEP_TOKEN"  # noqa: S105 - the name of a variable
TIMEOUT_SECONDS: Final = 600.0
"""A plan may take five minutes, and waits for its turn."""
LOOK_SECONDS: Final = 1.0
ENDED: Final = frozenset({"paused", "completed", "incomplete", "refused", "cancelled", "failed"})


class Client:
    """A service that runs sweeps.

        service = picosweep.Client("http://sweeps.example:8642")
        name = service.submit("sweep.yaml")["id"]
        service.wait(name)
        service.fetch("shakespeare")

    Args:
        url: where it is.
        token: of the service; None: the variable `PICOSWEEP_TOKEN`.

    Raises:
        InputError: the address is none, or there is no token.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise input_error("a service's address begins with http:// or https://", found=url)
        self.url = url.rstrip("/")
        token = os.environ.get(TOKEN, "") if token is None else token
        if not token:
            raise input_error(
                "a service needs its token",
                where=self.url,
                hint=f"it is in .service/token of its results folder; set {TOKEN} to it",
            )
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def submit(
        self, spec: str | Path, *, priority: int = 0, key: str = "", retry_failed: bool = False
    ) -> dict[str, Any]:
        """Put a sweep into the queue and return the submission.

        Args:
            spec: a YAML file.
            priority: higher ones start first.
            key: of your own; the same one submits nothing a second time.
            retry_failed: whether trials that failed in an earlier run are tried again.

        Raises:
            InputError: the spec cannot be used there, or the service does not answer.
        """
        try:
            text = Path(spec).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise input_error(f"cannot read the file: {error}", where=str(spec)) from error
        content = {
            "spec": text, "priority": priority, "key": key, "retry_failed": retry_failed
        }  # fmt: skip
        return self._post("/api/submissions", content, shown=str(spec))

    def plan(self, spec: str | Path) -> dict[str, Any]:
        """Return what a sweep would do and cost there.

        Raises:
            InputError: the spec cannot be used there, or the service does not answer.
        """
        text = Path(spec).read_text(encoding="utf-8")
        return self._post("/api/plan", {"spec": text}, shown=str(spec))

    def submission(self, name: str) -> dict[str, Any]:
        """Return a submission by its id, or the last one of a sweep by its name.

        Raises:
            InputError: there is none, or the service does not answer.
        """
        everything: list[dict[str, Any]] = self._get("/api/submissions")
        found = [one for one in everything if name in (one["id"], one["sweep"])]
        if not found:
            raise input_error("this sweep was not submitted there", where=self.url, found=name)
        return found[-1]

    def wait(self, name: str) -> dict[str, Any]:
        """Wait until a submission has ended, and return it.

        Raises:
            InputError: there is none, or the service does not answer any more.
        """
        while (found := self.submission(name))["state"] not in ENDED:
            time.sleep(LOOK_SECONDS)
        return found

    def status(self, sweep: str | None = None) -> list[dict[str, Any]]:
        """Return how far sweeps are.

        Raises:
            InputError: there is no such sweep, or the service does not answer.
        """
        if sweep is None:
            return list(self._get("/api/sweeps"))
        return [self._get(f"/api/sweeps/{quote(sweep, safe='')}")]

    def stop(self, sweep: str, trial: str | None = None) -> str:
        """Stop a sweep in good order, or one of its trials, and say what has happened.

        Raises:
            InputError: it does not run there, or the service does not answer.
        """
        if trial is not None:
            self._post(f"/api/sweeps/{quote(sweep, safe='')}/stop-trial", {"trial_id": trial})
            return f"trial {trial} ends at its next report"
        one = self.submission(sweep)
        self._post(f"/api/submissions/{one['id']}/pause", {})
        return f"{sweep} stops in good order; `resume` goes on with it"

    def resume(self, sweep: str, *, retry_failed: bool = False) -> dict[str, Any]:
        """Put a sweep into the queue again.

        Raises:
            InputError: it waits or runs, or the service does not answer.
        """
        one = self.submission(sweep)
        content = {"retry_failed": retry_failed}
        return self._post(f"/api/submissions/{one['id']}/resume", content)

    def logs(self, sweep: str, *, follow: bool = False) -> Iterator[str]:
        """Yield what a sweep's last driver has logged lately, line by line.

        Args:
            sweep: its name.
            follow: whether to wait for more as long as it runs.

        Raises:
            InputError: there is no such sweep, or the service does not answer.
        """
        last: list[str] = []
        while True:
            text: str = self._get(f"/api/sweeps/{quote(sweep, safe='')}/log")["text"]
            lines = text.splitlines(keepends=True)
            yield from lines[_overlap(last, lines) :]
            last = lines
            if not follow or self.status(sweep)[0]["driver"] is None:
                return
            time.sleep(LOOK_SECONDS)

    def fetch(
        self, sweep: str, results: str | Path = "results", *, checkpoints: bool = False
    ) -> Path:
        """Bring a sweep's folder here and return its path.

        Raises:
            InputError: there is no such sweep, the folder cannot be written, or the service does
                not answer.
        """
        target = Path(results) / sweep
        query = urlencode({"checkpoints": str(checkpoints).lower()})
        address = f"/api/sweeps/{quote(sweep, safe='')}/archive?{query}"
        try:
            target.mkdir(parents=True, exist_ok=True)
            with self._open(address) as answer, tarfile.open(fileobj=answer, mode="r|") as archive:
                # Neither links nor paths that lead out of the folder.
                archive.extractall(target, filter="data")
        except tarfile.TarError as error:
            raise input_error(f"the sweep came in pieces: {error}", where=self.url) from error
        except OSError as error:
            raise input_error(f"cannot write here: {error}", where=str(target)) from error
        return target

    def _get(self, path: str) -> Any:
        with self._open(path) as answer:
            return json.load(answer)

    def _post(self, path: str, content: Mapping[str, Any], shown: str = "") -> dict[str, Any]:
        with self._open(path, json.dumps(dict(content)).encode(), shown) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _open(self, path: str, body: bytes | None = None, shown: str = "") -> Any:
        request = urllib.request.Request(  # noqa: S310 - http or https, checked above
            self.url + path, data=body, headers=self._headers
        )
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
        except urllib.error.HTTPError as error:
            raise InputError(*_problems(error, self.url, shown)) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise input_error(f"the service does not answer: {reason}", where=self.url) from error


def _overlap(before: list[str], now: list[str]) -> int:
    """Return how many lines of an answer an earlier one ended with."""
    for length in range(min(len(before), len(now)), 0, -1):
        if before[-length:] == now[:length]:
            return length
    return 0


def _problems(error: urllib.error.HTTPError, url: str, shown: str) -> list[Problem]:
    """Return what a service said of a request, with the file's own name in it."""
    try:
        told = json.load(error)["problems"]
        return [
            Problem(**{**one, "where": one.get("where", "").replace("spec.yaml", shown) or url})
            for one in told
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [Problem(message=f"the service answers {error.code}", where=url)]
