"""accumulator: further forms, and what it refuses."""

import pytest

from tests.rules.more_examples.accumulator import HEAD, MORE
from tests.rules.proof import prove
from tests.rules.texts import findings, source
from tests.rules.tracing import document, rewritten, trace_follows
from tsrefactor.facts.file import FileFacts
from tsrefactor.rewrite import find
from tsrefactor.rules import Settings
from tsrefactor.rules.accumulator import Accumulator
from tsrefactor.rules.soft_refactor import SoftRefactor
from tsrefactor.vocabulary import Target

LOOP = "    def forward(self, x: torch.Tensor):\n        total = 0\n        {body}\n        return total\n"


def found(tmp_path, text):
    return findings(Accumulator(), source(tmp_path / "model.py", HEAD + text))


def test_a_trace_wants_it_only_for_loops_whose_turns_it_keeps(tmp_path):
    settings = Settings(Target.TRACE)
    body = "for i in range(x.size(0)):\n            total += x[i].sum()"
    frozen, fixed = LOOP.format(body=body), LOOP.format(body=body.replace("x.size(0)", "3"))
    assert [len(find([Accumulator()], FileFacts(document(HEAD + t)), settings)) for t in (frozen, fixed)] == [1, 0]
    after = rewritten([Accumulator(), SoftRefactor()], HEAD + frozen, settings).document.text
    inputs = "[(torch.rand(3, 4),), (torch.rand(5, 4),)]"
    assert trace_follows(after, inputs, tmp_path) and not trace_follows(HEAD + frozen, inputs, tmp_path)


CHOICE = """\
    def forward(self, x: torch.Tensor):
        total = 0
        if x.sum() > 0:
            total = total - x.sum()
        else:
            total -= x.max() / 2
        return total
"""


def test_a_sum_on_both_sides_of_an_if(tmp_path):
    settings = Settings(Target.TRACE)
    after = rewritten([Accumulator(), SoftRefactor()], HEAD + CHOICE, settings).document.text
    assert "total = torch.tensor(0)" in after and "total = total - x.max() / 2" in after
    inputs = "[(torch.ones(3),), (-torch.ones(4),)]"
    assert trace_follows(after, inputs, tmp_path) and not trace_follows(HEAD + CHOICE, inputs, tmp_path)
    assert (
        find([Accumulator()], FileFacts(document(HEAD + CHOICE.replace("x.sum() > 0", "self.training"))), settings)
        == []
    )


def test_what_scales_the_whole_sum_makes_a_new_one(tmp_path):
    body = "for i in range(x.size(0)):\n            total += x[i].sum()\n        total /= x.size(0) * 2"
    after = rewritten(
        [Accumulator(), SoftRefactor()], HEAD + LOOP.format(body=body), Settings(Target.TRACE)
    ).document.text
    assert "total = total / (x.size(0) * 2)" in after
    inputs = "[(torch.rand(3, 4),), (torch.rand(5, 4),)]"
    assert trace_follows(after, inputs, tmp_path)


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(Accumulator(), example, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(3):\n            total += i",
        "for row in x.unbind(0):\n            total = row",
        "total += x.sum()",
        "if x.dim() > 1:\n            total = total + x.sum()",
        "for total in range(3):\n            total += x",
        "for row in x.unbind(0):\n            total += row.size(0)",
        "for row in x.unbind(0):\n            total += row.sum()\n        total = total.item()",
    ],
)
def test_leaves_numbers_and_other_bindings_alone(tmp_path, body):
    assert found(tmp_path, LOOP.format(body=body)) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "outs = []\n        for row in x.unbind(0):\n            total += row\n            outs.append(total)",
            "keeps",
        ),
        ("for row in x.unbind(0):\n            total += row.sum()\n        x = x[total]", "as an index"),
        ("for row in x.unbind(0):\n            total += row.sum()\n        f = lambda: total", "nested function"),
    ],
)
def test_refuses_what_depends_on_the_number_or_shares_the_sum(tmp_path, body, reason):
    [finding] = found(tmp_path, LOOP.format(body=body))
    assert not finding.edits
    assert reason in finding.message


def test_a_loop_over_modules_is_unrolled(tmp_path):
    text = (
        "    def __init__(self):\n        super().__init__()\n        self.layers = nn.ModuleList([nn.ReLU()])\n\n"
        "    def forward(self, x: torch.Tensor):\n        total = 0\n        for layer in self.layers:\n"
        "            total = total + torch.relu(x)\n        return total\n"
    )
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(("number", "said"), [("0", False), ("0.", True)])
def test_a_float_start_says_what_becomes_of_half_precision(number, said, tmp_path):
    body = "for i in range(x.size(0)):\n            total += x[i].mean()"
    [finding] = found(tmp_path, LOOP.format(body=body).replace("total = 0", f"total = {number}"))
    assert ("half precision" in (finding.caveat or "")) == said


@pytest.mark.parametrize(
    ("body", "kept", "harmless"),
    [
        ("for i in range(n):\n    total = total + x[i]\n{}\ntotal /= n", "outs.append(total)", "n = n + 1"),
        ("if n:\n    total = total + x\nelse:\n    total -= x\n{}\ntotal *= 2", "keep = total", "keep = x"),
        ("if n:\n    total = total + x\nelse:\n    {}", "return total, 2", "raise ValueError"),
        ("{}\nif n:\n    total = total + x\nelse:\n    total -= x", "start = total", "start = x"),
        ("if n:\n    total = total + x\nelse:\n    {}\n    total -= x", "start = total", "start = x"),
        ("{}\nfor i in range(n):\n    total = total + x[i]", "start = total", "start = x"),
    ],
)
def test_what_else_keeps_the_number_or_the_sum(body, kept, harmless, tmp_path):
    head = "    def forward(self, x: torch.Tensor, n: int, outs: list):\n        total = 0\n"
    for line, fixable in ((kept, False), (harmless, True)):
        text = "".join(f"        {part}\n" for part in f"{body.format(line)}\nreturn total".split("\n"))
        assert any(f.fixable for f in found(tmp_path, head + text)) == fixable


@pytest.mark.parametrize(
    ("added", "turned"),
    [("total + 1 - x[i].sum()", True), ("total + 0.1 - x[i].sum()", False), ("(total + 1) * x[i].sum()", False)],
)
def test_whole_numbers_may_be_added_with_the_tensor(added, turned, tmp_path):
    settings = Settings(Target.TRACE)
    before = HEAD + LOOP.format(body=f"for i in range(x.size(0)):\n            total = {added}")
    after = rewritten([Accumulator(), SoftRefactor()], before, settings).document.text
    assert ("total = torch.tensor(0)" in after) == turned
    assert not turned or trace_follows(after, "[(torch.rand(3, 4),), (torch.rand(5, 4),)]", tmp_path)
