"""`picosweep serve`: the application behind its guard, on a socket."""

import contextlib
import ipaddress
import logging
import os
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from picosweep.service.guard import App, Guard, Keys, service_token
from picosweep.service.looking import Looker
from picosweep.service.news import News
from picosweep.service.queue.manager import FOLDER, Manager
from picosweep.service.sweep_view import Views
from picosweep.service.sweeps import Sweeps
from picosweep.service.untrusted import Allowed
from picosweep.service.webhook import Notifier, Target
from picosweep.sweeps.errors import input_error

DEFAULT_PORT: Final = 8642
GRACE_SECONDS: Final = 3
OF_CLIENTS: Final = frozenset({"PICOSWEEP_SERVER", "PICOSWEEP_TOKEN"})
"""Variables that would let a driver hand its sweep to the service again."""
MOST_FILES: Final = 8192
"""Open files, of which each watcher is one: as far as the machine allows it."""

log = logging.getLogger("picosweep.service")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the service is run."""

    results: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    address: str = ""
    """Ray cluster that sweeps join; empty: each starts a Ray of its own."""
    at_once: int = 1
    hosts: Sequence[str] = ()
    allowed: Allowed = field(default_factory=Allowed)
    behind_tls: bool = False
    """Whether a reverse proxy terminates TLS: cookies are then for https alone."""
    notify: str = ""
    """Where messages go; empty: nowhere."""
    notify_private: bool = False
    """Whether that may lie in this machine's own networks."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A service that is ready to be started."""

    app: App
    """The application behind its guard."""
    manager: Manager
    """The queue; it is not at work yet."""
    keys: Keys
    views: Views
    sweeps: Sweeps


def make_service(settings: Settings) -> Made:
    """Return the parts of a service.

    Raises:
        InputError: another service holds the results folder, or it cannot be written.
    """
    from picosweep.service.api import Service, make_app  # noqa: PLC0415
    from picosweep.service.events import Broadcast  # noqa: PLC0415
    from picosweep.service.pages import add_pages  # noqa: PLC0415

    environment = {name: value for name, value in os.environ.items() if name not in OF_CLIENTS}
    if settings.address:
        environment["RAY_ADDRESS"] = settings.address
    results = settings.results.absolute()
    manager = Manager(results, at_once=settings.at_once, environment=environment)
    try:
        keys = Keys(token=service_token(manager.folder))
        views = Views(results)
        sweeps = Sweeps(results, views)
        service = Service(
            manager=manager,
            looker=Looker(results=results, allowed=settings.allowed, environment=environment),
            sweeps=sweeps,
            broadcast=Broadcast(views),
        )
        app = make_app(service)
        add_pages(app, service, keys, behind_tls=settings.behind_tls)
        hosts = [*settings.hosts, *([] if _is_any(settings.host) else [settings.host])]
        guard = Guard(
            app, keys=keys, hosts=hosts, is_local=settings.is_local, behind_tls=settings.behind_tls
        )
        return Made(app=guard, manager=manager, keys=keys, views=views, sweeps=sweeps)
    except BaseException:
        manager.close()
        raise


def serve(
    results: str | Path = "results",
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    address: str = "",
    at_once: int = 1,
    allow_host: Sequence[str] = (),
    allow_files: Sequence[str | Path] = (),
    allow_code: bool = False,
    behind_tls: bool = False,
    notify: str = "",
    notify_private: bool = False,
    say: Callable[[str], None] = log.warning,
) -> None:
    """Serve sweeps to browsers and programs until the process is asked to end; sweeps go on.

    Args:
        results: folder in which sweeps land.
        host: address to listen on; any but this machine's own needs the token for everything.
        port: where to listen.
        address: Ray cluster that sweeps join; empty: each starts a Ray of its own.
        at_once: sweeps that run at the same time.
        allow_host: names by which the service may be called, beside its address.
        allow_files: folders whose files submitted specs may read.
        allow_code: whether submitted specs may import classes, and run code without a sandbox.
        behind_tls: whether a proxy in front speaks https.
        notify: address that is told when a sweep ends, fails or has a new best trial.
        notify_private: whether that may lie in this machine's own networks.
        say: told where the service is.

    Raises:
        InputError: what the service needs is not installed, its address is taken, or another
            service holds the results folder.
    """
    settings = Settings(
        results=Path(results), host=host, port=port, address=address, at_once=at_once,
        hosts=tuple(allow_host), behind_tls=behind_tls, notify=notify,
        notify_private=notify_private,
        allowed=Allowed(
            code=allow_code, folders=tuple(Path(one).absolute() for one in allow_files)
        ),
    )  # fmt: skip
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise input_error(
            "the service is not installed", hint="pip install 'picosweep[serve]'"
        ) from error
    if _is_any(settings.host) and not settings.hosts:
        raise input_error(
            "it must be known by which name the service is called",
            key="--host",
            found=settings.host,
            hint="give --allow-host NAME, or the address of one interface as --host",
        )
    target = _target(settings)
    made = make_service(settings)
    manager = made.manager
    config = uvicorn.Config(
        made.app, host=settings.host, port=settings.port, access_log=False, server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS, log_level="warning", lifespan="on",
        proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    try:
        listener = config.bind_socket()
    except SystemExit as error:  # uvicorn's way to say that the address is taken
        manager.close()
        raise input_error(
            "cannot listen there", found=f"{settings.host}:{settings.port}", hint="another --port"
        ) from error
    log.setLevel(logging.INFO)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    news = None
    if target is not None:
        secret = made.keys.webhook()
        say(f"messages to {target.url} are signed by the secret {_hint(manager, secret)}")
        news = News(manager, made.views, Notifier(replace(target, secret=secret)))
    manager.start()
    # Whoever comes first need not wait until journals are read.
    threading.Thread(target=made.sweeps.summaries, args=(manager.all(),), daemon=True).start()
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    say(f"http://{shown}:{settings.port}/  serves {settings.results}; Ctrl-C ends it, sweeps go on")
    if sys.stderr.isatty():
        # After `#`: no browser sends it to a server, and it stands in no log.
        say(
            f"to change things, log in once: http://{shown}:{settings.port}/login#{made.keys.token}"
        )
    else:
        say(f"a browser is asked once for the token in {manager.folder / 'token'}")
    try:
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when all is closed
            server.run(sockets=[listener])
    finally:
        if news is not None:
            news.close()
        manager.close()


def _target(settings: Settings) -> Target | None:
    if not settings.notify:
        return None
    return Target(url=settings.notify, secret="", allow_private=settings.notify_private)


def _hint(manager: Manager, secret: str) -> str:
    """Write the secret beside the token, and return where it is."""
    path = manager.folder / "webhook-secret"
    path.touch(mode=0o600)
    path.write_text(f"{secret}\n", encoding="ascii")
    return f"in {path}"


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def token_of(results: Path) -> str:
    """Return the token of the service of a results folder.

    Raises:
        InputError: it has none, or it cannot be read.
    """
    try:
        return (results / FOLDER / "token").read_text(encoding="ascii").strip()
    except OSError as error:
        raise input_error("no token of a service", where=str(results / FOLDER)) from error
