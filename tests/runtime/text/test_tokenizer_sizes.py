"""A tokenizer.json that would take all memory, or gives ids that no array of the runtime holds."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge_st_runtime.errors import DamagedFileError
from edge_st_runtime.text.tokenizer import TextTokenizer
from tests.support.tiny_models import write_json
from tests.support.tiny_tokenizers import byte_bpe, save_tokenizer, unigram, wordpiece

SPACE = 2**30


def changed(folder: Path, **parts: Any) -> Path:
    path = folder / "tokenizer.json"
    write_json(path, {**json.loads(path.read_text()), **parts})
    return folder


@pytest.mark.parametrize("wrong", [2**31, 2**32 - 1])
@pytest.mark.parametrize("make", [wordpiece, byte_bpe])
def test_ids_beyond_int32(tmp_path: Path, make: Any, wrong: int) -> None:
    save_tokenizer(tmp_path, make())
    model = json.loads((tmp_path / "tokenizer.json").read_text())["model"]
    model["vocab"][make().encode("a quick fox", add_special_tokens=False).tokens[-1]] = wrong
    tokenizer = TextTokenizer(changed(tmp_path, model=model))
    assert len(tokenizer(["a lazy dog"], None).ids) == 1
    for texts in (["a quick fox"], [("a", "quick fox")]):
        with pytest.raises(DamagedFileError, match=rf"tokenizer\.json has the token id {wrong}; expected ids below"):
            tokenizer(texts, None)


def with_map(folder: Path, trie: int, content: bytes) -> Path:
    save_tokenizer(folder, unigram(), pad_token="<pad>")
    charsmap = base64.b64encode(trie.to_bytes(4, "little") + content).decode()
    normalizer = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    return changed(folder, normalizer={"type": "Sequence", "normalizers": [{"type": "Lowercase"}, normalizer]})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS")
@pytest.mark.parametrize("size", [2**31, 2**32 - 1])
def test_a_character_map_that_names_more_bytes_than_it_has(tmp_path: Path, size: int) -> None:
    """In a process of its own, which tokenizers would end: it reserves what the map names."""
    with_map(tmp_path, size, b"\0" * 400)
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import resource; from pathlib import Path\n"
        "from edge_st_runtime.text.tokenizer import TextTokenizer\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({SPACE}, resource.RLIM_INFINITY))\n"
        f"TextTokenizer(Path({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"precompiled_charsmap of 404 bytes that says it holds {size}" in done.stderr.splitlines()[-1]


def test_a_character_map_that_is_whole(tmp_path: Path) -> None:
    """An empty trie of 1024 bytes, which changes nothing."""
    found = TextTokenizer(with_map(tmp_path, 1024, b"\0" * 1025))(["fox"], None)
    assert len(found.ids[0])
