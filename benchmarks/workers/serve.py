"""A process that runs one peer and answers requests: one line of JSON in, one line out.

Only answers go to stdout. What libraries print goes to stderr.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Server:
    """The requests that a worker answers."""

    def __init__(self) -> None:
        self._texts: dict[str, Any] = {}
        self._encode: Callable[[Any], Any] = len

    def load_texts(self, name: str, file: str) -> dict[str, Any]:
        """Keep the texts, or other inputs, in ``file``, a JSON list, under ``name``."""
        self._texts[name] = json.loads(Path(file).read_text(encoding="utf-8"))
        return {"count": len(self._texts[name])}

    def open(self, **opening: Any) -> dict[str, Any]:
        """Open the peer and run a first input; returns the versions of its packages."""
        from opening import open_peer
        from peers import PEERS

        self._encode = open_peer(**opening)
        peer = PEERS.get(opening["peer"])
        return {"versions": {} if peer is None else peer.versions()}

    def encode(self, name: str, save: str | None = None) -> dict[str, Any]:
        """Encode all texts called ``name`` in one call; ``save`` is an .npy file for the output."""
        start, cpu = time.perf_counter(), time.process_time()
        vectors = self._encode(self._texts[name])
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        if save is not None:
            import numpy as np
            from opening import array

            np.save(save, array(vectors))
        return {"seconds": seconds, "cpu_seconds": cpu_seconds}

    def single(self, name: str, first: int, count: int) -> dict[str, Any]:
        """Encode ``count`` of the texts one by one, from number ``first`` on; after the last the first follows."""
        texts, milliseconds, cpu_milliseconds = self._texts[name], [], []
        for i in range(first, first + count):
            start, cpu = time.perf_counter(), time.process_time()
            self._encode(texts[i % len(texts)])
            milliseconds.append((time.perf_counter() - start) * 1e3)
            cpu_milliseconds.append((time.process_time() - cpu) * 1e3)
        return {"milliseconds": milliseconds, "cpu_milliseconds": cpu_milliseconds}

    def memory(self, reset_peak: bool = False) -> dict[str, Any]:
        """Resident megabytes now, and at the peak since the last reset (Linux)."""
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
        if reset_peak:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return {name: int(value.split()[0]) * 1024 / 1e6 for name, value in values.items()}


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = Server()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(server, request.pop("do"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
