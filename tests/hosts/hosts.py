"""Hosts to try a cluster on, without a second machine.

Each is a network namespace on a common bridge, in which an `sshd` runs that sees only its own
processes, host name, home folder, `/tmp` and `/dev/shm`: what two real hosts would not share is
not shared here. Killing the `sshd`, which is process 1 of its host, kills all of the host at once.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
NETWORK = "10.213.77"
BRIDGE = "psw-bridge"
TOOLS = ("ip", "unshare", "nsenter", "rsync", "ssh", "ssh-keygen", "sshd", "mount")

# Runs as process 1 of a host: $1 its home, $2 its name, then the folders of /tmp
# that it needs (the checkout, the interpreter), which are kept where they are.
START = """
set -eu
home=$1 name=$2; shift 2
hostname "$name"
mount --bind "$home/passwd" /etc/passwd
mount -t tmpfs -o size=16g tmpfs /dev/shm
mount --bind "$home" /srv
for folder in "$@"; do mkdir -p "/srv/keep$folder"; mount --bind "$folder" "/srv/keep$folder"; done
mount -t tmpfs tmpfs /tmp
for folder in "$@"; do mkdir -p "$folder"; mount --bind "/srv/keep$folder" "$folder"; done
mkdir -p /run/sshd
exec "$(command -v sshd)" -D -e -f /srv/sshd_config
"""


def why_not() -> str | None:
    """Why hosts cannot be made here; None where they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in TOOLS if _find(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: openssh-server iproute2 rsync)"
    probe = ["unshare", "-n", "-p", "-m", "-u", "-f", "--mount-proc", "mount", "-t", "tmpfs"]
    tried = subprocess.run([*probe, "probe", "/mnt"], capture_output=True, text=True, check=False)
    return f"namespaces are not allowed here: {tried.stderr.strip()}" if tried.returncode else None


def _find(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@dataclass
class Host:
    """One of them."""

    name: str
    address: str
    home: Path
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        """End every process of it at once, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


class Hosts(contextlib.AbstractContextManager["Hosts"]):
    """Some hosts, and a network from here to them.

    Args:
        num: how many.
        folder: where their homes are put.
    """

    def __init__(self, num: int, folder: Path) -> None:
        self._num = num
        self._folder = folder
        self.key = folder / "key"
        self.hosts: list[Host] = []

    def __enter__(self) -> "Hosts":
        self._clear()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
            _run("ip", "link", "add", BRIDGE, "type", "bridge")
            _run("ip", "address", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
            _run("ip", "link", "set", BRIDGE, "up")
            for number in range(self._num):  # one by one: what was started is ended in any case
                self.hosts.append(self._start(number))
            for host in self.hosts:
                self._wait_for(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            if host.process.poll() is None:
                host.kill()
        self._clear()

    def ssh(self, host: Host, command: str) -> str:
        """Run a command on a host and return what it printed."""
        options = ["-i", self.key, "-o", "StrictHostKeyChecking=no"]
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        return _run("ssh", *options, f"root@{host.address}", command)

    def _start(self, number: int) -> Host:
        name, address = f"psw-host-{number}", f"{NETWORK}.{10 + number}"
        home = self._folder / name
        (home / ".ssh").mkdir(parents=True)
        shutil.copy(self.key.with_suffix(".pub"), home / ".ssh/authorized_keys")
        lines = Path("/etc/passwd").read_text().splitlines()
        kept = [line for line in lines if not line.startswith("root:")]
        (home / "passwd").write_text("\n".join(["root:x:0:0:root:/srv:/bin/bash", *kept, ""]))
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "host_key")
        (home / "sshd_config").write_text(
            "HostKey /srv/host_key\nAuthorizedKeysFile /srv/.ssh/authorized_keys\nUsePAM no\n"
            "PermitRootLogin prohibit-password\nStrictModes no\nPidFile none\nMaxStartups 100\n"
        )
        _run("ip", "netns", "add", name)
        inside, outside = f"psw-in-{number}", f"psw-out-{number}"
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name)
        _run("ip", "link", "set", outside, "master", BRIDGE, "up")
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{address}/24", "dev", inside),
            ("link", "set", inside, "up"),
            # Ray learns a host's own address from its route to the outside.
            ("route", "add", "default", "via", f"{NETWORK}.1"),
        ):
            _run("ip", "-n", name, *command)
        enter = ["ip", "netns", "exec", name, "unshare", "-p", "-m", "-u", "-f", "--mount-proc"]
        kept_folders = [
            str(path)
            for path in {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
            if path.is_relative_to("/tmp")
        ]
        script = ["--kill-child", "bash", "-c", START, "start", home, name, *kept_folders]
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*enter, *script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return Host(name=name, address=address, home=home, process=process)

    def _wait_for(self, host: Host) -> None:
        end = time.monotonic() + 15
        while True:
            try:
                self.ssh(host, "true")
                return
            except RuntimeError as error:
                if time.monotonic() > end or host.process.poll() is not None:
                    log = (self._folder / f"{host.name}.log").read_text()
                    raise RuntimeError(f"{host.name} did not start: {error}\n{log}") from error
                time.sleep(0.2)

    def _clear(self) -> None:
        """Remove the network, also one that a killed run left."""
        for number in range(self._num):
            _try("ip", "link", "delete", f"psw-out-{number}")
            _try("ip", "netns", "delete", f"psw-host-{number}")
        _try("ip", "link", "delete", BRIDGE)


def _run(*command: str | Path) -> str:
    program = _find(str(command[0])) or command[0]
    result = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=False, timeout=60
    )
    if result.returncode:
        told = result.stderr.strip() or result.stdout.strip()
        raise RuntimeError(f"{' '.join(map(str, command))}: {told}")
    return result.stdout


def _try(*command: str) -> None:
    with contextlib.suppress(RuntimeError):
        _run(*command)
