"""missing-attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import is_elif, lazy_place
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import InsertBefore, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


"""


def _example(before: str, after: str, model: str = "Model()", error: str = "has no attribute") -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, model=model)


_OPTIONAL = """\
class Block(nn.Module):
    def __init__(self, project):
        super().__init__()
        self.project = project
        self.fc = nn.Linear(4, 4)
        if project:
            self.proj = nn.Linear(4, 4)
            self.scale = 3

    def forward(self, x):
"""
_MODEL = """\


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Block(False), Block(True)

    def forward(self, x):
        return self.b(self.a(x))
"""


class MissingAttribute(Rule):
    """Raise where an attribute is missing, in branches that the instance never takes.

    TorchScript compiles every branch, also those that this instance never takes, and so asks for attributes that only
    other configurations have. `hasattr` is decided when it compiles, and what follows a `raise` is not compiled: so
    `if not hasattr(self, 'proj'): raise AttributeError('proj')` at the head of such a branch leaves it out for the
    instances without `proj`, where eager would raise at the use, and keeps it for the others.

    A conditional expression becomes an `if` statement first. In the condition of an `if`, the part that reads the
    attribute is taken as false where the attribute is missing. A private attribute (`self.__p`) is spelt as Python
    stores it. Left alone: attributes that eager finds and TorchScript does not (class attributes, properties,
    unsupported types), and statements that a recorded run reached.

    Source: "Module has no attribute", raised by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "missing-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"missing-attribute"})
    needs_diagnosis = True
    examples = [
        _example(
            _OPTIONAL
            + """\
        shortcut = x
        if self.project:
            # match the width
            y = x * 2
            shortcut = self.proj(y) * self.scale
        return shortcut + self.fc(x)
"""
            + _MODEL,
            _OPTIONAL
            + """\
        shortcut = x
        if self.project:
            if not hasattr(self, 'proj'):
                raise AttributeError('proj')
            # match the width
            y = x * 2
            shortcut = self.proj(y) * self.scale
        return shortcut + self.fc(x)
"""
            + _MODEL,
        ),
        _example(
            _OPTIONAL
            + """\
        shortcut = self.proj(x) if self.project else x
        return shortcut + self.fc(x)
"""
            + _MODEL,
            _OPTIONAL
            + """\
        if self.project:
            if not hasattr(self, 'proj'):
                raise AttributeError('proj')
            shortcut = self.proj(x)
        else:
            shortcut = x
        return shortcut + self.fc(x)
"""
            + _MODEL,
        ),
        _example(
            _OPTIONAL
            + """\
        if self.project and self.scale > 2:
            x = x * 2
        return self.fc(x)
"""
            + _MODEL,
            _OPTIONAL
            + """\
        if self.project and (self.scale > 2 if hasattr(self, 'scale') else False):
            x = x * 2
        return self.fc(x)
"""
            + _MODEL,
        ),
        _example(
            _OPTIONAL
            + """\
        if not self.project:
            return self.fc(x)
        return self.widen(x)

    def widen(self, x):
        '''Only for the blocks that project.'''
        return self.proj(x)
"""
            + _MODEL,
            _OPTIONAL
            + """\
        if not self.project:
            return self.fc(x)
        if not hasattr(self, 'proj'):
            raise AttributeError('proj')
        return self.widen(x)

    def widen(self, x):
        '''Only for the blocks that project.'''
        return self.proj(x)
