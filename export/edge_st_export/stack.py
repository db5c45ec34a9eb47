"""The installed versions of what an export needs, checked before any of it is imported."""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from edge_st_runtime.errors import INSTALL_EXPORT

from .errors import ExportError

#: distributions that fail in odd ways beside others of a version that they do not ask for → those others
_PAIRS = {
    "sentence-transformers": ("transformers", "torch"),
    "optimum-onnx": ("transformers", "optimum"),
    "optimum-intel": ("transformers", "optimum"),
    "torchvision": ("torch",),
}
#: not needed by an export, so the way out is to remove it
_NOT_NEEDED = ("optimum-onnx", "torchvision")


def version_of(distribution: str) -> str | None:
    """The installed version, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def check_stack() -> None:
    """Raise ExportError where two installed packages do not fit each other, with the command that mends it."""
    for distribution in _PAIRS:
        for misfit in _misfits(distribution):
            raise ExportError(f"{misfit}; {_mend(distribution)}")
    _check_torchvision()


def _misfits(distribution: str) -> Iterator[str]:
    """What ``distribution`` asks for and is installed in another version."""
    installed = version_of(distribution)
    for requirement in map(Requirement, [] if installed is None else requires(distribution) or ()):
        found = version_of(requirement.name)
        if requirement.name not in _PAIRS[distribution] or found is None:
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and not requirement.specifier.contains(found, prereleases=True):
            yield f"{distribution} {installed} needs {requirement.name}{requirement.specifier}, found {found}"


def _check_torchvision() -> None:
    """Load torchvision, which transformers would do, and name it where it was built for another PyTorch."""
    if version_of("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except Exception as error:  # it raises RuntimeError for a missing operator
        found = f"torchvision {version_of('torchvision')} does not load with torch {version_of('torch')}"
        raise ExportError(f"{found} ({error}); {_mend('torchvision')}") from error


def _mend(distribution: str) -> str:
    if distribution in _NOT_NEEDED:
        return f"an export can do without {distribution}: pip uninstall --yes {distribution}"
    return INSTALL_EXPORT
