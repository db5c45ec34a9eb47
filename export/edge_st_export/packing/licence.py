"""The licence in the front matter of a model card, in the form that package metadata takes."""

import re
from pathlib import Path
from typing import Any

import yaml
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from edge_st_runtime.errors import DamagedFileError

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)


def licence_of(card: Path) -> str | None:
    """The licence expression of the model card; None without a card, and for a card without exactly one licence.

    Anything but an SPDX identifier becomes a ``LicenseRef-…``. Source: PEP 639. Raises DamagedFileError where the
    front matter is not YAML.
    """
    stated = _front_matter(card) if card.is_file() else {}
    licence = stated.get("license")
    if licence == "other":
        licence = stated.get("license_name") or licence
    if not isinstance(licence, str) or not licence.strip():
        return None
    try:
        return str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression:
        reference = re.sub(r"[^A-Za-z0-9.]+", "-", licence).strip("-")
        return f"LicenseRef-{reference}" if reference else None


def _front_matter(card: Path) -> dict[str, Any]:
    try:
        found = _FRONT_MATTER.match(card.read_text(encoding="utf-8"))
        content = yaml.safe_load(found["yaml"]) if found else None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DamagedFileError(
            f"{card} cannot be read, so its licence is not known ({error}); correct the YAML between its '---' lines"
        ) from error
    return content if isinstance(content, dict) else {}
