"""A model that is served: loaded when it is needed, and unloaded when it is not."""

import asyncio
import logging
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import EdgeSTError
from edge_st_runtime.machine.memory import give_back_memory
from edge_st_runtime.model.folder import read_folder

from ..hub.installed import find_installed
from ..hub.names import existing_folder
from ..models.classes import Model, open_model
from ..models.cross_encoder import CrossEncoder
from ..models.sentence_transformer import SentenceTransformer
from ..protocols.described import Described
from ..protocols.engine import check_served
from .config import ModelConfig
from .joining import Loaded

_SENTENCES = ("This is computed before the first request.", "Nobody sees its result.")
logger = logging.getLogger(__name__)


class Served:
    """The model of ``config``, which computes on ``threads`` threads. It is loaded on a thread of ``loading``."""

    def __init__(self, config: ModelConfig, threads: int, loading: Executor) -> None:
        self.config, self._threads, self._loading_threads = config, threads, loading
        self.loaded: Loaded | None = None
        self.class_name = class_of(config.model)
        self._created = 0
        self._loading: Future[Loaded] | None = None

    @property
    def name(self) -> str:
        """What clients call it."""
        return self.config.name

    async def load(self) -> Loaded:
        """The loaded model. Requests that come at the same time load it once.

        Raises what its constructor raises, and tries again at the next call.
        """
        loading = self._loading
        if self.loaded is not None:
            return self.loaded
        if loading is None:
            loading = self._loading = self._loading_threads.submit(self._load)
            loading.add_done_callback(self._finish)
        return await asyncio.shield(asyncio.wrap_future(loading))

    async def unload(self) -> None:
        """Forget the model, which answers no request, and give its memory back."""
        self.loaded = None
        await asyncio.get_running_loop().run_in_executor(self._loading_threads, give_back_memory)
        logger.info("unloaded %s", self.name)

    def is_idle(self, seconds: float) -> bool:
        """Whether it is loaded, and nobody has asked it for ``seconds``."""
        loaded = self.loaded
        return loaded is not None and not loaded.users and time.monotonic() - loaded.used >= seconds

    def described(self) -> Described:
        """It, for listings."""
        model = None if self.loaded is None else self.loaded.model
        return Described(self.name, self.config.aliases, self._created, model, self.class_name)

    def _load(self) -> Loaded:
        start = time.perf_counter()
        options: dict[str, Any] = {"num_threads": self._threads, **self.config.options}
        model = open_model(self.config.model, **options)
        check_served(model)
        _warm_up(model)
        self._created = int(Path(model.info()["path"]).stat().st_mtime)
        logger.info("loaded %s (%r) in %.1f s", self.name, model, time.perf_counter() - start)
        return Loaded(model, self.name, f"{self.name} {model.fingerprint}".encode(), self.config.truncate)

    def _finish(self, loading: "Future[Loaded]") -> None:
        """Keep what was loaded; called on the thread that loads, so that no event loop has to live on."""
        if not loading.cancelled() and loading.exception() is None:
            loaded = loading.result()
            loaded.used = time.monotonic()
            self.class_name = type(loaded.model).__name__
            self.loaded = loaded
        self._loading = None


def class_of(model: str | None) -> str:
    """The name of a model's class, as its folder says; "" for a model of the Hub, and for a folder that is damaged."""
    if model is None:
        return SentenceTransformer.__name__
    try:
        folder = existing_folder(model) or find_installed(model)
        return "" if folder is None else read_folder(folder).model_type
    except EdgeSTError:  # it is told when the model is loaded
        return ""


def _warm_up(model: Model) -> None:
    if isinstance(model, CrossEncoder):
        model.predict([_SENTENCES, _SENTENCES], show_progress_bar=False)
    else:
        model.encode(list(_SENTENCES), show_progress_bar=False)
