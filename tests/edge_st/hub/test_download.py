"""``util.http_get``: a file from any address, whole or not at all."""

from pathlib import Path
from typing import Any

import pytest

from edge_st import util
from edge_st_runtime.errors import HubError, OptionError
from tests.support.hub_server import HubServer

CONTENT = bytes(range(256)) * 1000


def test_a_file(hub: HubServer, tmp_path: Path) -> None:
    hub.add("owner/files", {"a.bin": CONTENT})
    target = tmp_path / "new" / "a.bin"
    for _ in range(2):
        util.http_get(f"{hub.url}/owner/files/resolve/main/a.bin", str(target))
        assert target.read_bytes() == CONTENT
        assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("address", ["{}/owner/files/resolve/main/b.bin", "http://127.0.0.1:9/a"])
def test_what_fails_leaves_nothing(address: str, hub: HubServer, tmp_path: Path) -> None:
    hub.add("owner/files", {"a.bin": CONTENT})
    with pytest.raises(HubError, match="could not be downloaded"):
        util.http_get(address.format(hub.url), str(tmp_path / "a.bin"))
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


@pytest.mark.parametrize("address", ["file:///etc/hosts", "a.bin", 3])
def test_other_addresses(address: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="expected an address that begins with"):
        util.http_get(address, str(tmp_path / "a"))
