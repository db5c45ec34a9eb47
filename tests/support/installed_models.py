"""Installed distributions with models, for the tests of finding them."""

import shutil
from collections.abc import Mapping
from pathlib import Path

GROUP = "edge_st.models"


def install(
    site: Path,
    points: Mapping[str, str],
    *,
    distribution: str = "tiny-model",
    version: str = "1.0",
    group: str = GROUP,
) -> Path:
    """Write the metadata of a distribution with these entry points into ``site``, a folder of the import path."""
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
    return site


def install_model(site: Path, folder: Path, *names: str, package: str = "tiny_model", distribution: str = "") -> Path:
    """As `install`, with a package that holds a copy of the model ``folder`` and cannot be imported."""
    copy = shutil.copytree(folder, site / package / "model")
    (site / package / "__init__.py").write_text("raise AssertionError('imported')\n")
    install(site, dict.fromkeys(names, package), distribution=distribution or package.replace("_", "-"))
    return copy
