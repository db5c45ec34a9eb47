"""The tokenizers that tests train: models made with them must be the same models in every run."""

import subprocess
import sys
from pathlib import Path

from tests.support.tiny_tokenizers import byte_bpe, clip_bpe, unigram, wordpiece


def trained() -> list[str]:
    return [make().to_str() for make in (wordpiece, byte_bpe, clip_bpe, unigram)]


def test_every_process_trains_the_same() -> None:
    printing = f"from {__name__} import trained; print(*trained(), sep='\\n')"
    root = Path(__file__).parents[3]
    other = subprocess.run(
        [sys.executable, "-c", printing], cwd=root, check=True, capture_output=True, encoding="utf-8"
    )
    assert other.stdout.splitlines() == trained()
