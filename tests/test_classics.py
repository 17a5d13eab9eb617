"""The cases that everybody meets first, each as a user would do it: apply a rule to a file, then trace or script it."""

import importlib.util
import warnings
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.forked import forked
from tsrefactor.cli import app


def loaded(path):
    spec = importlib.util.spec_from_file_location("classic", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def applied(tmp_path, monkeypatch):
    """Writes a file, applies a rule to it in place, and gives its path."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)

    def apply(text, *arguments):
        path = Path("classic.py")
        path.write_text(text)
        result = CliRunner().invoke(app, ["apply", *arguments, "classic.py"])
        assert result.exit_code == 0, result.output
        return path.resolve()

    return apply


def traced_follows(path, example, others):
    """Whether the file's `f` or `Model`, traced on an example, equals eager on other inputs."""
    warnings.simplefilter("ignore", torch.jit.TracerWarning)
    module = loaded(path)
    model = module.Model() if hasattr(module, "Model") else module.f
    trace = torch.jit.trace(model, (example,), check_trace=False)
    return all(torch.equal(trace(x), model(x)) for x in others)


LENGTH = "import torch\n\n\ndef f(x{}):\n    return torch.arange(len(x))\n"


def test_length_of_an_annotated_parameter(applied):
    path = applied(LENGTH.format(": torch.Tensor"), "--rule", "len-to-shape")
    assert "torch.arange(x.shape[0])" in path.read_text()
    assert forked(traced_follows, path, torch.rand(3), [torch.rand(3), torch.rand(7), torch.rand(1)])


def test_length_of_an_unannotated_parameter_needs_a_word(applied):
    assert "len(x)" in applied(LENGTH.format(""), "--rule", "len-to-shape").read_text()
    path = applied(LENGTH.format(""), "--rule", "len-to-shape", "--unsafe")
    assert forked(traced_follows, path, torch.rand(3), [torch.rand(7)])


@pytest.mark.parametrize(
    "length",
    [
        "len([x, x])",
        "len('abc')",
        "len({'a': x})",
        "len(self.layers)",
        "len(items)",
        "len(self.names)",
        "len((x, x))",
        "len(x.shape)",
    ],
)
def test_other_lengths_are_left_alone(applied, length):
    text = (
        "import torch\nfrom torch import nn\nfrom elsewhere import items\n\n\nclass Model(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.layers = nn.ModuleList([nn.ReLU()])\n"
        "        self.names = ['a']\n\n    def forward(self, x: torch.Tensor):\n"
        f"        return x * {length}\n"
    )
    assert applied(text, "--rule", "len-to-shape", "--unsafe").read_text() == text


def scripted(path, *arguments):
    return torch.jit.script(loaded(path).f)(*arguments)


def test_empty_dict(applied):
    text = "import torch\n\n\n@torch.jit.export\ndef f():\n    d = {}\n    d['name'] = 20\n    return d\n"
    path = applied(text, "--rule", "annotate-empty-container")
    assert "torch.jit.annotate(Dict[str, int], {})" in path.read_text()
    assert forked(scripted, path) == {"name": 20}


BRANCH = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        n = x.shape[0]
        y = x.relu()
        if x.sum() > 0:
            y = y + torch.arange(n).unsqueeze(1)
        else:
            y = -x
        return y
"""


@pytest.mark.parametrize("placement", ["inner", "module"])
def test_branch_on_data_takes_both_sides_at_every_size(applied, placement):
    path = applied(BRANCH, "--rule", "soft-refactor", "--placement", placement)
    assert "script_if_tracing" in path.read_text()
    x, longer = torch.rand(3, 2), torch.rand(5, 2)
    assert forked(traced_follows, path, x, [x, -x, longer, -longer])
    assert not forked(traced_follows, written(path, BRANCH), x, [-x])


def written(path, text):
    path.write_text(text)
    return path


REFERENCE = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, training_mode=False):
        super().__init__()
        self.verbose = training_mode
        if training_mode:
            self.head = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor, times=2, mask=None):
        best = None
        for _ in range(times):
            best = x if best is None else best + x
        if mask is not None:
            x = x * mask
        if self.verbose:
            x = self.head(x)
        assert best is not None
        return x + best
"""


def scripted_model(path, *arguments):
    model = loaded(path).Model()
    return torch.equal(torch.jit.script(model)(*arguments), model(*arguments))


def test_parameters_variables_and_final_attributes_as_in_the_reference(applied):
    path = applied(REFERENCE, "--rule", "annotate-types", "--unsafe")
    text = path.read_text()
    assert "times: int = 2, mask: Optional[torch.Tensor] = None" in text
    assert "best: Optional[torch.Tensor] = None" in text
    assert "    verbose: Final[bool]\n" in text
    assert forked(scripted_model, path, torch.rand(2, 2), 3, torch.rand(2, 2))
