"""numpy-call, map-call, reversed-sequence and sum-of-tensors: what they leave alone, and odd forms."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules import rule_named

HEAD = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor, n: int, y=None):
"""


def model(*body: str) -> str:
    return HEAD + "".join(f"        {line}\n" for line in body)


LEFT_ALONE = [
    ("numpy-call", "return np.sqrt(x)"),
    ("numpy-call", "return np.sqrt(y)"),
    ("numpy-call", "return np.ceil(n / 2)"),  # a float in numpy
    ("numpy-call", "return np.log(2.0, out=x)"),
    ("numpy-call", "return np.maximum(n, 2.0)"),  # a float in numpy, an int for the larger n
    ("numpy-call", "return np.prod(x.shape[1:])"),
    ("numpy-call", "return np.random.rand(n)"),
    ("numpy-call", "root = np.sqrt(n); return x * root.astype(np.float32)"),
    ("map-call", "return map(lambda t: t + 1, [x])"),
    ("map-call", "a, b = map(lambda t, k=3: t + k, [x, x])"),
    ("map-call", "a, b = map(lambda *t: t, [x, x])"),
    ("map-call", "return all(map(lambda t: t.add_(1) is None, [x]))"),
    ("map-call", "return x.map(lambda t: t, x)"),
    ("reversed-sequence", "for a in reversed(y): x = x + a"),
    ("reversed-sequence", "for a in reversed(range(0, n, 2)): x = x + a"),
    ("reversed-sequence", "y = reversed([1, 2])"),
    ("sum-of-tensors", "return sum([1, n])"),
    ("sum-of-tensors", "return sum([x, x], x)"),
    ("sum-of-tensors", "return sum(y)"),
    ("sum-of-tensors", "return sum(x)"),
]


@pytest.mark.parametrize(("rule", "line"), LEFT_ALONE)
def test_left_alone(rule, line, tmp_path):
    found = findings(rule_named(rule), source(tmp_path / "model.py", model(line)))
    assert not any(finding.fixable for finding in found)


def test_a_list_that_the_loop_changes_is_not_copied(tmp_path):
    text = model("items = [x]", "for i in reversed(items):", "    items.append(i)")
    assert findings(rule_named("reversed-sequence"), source(tmp_path / "model.py", text)) == []


@pytest.mark.parametrize(
    ("annotation", "after"),
    [
        ("list[torch.Tensor]", "[i for i in items[::-1]], list(items[::-1])"),
        ("dict[str, int]", "[i for i in reversed(items)], list(reversed(items))"),
        ("torch.Tensor", "[i for i in reversed(items)], list(reversed(items))"),
    ],
)
def test_a_parameter_is_what_its_annotation_says(annotation, after, tmp_path):
    text = HEAD.replace("y=None", f"items: {annotation}") + "        return "
    file = source(tmp_path / "model.py", text + "[i for i in reversed(items)], list(reversed(items))\n")
    assert rewritten(rule_named("reversed-sequence"), file) == f"{text}{after}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("reversed(range(n if n > 1 else 2))", "range((n if n > 1 else 2) - 1, -1, -1)"),
        ("reversed(range(n, n + 2))", "range((n + 2) - 1, n - 1, -1)"),
        ("reversed(range(0, 4))", "range(3, -1, -1)"),
        ("enumerate(reversed(x.chunk(2)))", "enumerate(x.chunk(2)[::-1])"),
    ],
)
def test_backwards(before, after, tmp_path):
    file = source(tmp_path / "model.py", model(f"for i in {before}:", "    x = x + 1"))
    assert rewritten(rule_named("reversed-sequence"), file) == model(f"for i in {after}:", "    x = x + 1")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("all(map(lambda s: s > 0, y))", "all([s > 0 for s in y])"),
        ("tuple(map(int, y))", "tuple([int(item) for item in y])"),
        ("torch.stack(list(map(lambda t: (t, 1)[0], y)))", "torch.stack([(t, 1)[0] for t in y])"),
        ("sum(map(lambda a, b: a * b, y, y))", "sum([a * b for a, b in zip(y, y)])"),
    ],
)
def test_comprehension(before, after, tmp_path):
    file = source(tmp_path / "model.py", model(f"return {before}"))
    assert rewritten(rule_named("map-call"), file) == model(f"return {after}")


def test_the_last_bit_of_a_logarithm_is_to_be_proven(tmp_path):
    file = source(tmp_path / "model.py", model("return x * np.sqrt(n) * np.log(n)"))
    found = findings(rule_named("numpy-call"), file)
    assert [f.presumed for f in found] == [False, True]


@pytest.mark.parametrize(
    ("call", "caveat"),
    [("np.sqrt(x.size(1))", False), ("np.sqrt(n)", True), ("np.log(2)", True), ("np.exp(n)", True)],
)
def test_where_math_raises(call, caveat, tmp_path):
    [found] = findings(rule_named("numpy-call"), source(tmp_path / "model.py", model(f"return x * {call}")))
    assert (found.caveat is not None) is caveat


def test_one_function_adds_all_sums(tmp_path):
    file = source(tmp_path / "model.py", model("y = sum([x, x])", "return y + sum([x * i for i in range(2)])"))
    after = rewritten(rule_named("sum-of-tensors"), file)
    assert after.count("def _sum_tensors(") == after.count("return sum(tensors)") == 1  # eager's own
    assert "y = _sum_tensors([x, x])\n        return y + _sum_tensors([x * i for i in range(2)])\n" in after
