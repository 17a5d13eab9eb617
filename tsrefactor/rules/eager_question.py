"""eager-question."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import only_eager
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

# What holds for a scripted model by itself: one process, no export, no clock.
_ANSWERS = {
    "torch.distributed.is_available": "False", "torch.distributed.is_initialized": "False",
    "torch.onnx.is_in_onnx_export": "False",
    "time.time": "0.0", "time.perf_counter": "0.0", "time.monotonic": "0.0", "time.process_time": "0.0",
}  # fmt: skip
_HEAD = "import torch\nimport torch.distributed as dist\nfrom torch import nn\n\n\n"
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


def _example(before: str, after: str) -> Example:
    error = "attribute lookup|attribute on|import statements|not supported|unknown|Unknown|Unsupported"
    return Example(_HEAD + before, _HEAD + after, _INPUTS, Target.SCRIPT, error=error)


class EagerQuestion(Rule):
    """Ask only in eager what TorchScript cannot ask: other processes, an ONNX export, the time.

    `if dist.is_available() and dist.is_initialized():` does not compile, and neither does what it guards. Under
    `torch.jit.is_scripting()` the answer is that of a model by itself (one process, no export, no clock):
    TorchScript decides the conditional expression when it compiles, and leaves out the branch that is not taken. Eager
    asks as before. What TorchScript answers is a caveat, always printed.

    Left alone: the number and rank of processes, which only code behind such a question can ask.

    Source: "attribute lookup is not defined on python value of type 'module'", raised for what
    torch/distributed/__init__.py asks, and "import statements aren't supported" for torch/onnx/__init__.py.
    """

    name = "eager-question"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({
        "attribute-on-python-value", "class-attribute", "unsupported-syntax", "python-builtin", "python-value-as-value",
        "not-a-value",
    })  # fmt: skip
    examples = [
        _example(
            """\
class Model(nn.Module):
    def forward(self, x):
        mean = x.mean(0)
        if self.training and dist.is_available() and dist.is_initialized():
            dist.all_reduce(mean)  # of all processes
            mean = mean / dist.get_world_size()
        return x - mean
""",
            """\
class Model(nn.Module):
    def forward(self, x):
        mean = x.mean(0)
        if self.training and (False if torch.jit.is_scripting() else dist.is_available() and dist.is_initialized()):
            dist.all_reduce(mean)  # of all processes
            mean = mean / dist.get_world_size()
        return x - mean
""",
        ),
        _example(
            """\
def processes() -> int:
    if not dist.is_initialized():
        return 1
    return dist.get_world_size()


class Model(nn.Module):
    def forward(self, x):
        return x * processes()
""",
            """\
def processes() -> int:
    if not (False if torch.jit.is_scripting() else dist.is_initialized()):
        return 1
    return dist.get_world_size()


class Model(nn.Module):
    def forward(self, x):
        return x * processes()
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("distributed", "onnx", "time"):
            return
        for function in file.functions:
            taken: set[ast.AST] = set()
            for call in function.calls(*_ANSWERS):
                if call not in taken and not call.args and not call.keywords and not only_eager(file, call):
                    asked = _together(function, call)
                    taken.update(asked)
                    yield self._finding(function, call, asked)

    def _finding(self, function: Function, call: ast.Call, asked: list[ast.expr]) -> Finding:
        file = function.file
        answer = _ANSWERS[file.origin(call.func)]
        scripting, imports = file.spell("torch.jit.is_scripting")
        pieces = {f"p{i}": a for i, a in enumerate(asked)}
        kept = " and ".join(f"{{{p}}}" for p in pieces)
        template, target = f"{answer} if {scripting}() else {kept}", file.parents[call] if len(asked) > 1 else call
        assert isinstance(target, ast.expr)
        questions = " and ".join(f"`{ast.unparse(a)}`" for a in asked)
        if isinstance(target, ast.BoolOp) and len(target.values) > len(asked):
            others = {f"o{i}": v for i, v in enumerate(target.values) if v not in asked}
            pieces |= others
            parts, at = [f"{{{o}}}" for o in others], target.values.index(asked[0])
            template = " and ".join([*parts[:at], f"({template})", *parts[at:]])
        return self.finding(
            call,
            f"TorchScript cannot ask {questions}; write `{preview(template, pieces)}`",
            Replace(target, template, pieces),
            imports=imports,
            caveat=f"TorchScript takes {questions} for {answer}"
            + (", and so no time passes" if answer == "0.0" else ""),
        )


def _together(function: Function, call: ast.Call) -> list[ast.expr]:
    """The questions next to each other in an `and` that one condition can ask: all of them answered alike."""
    guard, file = function.file.parents[call], function.file
    if not isinstance(guard, ast.BoolOp) or not isinstance(guard.op, ast.And) or "#" in file.source.segment(guard):
        return [call]

    def alike(value: ast.expr) -> bool:
        asks = isinstance(value, ast.Call) and _ANSWERS.get(file.origin(value.func)) == "False"
        return asks and isinstance(value, ast.Call) and not value.args and not value.keywords

    if not alike(call):
        return [call]
    first = last = guard.values.index(call)
    while first > 0 and alike(guard.values[first - 1]):
        first -= 1
    while last + 1 < len(guard.values) and alike(guard.values[last + 1]):
        last += 1
    return guard.values[first : last + 1]
