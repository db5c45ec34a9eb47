"""Tasks of mteb's kinds over forty sentences that are written here, so that nothing is downloaded."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from datasets import Dataset
from mteb.abstasks import AbsTaskPairClassification, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

DOCUMENTS: Mapping[str, Sequence[str]] = {
    "bread": (
        "Sourdough rises without bought yeast: wild microbes in the starter make the gas.",
        "Kneading lines up the gluten, so that the dough holds its bubbles.",
        "A loaf sounds hollow when it is baked through.",
        "Rye has little gluten and gives a dense, moist crumb.",
    ),
    "bicycles": (
        "A worn chain lengthens and eats the teeth of the sprockets.",
        "Wide tyres at low pressure roll well on gravel.",
        "Disc brakes stop in the rain as they do in the sun.",
        "The right gear lets the legs turn about ninety times a minute.",
    ),
    "volcanoes": (
        "Magma rich in silica is thick, traps gas and erupts with violence.",
        "Basalt flows run far because hot lava without much silica is thin.",
        "Ash stops jet engines: it melts inside and turns to glass.",
        "Swarms of small earthquakes often come weeks before an eruption.",
    ),
    "law": (
        "A contract needs an offer, its acceptance, and the will of both sides.",
        "The burden of proof lies with the one who accuses.",
        "A tenant may withhold part of the rent while the heating fails.",
        "Claims lapse after some years, so that old quarrels end.",
    ),
    "sleep": (
        "Blue light in the evening holds back melatonin.",
        "Deep sleep comes mostly in the first half of the night.",
        "Caffeine blocks the receptors that make us feel tired.",
        "Snoring with pauses of breath may be apnoea and should be examined.",
    ),
    "trees": (
        "Oaks feed hundreds of kinds of insects.",
        "Leaves turn red when sugar stays in them as the green fades.",
        "Fungi around the roots trade minerals for sugar.",
        "The rings of a trunk tell dry summers from wet ones.",
    ),
    "money": (
        "When the central bank raises its rate, loans become dearer and prices rise less.",
        "Interest on interest doubles savings at seven per cent in about ten years.",
        "A currency that falls makes imports dear and exports cheap.",
        "Spreading money over many shares lowers the risk, not the return.",
    ),
    "computers": (
        "A cache keeps what was used lately close to the processor.",
        "Passwords are stored as salted hashes, never as they are.",
        "Garbage collection frees what no pointer reaches any more.",
        "A race condition appears when two threads write at the same time.",
    ),
    "music": (
        "A violin string sounds higher when it is shorter, thinner or tighter.",
        "Equal temperament makes every key usable and every third a little wrong.",
        "Jazz players often improvise over the chords of an old song.",
        "A conductor's left hand shapes loudness, the right one keeps time.",
    ),
    "seas": (
        "Tides follow the moon because its pull is stronger on the near side.",
        "Salt makes sea water freeze at about minus two degrees.",
        "Corals bleach when warm water drives out their algae.",
        "Currents carry the warmth of the tropics towards the poles.",
    ),
}
QUERIES: Sequence[tuple[str, int, str]] = (
    ("bread", 0, "what makes natural leaven grow"),
    ("bread", 2, "how to tell that it is done"),
    ("bicycles", 2, "braking when it is wet"),
    ("bicycles", 0, "parts that wear out together"),
    ("volcanoes", 2, "danger for aeroplanes"),
    ("volcanoes", 3, "signs that warn of an outbreak"),
    ("law", 2, "my flat is cold, must I pay"),
    ("sleep", 0, "screens before bedtime"),
    ("sleep", 2, "why coffee keeps me awake"),
    ("trees", 3, "reading past weather from wood"),
    ("money", 1, "growth of what one puts aside"),
    ("computers", 1, "keeping secrets of users safe"),
    ("computers", 3, "errors that come and go with concurrency"),
    ("music", 1, "tuning of a piano"),
    ("seas", 2, "damage by heat under water"),
)
IDS = tuple(f"{topic}-{place}" for topic, texts in DOCUMENTS.items() for place in range(len(texts)))


def metadata(name: str, kind: str, main_score: str) -> TaskMetadata:
    """What mteb asks for; there is no such data set on the Hub."""
    return TaskMetadata(
        name=name,
        description=f"{name} over forty sentences",
        type=kind,
        dataset={"path": f"local/{name}", "revision": "1"},
        eval_langs=["eng-Latn"],
        main_score=main_score,
    )


class LocalRetrieval(AbsTaskRetrieval):
    """The sentences of a query's topic are relevant, one of them more so."""

    metadata = metadata("LocalRetrieval", "Retrieval", "ndcg_at_10")
    _candidates: ClassVar[Mapping[str, Sequence[str]] | None] = None
    _best = 2

    def load_data(self, *_: Any, **__: Any) -> None:
        texts = [text for found in DOCUMENTS.values() for text in found]
        queries = {"id": [f"query-{number}" for number in range(len(QUERIES))], "text": [text for *_, text in QUERIES]}
        relevant = {f"query-{number}": _relevant(number, self._best) for number in range(len(QUERIES))}
        self.dataset = {
            "default": {
                "test": {
                    "corpus": Dataset.from_dict({"id": IDS, "text": texts, "title": [""] * len(texts)}),
                    "queries": Dataset.from_dict(queries),
                    "relevant_docs": relevant,
                    "top_ranked": self._candidates,
                }
            }
        }
        self.data_loaded = True


