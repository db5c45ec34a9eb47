"""The desktop application of the examples, frozen by PyInstaller: its size, and the seconds until it is of use.

Built into one folder and into one file, from this checkout, in an environment of its own. The first start indexes 53
notes, too; the best of the later ones finds that index. Needs Xvfb, xdotool and ImageMagick's import.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from disturbance import disturbance
from harness import ROOT
from tables import table

sys.path.insert(0, str(ROOT))
from tests.support import desktop_program as desktop

QUERY = "something is eating my lettuce"


def main() -> None:
    """Build, measure and print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--picture", type=Path, help="where to write a picture of the window")
    options = made.parse_args()
    if missing := desktop.missing_tools():
        made.error(f"no {', '.join(missing)}; apt-get install xvfb xdotool imagemagick")
    with tempfile.TemporaryDirectory() as folder:
        python = desktop.new_environment(Path(folder, "env"), "pyinstaller")
        notes = desktop.write_notes(Path(folder, "notes"))
        built = {
            "one folder": desktop.freeze(python, Path(folder, "folder"), desktop.PROGRAM).parent,
            "one file": desktop.freeze(python, Path(folder, "file"), desktop.PROGRAM, "--onefile", "--windowed"),
        }
        with disturbance():
            rows = [
                [form, *_row(path, notes, Path(folder, form), options.rounds, options.picture)]
                for form, path in built.items()
            ]
    print(table(["built into", "MB", "first: window s", "note s", "later: window s", "note s"], rows))


def _row(path: Path, notes: Path, data: Path, rounds: int, picture: Path | None) -> list[str]:
    program, expected = path / "app" if path.is_dir() else path, notes / "garden" / "slugs.md"
    first = desktop.use([program, notes], data, QUERY, expected, picture)
    again = [desktop.use([program], data, QUERY, expected) for _ in range(rounds)]
    window, opened = min(each.window for each in again), min(each.opened for each in again)
    seconds = [first.window, first.opened, window, opened]
    return [f"{desktop.megabytes(path):.1f}", *(f"{each:.2f}" for each in seconds)]


if __name__ == "__main__":
    main()
