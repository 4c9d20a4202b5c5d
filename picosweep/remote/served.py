"""The commands where `--server` names a service: the same words, done there."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from picosweep.remote.service_client import ENDED, LOOK_SECONDS, Client
from picosweep.sweeps.errors import InputError
from picosweep.terminal.console import PlainConsole
from picosweep.terminal.options import print_json

EXIT_CODES: Final = {"completed": 0, "refused": 2, "incomplete": 3, "paused": 130, "cancelled": 130}


def run_there(
    service: Client, spec: Path, *, dry_run: bool, retry_failed: bool, as_json: bool
) -> int:
    """Submit a sweep, or go on with it, and follow it; return the exit code of its driver.

    Raises:
        InputError: the spec cannot be used there, or the service does not answer.
    """
    console = PlainConsole(stderr=as_json, soft_wrap=True)
    if dry_run:
        with console.status("asking the service"):
            plan = service.plan(spec)
        _print_plan(console, plan)
        return 0
    with console.status("asking the service"):
        one = service.submit(spec, retry_failed=retry_failed)
    try:
        one = _follow(service, one, console)
    except KeyboardInterrupt:
        console.print(
            f"{one['sweep']} goes on there; stop it with: "
            f"picosweep --server {service.url} stop {one['sweep']}"
        )
        return 130
    if as_json:
        print_json(one)
    elif one["reason"]:
        console.print(one["reason"])
    console.print(
        f"{one['sweep']}: {one['state']}; picosweep --server {service.url} fetch {one['sweep']}"
    )
    return EXIT_CODES.get(one["state"], 1)


def _follow(service: Client, one: dict[str, Any], console: PlainConsole) -> dict[str, Any]:
    told = ""
    while one["state"] not in ENDED:
        line = _line(service, one)
        if line != told:
            console.print(line)
            told = line
        time.sleep(LOOK_SECONDS)
        one = service.submission(one["id"])
    return one


def _line(service: Client, one: Mapping[str, Any]) -> str:
    if one["state"] == "waiting":
        return f"{one['sweep']} waits, {one['place'] + 1}. in the queue"
    with contextlib.suppress(InputError):  # no trial has begun yet
        (found,) = service.status(one["sweep"])
        if found["winners"]:
            best = found["winners"][0]
            loss = "" if best["val_loss"] is None else f", best val_loss {best['val_loss']:.4f}"
            return f"{one['sweep']}: {_counts(found)}{loss} ({best['architecture']})"
    return f"{one['sweep']} is {one['state']}"


def _counts(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(found["counts"].items()))


def _print_plan(console: PlainConsole, plan: Mapping[str, Any]) -> None:
    console.print(f"about {plan['seconds']:.0f} s in {plan['slots']} slots there")
    for one in plan["architectures"]:
        console.print(
            f"  {one['name']}: {one['num_trials']} trials, "
            f"{one['num_confirmations']} confirmations, "
            f"{one['expected_tokens']:,.0f} tokens expected"
        )
    for remark in plan["remarks"]:
        console.print(remark)


def status_there(service: Client, sweep: str | None, *, as_json: bool) -> None:
    """Say how far sweeps are.

    Raises:
        InputError: there is no such sweep, or the service does not answer.
    """
    found = service.status(sweep)
    if as_json:
        print_json(found)
        return
    console = PlainConsole(soft_wrap=True)
    for one in found:
        state = "running" if one["driver"] else "not running"
        best = one["winners"][0] if one["winners"] else None
        loss = (
            f"; best {best['architecture']} {best['trial_id'][:8]} {best['val_loss']}"
            if best
            else ""
        )
        console.print(f"{one['sweep']}: {state}; {_counts(one)}{loss}")
    if not found:
        console.print("no sweep lies there yet")
