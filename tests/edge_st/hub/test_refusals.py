"""What the Hub, the options or the disk refuse, in messages that say what to do."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from edge_st.hub.errors import mapped_errors
from edge_st.hub.pull import pull
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import (
    HubError,
    OptionError,
)
from tests.support.hub_models import (
    NAME,
    dense_model,
)
from tests.support.hub_server import HubServer


def test_refusals_say_what_to_do(hub: HubServer, tmp_path: Path) -> None:
    hub.add(NAME, dense_model())
    hub.add("owner/gated", dense_model(), token="secret")

    with pytest.raises(HubError, match=r"no model 'sentence-transformers/other'.*edge-st list"):
        resolve("other")
    with pytest.raises(HubError, match="no revision 'v9'"):
        resolve(NAME, revision="v9")
    with pytest.raises(HubError, match="gated; accept its terms"):
        pull("owner/gated", tmp_path / "out")
    assert resolve("owner/gated", token="secret").is_dir()


def test_token_comes_from_the_environment(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("owner/gated", dense_model(), token="secret")
    monkeypatch.setenv("HF_TOKEN", "secret")

    assert resolve("owner/gated").is_dir()


@pytest.mark.parametrize("option", [{"backend": "torch"}, {"dtype": "float64"}])
def test_unknown_options_are_refused_at_once(hub: HubServer, tmp_path: Path, option: dict[str, Any]) -> None:
    ((name, value),) = option.items()

    with pytest.raises(OptionError, match=f"{name} is '{value}'; expected 'auto'"):
        resolve(NAME, **option)
    with pytest.raises(OptionError, match=f"{name} is '{value}'; expected 'auto'"):
        pull(NAME, tmp_path / "out", **option)
    assert not hub.log


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "disk is full.*run the same again"), (errno.EROFS, "folder that this user may")],
)
def test_errors_of_the_disk_say_what_to_do(number: int, message: str) -> None:
    with pytest.raises(HubError, match=message), mapped_errors(NAME):
        raise OSError(number, os.strerror(number))
