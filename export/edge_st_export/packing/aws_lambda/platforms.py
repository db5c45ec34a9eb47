"""The machines of AWS Lambda: their architectures, the Pythons that it manages, and the wheels that run there."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge_st_runtime.errors import OptionError

#: what Lambda calls an architecture, and what wheels call it
ARCHITECTURES: Mapping[str, str] = {"x86_64": "x86_64", "arm64": "aarch64"}
PYTHONS = ("3.12", "3.13", "3.14")
#: the CPU features that every machine has: AWS says AVX2 for x86_64; Graviton2, the oldest arm64, has dot products
FEATURES: Mapping[str, frozenset[str]] = {
    "x86_64": frozenset({"avx2", "fma"}),
    "arm64": frozenset({"asimd", "asimddp"}),
}
_OLD = ("3.8", "3.9", "3.10", "3.11")
#: Amazon Linux 2023 has glibc 2.34; wheels for 2.17 are the oldest that are made today
_OLDEST_GLIBC, _GLIBC = 17, 34


@dataclass(frozen=True)
class Platform:
    """An architecture and a version of Python; raises OptionError for those that cannot run edge-st on Lambda."""

    arch: str = "x86_64"
    python: str = "3.13"

    def __post_init__(self) -> None:
        if self.arch not in ARCHITECTURES:
            raise OptionError(f"the architecture is {self.arch!r}; expected one of {', '.join(ARCHITECTURES)}")
        if self.python in _OLD:
            raise OptionError(
                f"Lambda's Python {self.python} runs on Amazon Linux 2, whose glibc 2.26 is too old for ONNX Runtime's "
                f"wheels (2.28); expected one of {', '.join(PYTHONS)}, such as --python 3.13"
            )
        if self.python not in PYTHONS:
            raise OptionError(f"the Python is {self.python!r}; expected one that Lambda has: {', '.join(PYTHONS)}")

    @property
    def tags(self) -> list[str]:
        """The platform tags of wheels that run there, the newest first."""
        machine = ARCHITECTURES[self.arch]
        tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, _OLDEST_GLIBC - 1, -1)]
        return [*tags, f"manylinux2014_{machine}"]

    def __str__(self) -> str:
        return f"{self.arch} with Python {self.python}"


ALL = tuple(Platform(arch, python) for arch in ARCHITECTURES for python in PYTHONS)
