"""The text files of a packed model's project: pyproject.toml, README.md and the package's ``__init__.py``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_st.hub.installed import FOLDER, GROUP

from .names import PackedName

_PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = {distribution}
version = {version}
description = {description}
readme = "README.md"
requires-python = ">=3.11"
{licence}license-files = {legal}
keywords = ["edge-st", "sentence-transformers", "model"]

[project.entry-points.{group}]
{names}

[tool.hatch.build]
ignore-vcs = true

[tool.hatch.build.targets.wheel]
core-metadata-version = "2.4"
packages = [{package}]
"""
_README = """\
# {name} for edge-st

{article} {task} model of the sentence-transformers family, in the form that edge-st runs without PyTorch. This package
holds data only: no code and no dependencies. Once it is installed, the model loads by its name, without a download:

```python
from edge_st import {model_type}

model = {model_type}("{name}")
```

{facts}

{graphs}{card}"""
_CARD = "The model's own card is `{package}/{folder}/README.md`.\n"
_NO_CODE = '"""Data of the model {name}, nothing to import: edge-st finds the folder {folder} by an entry point."""\n'


@dataclass(frozen=True)
class Description:
    """What the files say; ``record`` is the content of edge_st.json, empty if the folder has none."""

    name: PackedName
    version: str
    model_type: str
    task: str
    licence: str | None
    legal: tuple[str, ...]
    has_card: bool
    record: Mapping[str, Any]

    def pyproject(self) -> str:
        """The content of pyproject.toml. Strings and lists are written as JSON, which is valid TOML."""
        name = self.name
        return _PYPROJECT.format(
            distribution=json.dumps(name.distribution),
            version=json.dumps(self.version),
            description=json.dumps(f"The {self.task} model {name.short} for edge-st: data, no code"),
            licence="" if self.licence is None else f"license = {json.dumps(self.licence)}\n",
            legal=json.dumps(self.legal),
            group=json.dumps(GROUP),
            names="\n".join(f"{json.dumps(found)} = {json.dumps(name.package)}" for found in name.found_as),
            package=json.dumps(name.package),
        )

    def readme(self) -> str:
        """The content of README.md: what the package is, where the model comes from, and the parity of its graphs."""
        text = _README.format(
            name=self.name.short,
            article="An" if self.task[0] in "aeiou" else "A",
            task=self.task,
            model_type=self.model_type,
            facts="\n".join(f"- {title}: {value}" for title, value in self._facts().items() if value is not None),
            graphs=self._graphs(),
            card=_CARD.format(package=self.name.package, folder=FOLDER) if self.has_card else "",
        )
        return f"{text.rstrip()}\n"

    def docstring(self) -> str:
        """The content of ``__init__.py``."""
        return _NO_CODE.format(name=self.name.short, folder=FOLDER)

    def _facts(self) -> dict[str, object]:
        source, tools = self.record.get("source", {}), self.record.get("made_with", {})
        revision = source.get("revision")
        origin = f"`{source.get('name')}`, {f'revision `{revision}`' if revision else 'no revision recorded'}"
        weights = self.record.get("weights_sha256")
        return {
            "found as": ", ".join(f"`{name}`" for name in self.name.found_as),
            "made from": origin if source else None,
            "licence": f"{self.licence}, as the model's card says"
            if self.licence
            else "not stated in the model's card",
            "dimensions": self.record.get("dimension"),
            "longest text": f"{limit} tokens" if (limit := self.record.get("max_seq_length")) else None,
            "fingerprint": f"`{self.record['fingerprint']}`" if self.record else None,
            "SHA-256 of the original's weights": f"`{weights}`" if weights else None,
            "made with": ", ".join(f"{tool} {version}" for tool, version in tools.items()) or None,
        }

    def _graphs(self) -> str:
        head = ["| graph | engine | precision | lowest cosine with the original |", "|---|---|---|---|"]
        rows = [
            f"| `{graph['file']}` | {graph['engine']} | {graph['dtype']} | {_cosine(graph)} |"
            for graph in self.record.get("graphs", ())
        ]
        return "\n".join([*head, *rows, "", ""]) if rows else ""


def _cosine(graph: Mapping[str, Any]) -> str:
    return f"{graph['cosine_min']:.6f}" if "cosine_min" in graph else "not measured"
