"""copied-list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import SCALARS
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_COPIES = ("copy.copy", "copy.deepcopy")


_HEAD = "import copy\n\nimport torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"


class CopiedList(Rule):
    """Copy a list of numbers with `list`.

    TorchScript cannot call `copy.copy` and `copy.deepcopy`. While a trace is made, sizes are small tensors, and what
    `copy.deepcopy` makes of them holds no numbers that a trace could follow: it reads memory that nobody wrote. A list
    of numbers is copied by `list(sizes)`, whose items are the same.

    Left alone: copies of anything but a variable that only ever holds a list of numbers, such as lists of tensors or of
    lists, which a deep copy copies, too; a `torch.Size`, which stays one.

    Source: torch/csrc/jit/frontend/python_sugared_value.cpp, for calls of Python functions; `Tensor.__deepcopy__` in
    torch/_tensor.py, which copies the storage.
    """

    name = "copied-list"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    examples = [
        Example(
            _HEAD
            + """\
        shape = list(x.size())
        wanted = copy.deepcopy(shape)  # of one channel
        wanted[1] = 1
        return x.mean(1, keepdim=True).expand(wanted), shape[0]
""",
            _HEAD
            + """\
        shape = list(x.size())
        wanted = list(shape)  # of one channel
        wanted[1] = 1
        return x.mean(1, keepdim=True).expand(wanted), shape[0]
""",
            "[(torch.rand(2, 3, 4),), (torch.rand(4, 3, 2),)]",
            Target.SCRIPT,
            "compile-error",
            "prim::id",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("copy("):
            return
        traced = settings.target is Target.TRACE
        why = "a trace cannot follow the sizes in" if traced else "TorchScript cannot call"
        for function in file.functions:
            if function.types.bindings.shadows("list"):
                continue
            for call in function.calls(*_COPIES):
                kept = len(call.args) == 1 and not call.keywords and _is_list_of_numbers(function, call.args[0])
                if not kept or (traced and not _holds_sizes(function, call)):
                    continue
                [copied] = call.args
                edit = Replace(call, "list({copied})", {"copied": copied})
                message = f"{why} `{ast.unparse(call)}`; write `list({ast.unparse(copied)})`"
                yield self.finding(call, message, edit, trap=traced)


def _holds_sizes(function: Function, call: ast.Call) -> bool:
    deep = function.file.origin(call.func) == "copy.deepcopy"
    return deep and not function.dependence.is_compiled and function.dependence.holds_kept(call)


def _is_list_of_numbers(function: Function, node: ast.expr) -> bool:
    """Whether it is a variable that only ever holds a list of plain numbers."""
    if not isinstance(node, ast.Name) or any(p.name == node.id for p in function.parameters):
        return False
    type_, values = function.type_of(node), function.types.bindings.values.get(node.id, ())
    if type_.name != "List" or type_.args[0] not in SCALARS or not values:
        return False
    return all(isinstance(v, (ast.List, ast.ListComp)) or _makes_list(function, v) for v in values)


def _makes_list(function: Function, value: object) -> bool:
    return isinstance(value, ast.Call) and function.file.origin(value.func) == "list"
