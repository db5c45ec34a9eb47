"""README's Python blocks, so that the tests can run them."""

import re
from pathlib import Path

_README = Path(__file__).parents[2] / "README.md"


def run_blocks(kind: str) -> None:
    """Execute the blocks fenced as ``kind``, in order and in one namespace."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", _README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks, f"README has no {kind!r} block"
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, _README, "exec"), namespace)
