"""Search the notes of a folder as you type: python app.py [FOLDER]."""

import multiprocessing
import queue
import sys
import tkinter as tk
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tkinter import filedialog
from typing import Any

from notes import Notes, last_folder
from results import BLUE, FIELD, GREY, WHITE, Results

PAUSE_MS = 120  # from the last key to the search
POLL_MS = 20


class Window(tk.Tk):
    """The window. Two threads work for it, and a queue brings back what they found, so it never waits."""

    def __init__(self) -> None:
        super().__init__(className="Notes")
        self.geometry("720x600")
        self.configure(background=WHITE, padx=24, pady=20)
        self._threads = ThreadPoolExecutor(2)
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._notes: Notes | None = None
        self._query = tk.StringVar()
        top = tk.Frame(self, background=FIELD)
        entry = tk.Entry(top, textvariable=self._query, font=("TkDefaultFont", 15), background=FIELD)
        folder = tk.Label(top, text="Folder …", background=FIELD, foreground=BLUE, cursor="hand2", padx=14)
        self._bar = tk.Frame(self, background=BLUE)
        self._results = Results(self)
        self._status = tk.Label(self, background=WHITE, foreground=GREY, anchor="w", padx=12)
        entry.configure(relief="flat", highlightthickness=0)
        top.pack(fill="x")
        entry.pack(side="left", fill="x", expand=True, padx=14, ipady=12)
        folder.pack(side="left", fill="y")
        self._status.pack(side="bottom", fill="x")
        self._results.pack(fill="both", expand=True, pady=10)
        self._query.trace_add("write", self._typed)
        entry.bind("<Return>", lambda _: self._results.open())
        entry.bind("<Down>", lambda _: self._results.move(1))
        entry.bind("<Up>", lambda _: self._results.move(-1))
        entry.focus()
        folder.bind("<Button-1>", lambda _: self._choose())
        self.bind("<Control-q>", lambda _: self._close())
        self.protocol("WM_DELETE_WINDOW", self._close)
        self._poll()

    def open_folder(self, folder: Path) -> None:
        """Search in this folder from now on."""
        self.title(f"{folder.name} – Notes")
        self._say("Opening …")
        self._work(partial(_exchanged, self._notes, folder), self._opened)
        self._notes = None

    def _choose(self) -> None:
        if folder := filedialog.askdirectory(title="Folder of notes", mustexist=True):
            self.open_folder(Path(folder))

    def _opened(self, notes: Notes) -> None:
        self._notes = notes
        self._work(partial(notes.update, partial(self._later, self._progress)), self._updated)
        self._search()

    def _progress(self, done: int, count: int) -> None:
        self._bar.place(x=0, y=50, relwidth=done / count, height=3)
        self._say(f"Reading {count} new or changed notes …")

    def _updated(self, count: int) -> None:
        self._bar.place_forget()
        self._say(f"{count} notes")
        self._search()

    def _typed(self, *_: str) -> None:
        self.after(PAUSE_MS, self._search_unless_typing, self._query.get())

    def _search_unless_typing(self, query: str) -> None:
        if query == self._query.get():
            self._search()

    def _search(self) -> None:
        query, notes = self._query.get(), self._notes
        if notes is not None:
            self._work(partial(notes.search, query) if query.strip() else list, partial(self._found, query, notes))

    def _found(self, query: str, notes: Notes, hits: list[dict[str, Any]]) -> None:
        if query == self._query.get() and notes is self._notes:
            self._results.show(notes.folder, hits)

    def _say(self, text: str) -> None:
        self._status.configure(text=text)

    def _work(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call ``work`` in a thread, then ``then`` with its result in this one."""
        self._threads.submit(work).add_done_callback(partial(self._later, self._finish, then))

    def _finish(self, then: Callable[[Any], None], future: "Future[Any]") -> None:
        if error := future.exception():
            self._say(str(error))
        else:
            then(future.result())

    def _later(self, call: Callable[..., None], *arguments: Any) -> None:
        self._calls.put(partial(call, *arguments))

    def _poll(self) -> None:
        while not self._calls.empty():
            self._calls.get()()
        self.after(POLL_MS, self._poll)

    def _close(self) -> None:
        self.destroy()
        if self._notes is not None:
            self._notes.close()


def _exchanged(old: Notes | None, folder: Path) -> Notes:
    if old is not None:
        old.close()
    return Notes(folder)


def main() -> None:
    """Open the window with the folder that was given, or the last one."""
    window = Window()
    if folder := Path(sys.argv[1]) if len(sys.argv) > 1 else last_folder():
        window.open_folder(folder)
    window.mainloop()


if __name__ == "__main__":
    multiprocessing.freeze_support()  # a frozen program must call it before it starts processes
    main()
