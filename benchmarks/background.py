"""What a foreground program loses while another process encodes without end, in each profile.

The foreground is a loop of Python and NumPy, on each core or alone. Its rate beside each background is compared
with its rate alone, measured just before. "late" is how much later than asked a thread of the encoding process itself
wakes up from a sleep of 5 ms, as the thread of a window does (99th percentile).
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tables import table

from edge_st_runtime.machine.cpu import cpu_features, cpu_name

ROOT = Path(__file__).resolve().parent.parent
ENCODER = """
import json, sys, threading, time
arguments = json.loads(sys.argv[1])
if arguments["peer"] == "edge-st":
    from edge_st import SentenceTransformer
    model = SentenceTransformer(arguments["model"], profile=arguments["profile"])
else:
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(arguments["model"], device="cpu")
texts = [f"note {i}: the meeting about the budget was moved, please bring the papers" for i in range(256)]
model.encode(texts[:64])
print("ready", flush=True)
late, done, began = [], 0, time.perf_counter()

def encode():
    global done
    while True:
        for start in range(0, len(texts), 32):
            model.encode(texts[start : start + 32])
            done += 32

threading.Thread(target=encode, daemon=True).start()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
stop = threading.Event()
while not stop.is_set():
    start = time.perf_counter()
    time.sleep(0.005)
    late.append(time.perf_counter() - start - 0.005)
late.sort()
found = {"late": late[int(len(late) * 0.99)] * 1000, "rate": done / (time.perf_counter() - began)}
print(json.dumps({**found, "cpu": time.process_time()}), flush=True)
import os
os._exit(0)
"""


def main() -> None:
    """Measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("model", help="a model folder or an installed model")
    made.add_argument("--original", help="the original model, for sentence-transformers")
    made.add_argument("--peer-python", help="the interpreter of an environment with sentence-transformers")
    made.add_argument("--seconds", type=float, default=4)
    made.add_argument("--rounds", type=int, default=3)
    options = made.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"{cpu_name()}: {' '.join(sorted(cpu_features()))}\n{cores} cores, load {os.getloadavg()[0]:.1f}")
    ways = [("edge-st", profile, sys.executable, options.model) for profile in ("background", "default")]
    if options.peer_python:
        ways.append(("sentence-transformers", "", options.peer_python, options.original or options.model))
    rows = [_row(*way, cores, options.seconds, options.rounds) for way in ways]
    header = ["beside it encodes", "a loop on each core loses", "one loop loses", "late, ms", "texts/s beside one loop"]
    print(table(header, rows))


def _row(peer: str, profile: str, python: str, model: str, cores: int, seconds: float, rounds: int) -> list[str]:
    losses: dict[int, list[float]] = {cores: [], 1: []}
    late, rates = [], []
    for _ in range(rounds):
        for count, found in losses.items():
            alone = _rate(count, seconds)
            with _encoder(peer, profile, python, model) as process:
                beside = _rate(count, seconds)
                told, _ = process.communicate(timeout=120)
            found.append(1 - beside / alone)
            late.append(json.loads(told)["late"])
            rates += [json.loads(told)["rate"]] if count == 1 else []
    return [
        f"{peer} {profile}".strip(),
        *(f"{statistics.median(found):.1%}" for found in losses.values()),
        f"{statistics.median(late):.1f}",
        f"{statistics.median(rates):.0f}",
    ]


def _encoder(peer: str, profile: str, python: str, model: str) -> "subprocess.Popen[str]":
    paths = os.pathsep.join([str(ROOT), str(ROOT / "runtime")]) if peer == "edge-st" else ""
    process = subprocess.Popen(
        [python, "-c", ENCODER, json.dumps({"peer": peer, "profile": profile, "model": model})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"},
        text=True,
    )
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError(f"{peer} cannot encode with {model}; see above")
    return process


def _rate(count: int, seconds: float) -> float:
    """Turns a second of ``count`` loops together, each in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        pool.map(_turns, [0.1] * count)  # all have started
        return sum(pool.map(_turns, [seconds] * count, chunksize=1)) / seconds


def _turns(seconds: float) -> int:
    values, turns, end = np.random.default_rng(0).normal(size=(96, 96)), 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        np.tanh(values * values)
        sorted(str(number) for number in range(300))
        turns += 1
    return turns


if __name__ == "__main__":
    main()
