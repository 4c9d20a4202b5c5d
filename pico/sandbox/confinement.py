"""What keeps a program in its process: resource limits, then Landlock, then a seccomp filter.

This module runs in an interpreter that knows nothing of Picosweep (see `pico.sandbox.runner`), so
it imports the standard library alone. Each layer is a system call that an ordinary user may make;
none can be taken back. They bind the calling thread: they are set before there is any other.

Sources: the kernel's `Documentation/userspace-api/landlock.rst` and `seccomp_filter.rst`;
`linux/landlock.h`, `linux/seccomp.h`, `linux/filter.h` and the tables of system calls of x86-64 and
of the generic ABI, which AArch64 has.
"""

import contextlib
import ctypes
import errno
import math
import os
import platform
import resource
import struct
from typing import Final

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
RESTRICT_SELF: Final = 446
_VERSION_ONLY: Final = 1
_PATH_BENEATH: Final = 1
_READ_FILE_AND_DIRECTORY: Final = 0b1100
_RIGHTS: Final = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
"""Every right over files that each ABI of Landlock can withhold; later ones add no other."""

_SET_NO_NEW_PRIVILEGES: Final = 38
_SET_DEATH_SIGNAL: Final = 1
_SET_SECCOMP: Final = 22
_FILTER: Final = 2

_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_X32: Final = 0x40000000
"""From this number on calls belong to another ABI of x86-64, with other numbers."""

# What CPython needs to compute, to read its own library and to end. Missing on purpose: whatever
# makes a process, a thread or a socket, sends a signal (`fcntl` can), traces, mounts, renames,
# removes, or changes a mode, an owner, a limit or a priority. Unknown calls are refused as well.
_X86_64: Final = (
    "read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 "
    "munmap=11 brk=12 rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 access=21 "
    "select=23 sched_yield=24 mremap=25 madvise=28 nanosleep=35 getpid=39 exit=60 uname=63 "
    "getcwd=79 readlink=89 gettimeofday=96 getrusage=98 sysinfo=99 times=100 getuid=102 getgid=104 "
    "geteuid=107 getegid=108 getppid=110 sigaltstack=131 gettid=186 time=201 futex=202 "
    "getdents64=217 restart_syscall=219 clock_gettime=228 clock_getres=229 clock_nanosleep=230 "
    "exit_group=231 openat=257 newfstatat=262 readlinkat=267 faccessat=269 pselect6=270 ppoll=271 "
    "getrandom=318 statx=332 rseq=334 faccessat2=439"
)
_AARCH64: Final = (
    "getcwd=17 faccessat=48 openat=56 close=57 getdents64=61 lseek=62 read=63 write=64 pread64=67 "
    "pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 exit=93 exit_group=94 futex=98 "
    "nanosleep=101 clock_gettime=113 clock_getres=114 clock_nanosleep=115 sched_yield=124 "
    "restart_syscall=128 sigaltstack=132 rt_sigaction=134 rt_sigprocmask=135 rt_sigreturn=139 "
    "times=153 uname=160 getrusage=165 gettimeofday=169 getpid=172 getppid=173 getuid=174 "
    "geteuid=175 getgid=176 getegid=177 gettid=178 sysinfo=179 brk=214 munmap=215 mremap=216 "
    "mmap=222 mprotect=226 madvise=233 getrandom=278 statx=291 rseq=293 faccessat2=439"
)
_MACHINES: Final = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}


class LayerMissingError(OSError):
    """This kernel or machine lacks one of the layers."""


def confine(*, seconds: float, memory_bytes: int, readable: list[str]) -> dict[str, str]:
    """Confine this process for good.

    Args:
        seconds: processor time after which the kernel ends it.
        memory_bytes: largest size of its address space.
        readable: folders beneath which it may read files.

    Returns:
        the layers by name, each with its version.

    Raises:
        LayerMissingError: a layer cannot be had; the process may be half confined then.
    """
    limit_resources(seconds=seconds, memory_bytes=memory_bytes)
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "prctl"):
        raise LayerMissingError(f"{platform.system()} has neither Landlock nor seccomp")
    _check("prctl", libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    version = _restrict_files(libc, readable)
    install_filter(filter_program(platform.machine()))
    return {"rlimits": "", "landlock": str(version), "seccomp": ""}


def limit_resources(*, seconds: float, memory_bytes: int) -> None:
    """Limit memory, processor time, files written and files open; never above what was allowed."""
    wanted = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: math.ceil(seconds) + 1,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 32,
    }
    for kind, most in wanted.items():
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # macOS refuses some limits, where nothing is confined anyway.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (allowed, allowed))


def die_with_parent() -> None:
    """Have the kernel end this process when the one that made it ends."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(_SET_DEATH_SIGNAL, 9, 0, 0, 0)


def _restrict_files(libc: ctypes.CDLL, readable: list[str]) -> int:
    """Withhold every right over files but reading beneath some folders; return Landlock's ABI."""
    libc.syscall.restype = ctypes.c_long
    version: int = _check(
        "Landlock (landlock_create_ruleset)",
        libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_ONLY),
    )
    rights = struct.pack("=Q", _RIGHTS[min(version, max(_RIGHTS))])
    ruleset = _check(
        "Landlock (landlock_create_ruleset)",
        libc.syscall(CREATE_RULESET, rights, ctypes.c_size_t(len(rights)), 0),
    )
    for folder in readable:
        opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", _READ_FILE_AND_DIRECTORY, opened)
        _check(
            "Landlock (landlock_add_rule)",
            libc.syscall(ADD_RULE, ruleset, _PATH_BENEATH, rule, 0),
        )
        os.close(opened)
    _check("Landlock (landlock_restrict_self)", libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)
    return version


def install_filter(program: bytes) -> None:
    """Put a seccomp filter on this process and all that it makes, for good.

    Raises:
        LayerMissingError: the kernel refuses it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    content = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: a count of 8-byte instructions, and where they are.
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(content))
    _check("prctl", libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _check("seccomp (prctl)", libc.prctl(_SET_SECCOMP, _FILTER, header, 0, 0))


def filter_program(machine: str) -> bytes:
    """Return a classic BPF program that allows some system calls and refuses all others.

    Raises:
        LayerMissingError: the numbers of this machine's calls are not known here.
    """
    if machine not in _MACHINES:
        raise LayerMissingError(
            f"no filter of system calls for {machine}; there is one for {' and '.join(_MACHINES)}"
        )
    audit, calls = _MACHINES[machine]
    numbers = [int(call.partition("=")[2]) for call in calls.split()]
    steps = [
        (_LOAD, 0, 0, 4),  # the ABI of the call
        (_JUMP_IF_EQUAL, 0, len(numbers) + 2, audit),
        (_LOAD, 0, 0, 0),  # its number
        (_JUMP_IF_AT_LEAST, len(numbers), 0, _X32),
    ]
    steps += [
        (_JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)
    ]
    steps += [(_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _check(what: str, result: int) -> int:
    """Return what a call returned.

    Raises:
        LayerMissingError: it failed.
    """
    if result < 0:
        number = ctypes.get_errno()
        name = errno.errorcode.get(number, str(number))
        raise LayerMissingError(f"{what}: {name}")
    return result
