"""What Prometheus asks: the metrics of text-embeddings-inference by their own names, and ours for each model."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from .histograms import ManyHistogram, geometric
from .record import Record

#: where the workers of one server keep their numbers
SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PAIRS = frozenset({"rerank", "predict"})
_SECONDS = geometric(1.5e-5, 1.5, 35)  # the buckets of text-embeddings-inference
_LENGTHS, _TEXTS, _TOKENS = geometric(1, 2, 14), geometric(1, 2, 13), geometric(1, 2, 18)
_PARTS = ("tokenization", "queue", "inference")
_TE_COUNTER = re.compile(rb"^((?:# (?:HELP|TYPE) )?te_\w+?)_total\b", re.MULTILINE)

#: the waiting texts and tokens of each model
Queue: TypeAlias = Mapping[str, tuple[int, int]]
_Mode: TypeAlias = Literal["livesum", "liveall"]


class Metrics:
    """The numbers of one application. Those of another one in the same process are apart.

    ``queue`` gives the waiting texts and tokens of each model, ``loaded`` whether each model is; both are asked at
    each scrape. Where the environment names a `SHARED_FOLDER`, the numbers are those of all processes that share it.
    """

    def __init__(self, queue: Callable[[], Queue] = dict, loaded: Callable[[], Mapping[str, bool]] = dict) -> None:
        self.queue, self.loaded = queue, loaded
        self.shared: Path | None = Path(folder) if (folder := os.environ.get(SHARED_FOLDER)) else None
        self.registry = CollectorRegistry()
        self._known: dict[str, tuple[Counter, ...]] = {}
        self._process = ProcessCollector(registry=None if self.shared else self.registry)
        self._requests()
        self._texts("embed")
        self._texts("predict")
        self._models()

    def answered(
        self,
        *,
        path: str,
        method: str | None,
        status: int,
        failure: str | None,
        model: str | None,
        key: str | None,
        seconds: float,
    ) -> None:
        """A request got its answer.

        ``method`` is "single" or "batch", None for one that asked no model. ``path`` is a route's, so that there are
        few. ``failure`` is as in `Record`; ``seconds`` are those from the request's head to the answer's end.
        """
        self.requests.labels(key or "", model or "", path, str(status)).inc()
        if method is None:
            return
        self.te_count.labels(method).inc()
        if failure is not None:
            self.te_failure.labels(failure).inc()
        elif status < 400:
            self.te_success.labels(method).inc()
            self.te_duration["request"].observe(seconds)

    def computed(self, record: Record, seconds: float = 0) -> None:
        """A model is done with a request, which took ``seconds`` in all; ``record.failure`` says whether it failed."""
        kind, model = "predict" if record.operation in _PAIRS else "embed", record.model or ""
        self.te_texts[kind].inc(record.texts)
        if record.failure is not None:
            return
        self.te_done[kind].inc(record.texts)
        self.te_duration[kind].observe_times(seconds, record.texts)
        for part in _PARTS:
            self.te_parts["request", part].observe(getattr(record, part))
            self.te_parts[kind, part].observe_times(getattr(record, part), record.texts)
        self.te_length.observe_all(record.lengths)
        texts, tokens, cut, hits, misses = self._counters_of(model)
        texts.inc(record.texts)
        tokens.inc(record.tokens)
        cut.inc(record.truncated)
        hits.inc(record.cached)
        misses.inc(record.texts - record.cached)

    def batch(self, *, model: str, texts: int, tokens: int) -> None:
        """A batch of ``texts`` with ``tokens`` in all goes to ``model``."""
        self.te_batch_size.observe(texts)
        self.te_batch_tokens.observe(tokens)
        self.batch_texts.labels(model).observe(texts)
        self.batch_tokens.labels(model).observe(tokens)

    def refresh(self) -> None:
        """Read what waits now, what is loaded now, and the memory of this process."""
        queue = self.queue()
        self.te_queue.set(sum(texts for texts, _ in queue.values()))
        for model, (texts, tokens) in queue.items():
            self.queue_texts.labels(model).set(texts)
            self.queue_tokens.labels(model).set(tokens)
        for model, loaded in self.loaded().items():
            self.model_loaded.labels(model).set(loaded)
        for metric in self._process.collect():
            if metric.name == "process_resident_memory_bytes":
                self.memory.set(metric.samples[0].value)

    def exposition(self) -> bytes:
        """The body of GET /metrics, of the type `CONTENT_TYPE`."""
        self.refresh()
        registry = self.registry
        if self.shared is not None:
            _forget_dead(self.shared)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self.shared))  # type: ignore[no-untyped-call]
        return _TE_COUNTER.sub(rb"\1", generate_latest(_WithoutTimes(registry)))

    def _counters_of(self, model: str) -> tuple[Counter, ...]:
        """What is counted for each request of ``model``; looked up once, as that takes longer than to count."""
        found = self._known.get(model)
        if found is None:
            found = tuple(each.labels(model) for each in (self.texts, self.tokens, self.cut, self.hits, self.misses))
            self._known[model] = found
        return found

    def _requests(self) -> None:
        self.te_count = self._counter("te_request_count", "requests to models", "method")
        self.te_success = self._counter("te_request_success", "requests to models that got a result", "method")
        self.te_failure = self._counter("te_request_failure", "requests to models that got none, by reason", "err")
        self.te_duration = {"request": self._histogram("te_request_duration", "seconds of a request", _SECONDS)}
        self.te_texts: dict[str, Counter] = {}
        self.te_done: dict[str, Counter] = {}
        self.te_parts = {
            ("request", part): self._histogram(f"te_request_{part}_duration", f"its seconds in {part}", _SECONDS)
            for part in _PARTS
        }
        self.te_length = self._histogram("te_request_input_length", "tokens of a text", _LENGTHS)
        self.te_batch_size = self._histogram("te_batch_next_size", "texts of a batch", _TEXTS)
        self.te_batch_tokens = self._histogram("te_batch_next_tokens", "tokens of a batch", _TOKENS)
        self.te_queue = self._gauge("te_queue_size", "texts that wait now")
        self.requests = self._counter(
            "edge_st_requests", "requests by key, model, route and status", "key", "model", "path", "status"
        )

    def _texts(self, kind: str) -> None:
        what = "pairs to score" if kind == "predict" else "texts to embed"
        self.te_texts[kind] = self._counter(f"te_{kind}_count", what)
        self.te_done[kind] = self._counter(f"te_{kind}_success", f"{what}, done")
        self.te_duration[kind] = self._histogram(f"te_{kind}_duration", f"seconds for each of the {what}", _SECONDS)
        for part in _PARTS:
            name = f"te_{kind}_{part}_duration"
            self.te_parts[kind, part] = self._histogram(name, f"seconds in {part}, for each of the {what}", _SECONDS)

    def _models(self) -> None:
        self.texts = self._counter("edge_st_texts", "texts and pairs with a result", "model")
        self.tokens = self._counter("edge_st_tokens", "their tokens that were read", "model")
        self.cut = self._counter("edge_st_cut_texts", "texts and pairs that were cut", "model")
        self.hits = self._counter("edge_st_cache_hits", "texts with a result from the cache", "model")
        self.misses = self._counter("edge_st_cache_misses", "texts with a result from the model", "model")
        self.batch_texts = self._histogram("edge_st_batch_texts", "texts of a batch", _TEXTS, "model")
        self.batch_tokens = self._histogram("edge_st_batch_tokens", "tokens of a batch", _TOKENS, "model")
        self.queue_texts = self._gauge("edge_st_queue_texts", "texts that wait now", "model")
        self.queue_tokens = self._gauge("edge_st_queue_tokens", "tokens that wait now", "model")
        self.model_loaded = self._gauge("edge_st_model_loaded", "processes in which a model is loaded", "model")
        self.memory = self._gauge("edge_st_resident_memory_bytes", "resident memory of a process", mode="liveall")

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, bounds: Sequence[float], *labels: str) -> ManyHistogram:
        return ManyHistogram(name, about, labels, buckets=bounds, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str, mode: _Mode = "livesum") -> Gauge:
        return Gauge(name, about, labels, registry=self.registry, multiprocess_mode=mode)


class _WithoutTimes:
    """The metrics of ``registry`` without the times at which each was made, which nobody asks for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _forget_dead(folder: Path) -> None:
    """Leave out what processes that have ended had waiting and loaded; what they counted stays."""
    for process in {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*.db")}:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            mark_process_dead(process, str(folder))  # type: ignore[no-untyped-call]
