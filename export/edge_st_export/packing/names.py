"""The names of a packed model: for users, for pip and for Python."""

import re
from dataclasses import dataclass
from pathlib import Path

from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import read_optional_json, reading
from edge_st_runtime.model.record import FILE_NAME

_PREFIX = "edge-st-model"
_PART = r"(?![.-])[A-Za-z0-9_.-]{1,96}"
_NAME = re.compile(rf"(?:(?P<owner>{_PART})/)?(?P<name>{_PART})")


@dataclass(frozen=True)
class PackedName:
    """A model's name as on the Hub, ``owner/name`` or ``name``."""

    text: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.text) or not self._normalized:
            raise OptionError(
                f"the model's name is {self.text!r}; expected ASCII letters, digits, '-', '_' and '.', with or "
                "without an owner before a slash; give one with --name, such as --name all-MiniLM-L6-v2"
            )

    @property
    def short(self) -> str:
        """The name without its owner."""
        return self.text.rpartition("/")[2]

    @property
    def found_as(self) -> tuple[str, ...]:
        """The names under which edge-st finds the installed model."""
        return tuple(dict.fromkeys((self.short, self.text)))

    @property
    def distribution(self) -> str:
        """The name for pip, normalized. Source: PEP 503."""
        return f"{_PREFIX}-{self._normalized}"

    @property
    def package(self) -> str:
        """The import package."""
        return self.distribution.replace("-", "_")

    @property
    def _normalized(self) -> str:
        return re.sub(r"[-_.]+", "-", self.short).strip("-").lower()


def name_of(folder: Path, name: str | None) -> PackedName:
    """``name`` if given, else the name of the original in the record of ``folder``, else the folder's own name.

    Raises OptionError for a name that a package cannot have.
    """
    with reading(folder / FILE_NAME):
        source = read_optional_json(folder / FILE_NAME).get("source", {}).get("name")
    return PackedName(name or source or folder.resolve().name)
