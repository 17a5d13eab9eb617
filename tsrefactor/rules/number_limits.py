"""number-limits."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_LIMITS = {
    "min": ("-65504.0", "-3.3895313892515355e+38", "-1.7976931348623157e+308", "-3.4028234663852886e+38"),
    "max": ("65504.0", "3.3895313892515355e+38", "1.7976931348623157e+308", "3.4028234663852886e+38"),
    "eps": ("0.0009765625", "0.0078125", "2.220446049250313e-16", "1.1920928955078125e-07"),
    "tiny": ("6.103515625e-05", "1.1754943508222875e-38", "2.2250738585072014e-308", "1.1754943508222875e-38"),
}
_HELPER = """\
def {name}(dtype: {dtype}) -> float:
    # TorchScript does not know torch.finfo
    if not {is_scripting}():
        return {finfo}(dtype).{limit}
    if dtype == {float16}:
        return {0}
    if dtype == {bfloat16}:
        return {1}
    if dtype == {float64}:
        return {2}
    return {3}
"""
_MODEL = """\
import torch


{helper}class Model(torch.nn.Module):
    def forward(self, x, mask):
{body}"""
_LARGEST = """\
def _float_max(dtype: torch.dtype) -> float:
    # TorchScript does not know torch.finfo
    if not torch.jit.is_scripting():
        return torch.finfo(dtype).max
    if dtype == torch.float16:
        return 65504.0
    if dtype == torch.bfloat16:
        return 3.3895313892515355e+38
    if dtype == torch.float64:
        return 1.7976931348623157e+308
    return 3.4028234663852886e+38


"""


class NumberLimits(Rule):
    """Read the limits of a floating-point type in a function that TorchScript can compile.

    TorchScript does not know `torch.finfo`. `-torch.finfo(x.dtype).max` becomes `-_float_max(x.dtype)`, a small
    function of the file that asks `torch.finfo` in eager, and knows the limits of half, bfloat16, float and double by
    heart under TorchScript. So do `min`, `eps` and `tiny`.

    Left alone: `torch.iinfo`, and a `torch.finfo` that a variable holds. Types of eight bits get the limits of float
    under TorchScript.

    Source: "Unknown builtin op: aten::finfo", raised by torch/csrc/jit/frontend/schema_matching.cpp.
    """

    name = "number-limits"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unknown-builtin-op"})
    examples = [
        Example(
            before=_MODEL.format(
                helper="",
                body="""\
        lowest = -torch.finfo(x.dtype).max  # nothing is below
        return x.masked_fill(mask, lowest).softmax(-1)
""",
            ),
            after=_MODEL.format(
                helper=_LARGEST,
                body="""\
        lowest = -_float_max(x.dtype)  # nothing is below
        return x.masked_fill(mask, lowest).softmax(-1)
""",
            ),
            inputs="[(torch.randn(2, 3).to(d), torch.tensor([True, False, False]))"
            " for d in (torch.float32, torch.float64, torch.float16, torch.bfloat16)]",
            breaks=Target.SCRIPT,
            error="aten::finfo",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("finfo"):
            return
        for function in file.functions:
            for node in function.of(ast.Attribute):
                call = node.value
                if node.attr not in _LIMITS or not isinstance(call, ast.Call) or len(call.args) != 1 or call.keywords:
                    continue
                if file.origin(call.func) == "torch.finfo" and not _is_helper(function):
                    yield self._replaced(file, function, node, call)
                    return  # one at a time: the next ones use the same function

    def _replaced(self, file: FileFacts, function: Function, node: ast.Attribute, call: ast.Call) -> Finding:
        existing = next((f for f in file.all_functions if f.cls is None and _is_helper(f, node.attr)), None)
        name = existing.name if existing else fresh(file.module_names, f"_float_{node.attr}")
        edits: list[Edit] = [Replace(node, f"{name}({{dtype}})", {"dtype": call.args[0]})]
        needed: set[Import] = set()
        if existing is None:
            spelt = {}
            for origin in ("dtype", "jit.is_scripting", "finfo", "float16", "bfloat16", "float64"):
                spelt[origin.rpartition(".")[2]], imports = file.spell(f"torch.{origin}")
                needed |= imports
            text = _HELPER.format(*_LIMITS[node.attr], name=name, limit=node.attr, **spelt)
            edits.append(InsertBefore(file.top_level_of(function.node), f"{text}\n\n"))
        message = f"TorchScript does not know `torch.finfo`; call `{name}`, a function of the file that does"
        return self.finding(node, message, *edits, imports=needed)


def _is_helper(function: Function, limit: str = "") -> bool:
    """Whether it is the function that an earlier edit made."""
    return function.name.startswith(f"_float_{limit}") and len(function.node.body) == 5
