"""max-unpool."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_LAYERS = tuple(f"torch.nn.MaxUnpool{d}d" for d in (1, 2, 3))
_COMMENT = "# constants, as in MaxPool2d: TorchScript takes these for attributes of another type"
_CONSTANTS = "__constants__ = ['kernel_size', 'stride', 'padding']"
_HEAD = "from torch import nn\n\n\n"
_CLASS = f"class MaxUnpool2d(nn.MaxUnpool2d):\n    {_COMMENT}\n    {_CONSTANTS}\n\n\n"


def _example(before: str, after: str, inputs: str) -> Example:
    return Example(_HEAD + before, _HEAD + _CLASS + after, inputs, Target.SCRIPT, error=r"isIntList\(\)")


class MaxUnpool(Rule):
    """Derive a class of `nn.MaxUnpool2d` that TorchScript can compile.

    `nn.MaxUnpool1d`, `nn.MaxUnpool2d` and `nn.MaxUnpool3d` annotate the tuples that they hold as sizes of another kind,
    and TorchScript fails an assertion of its own when it makes the module. `nn.MaxPool2d` names them as constants. So
    does a class of the same name that derives from torch's, and that the file makes instead.

    Left alone: layers that another file makes.

    Source: "isIntList() INTERNAL ASSERT FAILED", when torch.jit.script is given an `nn.MaxUnpool2d(2)`; the classes of
    torch/nn/modules/pooling.py.
    """

    name = "max-unpool"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"internal-assert"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)  # back to the size before
        self.other = nn.MaxUnpool2d(kernel_size=2, stride=2)

    def forward(self, x):
        y, indices = self.pool(x)
        return self.unpool(y, indices, output_size=x.size()), self.other(y * 2, indices)
""",
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = MaxUnpool2d(2)  # back to the size before
        self.other = MaxUnpool2d(kernel_size=2, stride=2)

    def forward(self, x):
        y, indices = self.pool(x)
        return self.unpool(y, indices, output_size=x.size()), self.other(y * 2, indices)
""",
            "[(torch.rand(1, 2, 4, 4),), (torch.rand(2, 1, 6, 8),)]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        diagnosis = next(self.diagnoses(file), None)
        if diagnosis is None or not file.mentions("MaxUnpool"):
            return
        made = [(function, call) for function in _builders(file) for call in function.calls(*_LAYERS)]
        for layer in dict.fromkeys(file.origin(call.func) for _, call in made):
            calls = [(function, call) for function, call in made if file.origin(call.func) == layer]
            function, first = calls[0]
            base = ast.unparse(first.func)
            name, existing = _derived(file, layer)
            edits: list[Edit] = [Replace(call.func, name) for _, call in calls]
            if not existing:
                text = f"class {name}({base}):\n    {_COMMENT}\n    {_CONSTANTS}\n\n\n"
                edits.append(InsertBefore(file.top_level_of(function.node), text))
            message = f"TorchScript cannot make a `{base}`; derive a class that names its constants"
            yield self.finding(first, message, *edits, answers=diagnosis)


def _builders(file: FileFacts) -> list[Function]:
    """The functions that may make the layers: of what was recorded only the classes and functions that took part."""
    if file.observations is None:
        return list(file.all_functions)
    return [f for f in file.all_functions if f.observed is not None or (f.cls is not None and f.cls.observed)]


def _derived(file: FileFacts, layer: str) -> tuple[str, bool]:
    """The name of the file's class, and whether an earlier edit has made it."""
    for cls in file.classes:
        body = cls.node.body
        if cls.foreign_bases == [layer] and len(body) == 1 and ast.unparse(body[0]) == _CONSTANTS:
            return cls.name, True
    plain = layer.rpartition(".")[2]
    return fresh(file.module_names, plain, f"Scripted{plain}"), False
