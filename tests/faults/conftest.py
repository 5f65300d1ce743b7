from collections.abc import Iterator

import pytest

from lab.faults import certificates


@pytest.fixture(scope="session", autouse=True)
def in_memory() -> Iterator[None]:
    """Proxies say what the world's clients know of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            certificates, "output", lambda client, where, command, _limit: client.certificate(where, command)
        )
        yield