class LocalUngraded(LocalRetrieval):
    """The sentences of a query's topic are relevant, all alike."""

    metadata = metadata("LocalUngraded", "Retrieval", "ndcg_at_10")
    _best = 1


class LocalReranking(LocalRetrieval):
    """Two in three sentences for each query are to be ranked."""

    metadata = metadata("LocalReranking", "Reranking", "ndcg_at_10")
    _candidates: ClassVar[Mapping[str, Sequence[str]] | None] = {
        f"query-{number}": [name for place, name in enumerate(IDS) if (place + number) % 3]
        for number in range(len(QUERIES))
    }


class LocalSTS(AbsTaskSTS):
    """Queries beside sentences: the answer 5, the same topic 3, another one 0."""

    metadata = metadata("LocalSTS", "STS", "cosine_spearman")

    def load_data(self, *_: Any, **__: Any) -> None:
        self.dataset = {"test": _pairs("score", 5, 3, 0)}
        self.data_loaded = True


class LocalPairClassification(AbsTaskPairClassification):
    """Queries beside sentences: whether their topic is the same."""

    metadata = metadata("LocalPairClassification", "PairClassification", "max_ap")

    def load_data(self, *_: Any, **__: Any) -> None:
        self.dataset = {"test": _pairs("labels", 1, 1, 0)}
        self.data_loaded = True


def _relevant(number: int, best: int) -> dict[str, int]:
    topic, answer, _ = QUERIES[number]
    return {f"{topic}-{place}": best if place == answer else 1 for place in range(len(DOCUMENTS[topic]))}


def _pairs(column: str, answer: int, same_topic: int, other: int) -> Dataset:
    """Every query beside its topic's sentences and as many others, with a value for each pair."""
    queries, texts, values = zip(*_valued(answer, same_topic, other), strict=True)
    return Dataset.from_dict({"sentence1": queries, "sentence2": texts, column: values})


def _valued(answer: int, same_topic: int, other: int) -> Iterator[tuple[str, str, int]]:
    topics = list(DOCUMENTS)
    for number, (topic, best, query) in enumerate(QUERIES):
        for place, text in enumerate(DOCUMENTS[topic]):
            yield query, text, answer if place == best else same_topic
            step = 1 + (number + place) % (len(topics) - 1)
            yield query, DOCUMENTS[topics[(topics.index(topic) + step) % len(topics)]][place], other
