"""final-attribute."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator

from tsrefactor.facts.attributes import Declaration
from tsrefactor.facts.branches import head_of, links
from tsrefactor.facts.declaring import declared
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.fixed import FixedConditions
from tsrefactor.facts.flags import Flag, Flags
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import BOOL
from tsrefactor.source.edits import Edit, InsertAfter, Replace, verbatim
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""
_ABOUT_BRANCHES = frozenset({"not-defined-in-branch", "mixed-return", "branch-type", "reassign-type"})
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(2, 4),)]"


def _example(before: str, after: str, error: str, model: str = "Model()") -> Example:
    typing = "from typing import Final\n\n"
    return Example(
        _HEAD + before, typing + _HEAD + after, _INPUTS, Target.SCRIPT, error=error, model=model, recorded=True
    )


class FinalAttribute(Rule):
    """Let a Final bool decide a branch that the instance decides once for all.

    TorchScript compiles both arms of `if self.mode == 'mean':`, though no instance takes more than one of them, and so
    fails on the arm that does not fit the instance. It drops the dead arm where a `Final[bool]` attribute decides: a
    comparison is no constant for it, not even one of Final attributes. So `__init__` derives the flag next to the
    attribute (`self.mode_is_mean = self.mode == 'mean'`), the class declares it, and the condition asks for it.

    All conditions of an `if` and its `elif` are treated alike. In `a and self.mode_is_mean` TorchScript would compile
    the arm all the same, so that the flag goes first where `a` does nothing but compute.

    `self.wide == False` becomes `not self.wide`. Left alone: bool attributes that are no part of a comparison, which
    annotate-types declares as they are; attributes that anything but `__init__`
    sets, or that several classes of a family set; values other than numbers, strings, bools and None; conditions that
    would give no readable name.

    Source: `emitCondExpr` in torch/csrc/jit/frontend/ir_emitter.cpp takes only constants for static conditions.
    """

    name = "final-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        "not-defined-in-branch mixed-return branch-type reassign-type argument-type argument-match argument-count"
        " argument-missing argument-unknown arguments-not-valid missing-attribute no-attribute-on-type"
        " optional-refinement unconvertible-attribute function-attribute-failed class-attribute undefined-value"
        " python-value-as-value python-type-as-value not-callable not-a-value unknown-builtin-op python-builtin"
        " size-of-list unpack-value unpack-count not-iterable not-subscriptable tuple-index integer-literal-index"
        " string-literal-index iterate-module attribute-type new-attribute attribute-on-python-value none-compare"
        " none-to-bool cast-to-bool reassign-module return-type missing-return cannot-instantiate-class"
        " variable-arguments missing-source weak-reference constant-value range-argument mixed-tensor-number"
        " list-element dict-element keyword-arguments builtin-arity not-a-function lambda-function recursion".split()
    )
    needs_diagnosis = True
    examples = [
        _example(
            """\
    def __init__(self, mode='mean'):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        # what is reported for a batch
        if self.mode == 'mean':
            return x.mean(0)
        elif self.mode == 'both':
            return x.mean(0), x.std(0)
        return x
""",
            """\
    mode_is_mean: Final[bool]
    mode_is_both: Final[bool]

    def __init__(self, mode='mean'):
        super().__init__()
        self.mode = mode
        self.mode_is_mean = self.mode == 'mean'
        self.mode_is_both = self.mode == 'both'

    def forward(self, x):
        # what is reported for a batch
        if self.mode_is_mean:
            return x.mean(0)
        elif self.mode_is_both:
            return x.mean(0), x.std(0)
        return x
""",
            error="Previous return statement returned a value of type Tensor",
        ),
        _example(
            """\
    def __init__(self, stride=1):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        if self.stride > 1:
            shortcut = x[:, ::2]
        x = torch.relu(x)
        if x.size(0) > 2 and self.stride != 1:
            x = x[:, ::2] + shortcut
        return x
""",
            """\
    stride_above_1: Final[bool]
    stride_is_1: Final[bool]

    def __init__(self, stride=1):
        super().__init__()
        self.stride = stride
        self.stride_above_1 = self.stride > 1
        self.stride_is_1 = self.stride == 1

    def forward(self, x):
        if self.stride_above_1:
            shortcut = x[:, ::2]
        x = torch.relu(x)
        if not self.stride_is_1 and x.size(0) > 2:
            x = x[:, ::2] + shortcut
        return x
