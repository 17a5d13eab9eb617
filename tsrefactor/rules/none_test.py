"""none-test."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attribute_locals import from_statement, local_name
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.truth import Truth, truth_beside, truth_of
from tsrefactor.facts.types import NONE
from tsrefactor.source.edits import Edit, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


"""
_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_TESTS = {"number": "{0} != 0", "bool": "{0}", "sized": "len({0}) > 0", "tensor": "bool({0})"}


def _example(before: str, after: str, error: str, model: str = "Model()", inputs: str = "") -> Example:
    inputs = inputs or "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, model=model, recorded=True)


_BLOCK = """\
class Block(nn.Module):
    def __init__(self, activation=None, kind=None):
        super().__init__()
        self.activation = activation
        self.kind = kind
        self.layers = nn.Sequential()

    def forward(self, x):
"""
_MODEL = """\


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = Block(nn.ReLU(), 'wide'), Block()

    def forward(self, x):
        return self.last(self.first(x))
"""


class NoneTest(Rule):
    """Ask for None, for a length or for a number, where Python asks for the truth of a value.

    TorchScript has no truth of modules, of None and of Optional values: `if self.activation:` becomes
    `if self.activation is not None:`, which it decides when it compiles. A container of modules is tested by its
    length (an empty one is false), a number by `!= 0`. Where the value may be None as well, an attribute is tested by
    `(len(self.layers) > 0 if self.layers is not None else False)`: TorchScript drops the arm of such an expression,
    but compiles both sides of an `and`. For variables an `and` does.

    `x == None` becomes `x is None`. `self.kind == 'wide'`, where the attribute may be None, becomes
    `(self.kind == 'wide' if self.kind is not None else False)`; so does `self.n > 0` behind `self.n is not None and`.
    An attribute that methods set (`if n != self.cached:`) is read into a local: `if cached is None or n != cached:`.
    `n or d`, as a value, becomes `n if n is not None and n != 0 else d`.

    The kind of an attribute is told by all that the class assigns, by the calls in the file and by all recorded
    instances; where only its uses tell that it is a module (it is called), the finding counts as presumed. That an
    argument of the constructor may be False in place of None is a caveat. Left alone:
    attributes that hold modules in some instances and other values in others, classes with `__len__` or `__bool__`
    of their own, and other comparisons by order, which fail for None in eager, too.

    Source: "Could not cast value of type NoneType to bool", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "none-test"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"none-to-bool", "cast-to-bool", "none-compare"})
    needs_diagnosis = True
    examples = [
        _example(
            _BLOCK
            + """\
        if self.activation and x.size(0) > 1:
            x = self.activation(x)
        return x if not self.activation else x + 1
"""
            + _MODEL,
            _BLOCK
            + """\
        if self.activation is not None and x.size(0) > 1:
            x = self.activation(x)
        return x if self.activation is None else x + 1
"""
            + _MODEL,
            error="Could not cast value of type",
        ),
        _example(
            _BLOCK
            + """\
        if self.layers:
            x = self.layers(x)
        return x
"""
            + _MODEL,
            _BLOCK
            + """\
        if len(self.layers) > 0:
            x = self.layers(x)
        return x
"""
            + _MODEL,
            error="Could not cast value of type .*Sequential",
        ),
        _example(
            _BLOCK
            + """\
        if self.kind == 'wide':
            x = x * 2
        return x
"""
            + _MODEL,
            _BLOCK
            + """\
        if (self.kind == 'wide' if self.kind is not None else False):
            x = x * 2
        return x
"""
            + _MODEL,
            error="found type 'NoneType'",
        ),
        Example(
            before=_HEAD
            + """\
class Model(nn.Module):
    def forward(self, x, mask: torch.Tensor | None = None, limit: int | None = None):
        if limit:
            x = x[:limit]
        if mask != None:
            x = x * mask
        return x
""",
            after=_HEAD
            + """\
