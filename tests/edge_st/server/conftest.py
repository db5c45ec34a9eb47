from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from edge_st.server.config import Config
from tests.support import service
from tests.support.service import Folders, Same
from tests.support.small_service import create_app


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """A client of the small service, which asks for no key."""
    with TestClient(create_app(Config())) as found:
        yield found


@pytest.fixture(scope="module")
def client_of() -> Callable[[Config], TestClient]:
    return lambda config: TestClient(create_app(config), raise_server_exceptions=False)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Models of every class, and an index."""
    return service.write(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def same(folders: Folders) -> Same:
    """The same models, to compare with."""
    return service.same(folders)
