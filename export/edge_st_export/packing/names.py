"""What a packed model is called: by users, by pip and by Python."""

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
                f"the model's name is {self.text!r}; expected letters of ASCII, digits, '-', '_' and '.', with an "
                "owner before a slash or without: give one with --name, such as --name all-MiniLM-L6-v2"
            )

    @property
    def short(self) -> str:
        """The name without its owner."""
        return self.text.rpartition("/")[2]

    @property
    def found_as(self) -> tuple[str, ...]:
        """The names by which edge-st finds the installed model."""
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
    """``name``, else that of what the model in ``folder`` was exported from, else the folder's own.

    Raises OptionError for what is no name.
    """
    with reading(folder / FILE_NAME):
        source = read_optional_json(folder / FILE_NAME).get("source", {}).get("name")
    return PackedName(name or source or folder.resolve().name)