class Model(nn.Module):
    def forward(self, x, mask: torch.Tensor | None = None, limit: int | None = None):
        if limit is not None and limit != 0:
            x = x[:limit]
        if mask is not None:
            x = x * mask
        return x
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 4), torch.rand(2, 4), 2), (torch.rand(2, 4), None, 0)]",
            breaks=Target.SCRIPT,
            error="Could not cast value of type Optional",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is None:
                continue
            if diagnosis.kind == "none-compare":
                yield from self._comparison(function, diagnosis)
            else:
                yield from self._test(function, diagnosis)

    # -- if self.act: ------------------------------------------------------------------------------------------------

    def _test(self, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        for node in _at(function, diagnosis, ast.Name, ast.Attribute):
            assert isinstance(node, ast.expr)
            choice = _choice(function, node)
            if choice is None and not is_condition(function, node):
                continue
            written, truth = ast.unparse(node), truth_of(function, node)
            if truth is None and choice is not None:
                truth = truth_beside(function, node, choice.values[1])
            message = f"TorchScript has no truth of `{written}`"
            if truth is None:
                yield self.finding(node, f"{message}, and nothing tells what it is in all instances", answers=diagnosis)
                return
            caveat = None
            if truth.kind == "always" and truth.given:
                caveat = f"`{written}` counts as true wherever it is not None: an instance must not be given False or 0"
            if choice is not None:
                edit, ask = _chosen(function, choice, node, truth), f"{message}; ask for None"
                yield self.finding(choice, ask, edit, presumed=truth.presumed, caveat=caveat, answers=diagnosis)
                return
            same = [n for n in function.nodes if isinstance(n, type(node)) and ast.unparse(n) == written]
            edits = [_tested(function, n, truth) for n in same if is_condition(function, n)]
            what = "for None" if truth.none or truth.kind == "always" else f"as what it is ({truth.kind})"
            yield self.finding(
                node, f"{message}; ask {what}", *edits, presumed=truth.presumed, caveat=caveat, answers=diagnosis
            )
            return

    # -- self.kind == 'wide' -----------------------------------------------------------------------------------------

    def _comparison(self, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        for node in _at(function, diagnosis, ast.Compare):
            if not isinstance(node, ast.Compare) or len(node.ops) != 1:
                continue
            equal, left, right = not isinstance(node.ops[0], ast.NotEq), node.left, node.comparators[0]
            ordered = any(_asked_for(function, node, v) for v in (left, right))
            if not isinstance(node.ops[0], (ast.Eq, ast.NotEq, *(_ORDERS if ordered else ()))):
                continue
            if _is_none(left) or _is_none(right):
                value = left if _is_none(right) else right
                word = "is" if equal else "is not"
                edit: Edit = Replace(node, f"{{value}} {word} None", {"value": value})
                yield self.finding(node, f"ask by `{word} None`", edit, answers=diagnosis)
                return
            side = next((v for v in (left, right) if _may_be_none(function, v)), None)
            message = "TorchScript compares no None"
            if side is None:
                yield self.finding(node, f"{message}, and it is not plain which side is", answers=diagnosis)
                return
            other = right if side is left else left
            if _may_be_none(function, other, declared=True) and not _asked_for(function, node, other):
                yield self.finding(node, f"{message}, and both sides may be None", answers=diagnosis)
                return
            edits = _in_local(function, node, side, equal) or [_guarded(function, node, side, equal)]
            yield self.finding(node, f"{message}; ask for it first", *edits, answers=diagnosis)
            return


def is_condition(function: Function, node: ast.expr) -> bool:
    """Whether nothing but the truth of an expression matters."""
    parent = function.file.parents[node]
    if isinstance(parent, (ast.If, ast.IfExp, ast.While, ast.Assert)):
        return parent.test is node
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    return isinstance(parent, ast.BoolOp) and is_condition(function, parent)


def _choice(function: Function, node: ast.expr) -> ast.BoolOp | None:
    """``node or other``, where one of the two is the value and not only the truth of it."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.Or) and not is_condition(function, parent):
        return parent if len(parent.values) == 2 and parent.values[0] is node else None
    return None


def _chosen(function: Function, choice: ast.BoolOp, node: ast.expr, truth: Truth) -> Edit:
    """``v or d`` as a conditional expression; the arm for None of an attribute folds when it is compiled."""
    pieces: Pieces = {"v": node, "d": choice.values[1]}
    if truth.kind == "always":
        text = "{v} if {v} is not None else {d}"
    else:
        test = _TESTS[truth.kind].format("{v}")
        text = f"{{v}} if {test} else {{d}}"
        if truth.none and function.self_attribute(node) is not None:
            text = f"({text}) if {{v}} is not None else {{d}}"
        elif truth.none:
            text = f"{{v}} if {{v}} is not None and {test} else {{d}}"
    plain = isinstance(function.file.parents[choice], (ast.Assign, ast.AnnAssign, ast.Return, ast.keyword))
    return Replace(choice, text if plain else f"({text})", pieces)


def _asked_for(function: Function, node: ast.Compare, value: ast.expr) -> bool:
    """Whether an `and` around a comparison asks before it whether the value is None."""
    parent = function.file.parents[node]
    if not isinstance(parent, ast.BoolOp) or not isinstance(parent.op, ast.And):
        return False
    asked = f"{ast.unparse(value)} is not None"
    return any(ast.unparse(v) == asked for v in parent.values[: parent.values.index(node)])


def _at(function: Function, diagnosis: Diagnosis, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of these kinds where the diagnosis points; on its line, where it names no column."""
    place = diagnosis.place
    assert place is not None
    for node in function.nodes:
        at = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
        if isinstance(node, kinds) and at == (place.line, at[1] if place.column is None else place.column):
            yield node


def _tested(function: Function, node: ast.expr, truth: Truth) -> Edit:
    """The condition that asks what the value's truth is; of a `not`, both together."""
    pieces: Pieces = {"v": node}
    parent = function.file.parents[node]
    if truth.kind == "always":
        if isinstance(parent, ast.UnaryOp):
            return Replace(parent, "{v} is None", pieces)
        return Replace(node, "{v} is not None", pieces)
    test = _TESTS[truth.kind].format("{v}")
    if not truth.none:
        return Replace(node, test, pieces)
    if function.self_attribute(node) is not None:
        return Replace(node, f"({test} if {{v}} is not None else False)", pieces)
    return Replace(node, f"{{v}} is not None and {test}", pieces)


def _in_local(function: Function, node: ast.Compare, value: ast.expr, equal: bool) -> list[Edit] | None:
    """The edits that compare a local copy of an attribute which methods set, and which is Optional to TorchScript."""
    name, cls = function.self_attribute(value), function.cls
    statement = function.file.statement_of(node)
    if name is None or cls is None or not isinstance(statement, ast.If) or isinstance(node.ops[0], _ORDERS):
        return None
    family = [cls, *cls.ancestors, *cls.subclasses]
    if all(method.name == "__init__" for c in family for method, _ in c.assigned.get(name, ())):
        return None  # None or not in each instance: the test folds
    local, block = local_name(function, name), function.file.block_of(statement)
    if local is None or node not in walk(statement.test):
        return None
    guard = f"{local} is not None and {{test}}" if equal else f"{local} is None or {{test}}"
    return from_statement(function, block[block.index(statement) :], name, local, (node, guard))


def _guarded(function: Function, node: ast.Compare, value: ast.expr, equal: bool) -> Edit:
    pieces: dict[str, ast.expr] = {"v": value, "test": node}
    if function.self_attribute(value) is None:
        return Replace(node, "{v} is not None and {test}" if equal else "{v} is None or {test}", pieces)
    guarded = f"({{test}} if {{v}} is not None else {not equal})"
    parent = function.file.parents[node]
    if not equal or not isinstance(parent, ast.BoolOp) or not isinstance(parent.op, ast.And):
        return Replace(node, guarded, pieces)
    at = parent.values.index(node)
    if at == 0 or ast.unparse(parent.values[at - 1]) != f"{ast.unparse(value)} is not None":
        return Replace(node, guarded, pieces)
    others = {f"o{i}": v for i, v in enumerate(parent.values) if i not in (at - 1, at)}  # it asks for None itself
    parts = [f"{{{name}}}" for name in others]
    parts.insert(at - 1, guarded)
    return Replace(parent, " and ".join(parts), pieces | others)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _may_be_none(function: Function, node: ast.expr, declared: bool = False) -> bool:
    """Whether a name or an attribute is None somewhere; ``declared``: or is let be None, whatever the runs saw."""
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return False
    type_ = function.type_of(node)
    if type_ == NONE or type_.optional:
        return True
    name, cls = function.self_attribute(node), function.cls
    if declared and isinstance(node, ast.Name):
        given = next((p for p in function.parameters if p.name == node.id), None)
        if given is None or (given.default is not None and _is_none(given.default)):
            return given is not None
        return given.annotation is not None and function.file.annotated(given.annotation).optional
    if name is None or cls is None:
        return False
    family = [cls, *cls.ancestors, *cls.subclasses]
    if declared and any(v is not None and _is_none(v) for c in family for _, v in c.assigned.get(name, ())):
        return True
    recorded = [c.observed.attributes[name] for c in family if c.observed is not None and name in c.observed.attributes]
    return any(t == NONE or t.optional for t in recorded)
