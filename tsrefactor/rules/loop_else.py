"""loop-else."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.source.edits import Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ELSE = re.compile(r"\s*else\s*:\s*(#.*)?$")
_HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.full((3, 4), 9.0),)]"
    error = "else branches of for loops|incompatible constructor arguments"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class LoopElse(Rule):
    """Write out the `else` of a loop.

    TorchScript has no `else` of `for` and `while`, which runs unless a `break` left the loop. Where nothing breaks,
    its statements follow the loop; else a flag says whether the loop was left.

    Left alone: an `else` that shares its line with a statement, loops with strings of several lines.

    Source: "else branches of for loops aren't supported", raised by torch/jit/frontend.py, which passes that of a
    `while` on to a class that has no place for it.
    """

    name = "loop-else"
    targets = frozenset({Target.SCRIPT})
    examples = [
        _example(
            """\
        for size in [2, 4, 8]:  # the least that will do
            if size > int(x.max()):
                x = x / size
                break
        else:
            x = x / 16  # large
        return x
""",
            """\
        found = False
        for size in [2, 4, 8]:  # the least that will do
            if size > int(x.max()):
                x = x / size
                found = True
                break
        if not found:
            x = x / 16  # large
        return x
""",
        ),
        _example(
            """\
        n = 0
        while n < 3:
            x = x * 2
            n += 1
        else:  # always
            x = x - 1
        return x
""",
            """\
        n = 0
        while n < 3:
            x = x * 2
            n += 1
        # always
        x = x - 1
        return x
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for loop in function.of(ast.For, ast.While):
                if not loop.orelse:
                    continue
                text = _written(function, loop)
                kind = "for" if isinstance(loop, ast.For) else "while"
                message = f"TorchScript has no `else` of `{kind}`"
                if text is None:
                    yield self.finding(loop, f"{message}, and this one shares its line")
                else:
                    first = ast.unparse(loop.orelse[0]).partition("\n")[0]
                    what = f"let `{first}` follow" + (", unless a flag is set" if any(_breaks(loop.body)) else "")
                    yield self.finding(loop, f"{message}; {what}", Replace([loop], verbatim(text)))


def _written(function: Function, loop: ast.For | ast.While) -> str | None:
    """The loop and what follows it, by the author's lines."""
    lines, body, orelse = function.file.source.lines, loop.body, loop.orelse
    first, last = body[-1].end_lineno or 0, orelse[-1].end_lineno or 0
    at = next((n for n in range(first + 1, orelse[0].lineno) if _ELSE.match(lines[n - 1])), None)
    taken = [line.rstrip("\r\n") for line in lines[loop.lineno - 1 : last]]
    if at is None or any(quotes in line for line in taken for quotes in ('"""', "'''")):
        return None
    breaks = list(_breaks(body))
    own = [lines[b.lineno - 1][: b.col_offset] for b in breaks]
    if any(indent.strip() for indent in own) or lines[loop.lineno - 1][: loop.col_offset].strip():
        return None
    flag = fresh(function.flow.local_names | function.file.module_names, "found", "left")
    head, comment = at - loop.lineno, lines[at - 1].partition("#")[1:]
    indent = lines[loop.lineno - 1][: loop.col_offset]
    if breaks:
        taken[head] = f"{indent}if not {flag}:{'  ' if comment[0] else ''}{''.join(comment).rstrip()}"
        for node, before in zip(reversed(breaks), reversed(own), strict=True):
            taken.insert(node.lineno - loop.lineno, f"{before}{flag} = True")
        return textwrap.dedent("\n".join([f"{indent}{flag} = False", *taken]))
    after = textwrap.dedent("\n".join(taken[head + 1 :]))
    told = f"{''.join(comment).rstrip()}\n" if comment[0] else ""
    return f"{textwrap.dedent(chr(10).join(taken[:head]))}\n{told}{after}"


def _breaks(statements: Iterable[ast.stmt]) -> Iterator[ast.Break]:
    """The `break` statements that leave the loop around these statements."""
    for statement in statements:
        if isinstance(statement, ast.Break):
            yield statement
        elif isinstance(statement, (ast.For, ast.While)):
            yield from _breaks(statement.orelse)
        elif not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            for block in ("body", "orelse", "finalbody"):
                yield from _breaks(getattr(statement, block, ()))
            for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from _breaks(part.body)
