"""cuda-available."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attributes import Declaration
from tsrefactor.facts.declaring import declared, hides_unseen
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import initialised_at, members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.types import BOOL, TENSOR
from tsrefactor.source.edits import Edit, InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ASKED = "torch.cuda.is_available"


class CudaAvailable(Rule):
    """Let `__init__` ask whether there is a GPU, where methods ask at every call, and follow a tensor in functions.

    TorchScript cannot call `torch.cuda.is_available()`. The answer is the same for as long as the program runs, so
    that `__init__` can keep it; as a `Final` bool it decides branches when TorchScript compiles.

    The scripted model keeps the answer of the machine that it was made on, also where it is loaded. Better still is to
    follow the device of an input, which the rule does not decide for you.

    A function outside of classes keeps nothing. Where it chooses a device by the answer, it takes under TorchScript the
    device of the first tensor that it is given; eager chooses as before.

    Left alone: other questions in such functions, and classes whose `__init__` is not in the file.

    Source: `torch.cuda` is a Python module for TorchScript; "python value of type 'module'",
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "cuda-available"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"attribute-on-python-value", "python-value-as-value", "python-builtin"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 4)

    def forward(self, x):
        state = torch.zeros(x.size(0), 4)
        if torch.cuda.is_available():
            state = state.cuda()  # as the model
        return self.cell(x, state)
""",
            after="""\
from typing import Final

import torch
from torch import nn


class Model(nn.Module):
    cuda_is_available: Final[bool]

    def __init__(self):
        super().__init__()
        self.cuda_is_available = torch.cuda.is_available()
        self.cell = nn.GRUCell(4, 4)

    def forward(self, x):
        state = torch.zeros(x.size(0), 4)
        if self.cuda_is_available:
            state = state.cuda()  # as the model
        return self.cell(x, state)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            error="attribute lookup is not defined on python value|Python object",
        ),
        Example(
            before="""\
import torch
from torch import nn


def neighbours(x, k: int):
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    base = torch.arange(x.size(0), device=device)  # of each cloud
    return x.topk(k, dim=-1)[1] + base.view(-1, 1)


class Model(nn.Module):
    def forward(self, x):
        return neighbours(x, 2)
""",
            after="""\
import torch
from torch import nn


def neighbours(x, k: int):
    device = x.device if torch.jit.is_scripting() else torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    base = torch.arange(x.size(0), device=device)  # of each cloud
    return x.topk(k, dim=-1)[1] + base.view(-1, 1)


class Model(nn.Module):
    def forward(self, x):
        return neighbours(x, 2)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            error="attribute lookup is not defined on python value|Python object",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("is_available"):
            return
        asking: dict[Class, list[tuple[ast.Call, str]]] = {}
        for function in file.functions:
            if function.cls is not None and function.self_name is not None and function.name != "__init__":
                calls = [c for c in function.calls(_ASKED) if not c.args and not c.keywords]
                if calls:
                    asking.setdefault(function.cls, []).extend((call, function.self_name) for call in calls)
            elif function.cls is None:
                for call in function.calls(_ASKED):
                    yield from self._followed(function, call)
        for cls, asked in asking.items():
            yield self._finding(cls, asked)

    def _followed(self, function: Function, call: ast.Call) -> Iterator[Finding]:
        """A choice of a device, in a function outside of classes, as that of a tensor which it is given."""
        file, choice = function.file, _choice(function, call)
        tensor = _given_tensor(function)
        if choice is None or tensor is None or only_eager(file, choice):
            return
        name, surely = tensor
        scripting, imports = file.spell("torch.jit.is_scripting")
        edit = Replace(choice, f"{name}.device if {scripting}() else {{choice}}", {"choice": choice})
        given = file.parents[choice]
        if isinstance(choice, ast.IfExp) and isinstance(given, ast.Assign):
            template = f"if {scripting}():\n    {{target}} = {name}.device\nelse:\n    {{given}}"
            edit = Replace([given], template, {"target": given.targets[0], "given": [given]})
        message = f"TorchScript cannot ask whether there is a GPU; take `{name}.device` there"
        caveat = f"under TorchScript the device is that of `{name}`, also where eager would choose another one"
        yield self.finding(call, message, edit, imports=imports, presumed=not surely, caveat=caveat)

    def _finding(self, cls: Class, asked: list[tuple[ast.Call, str]]) -> Finding:
        first, message = asked[0][0], "TorchScript cannot ask whether there is a GPU"
        anchor, init = initialised_at(cls), cls.methods.get("__init__")
        if anchor is None or init is None or not cls.is_module:
            return self.finding(first, f"{message}; let `__init__` ask")
        name = fresh(members(cls), "cuda_is_available")
        edits, imports = declared(cls, [Declaration(cls, name, BOOL, True, cls.node, "")])
        if not edits:
            return self.finding(first, f"{message}; let `__init__` ask")
        made: list[Edit] = [*edits, InsertAfter(anchor, f"{init.self_name}.{name} = {ast.unparse(first)}")]
        made += [Replace(call, f"{instance}.{name}") for call, instance in asked]
        caveat = "a scripted model, and one that is pickled whole, keep what the machine that they were made on has"
        message += "; let `__init__` ask"
        return self.finding(first, message, *made, imports=imports, presumed=hides_unseen(cls), caveat=caveat)


def _choice(function: Function, call: ast.Call) -> ast.expr | None:
    """``torch.device('cuda') if torch.cuda.is_available() else torch.device('cpu')`` around the question, which an
    assignment gives a name; None for other questions."""
    file = function.file
    chosen = file.parents[call]
    if not isinstance(chosen, ast.IfExp) or chosen.test is not call:
        return None
    whole = file.parents[chosen]
    if isinstance(whole, ast.Call) and whole.args == [chosen] and file.origin(whole.func) == "torch.device":
        named = True
    else:
        whole, named = chosen, False
    for side in (chosen.body, chosen.orelse):
        made = isinstance(side, ast.Call) and file.origin(side.func) == "torch.device" and not named
        if not made and not (isinstance(side, ast.Constant) and isinstance(side.value, str)):
            return None
    given = file.parents[whole]
    return whole if isinstance(given, ast.Assign) and len(given.targets) == 1 else None


def _given_tensor(function: Function) -> tuple[str, bool] | None:
    """The first parameter that holds a tensor wherever it is read, and whether that is sure."""
    for parameter in function.parameters:
        reads = [n for n in function.of(ast.Name) if n.id == parameter.name and isinstance(n.ctx, ast.Load)]
        if reads and all(function.type_of(n, presume=True) == TENSOR for n in reads):
            return parameter.name, all(function.type_of(n) == TENSOR for n in reads)
    return None
