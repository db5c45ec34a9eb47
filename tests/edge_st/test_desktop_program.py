"""The desktop application of the examples, frozen by PyInstaller without any option but its own, finds notes."""

from pathlib import Path

import pytest

from tests.support import desktop_program as desktop

QUERY = "something is eating my lettuce"  # the note says: slugs


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if missing := desktop.missing_tools():
        pytest.skip(f"no {', '.join(missing)}; apt-get install xvfb xdotool imagemagick")
    return desktop.new_environment(tmp_path_factory.mktemp("env"), "pyinstaller")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--onefile", "--windowed"]], ids=["folder", "file"])
def test_the_frozen_application_indexes_and_finds(options: list[str], python: Path, tmp_path: Path) -> None:
    notes = desktop.write_notes(tmp_path / "notes")
    program = desktop.freeze(python, tmp_path / "made", desktop.PROGRAM, *options)
    made = program if options else program.parent
    expected, data, picture = notes / "garden" / "slugs.md", tmp_path / "data", tmp_path / "window.png"

    first = desktop.use([program, notes], data, QUERY, expected, picture)
    again = desktop.use([program], data, QUERY, expected)

    (notes / "garden" / "snails.md").write_text("What eats the lettuce: snails. Collect them in the evening.")
    expected.unlink()
    desktop.use([program], data, QUERY, notes / "garden" / "snails.md")

    print(f"{desktop.megabytes(made):.1f} MB; first {first}, again {again}; {picture}")
    assert picture.stat().st_size > 10_000