"""
            + _MODEL,
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.__fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.__fc(x)
""",
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.__fc = nn.Linear(4, 4)

    def forward(self, x):
        return self._Model__fc(x)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            node = _read(function, diagnosis) if function is not None else None
            if function is not None and node is not None:
                yield self._answer(function, node, diagnosis)

    def _answer(self, function: Function, node: ast.Attribute, diagnosis: Diagnosis) -> Finding:
        what = f"`{ast.unparse(node)}` is missing where TorchScript compiles it"
        stored = _mangled(function, node)
        if stored != node.attr and _assigned_anywhere(function.cls, node.attr):
            uses = [n for n in function.self_attributes.get(node.attr, ()) if isinstance(n.ctx, ast.Load)]
            edits = [Replace(n, f"{{value}}.{stored}", {"value": n.value}) for n in uses]
            return self.finding(
                node, f"TorchScript knows `{node.attr}` only as `{stored}`; write that", *edits, answers=diagnosis
            )
        reason = _refusal(function, node)
        if reason is not None:
            return self.finding(node, f"{what}: {reason}", answers=diagnosis)
        receiver, read = ast.unparse(node.value), node
        function, site = _site(function, node, diagnosis)
        statement = function.file.statement_of(site)
        guard = f"if not hasattr({receiver}, '{stored}'):\n    raise AttributeError('{stored}')"
        lazy = lazy_place(function.file, site, statement)
        if isinstance(lazy, ast.IfExp):
            edit = _as_statement(statement, lazy, site, guard)
            if edit is not None:
                return self.finding(
                    node, f"{what}; make it an `if` that raises AttributeError there", edit, answers=diagnosis
                )
        if isinstance(lazy, ast.BoolOp) and isinstance(lazy.op, ast.And) and _is_test(function.file, lazy):
            part = next(v for v in lazy.values if any(n is site for n in ast.walk(v)))
            text = function.file.source.segment(part)
            kept: Pieces = {"part": part if "\n" in text else text}
            template = f"({{part}} if hasattr({receiver}, '{stored}') else False)"
            return self.finding(
                node,
                f"{what}; take the condition as false there",
                Replace(part, template, kept),
                caveat=f"where `{receiver}.{stored}` is missing, the condition is false instead of an error",
                answers=diagnosis,
            )
        if lazy is not None or is_elif(function.file, statement) or isinstance(statement, ast.While):
            return self.finding(node, f"{what}, in a place that is not always evaluated", answers=diagnosis)
        anchor = _head(function, statement, read)
        return self.finding(
            node,
            f"{what}; raise AttributeError before it, unless `hasattr`",
            InsertBefore(anchor, guard),
            answers=diagnosis,
        )


def _read(function: Function, diagnosis: Diagnosis) -> ast.Attribute | None:
    """The attribute's read that the diagnosis points at, else the first one of that name on its line."""
    place, name = diagnosis.place, diagnosis.names.get("attribute")
    assert place is not None
    found = [n for n in function.of(ast.Attribute) if n.attr == name and n.lineno == place.line]
    exact = [n for n in found if n.col_offset == place.column]
    return next(iter(exact or found), None)


def _site(function: Function, node: ast.Attribute, diagnosis: Diagnosis) -> tuple[Function, ast.expr]:
    """Where to guard a read. For TorchScript a method that can only raise returns None: then where it is called."""
    site: ast.expr = node
    for place in diagnosis.chain:
        file, statement = function.file, function.file.statement_of(site)
        always = file.parents[statement] is function.node and not _leaves_before(file, statement)
        plain = always and function.name != "forward" and function.node.returns is None
        if not plain or function.self_name is None or place.file != str(file.source.path):
            break
        caller = function_at(file, place.line)
        calls = [
            n for n in (caller.of(ast.Call) if caller is not None else ())
            if caller is not None and caller.self_attribute(n.func) == function.name
            and n.lineno <= place.line <= (n.end_lineno or 0)
        ]  # fmt: skip
        if caller is None or len(calls) != 1 or caller.self_name != function.self_name:
            break
        function, site = caller, calls[0]
    return function, site


def _leaves_before(file: FileFacts, statement: ast.stmt) -> bool:
    """Whether a statement of the block may leave it before this one."""
    block = file.block_of(statement)
    before = block[: block.index(statement)]
    return any(isinstance(n, (ast.Return, ast.Raise, ast.Break, ast.Continue)) for s in before for n in ast.walk(s))


