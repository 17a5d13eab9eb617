import importlib.util
import sys
import textwrap

import pytest


@pytest.fixture
def make_module(tmp_path):
    """Writes source to a file under tmp_path and imports it from there."""
    made = []

    def make(source: str, name: str = "observed"):
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
        return module

    yield make
    for name in made:
        sys.modules.pop(name, None)
