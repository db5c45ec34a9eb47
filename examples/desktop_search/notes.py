"""The notes in a folder, found by what they mean. Their index lies in the user's data folder."""

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_st import Index, SentenceTransformer

MODEL = "all-MiniLM-L6-v2"
ENDINGS = {".md", ".txt"}
_AT_ONCE = 16


def data_folder() -> Path:
    """Where this program keeps its files, by the custom of the system."""
    home = Path.home()
    places = {"win32": home / "AppData/Local", "darwin": home / "Library/Application Support"}
    given = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME")
    return Path(given or places.get(sys.platform, home / ".local/share"), "desktop-search")


def last_folder() -> Path | None:
    """The folder that was opened last."""
    last = data_folder() / "last.txt"
    return Path(last.read_text(encoding="utf-8")) if last.is_file() else None


class Notes:
    """The notes below ``folder``. A row of their index is a paragraph. Any thread may call any method."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._stop, self._updating = threading.Event(), threading.Lock()
        self._model = SentenceTransformer(MODEL, profile="background", local_files_only=True)
        path = data_folder() / hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        self._index = Index.open(path, "a", self._model) if path.is_dir() else Index.build(self._model, [], path)
        (data_folder() / "last.txt").write_text(str(self.folder), encoding="utf-8")

    def update(self, progress: Callable[[int, int], None]) -> int:
        """Encode the notes that are new or changed, forget those that are gone, and return how many there are."""
        with self._updating:
            return self._update(progress)

    def search(self, query: str, count: int = 8) -> list[dict[str, Any]]:
        """The notes with the best paragraphs for ``query``, best first: one row of the index for each."""
        best: dict[str, dict[str, Any]] = {}
        for hit in self._index.search(query, top_k=5 * count):
            best.setdefault(hit["metadata"]["note"], hit)
        return list(best.values())[:count]

    def close(self) -> None:
        """End an update, and let other processes write the index."""
        self._stop.set()
        with self._updating:
            self._index.close()

    def _update(self, progress: Callable[[int, int], None]) -> int:
        paths = [path for path in sorted(self.folder.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file()]
        changed = {path.relative_to(self.folder).as_posix(): path.stat().st_mtime_ns for path in paths}
        rows = self._index.get(self._index.ids())
        known = {row["metadata"]["note"]: row["metadata"]["changed"] for row in rows}
        new = [name for name, when in changed.items() if known.get(name) != when]
        old = known.keys() - changed.keys() | set(new)
        self._index.delete([row["corpus_id"] for row in rows if row["metadata"]["note"] in old])
        for start in range(0, len(new), _AT_ONCE):
            if self._stop.is_set():
                break
            progress(start, len(new))
            self._add({name: changed[name] for name in new[start : start + _AT_ONCE]})
        return len(changed)

    def _add(self, changed: dict[str, int]) -> None:
        rows = [
            (f"{name}#{number}", text, {"note": name, "changed": when})
            for name, when in changed.items()
            for number, text in enumerate(_paragraphs(self.folder / name))
        ]
        self._index.add([text for _, text, _ in rows], [key for key, _, _ in rows], [data for _, _, data in rows])


def _paragraphs(path: Path) -> list[str]:
    """Each paragraph as a line, below a line with the name of the note, which often says what it is about."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return [f"{path.stem}\n{' '.join(part.split())}" for part in text.split("\n\n") if part.strip()]
