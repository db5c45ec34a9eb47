"""What ``edge-st pack lambda`` prints."""

import shlex
from collections.abc import Iterator

from .pack import FUNCTION, LAYER, Packed
from .sizes import LIMIT
from .texts import DOCKERFILE

#: bytes of a zip that Lambda takes from a request; larger ones come from S3
_DIRECT = 50 * 1024 * 1024


def report(packed: Packed, arch: str, python: str, handler: str) -> str:
    """The sizes of all parts against Lambda's limit, and what to do next."""
    return "\n".join(_lines(packed, f"Python {python}, {arch}, handler {handler}"))


def _lines(packed: Packed, settings: str) -> Iterator[str]:
    for name, size in packed.sizes.items():
        yield f"{size / 1e6:8.1f} MB  {name}"
    total = sum(packed.sizes.values())
    container = (packed.path / DOCKERFILE).exists()
    limit = "" if container else f" of the {LIMIT / 1e6:.1f} MB (250 MiB) that Lambda takes"
    yield f"{total / 1e6:8.1f} MB  unpacked{limit}"
    if not packed.has_byte_code:
        yield (
            "note: no byte code, as this version of Python is not on the PATH; each cold start will compile the "
            "modules, which takes half a second or more"
        )
    if container:
        yield f"{packed.path}: {settings}\nnext: docker build {shlex.quote(str(packed.path))}, as its {DOCKERFILE} says"
        return
    for name in (LAYER, FUNCTION):
        size = (packed.path / name).stat().st_size
        through = "; upload it through S3, as it has more than 50 MiB" if size > _DIRECT else ""
        yield f"{packed.path / name}  {size / 1e6:.1f} MB{through}"
    yield f"next: publish the layer, then a function with it: {settings}; docs/places/lambda.md has templates"
