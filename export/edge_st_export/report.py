"""What an export wrote, and the error where int8 is missing from it."""

from dataclasses import dataclass
from pathlib import Path

from .errors import ExportError
from .folder.parity import GraphReport
from .int8.gate import Gate
from .int8.search import Attempt, table


@dataclass(frozen=True)
class ExportReport:
    """What was written to ``path``: each graph with its parity with the original.

    ``notes`` say what was left out and why; ``tried`` are the attempts at int8.
    """

    path: Path
    model_type: str
    graphs: tuple[GraphReport, ...]
    notes: tuple[str, ...]
    tried: tuple[Attempt, ...] = ()

    def table(self) -> str:
        """One line for each variant, then the attempts at int8, then the notes."""
        head = f"{'variant':<20}{'file':<34}{'MB':>9}{'cosine min':>13}{'mean':>12}{'ms':>8}"
        rows = [
            f"{f'{graph.engine} {graph.dtype}':<20}{graph.file:<34}{graph.megabytes:>9.1f}"
            f"{graph.cosine_min:>13.7f}{graph.cosine_mean:>12.7f}"
            f"{'' if graph.arithmetic else f'{graph.milliseconds:.2f}':>8}"
            for graph in self.graphs
        ]
        tried = [f"tried for int8:\n{table(self.tried)}"] if self.tried else []
        return "\n".join([head, *rows, *tried, *(f"note: {note}" for note in self.notes)])


class Int8MissedError(ExportError):
    """The folder of ``report`` is written in float32, but no int8 variant keeps what the gate asks for.

    ``accepting`` is a gate that the best variant passes; None where there was no variant.
    """

    def __init__(self, missed: str, report: ExportReport, accepting: Gate | None) -> None:
        accepted = "" if accepting is None else f"; the gate {accepting} accepts the best of those tried"
        super().__init__(f"{missed}, so {report.path} has float32 without int8{accepted}")
        self.report, self.accepting = report, accepting
