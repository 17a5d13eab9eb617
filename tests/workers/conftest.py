from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    """A monkeypatch for the module, under which the processes find the tests' task functions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)
        yield patch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Path:
    """The user's working folder."""
    folder = tmp_path_factory.mktemp("project")
    patch.chdir(folder)
    return folder


@pytest.fixture
def workers_for(folder: Path) -> Iterator[Callable[..., Workers]]:
    """Enters workers for a CASES text; leaves them at the end of the test."""
    entered: list[Workers] = []

    def enter(text: str, jobs: int = 2, **options: Any) -> Workers:
        entered.append(Workers(parse_spec(text), jobs, **options).__enter__())
        return entered[-1]

    yield enter
    for workers in entered:
        workers.close()
