"""candding, which knows models by their names on the Hub: the original is given to it as a cache of the Hub."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from .peer import Encode, Setting

_KINDS = {"dense": "dense", "rerank": "rerank"}


def make_cache(setting: Setting, target: Path) -> None:
    """A cache of the Hub that holds the original under its name."""
    entry = target / "hub" / f"models--{_catalogue_name(setting).replace('/', '--')}"
    shutil.copytree(setting.original, entry / "snapshots" / "local")
    (entry / "refs").mkdir()
    (entry / "refs" / "main").write_text("local", encoding="ascii")


def candding(setting: Setting) -> Encode:
    """candding in float32; ``folder`` is the cache. It takes as many threads as the process has cores."""
    os.environ["HF_HOME"] = setting.folder
    if setting.threads is not None:
        os.environ["RAYON_NUM_THREADS"] = str(setting.threads)
    import candding as engine

    name = _catalogue_name(setting)
    if setting.task == "dense":
        model = engine.TextEmbedding(name, device="cpu")
        return lambda texts: model.embed([texts])[0] if isinstance(texts, str) else model.embed(list(texts))
    reranker = engine.TextCrossEncoder(name, device="cpu")

    def rank(searches: Sequence[tuple[str, list[str]]]) -> list[list[tuple[int, float]]]:
        return [sorted(reranker.rerank(*search), key=lambda hit: -hit[1]) for search in searches]

    return rank


def _catalogue_name(setting: Setting) -> str:
    """The name of the model in candding's catalogue; raises ValueError for a model that it does not have."""
    import candding as engine

    names = [each["id"] for each in engine.list_models(_KINDS[setting.task])]
    found = next((name for name in names if setting.name in (name, name.split("/")[-1])), None)
    if found is None:
        raise ValueError(f"its catalogue of {len(names)} models has no {setting.name!r}, and it opens no other")
    return found
