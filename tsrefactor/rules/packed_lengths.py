"""packed-lengths."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import root_name
from tsrefactor.facts.types import TENSOR
from tsrefactor.facts.updating import may_be_updated
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_PACK = ("torch.nn.utils.rnn.pack_padded_sequence",)
# What a tensor has, and an array and a list have not.
_OF_TENSORS = frozenset(
    "cpu cuda to long int float double detach numel dim size unsqueeze expand numpy is_cuda device type_as".split()
)
_HEAD = """\
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 3, batch_first=True)

"""


_INPUTS = "[(torch.rand(2, 5, 4), torch.tensor([3, 2])), (torch.rand(3, 4, 4), torch.tensor([4, 2, 1]))]"


def _example(before: str, after: str, error: str) -> Example:
    return Example(_HEAD + before, _HEAD + after, _INPUTS, Target.SCRIPT, error=error)


class PackedLengths(Rule):
    """Give the lengths of packed sequences as the tensor that they are.

    `pack_padded_sequence` once took a list or an array of lengths, and makes a tensor of whole numbers on the CPU of
    it. TorchScript has no numpy, and does not know what `tolist` gives; a trace keeps the example's lengths.
    `pack_padded_sequence(x, lengths.tolist())`
    becomes `pack_padded_sequence(x, lengths.cpu().long())`, `lengths.cpu().numpy()` becomes `lengths.cpu().long()`, in
    the call or in a variable that only such calls read.

    Left alone: lengths that are used for something else, too, or that something may update in place before they are
    used; lists of what is not known to be a tensor, as of a parameter for which nothing in the function says so.

    Source: `pack_padded_sequence` in torch/nn/utils/rnn.py; "has no attribute or method 'numpy'" and "Expected type
    hint for result of tolist()", raised by torch/csrc/jit/frontend.
    """

    name = "packed-lengths"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"type-hint-needed", "no-attribute-on-type", "arguments-not-valid", "argument-type"})
    examples = [
        _example(
            """\
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.tolist(), batch_first=True)  # longest first
        out, state = self.rnn(packed)
        return pad_packed_sequence(out, batch_first=True)[0], state
""",
            """\
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu().long(), batch_first=True)  # longest first
        out, state = self.rnn(packed)
        return pad_packed_sequence(out, batch_first=True)[0], state
""",
            "Expected type hint for result of tolist",
        ),
        _example(
            """\
    def forward(self, x, lengths):
        sizes = lengths.data.cpu().numpy()
        packed = pack_padded_sequence(x, sizes, True)
        out, state = self.rnn(packed)
        return pad_packed_sequence(out, batch_first=True)[0], state
""",
            """\
    def forward(self, x, lengths):
        sizes = lengths.data.cpu().long()
        packed = pack_padded_sequence(x, sizes, True)
        out, state = self.rnn(packed)
        return pad_packed_sequence(out, batch_first=True)[0], state
""",
            "has no attribute or method 'numpy'",
        ),
        # A trace would pack all that it is given by the example's lengths.
        Example(
            _HEAD
            + """\
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu().numpy(), batch_first=True, enforce_sorted=False)
        return self.rnn(packed)[1]
""",
            _HEAD
            + """\
    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu().long(), batch_first=True, enforce_sorted=False)
        return self.rnn(packed)[1]
