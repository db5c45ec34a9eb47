"""Open the peer given as JSON on the command line, encode one text, print "ready", then print the peak memory."""

import json
import os
import sys
from pathlib import Path

from opening import open_peer

if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    open_peer(**json.loads(sys.argv[1]))
    print("ready", file=answers, flush=True)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024 / 1e6, file=answers, flush=True)
