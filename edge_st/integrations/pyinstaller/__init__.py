"""Hooks for PyInstaller, which finds this folder by an entry point. With them ``pyinstaller program.py`` is enough."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """The folders with hooks. PyInstaller calls this when it builds a program."""
    return [str(Path(__file__).parent)]