""",
            _INPUTS,
            Target.TRACE,
            "baked",
            settings=Settings(Target.TRACE),
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("pack_padded_sequence"):
            return
        traced = settings.target is Target.TRACE
        for function in file.functions:
            lengths = [_lengths(c) for c in function.calls(*_PACK)]
            for value in dict.fromkeys(_made(function, given, lengths) for given in lengths):
                tensor = _tensor(function, value) if value is not None else None
                if value is None or tensor is None or (value not in lengths and _may_change(function, tensor)):
                    continue
                template = "{lengths}.long()" if _is_on_cpu(value) else "{lengths}.cpu().long()"
                pieces = {"lengths": tensor}
                why = "a trace keeps the example's lengths" if traced else "the lengths need not leave the tensor"
                message = f"{why}; write `{preview(template, pieces)}`"
                sure = _is_always_tensor(function, tensor)
                presumed = not sure or function.type_of(tensor) != TENSOR
                caveat = None if sure else f"`{ast.unparse(tensor)}` must be a tensor: an array has no `cpu`"
                edit = Replace(value, template, pieces)
                yield self.finding(value, message, edit, presumed=presumed, caveat=caveat, trap=traced)


def _lengths(call: ast.Call) -> ast.expr | None:
    if any(isinstance(a, ast.Starred) for a in call.args):
        return None
    named = next((k.value for k in call.keywords if k.arg == "lengths"), None)
    return named if named is not None or len(call.args) < 2 else call.args[1]


def _made(function: Function, given: ast.expr | None, lengths: list[ast.expr | None]) -> ast.expr | None:
    """The expression that makes the lengths: the argument, or what a variable is given that only such calls read."""
    if not isinstance(given, ast.Name):
        return given
    values = function.types.bindings.values.get(given.id, ())
    named = [n for n in function.of(ast.Name) if n.id == given.id and isinstance(n.ctx, ast.Load)]
    if any(n not in lengths for n in named) or given.id in function.flow.captured:
        return None
    if len(values) != 1 or any(p.name == given.id for p in function.parameters):
        return None
    value = values[0]
    assigned = isinstance(value, ast.expr) and isinstance(function.file.parents.get(value), ast.Assign)
    return value if assigned and isinstance(value, ast.expr) else None


def _tensor(function: Function, value: ast.expr) -> ast.expr | None:
    """The tensor of which a list or an array is made."""
    if not isinstance(value, ast.Call) or value.keywords:
        return None
    func = value.func
    if isinstance(func, ast.Attribute) and func.attr in ("tolist", "numpy") and not value.args:
        inner = _tensor(function, func.value)
        tensor = inner if inner is not None else func.value
        return tensor if function.type_of(tensor, presume=True) == TENSOR else None
    if function.file.origin(func) == "list" and len(value.args) == 1:
        inner = _tensor(function, value.args[0])
        if inner is not None:
            return inner
        known = function.type_of(value.args[0]) == TENSOR and _is_always_tensor(function, value.args[0])
        return value.args[0] if known else None
    return None


def _is_always_tensor(function: Function, tensor: ast.expr) -> bool:
    """Whether no call can give a list or an array for it: a parameter is annotated, or read as only a tensor is."""
    if not isinstance(tensor, ast.Name):
        return True
    parameter = next((p for p in function.parameters if p.name == tensor.id), None)
    if parameter is None or parameter.annotation is not None:
        return True
    parents = function.file.parents
    around = [parents[n] for n in function.of(ast.Name) if n.id == tensor.id]
    asked = any(isinstance(a, ast.Call) and function.file.origin(a.func) == "isinstance" for a in around)
    return not asked and any(isinstance(a, ast.Attribute) and a.attr in _OF_TENSORS for a in around)


def _may_change(function: Function, tensor: ast.expr) -> bool:
    """Whether the tensor may be updated in place: the variable would hold it itself, no copy."""
    root = root_name(tensor)
    return any(
        may_be_updated(function, n) for n in function.of(ast.Name) if n.id == root and isinstance(n.ctx, ast.Load)
    )


def _is_on_cpu(value: ast.expr) -> bool:
    """Whether the methods that are called one after the other take the tensor to the CPU, or need it there."""
    while isinstance(value, ast.Call):
        if value.args and isinstance(value.func, ast.Name):
            value = value.args[0]
        elif isinstance(value.func, ast.Attribute) and value.func.attr not in ("cpu", "numpy"):
            value = value.func.value
        else:
            return isinstance(value.func, ast.Attribute)
    return False
