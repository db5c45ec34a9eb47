"""The progress of an export on standard error, and the libraries it calls kept silent."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_LOUD = (
    "transformers", "sentence_transformers", "optimum", "optimum.intel", "optimum.exporters", "onnxruntime",
    "onnxruntime.transformers.optimizer", "onnxruntime.transformers.onnx_model", "onnxscript", "onnx_ir", "openvino",
    "nncf", "torch.onnx",
)  # fmt: skip


@dataclass
class Progress:
    """Numbered lines, one for each step: ``[2/6] converting to ONNX …``, and indented ones within a long step."""

    total: int
    quiet: bool = False
    done: int = 0

    def step(self, title: str) -> None:
        """Print that the next step begins, unless quiet."""
        self.done += 1
        if not self.quiet:
            print(f"[{self.done}/{self.total}] {title} …", file=sys.stderr, flush=True)

    def say(self, what: str) -> None:
        """Print how far the step is, unless quiet."""
        if not self.quiet:
            print(f"      {what}", file=sys.stderr, flush=True)


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Turn the libraries' warnings and progress bars off within the block; afterwards they are as before."""
    from transformers.utils import logging as transformers_logging

    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    bars = transformers_logging.is_progress_bar_enabled()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            transformers_logging.disable_progress_bar()
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if bars:
            transformers_logging.enable_progress_bar()
