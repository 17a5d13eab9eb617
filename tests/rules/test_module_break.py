"""module-break: forms, and what is left alone."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.module_break import ModuleBreak
from tsrefactor.vocabulary import Target

RULE = ModuleBreak()
HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])

    def forward(self, x, n: int = 2):
"""


def model(*body: str) -> str:
    return HEAD + "".join(f"        {line}\n" for line in body)


def loop(*body: str, head: str = "for i, layer in enumerate(self.layers):") -> str:
    return model(head, *(f"    {line}" for line in body), "return x")


def _read_later(first: str, *body: str, later: str) -> str:
    head = "for i, layer in enumerate(self.layers):"
    return model(first, head, *(f"    {line}" for line in body), f"return {later}")


@pytest.mark.parametrize(
    ("test", "guard"),
    [
        ("i == 1", "i != 1"),
        ("i in [1, 2]", "i not in [1, 2]"),
        ("not i > n", "i > n"),
        ("i > n", "not (i > n)"),
        ("i > n or i == 0", "not (i > n or i == 0)"),
    ],
)
def test_continue(test, guard, tmp_path):
    file = source(tmp_path / "model.py", loop(f"if {test}:", "    continue", "x = layer(x)  # one"))
    assert rewritten(RULE, file) == loop(f"if {guard}:", "    x = layer(x)  # one")


@pytest.mark.parametrize(
    ("test", "last", "guard"),
    [
        ("i == 2", False, "i < 2"),
        ("i >= n", False, "i < n"),
        ("i == 2", True, "i <= 2"),
        ("i == n", False, None),  # n may be negative
        ("i >= n", True, None),
        ("i > n", False, None),
        ("x.sum() > 1", True, None),
    ],
)
def test_break_at_a_number_of_the_counter(test, last, guard, tmp_path):
    leaving = (f"if {test}:", "    break")
    body = ("x = layer(x)", *leaving) if last else (*leaving, "x = layer(x)")
    after = rewritten(RULE, source(tmp_path / "model.py", loop(*body)))
    if guard is not None:
        assert after == loop(f"if {guard}:", "    x = layer(x)")
    else:
        assert "if not done:" in after and "done = True" in after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (loop("x = layer(x)", "if n > i:", "    break").replace("return x", "else:\n            x = x + 1"), "`else`"),
        (loop("y = layer(x)", "if n > i:", "    break").replace("return x", "return y"), "`y` is only"),
        (loop("if n > i:", "    if i > 1:", "        break", "    x = layer(x)", "x = x + 1"), "only sometimes"),
        (loop("with torch.no_grad():", "    break"), "another block"),
        (_read_later("i = 0", "if i == 1:", "    break", "x = layer(x)", later="x, i"), "`i` is read after"),
        (_read_later("i = 0", "x = layer(x)", "if n > i:", "    break", later="x, i"), "`i` is read after"),
        (
            _read_later("layer = nn.ReLU()", "x = layer(x)", "if n > i:", "    break", later="layer(x)"),
            "`layer` is read",
        ),
    ],
)
def test_refusals(text, why, tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", text))
    assert [f.fixable for f in found] == [False]
    assert why in found[0].message


def test_what_the_header_binds_may_be_read_later_where_a_round_is_skipped(tmp_path):
    text = _read_later("i = 0", "if i == 1:", "    continue", "x = layer(x)", later="x, i")
    assert "if i != 1:\n" in rewritten(RULE, source(tmp_path / "model.py", text))


@pytest.mark.parametrize("over", ["enumerate(self.layers, start=1)", "enumerate(self.layers, 1)"])
def test_a_counter_that_starts_at_another_number_may_never_be_there(over, tmp_path):
    text = loop("if i == 0:", "    break", "x = layer(x)", head=f"for i, layer in {over}:")
    after = rewritten(RULE, source(tmp_path / "model.py", text))
    assert "if not done:\n" in after and "i < 0" not in after


@pytest.mark.parametrize("comment", ["# {stage}", "# }", "# {}"])
def test_braces_in_comments_and_conditions(comment, tmp_path):
    body = ("if i >= len({n, 1}):", "    break", "x = layer(x)", comment)
    head = "for i, layer in enumerate(self.layers):  " + comment
    after = rewritten(RULE, source(tmp_path / "model.py", loop(*body, head=head)))
    assert after == loop("if i < len({n, 1}):", "    x = layer(x)", f"    {comment}", head=head)


@pytest.mark.parametrize("head", ["for i in range(n):", "for layer in [x, x]:", "while True:"])
def test_loops_over_other_things_are_left_alone(head, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", loop("x = x + 1", "break", head=head))) == []


def test_a_break_of_an_inner_loop_is_left_alone(tmp_path):
    body = ("for k in range(n):", "    if k == i:", "        break", "x = layer(x)")
    assert findings(RULE, source(tmp_path / "model.py", loop(*body))) == []


def test_the_compiler_tells_of_modules(tmp_path):
    file = source(tmp_path / "model.py", loop("x = layer(x)", "break", head="for layer in self.hidden:"))
    assert findings(RULE, file) == []
    told = diagnosis(file, "unsupported-syntax", "break", construct="break-in-unrolled-loop")
    assert "for layer in self.hidden:\n            if not done:\n" in rewritten(RULE, file, told)


def test_branches(tmp_path):
    before = loop(
        "if i == n:  # skip",
        "    x = x + 1",
        "    continue",
        "elif i == 0:",
        "    x = x * 2",
        "elif i > 2:",
        "    break",
        "else:",
        "    x = x - 1",
        "x = layer(x)",
        "if x.sum() > 100:",
        "    x = x / 2",
        "else:",
        "    continue",
        "x = torch.relu(x)",
        head="for i, layer in enumerate(self.layers):  # all",
    )
    file = source(tmp_path / "model.py", before)
    assert [f.fixable for f in findings(RULE, file)] == [False]  # the second branch goes on, the third does not
    before = before.replace("            elif i > 2:\n                break\n", "")
    after = model(
        "for i, layer in enumerate(self.layers):  # all",
        "    if i == n:",
        "        x = x + 1",
        "    else:",
        "        if i == 0:",
        "            x = x * 2",
        "        else:",
        "            x = x - 1",
        "        x = layer(x)",
        "        if x.sum() > 100:",
        "            x = x / 2",
        "            x = torch.relu(x)",
        "return x",
    )
    inputs = "[(torch.rand(2, 4),), (torch.full((2, 4), 900.0), 1)]"
    prove(RULE, Example(before, after, inputs, Target.SCRIPT, error="break or continue"), tmp_path)
