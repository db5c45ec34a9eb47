"""The character map of a SentencePiece normalizer, checked before ``tokenizers`` reads it.

``tokenizers`` reserves as much memory as the map says that it needs, and ends the process where that is not there.
Source: sentencepiece's Precompiled charsmap: the size of the trie in bytes (uint32), the trie, the replacements.
"""

import binascii
import mmap
from pathlib import Path

from ..errors import DamagedFileError
from ..files.regular import opening

_KEY = b'"precompiled_charsmap"'
_HEAD = 8  # characters of base64, of which the first four bytes are the size of the trie


def check_charsmap(path: Path) -> None:
    """Raise DamagedFileError where tokenizer.json at ``path`` has a map that names more bytes than it has."""
    again = "download or export the model again"
    with opening(path, again), path.open("rb") as file:
        if not path.stat().st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = content.find(_KEY)
            while place >= 0:
                start = content.find(b'"', place + len(_KEY)) + 1
                end = content.find(b'"', start) if start else -1
                if end > start and _trie(content[start : min(end, start + _HEAD)]) > (end - start) * 3 // 4:
                    raise DamagedFileError(f"{path} has a precompiled_charsmap that is cut off or damaged; {again}")
                place = content.find(_KEY, place + 1)


def _trie(head: bytes) -> int:
    """The size of the trie in bytes; 0 for what is no base64, which ``tokenizers`` refuses."""
    try:
        return int.from_bytes(binascii.a2b_base64(head)[:4], "little")
    except ValueError:
        return 0
