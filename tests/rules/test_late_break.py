import pytest

from tests.rules.tracing import findings, model
from tsrefactor.rules.late_break import LateBreak

RULE = [LateBreak()]
INIT = "self.cell = nn.GRUCell(3, 3)"


def body(turn, after, over="range(4)"):
    lines = "".join(f"    {line}\n" for line in turn.split("\n"))
    return f"steps = []\nfor i in {over}:\n{lines}    if x.mean() > 0:\n        break\n{after}"


TURN = "x = self.cell(x, x)\nsteps.append(x)"
REFUSED = {
    "x is used after it": body(TURN, "return torch.stack(steps) + x"),
    "steps is not only stacked after it": body(TURN, "return torch.cat(steps)"),
    "steps is stacked along a dim that is not written out": body(TURN, "return torch.stack(steps, -1)"),
    "it is left in other places, too": body(f"if i == 3:\n    continue\n{TURN}", "return torch.stack(steps)"),
    "its number of turns depends on the input": body(TURN, "return torch.stack(steps)", "range(x.shape[0])"),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals_give_their_reason(reason):
    found = findings(RULE, model(REFUSED[reason], INIT))
    assert [f for f in found if f.message.endswith(reason)], [f.message for f in found]
    assert not any(f.fixable for f in found)


def test_no_finding():
    assert findings(RULE, model(body("x = x * 2\nsteps.append(x)", "return torch.stack(steps)"))) == []
    fixed = body(TURN, "return torch.stack(steps)").replace("x.mean() > 0", "i > 2")
    assert findings(RULE, model(fixed, INIT)) == []