""",
            error="shortcut is not defined in the false branch",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            conditions = FixedConditions(file)
            tests: dict[ast.expr, Function] = {}
            for place in (diagnosis.place, *diagnosis.chain):
                function = function_at(file, place.line) if place is not None and _here(file, place) else None
                if function is not None and place is not None and function.cls is not None:
                    tests |= dict.fromkeys(_deciding(function, place.line, diagnosis), function)
            yield from self._flagged(conditions, tests, diagnosis)

    def _flagged(
        self, conditions: FixedConditions, tests: dict[ast.expr, Function], diagnosis: Diagnosis
    ) -> Iterator[Finding]:
        flags, edits = Flags(conditions), []
        made: dict[tuple[Class, str], Flag] = {}
        for test, function in tests.items():
            found = {part: flags.of(function, part) for part in conditions.parts(function, test)}
            asked = {part: flag for part, flag in found.items() if flag is not None}
            for part, flag in asked.items():
                edits.append(_asked(function, part, flag, asked))
                if not flag.declared:
                    made[flag.owner, flag.name] = flag
        if not edits:
            return
        imports: frozenset[Import] = frozenset()
        for owner in {f.owner for f in made.values()}:
            own = [f for f in made.values() if f.owner is owner]
            wanted = [Declaration(owner, f.name, BOOL, True, owner.node, "") for f in own]
            declarations, needed = declared(owner, wanted)
            if not declarations:
                return
            edits += [*declarations, *_derived(own)]
            imports |= needed
        first = min(tests, key=lambda t: t.lineno)
        names = ", ".join(f"`{n}`" for n in dict.fromkeys(f.name for f in made.values())) or "a Final bool"
        message = f"TorchScript compiles both arms; let {names} decide"
        answered = diagnosis if diagnosis.kind in _ABOUT_BRANCHES else None
        yield self.finding(first, message, *edits, imports=imports, answers=answered)


def _here(file: FileFacts, place: Place) -> bool:
    return place.file == str(file.source.path)


def _deciding(function: Function, line: int, diagnosis: Diagnosis) -> list[ast.expr]:
    """The conditions that may keep TorchScript from a line: around it, and of branches before it that leave."""
    file = function.file
    found: list[ast.expr] = []
    for node in function.nodes:
        if isinstance(node, ast.IfExp) and node.lineno <= line <= (node.end_lineno or line):
            found.append(node.test)
        elif isinstance(node, ast.If) and head_of(file, node) is node:
            chain = links(file, node)
            around = node.lineno <= line <= (node.end_lineno or line)
            before = any(leaves(link.body) for link in chain) and line > (node.end_lineno or line)
            if around or before or (diagnosis.kind in _ABOUT_BRANCHES and _concerns(function, node, diagnosis)):
                found += [link.test for link in chain]
    return found


def _concerns(function: Function, node: ast.If, diagnosis: Diagnosis) -> bool:
    """Whether a branch binds or reads the variable that a diagnosis names, or returns where returns differ."""
    if diagnosis.kind == "mixed-return":
        return any(isinstance(n, ast.Return) for n in walk(node))
    name = diagnosis.names.get("variable")
    return name is not None and any(isinstance(n, ast.Name) and n.id == name for n in walk(node))


def _asked(function: Function, part: ast.expr, flag: Flag, asked: Container[ast.AST]) -> Edit:
    """The flag in the condition; before what else an `and` or `or` of two asks, where that only computes."""
    text = f"{'not ' if flag.negated else ''}{function.self_name}.{flag.name}"
    parent = function.file.parents[part]
    if isinstance(parent, ast.BoolOp) and len(parent.values) == 2 and parent.values[1] is part:
        first = parent.values[0]
        alone = not any(isinstance(n, ast.NamedExpr) or n in asked for n in walk(first))
        if alone and function.flow.is_pure(first):
            word = "and" if isinstance(parent.op, ast.And) else "or"
            return Replace(parent, f"{text} {word} {{first}}", {"first": first})
    return Replace(part, text)


def _derived(flags: list[Flag]) -> Iterator[Edit]:
    """The assignments in `__init__`, those after one statement together."""
    lines: dict[ast.stmt, list[str]] = {}
    for flag in flags:
        if flag.anchor is None:
            continue
        self_name = flag.owner.methods["__init__"].self_name
        lines.setdefault(flag.anchor, []).append(f"{self_name}.{flag.name} = {flag.value}")
    for anchor, texts in lines.items():
        yield InsertAfter(anchor, verbatim("\n".join(texts)))
