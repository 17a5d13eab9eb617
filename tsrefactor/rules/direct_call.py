"""direct-call."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import is_elif
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, InsertBefore, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_CHECKPOINT = "torch.utils.checkpoint.checkpoint"
_SEQUENTIAL = "torch.utils.checkpoint.checkpoint_sequential"
_PARALLEL = frozenset({"torch.nn.parallel.data_parallel", "torch.nn.parallel.data_parallel.data_parallel"})
_OF_CHECKPOINT = frozenset({"use_reentrant", "preserve_rng_state"})
_HEAD = """\
import torch
import torch.utils.checkpoint as cp
from torch import nn


class Model(nn.Module):
"""
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


class DirectCall(Rule):
    """Call a module itself under TorchScript where eager may hand it to `checkpoint` or `data_parallel`.

    `if self.with_cp: x = checkpoint(block, x)`, with `x = block(x)` on its other side, says the same twice: the first
    way saves memory, or uses several devices. TorchScript compiles neither function; it takes the plain call where the
    condition also asks `not torch.jit.is_scripting()`, as timm's models do. Where the condition does not compile (an
    empty list of devices has no type), the plain side gets a condition of its own before it.

    Left alone: branches of which the other side does something else.

    Source: "Python builtin … is currently not supported" and others, for the sources of torch/utils/checkpoint.py and
    torch/nn/parallel/data_parallel.py.
    """

    name = "direct-call"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset(
        "argument-count argument-match argument-type arguments-not-valid attribute-on-python-value builtin-arity"
        " keyword-arguments lambda-function missing-attribute missing-python-attribute module-type not-a-value"
        " not-callable python-attribute python-builtin python-type-as-value python-value-as-value undefined-value"
        " unconvertible-attribute unknown unsupported-syntax variable-arguments cast-to-bool".split()
    )
    examples = [
        Example(
            _HEAD
            + """\
    def __init__(self, with_cp=False):
        super().__init__()
        self.with_cp = with_cp
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, x):
        for block in self.blocks:
            if self.with_cp and x.requires_grad:
                x = cp.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return x
""",
            _HEAD
            + """\
    def __init__(self, with_cp=False):
        super().__init__()
        self.with_cp = with_cp
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, x):
        for block in self.blocks:
            if self.with_cp and x.requires_grad and not torch.jit.is_scripting():
                x = cp.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return x
""",
            _INPUTS,
            Target.SCRIPT,
            error="",
            model="Model(with_cp=True)",
        ),
        Example(
            _HEAD
            + """\
    def __init__(self, gpu_ids=[]):
        super().__init__()
        self.gpu_ids = gpu_ids
        self.model = nn.Linear(4, 4)

    def forward(self, x):
        if len(self.gpu_ids) and isinstance(x.data, torch.cuda.FloatTensor):
            return nn.parallel.data_parallel(self.model, x, self.gpu_ids)
        else:
            return self.model(x)
""",
            _HEAD
            + """\
    def __init__(self, gpu_ids=[]):
        super().__init__()
        self.gpu_ids = gpu_ids
        self.model = nn.Linear(4, 4)

    def forward(self, x):
        if torch.jit.is_scripting():
            return self.model(x)
        if len(self.gpu_ids) and isinstance(x.data, torch.cuda.FloatTensor):
            return nn.parallel.data_parallel(self.model, x, self.gpu_ids)
        else:
            return self.model(x)
