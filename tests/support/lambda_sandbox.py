"""Run what ``edge-st pack lambda`` wrote as Lambda would: AWS's own runtime client in a bare environment.

The root is read-only but for /tmp. There is no home, no /dev/shm and no /sys. The user is not root. Bubblewrap does it.
"""

import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge_st_export.packing.aws_lambda.byte_code import find_python
from edge_st_export.packing.aws_lambda.platforms import PYTHONS, Platform
from edge_st_export.packing.aws_lambda.wheels import install

from .lambda_runtime import RuntimeApi, runtime_api

_CLIENT = ["awslambdaric", "simplejson", "snapshot-restore-py"]
_CGROUP = Path("/sys/fs/cgroup")
_MB = 1 << 20


def missing() -> str | None:
    """What this machine lacks to run functions; None where it has all."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    if pythons() == []:
        return f"none of Python {', '.join(PYTHONS)} is on the PATH"
    return None


def pythons() -> list[str]:
    """The versions of Python that functions can be run with here."""
    return [version for version in PYTHONS if find_python(version) is not None]


def may_limit_memory() -> bool:
    """Whether this user may make memory cgroups."""
    return os.access(_groups(), os.W_OK)


def _groups() -> Path:
    """Where memory cgroups are made: in a folder of their own in version 1."""
    return _CGROUP / "memory" if (_CGROUP / "memory").is_dir() else _CGROUP


@dataclass(frozen=True)
class Sandbox:
    """The unpacked ``layer``, ``function`` and runtime client in ``folder``, for this version of ``python``."""

    folder: Path
    python: str

    @classmethod
    def unpack(cls, packed: Path, folder: Path, python: str) -> "Sandbox":
        """Unpack the zips in ``packed`` below ``folder``, and fetch the client beside them."""
        for name in ("layer", "function"):
            with zipfile.ZipFile(packed / f"{name}.zip") as archive:
                archive.extractall(folder / name)
        install(_CLIENT, Platform(python=python), folder / "runtime")
        return cls(folder, python)

    @contextmanager
    def started(
        self,
        handler: str = "lambda_function.lambda_handler",
        *,
        memory: int | None = None,
        core: int = 0,
        variables: Mapping[str, str] | None = None,
    ) -> Iterator["Running"]:
        """An execution environment with ``memory`` MB on one ``core``: it begins to start now."""
        with runtime_api() as api, _memory_group(memory) as group, tempfile.TemporaryFile() as log:
            began = time.perf_counter()
            given = {"AWS_LAMBDA_RUNTIME_API": api.address, "_HANDLER": handler, **(variables or {})}
            join = "" if group is None else f"echo $$ > {group}/cgroup.procs; "
            command = ["taskset", "-c", str(core), "sh", "-c", f'{join}exec "$@"', "sh", *self._command(given)]
            with subprocess.Popen([*command, "-m", "awslambdaric", handler], stdout=log, stderr=log) as process:
                try:
                    yield Running(api, process, began, group, log)
                finally:
                    process.kill()

    def _command(self, variables: Mapping[str, str]) -> list[str]:
        interpreter = find_python(self.python)
        assert interpreter is not None
        script = "import sys; print(sys.base_prefix)"
        prefix = subprocess.run([interpreter, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
        places = {
            "/usr": "/usr",
            prefix: "/var/lang",
            str(self.folder / "layer"): "/opt",
            str(self.folder / "function"): "/var/task",
            str(self.folder / "runtime"): "/var/runtime",
        }
        settings = {
            "PATH": "/var/lang/bin:/usr/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib",
            "PYTHONPATH": "/var/task:/opt/python:/var/runtime",
            "LAMBDA_TASK_ROOT": "/var/task",
            **variables,
        }
        return [
            *("bwrap", "--unshare-all", "--share-net", "--die-with-parent", "--uid", "993", "--gid", "990"),
            *(word for source, place in places.items() for word in ("--ro-bind", source, place)),
            *(word for name in ("bin", "lib", "lib64") for word in ("--symlink", f"usr/{name}", f"/{name}")),
            *("--proc", "/proc", "--dir", "/dev", "--dev-bind", "/dev/null", "/dev/null"),
            *("--dev-bind", "/dev/urandom", "/dev/urandom", "--tmpfs", "/tmp", "--remount-ro", "/"),
            *("--clearenv", "--chdir", "/var/task"),
            *(word for name, value in settings.items() for word in ("--setenv", name, value)),
            f"/var/lang/bin/python{self.python}",
        ]


@dataclass(frozen=True)
class Running:
    """A started execution environment."""

    api: RuntimeApi
    process: "subprocess.Popen[bytes]"
    began: float
    group: Path | None
    log: IO[bytes]

    def invoke(self, event: Any) -> Any:
        """The function's answer; raises FunctionError for what it raises."""
        try:
            return self.api.result(event, lambda: self.process.poll() is None)
        except TimeoutError as error:
            self.log.seek(0)
            error.add_note(self.log.read().decode(errors="replace"))
            raise

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self.began

    def peak(self) -> float:
        """The most resident memory of the function's process so far, in MB, with the mapped weights."""
        pids = [self.process.pid]
        for pid in pids:
            pids += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        status = Path(f"/proc/{pids[-1]}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e6


@contextmanager
def _memory_group(megabytes: int | None) -> Iterator[Path | None]:
    """A memory cgroup with this limit; None for none. Raises OSError where this user may not make one."""
    if megabytes is None:
        yield None
        return
    group = _groups() / f"edge-st-lambda-{time.monotonic_ns()}"
    group.mkdir()
    try:
        names = ("memory.limit_in_bytes", "memory.max")  # of both versions
        limit = next(group / name for name in names if (group / name).exists())
        limit.write_text(str(megabytes * _MB))
        yield group
    finally:
        _remove(group)


def _remove(group: Path) -> None:
    for _ in range(100):  # the last process takes a moment to go
        try:
            return group.rmdir()
        except OSError:
            time.sleep(0.05)
    return group.rmdir()
