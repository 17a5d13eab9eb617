"""redeclared-variable."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = "import torch\nfrom torch import nn\n\n\n"
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"


class RedeclaredVariable(Rule):
    """Annotate a variable once, where it is first bound.

    TorchScript declares a variable by its annotation, and refuses another declaration in a branch or a loop below:
    `y: torch.Tensor = f(x)` becomes `y = f(x)` there. The annotation of the first binding stays, in each branch where
    it is one, and so does a second one in the same block, which TorchScript takes.

    Left alone: declarations without a value.

    Source: "Attempting to declare and annotate the type of variable", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "redeclared-variable"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"redeclared-variable"})
    needs_diagnosis = True
    examples = [
        Example(
            before=_HEAD
            + """\
class Model(nn.Module):
    def forward(self, x: torch.Tensor):
        if x.size(0) > 2:
            y: torch.Tensor = x[:2]
        else:
            y: torch.Tensor = x
        if x.size(1) > 4:
            y: torch.Tensor = y[:,
                                :4]
        for row in x:
            y: torch.Tensor = y + row.sum()  # all of it
        y: torch.Tensor = y * 2
        return y
""",
            after=_HEAD
            + """\
class Model(nn.Module):
    def forward(self, x: torch.Tensor):
        if x.size(0) > 2:
            y: torch.Tensor = x[:2]
        else:
            y: torch.Tensor = x
        if x.size(1) > 4:
            y = y[:,
                                :4]
        for row in x:
            y = y + row.sum()  # all of it
        y: torch.Tensor = y * 2
        return y
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="Attempting to declare and annotate",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            for node in function.of(ast.AnnAssign) if function is not None else ():
                assert function is not None
                target, value = node.target, node.value
                if not isinstance(target, ast.Name) or value is None:
                    continue
                around = file.parents[node]
                if around is function.node or not isinstance(around, ast.stmt):
                    continue
                if target.id not in function.flow.bound_before(around):
                    continue
                message = f"'{target.id}' has a type already; assign it without another annotation"
                edit = Replace([node], f"{target.id} = {{value}}", {"value": value})
                yield self.finding(node, message, edit, answers=diagnosis)
