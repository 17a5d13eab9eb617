"""Installed packages that a task imported are there for the next one; what is not fit to be shared is not."""

from __future__ import annotations

import os

import pytest

from .support import task, write

LAZY = """
    import importlib, os, sys
    from functools import partial
    from tsrefactor.cases import ModelCase

    def loads(name):
        before = name in sys.modules
        importlib.import_module(name)
        return before, len(os.listdir("/proc/self/task")), len(sys.modules[name].imported)

    def cases():
        for name in ("plainpackage", "threaded", "own"):
            yield ModelCase(name, partial(loads, name), list)
"""
FILES = {
    "lazy.py": LAZY,
    "own.py": "imported = [1]",
    "site-packages/plainpackage.py": "imported = [1]",
    "site-packages/threaded.py": """
        import threading
        imported = [1]
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    """,
}


@pytest.fixture
def built(folder, workers_for, monkeypatch):
    write(folder, FILES)
    monkeypatch.setenv("PYTHONPATH", str(folder / "site-packages"), prepend=os.pathsep)
    workers = workers_for("lazy.py")
    return lambda name, **options: workers.run(task("built", name, **options)).value


def test_an_installed_package_is_imported_once_for_all(built):
    assert built("plainpackage")[0] is False
    assert built("plainpackage")[0] is True


def test_so_it_is_where_a_changed_file_is_loaded_anew(built, folder):
    overlay = {folder / "own.py": "imported = [1, 2]", folder / "lazy.py": LAZY}
    assert built("plainpackage", overlay=overlay)[0] is False
    assert built("plainpackage", overlay=overlay)[0] is True


def test_the_users_own_module_is_imported_by_every_task(built, folder):
    assert built("own") == (False, 1, 1)
    assert built("own", overlay={folder / "own.py": "imported = [1, 2]"}) == (False, 1, 2)


def test_no_task_is_forked_from_a_process_with_threads(built):
    assert built("threaded") == (False, 2, 1)
    assert built("threaded") == (False, 2, 1)
    assert built("plainpackage") == (False, 1, 1)
    assert built("plainpackage") == (True, 1, 1)
