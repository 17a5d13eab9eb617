"""Loops that several rules mend for a trace: what each does lets soft-refactor move them."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.tracing import document, findings, model, rewritten, same_in_eager, trace_follows
from tsrefactor.facts.file import FileFacts
from tsrefactor.rewrite import find
from tsrefactor.rules import Settings
from tsrefactor.rules.accumulator import Accumulator
from tsrefactor.rules.reversed_sequence import ReversedSequence
from tsrefactor.rules.soft_refactor import SoftRefactor
from tsrefactor.vocabulary import Target

TRACE = Settings(Target.TRACE)
RULES = [Accumulator(), ReversedSequence(), SoftRefactor()]
BACK = """\
kept = []
for i in range(x.size(0)):
    kept.append(x[i] * 2)
h = x[0]
outs = []
for y in reversed(kept):
    h = torch.tanh(h + y)
    outs.append(h)
for t in reversed(range(x.size(0))):
    h = h * 0.5 + x[t]
outs.append(h)
outs.reverse()
return torch.stack(outs)"""
DIFFERENCES = """\
parts = []
for i in range(x.size(0) // 2):
    parts.append(x[i] - x[i + 1])
loss = 0.0
for i in range(len(parts) - 1):
    loss += F.l1_loss(parts[i], parts[i + 1])
loss /= len(parts) - 1
return loss"""


@pytest.mark.parametrize("body", [BACK, DIFFERENCES], ids=["backwards", "a sum over a list that grew"])
def test_loops_over_lists_that_grew_move_with_these(body, tmp_path):
    before = model(body)
    after = rewritten(RULES, before, TRACE).document.text
    inputs = "[(torch.rand(n, 4),) for n in (6, 4, 9)]"
    assert not trace_follows(before, inputs, tmp_path)
    assert trace_follows(after, inputs, tmp_path), after
    assert same_in_eager(before, after, inputs, tmp_path)


@pytest.mark.parametrize("over", ["reversed(range(3))", "reversed([x, x + 1])"])
def test_a_trace_runs_reversed_where_it_keeps_nothing(over):
    text = model(f"for r in {over}:\n    x = x + r\nreturn x")
    assert find([ReversedSequence()], FileFacts(document(text)), TRACE) == []
    assert findings([ReversedSequence()], text)
