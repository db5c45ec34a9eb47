"""The list of found notes: name, score, and the paragraph that answers."""

import os
import subprocess
import sys
import tkinter as tk
from pathlib import Path
from textwrap import shorten
from tkinter import font
from typing import Any

WHITE, FIELD, TINT, GREY, BLACK, BLUE = "#ffffff", "#f3f4f6", "#eaf2ff", "#6e7781", "#1f2328", "#0a58ca"
_MARGIN = 14


class Results(tk.Text):
    """Notes one below the other; a click opens one."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent, wrap="word", cursor="arrow", state="disabled", background=WHITE, font="TkDefaultFont")
        self.configure(borderwidth=0, highlightthickness=0, padx=0)
        self._bold = font.nametofont("TkDefaultFont").copy()  # Tk forgets a font that nobody holds
        self._bold.configure(weight="bold", size=12)
        self.tag_configure("name", font=self._bold, foreground=BLUE, spacing1=10, lmargin1=_MARGIN)
        self.tag_configure("score", foreground=GREY)
        self.tag_configure("text", foreground=BLACK, spacing1=3, spacing3=10)
        self.tag_configure("text", lmargin1=_MARGIN, lmargin2=_MARGIN, rmargin=_MARGIN)
        self.tag_configure("chosen", background=TINT)
        self.bind("<Configure>", lambda event: self.configure(tabs=(event.width - _MARGIN, "right")))
        self._paths: list[Path] = []
        self._chosen = 0

    def show(self, folder: Path, hits: list[dict[str, Any]]) -> None:
        """Show these rows of the index in place of what is shown now."""
        self._paths, self._chosen = [folder / hit["metadata"]["note"] for hit in hits], 0
        self.configure(state="normal")
        self.delete("1.0", "end")
        for number, hit in enumerate(hits):
            row, name = f"row{number}", str(Path(hit["metadata"]["note"]).with_suffix(""))
            self.insert("end", name, ("name", row), f"\t{hit['score']:.2f}\n", ("score", row))
            text = hit["text"].partition("\n")[2]
            self.insert("end", f"{shorten(text, 180, placeholder=' …')}\n", ("text", row))
            self.tag_bind(row, "<Button-1>", lambda _, number=number: self._click(number))
        self.configure(state="disabled")
        self.move(0)

    def move(self, step: int) -> None:
        """Choose the next note (1) or the one before (-1)."""
        if self._paths:
            self._chosen = (self._chosen + step) % len(self._paths)
            start, end = self.tag_ranges(f"row{self._chosen}")
            self.tag_remove("chosen", "1.0", "end")
            self.tag_add("chosen", start, end)
            self.see(start)

    def open(self) -> None:
        """Open the chosen note with the program that the system has for it."""
        if not self._paths:
            return
        path = self._paths[self._chosen]
        if sys.platform == "win32":
            os.startfile(path)
            return
        # PyInstaller sets LD_LIBRARY_PATH, and other programs must not load the libraries of this one.
        environment = os.environ | {"LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH_ORIG", "")}
        subprocess.Popen(["open" if sys.platform == "darwin" else "xdg-open", path], env=environment)

    def _click(self, number: int) -> None:
        self.move(number - self._chosen)
        self.open()
