"""Items that wait, and the choice of those that are computed next."""

from collections import Counter, deque
from collections.abc import Sequence

from ...models.steps import Steps
from .jobs import Item

_WINDOW = 128
_SMALL_PADDING = 16


class Lane:
    """Items in the order in which they came, apart for each kind of request.

    ``texts`` and ``tokens`` count them by the name of their model.
    """

    def __init__(self) -> None:
        self._waiting: dict[Steps, deque[Item]] = {}
        self.texts: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()

    def __len__(self) -> int:
        return self.texts.total()

    def add(self, item: Item) -> None:
        """Append ``item``."""
        self._waiting.setdefault(item.steps, deque()).append(item)
        self.texts[item.model] += 1
        self.tokens[item.model] += item.size

    def remove(self, item: Item) -> None:
        """Have ``item``, which waits here, not wait any more."""
        item.waiting = False
        self.texts[item.model] -= 1
        self.tokens[item.model] -= item.size

    def take(self, budget: int | None = None) -> list[Item]:
        """The oldest item, and those of similar length beside it that fit into a batch; none where none waits.

        ``budget`` is the most tokens of the batch, padding included, within those that suit the engine.
        """
        waiting = self._oldest()
        if waiting is None:
            return []
        window: list[Item] = []
        while waiting and len(window) < _WINDOW:
            item = waiting.popleft()
            if item.waiting:
                window.append(item)
        pipeline = window[0].steps.pipeline
        engine, most = pipeline.backend, 1 if pipeline.one_by_one else _WINDOW
        least = engine.token_budget if budget is None else max(budget, engine.least_tokens)
        chosen = fitting(window, min(least, engine.token_budget), most)
        for item in chosen:
            self.remove(item)
        waiting.extendleft(reversed([item for item in window if item.waiting]))
        return chosen

    def _oldest(self) -> deque[Item] | None:
        """The kind of request whose first item came first."""
        for steps, waiting in list(self._waiting.items()):
            while waiting and not waiting[0].waiting:
                waiting.popleft()
            if not waiting:
                del self._waiting[steps]
        return min(self._waiting.values(), key=lambda waiting: waiting[0].arrived, default=None)


def fitting(window: Sequence[Item], budget: int, most: int) -> list[Item]:
    """The first of ``window``, and as many others as fit into ``budget`` tokens, at most ``most`` items.

    Others are those nearest in length, and no longer or shorter than a quarter of the longest.
    """
    first, *others = window
    others.sort(key=lambda item: abs(item.size - first.size))
    chosen, shortest, longest = [first], first.size, first.size
    for item in others[: max(0, min(most, budget // first.size + _SMALL_PADDING) - 1)]:
        low, high = min(shortest, item.size), max(longest, item.size)
        if high * (len(chosen) + 1) > budget or high - low > max(_SMALL_PADDING, high // 4):
            break
        chosen.append(item)
        shortest, longest = low, high
    return chosen