def _mangled(function: Function, node: ast.Attribute) -> str:
    """The name under which Python stores it: ``_Class__name`` for two leading underscores."""
    private = node.attr.startswith("__") and not node.attr.endswith("__")
    return f"_{function.cls.name.lstrip('_')}{node.attr}" if private and function.cls is not None else node.attr


def _assigned_anywhere(cls: Class | None, attribute: str) -> bool:
    return cls is not None and attribute in cls.assigned


def _refusal(function: Function, node: ast.Attribute) -> str | None:
    """Why no guard may stand there."""
    cls, name = function.cls, node.attr
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(root, ast.Name):
        return "its owner is not a plain name"
    if (name.startswith("_") and name.endswith("__")) or name in ("_modules", "_parameters", "_buffers"):
        return "TorchScript does not show the modules' own dictionaries"
    if cls is not None and function.self_attribute(node) is not None:
        for c in (cls, *cls.ancestors):
            if name in _class_values(c):
                return f"it is an attribute of the class `{c.name}`; annotate it there as Final"
            if name in c.methods:
                return "it is a method or property, which eager finds"
        absent = cls.observed is not None and name in cls.observed.absent
    else:
        absent = False
    if function.reached(function.file.statement_of(node)) and not absent:
        return "a recorded run reached it, so eager has it"
    return None


def _class_values(cls: Class) -> set[str]:
    """Names that the class body gives a value."""
    targets = [t for s in cls.node.body if isinstance(s, ast.Assign) for t in s.targets]
    targets += [s.target for s in cls.node.body if isinstance(s, ast.AnnAssign) and s.value is not None]
    return {t.id for t in targets if isinstance(t, ast.Name)}


def _is_test(file: FileFacts, node: ast.expr) -> bool:
    """Whether only the truth of an expression matters: it is (part of) a condition."""
    parent = file.parents[node]
    while isinstance(parent, (ast.BoolOp, ast.UnaryOp)):
        if isinstance(parent, ast.UnaryOp) and not isinstance(parent.op, ast.Not):
            return False
        node, parent = parent, file.parents[parent]
    return isinstance(parent, (ast.If, ast.While, ast.IfExp)) and parent.test is node


def _head(function: Function, statement: ast.stmt, node: ast.Attribute) -> ast.stmt:
    """Where the guard goes: the head of the block, when nothing before the statement may leave it or is needed."""
    block = function.file.block_of(statement)
    before = block[: block.index(statement)]
    if before and isinstance(before[0], ast.Expr) and isinstance(before[0].value, ast.Constant):
        before = before[1:]  # the docstring
    own = function.self_attribute(node) is not None
    top = function.file.parents[statement] is function.node
    # At the top of a function that also serves other paths, what comes first keeps its place.
    if not before or not own or _leaves_before(function.file, statement) or (top and function.name == "forward"):
        return statement
    return before[0]


def _as_statement(statement: ast.stmt, choice: ast.IfExp, node: ast.AST, guard: str) -> Replace | None:
    """``y = a if c else b`` as an ``if`` statement with the guard in the arm that holds the node."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.value is choice:
        lead, target = "{target} = ", statement.targets[0]
    elif isinstance(statement, ast.Return) and statement.value is choice:
        lead, target = "return ", None
    else:
        return None
    if any(n is node for n in ast.walk(choice.body)) == any(n is node for n in ast.walk(choice.orelse)):
        return None
    lines = "".join(f"    {line}\n" for line in guard.splitlines())
    first, second = (lines, "") if any(n is node for n in ast.walk(choice.body)) else ("", lines)
    template = f"if {{test}}:\n{first}    {lead}{{yes}}\nelse:\n{second}    {lead}{{no}}"
    pieces = {"test": choice.test, "yes": choice.body, "no": choice.orelse}
    if target is not None:
        pieces["target"] = target
    return Replace([statement], template, pieces)