""",
            _INPUTS,
            Target.SCRIPT,
            error="failed to convert Python type: 'list'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("checkpoint", "data_parallel"):
            return
        for diagnosis in self.diagnoses(file):
            found = _branch_at(file, diagnosis)
            plain = _plain_side(*found) if found is not None else None
            if found is None or plain is None:
                continue
            _, branch = found
            asks, imports = file.spell("torch.jit.is_scripting")
            at_test = diagnosis.place is not None and diagnosis.place.line == branch.test.lineno
            if at_test and not _is_runner_line(found[0], branch, branch.test.lineno):
                edits = _own_branch(file, branch, plain, f"{asks}()")
            else:
                edits = [_asked_too(file, branch.test, f"not {asks}()")]
            if edits:
                message = "TorchScript does not compile what runs the module here; let it call the module itself"
                yield self.finding(branch, message, *edits, imports=imports, answers=diagnosis)


def _branch_at(file: FileFacts, diagnosis: Diagnosis) -> tuple[Function, ast.If] | None:
    """The innermost branch whose test or body holds a line that the error leads through."""
    for place in (diagnosis.place, *diagnosis.chain):
        if place is None or place.file != str(file.source.path):
            continue
        function = function_at(file, place.line)
        branches = function.of(ast.If) if function is not None else ()
        holding = [b for b in branches if b.lineno <= place.line <= (b.body[-1].end_lineno or place.line)]
        branch = max(holding, key=lambda b: b.lineno, default=None)
        if branch is not None and function is not None and not _asks_scripting(file, branch.test):
            return function, branch
    return None


def _asks_scripting(file: FileFacts, test: ast.expr) -> bool:
    return any(isinstance(n, ast.Call) and file.origin(n.func) == "torch.jit.is_scripting" for n in walk(test))


def _plain_side(function: Function, branch: ast.If) -> list[ast.stmt] | None:
    """The statements of the other side, where they are those of the branch with the plain calls."""
    file = function.file
    runs = [c for s in branch.body for c in walk(s) if isinstance(c, ast.Call) and _direct(file, c) is not None]
    if not runs:
        return None
    other = branch.orelse
    if not other and isinstance(branch.body[-1], ast.Return):
        block = file.block_of(branch)
        following = block[block.index(branch) + 1 :]
        other = following[:1] if following and isinstance(following[0], ast.Return) else []
    own = [ast.unparse(_WithDirectCalls(file).visit(copy.deepcopy(s))) for s in branch.body]
    return list(other) if own == [ast.unparse(s) for s in other] else None


class _WithDirectCalls(ast.NodeTransformer):
    def __init__(self, file: FileFacts):
        self.file = file

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return _direct(self.file, node) or node


def _direct(file: FileFacts, call: ast.Call) -> ast.Call | None:
    """The call that ``checkpoint`` or ``data_parallel`` makes of its arguments."""
    origin, names = file.origin(call.func), {k.arg for k in call.keywords}
    if any(isinstance(a, ast.Starred) for a in call.args[:2]) or not call.args:
        return None
    if origin == _CHECKPOINT and None not in names:
        keywords = [k for k in call.keywords if k.arg not in _OF_CHECKPOINT]
        return ast.Call(call.args[0], call.args[1:], keywords)
    if origin == _SEQUENTIAL and len(call.args) == 3 and names <= _OF_CHECKPOINT:
        return ast.Call(call.args[0], call.args[2:], [])
    if origin in _PARALLEL and len(call.args) > 1 and names <= {"device_ids", "output_device"}:
        given = call.args[1]
        return ast.Call(call.args[0], given.elts if isinstance(given, ast.Tuple) else [given], [])
    return None


def _is_runner_line(function: Function, branch: ast.If, line: int) -> bool:
    """Whether a call to replace stands on the line of the test, too."""
    calls = (c for s in branch.body for c in walk(s) if isinstance(c, ast.Call))
    return any(c.lineno == line and _direct(function.file, c) is not None for c in calls)


def _asked_too(file: FileFacts, test: ast.expr, condition: str) -> Edit:
    """The condition of a branch with one more that it asks for."""
    is_and = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And)
    if is_and and test.lineno == test.end_lineno:  # as a piece it would get parentheses
        return Replace(test, "{test} and {condition}", {"test": file.source.segment(test), "condition": condition})
    is_or, behind = isinstance(test, ast.BoolOp) and not is_and, file.source.text[file.source.span(test)[1] :]
    if is_or and behind.lstrip().startswith(")"):  # in parentheses: one more pair, but not two that begin together
        return Replace(test, "{condition} and {test}", {"test": test, "condition": condition})
    return Replace(test, "{test} and {condition}", {"test": test, "condition": condition})


def _own_branch(file: FileFacts, branch: ast.If, plain: Sequence[ast.stmt], scripting: str) -> list[Edit]:
    """The plain side under a condition of its own, before one that does not compile."""
    if is_elif(file, branch):
        return []
    if isinstance(plain[-1], ast.Return):
        return [InsertBefore(branch, f"if {scripting}:\n    {{plain}}", {"plain": plain})]
    template = f"if {scripting}:\n    {{plain}}\nelif {{test}}:\n    {{body}}\nelse:\n    {{other}}"
    pieces: Pieces = {"plain": plain, "test": branch.test, "body": branch.body, "other": branch.orelse}
    return [Replace([branch], template, pieces)]
