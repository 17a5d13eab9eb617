import pytest

from tests.rules.tracing import findings, model, rewritten, trace_follows
from tsrefactor.rules.both_sides import BothSides

RULE = [BothSides()]
INIT = "self.lin = nn.Linear(3, 3)\nself.register_buffer('seen', torch.zeros(1))"

REFUSED = {
    "both sides call layers, in several statements": (
        "if x.sum() > 0:\n    x = self.lin(x)\nelse:\n    x = -x\n    x = self.lin(x)\nreturn x"
    ),
    "both sides call layers, and do more": (
        "if x.sum() > 0:\n    x += self.lin(x)\nelse:\n    x = self.lin(-x)\nreturn x"
    ),
    "the sides do not assign the same name": (
        "y = x\nif x.sum() > 0:\n    x = self.lin(x)\nelse:\n    y = self.lin(-x)\nreturn x + y"
    ),
    "what the sides give is not known": "if x.sum() > 0:\n    return self.lin(x), x\nreturn self.lin(-x), x",
    "`x.sum(0) > 0` is not surely one bool": "if x.sum(0) > 0:\n    x = self.lin(x)\nreturn x",
    "a side leaves or checks": "if x.sum() > 0:\n    x = self.lin(x)\n    assert x.dim() == 2\nreturn x",
    "a side updates self in place": "if x.sum() > 0:\n    self.seen += 1\n    x = self.lin(x)\nreturn x",
    "a side updates y in place": "y = x + 1\nif x.sum() > 0:\n    y += self.lin(x)\nreturn y",
    "the other side is more than plain assignments": (
        "if x.sum() > 0:\n    x = self.lin(x)\nelse:\n    x.add_(1)\nreturn x"
    ),
    "does not assign the same names": "y = x\nif x.sum() > 0:\n    x = self.lin(x)\nelse:\n    y = x + 1\nreturn x + y",
    "y may be unbound before it": "if x.sum() > 0:\n    y = self.lin(x)\nreturn y",
    "it returns several values": "if x.sum() > 0:\n    return x, x\nreturn self.lin(x), x",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals_give_their_reason(reason):
    found = findings(RULE, model(REFUSED[reason], INIT))
    assert [f for f in found if reason in f.message], [f.message for f in found]
    assert not any(f.fixable for f in found)


RETURNS = {
    "else": "if x.sum() > 0:\n    return self.lin(x)\nelse:\n    return self.lin(-x) * 2",
    "rest": "x = x + 1\nif x.sum() > 0:\n    return self.lin(x)\nreturn self.lin(-x) * 2",
}


@pytest.mark.parametrize("body", RETURNS.values(), ids=RETURNS)
def test_a_trace_returns_what_it_selects(body, tmp_path):
    before, inputs = model(body, INIT), "[(torch.rand(2, 3),), (-torch.rand(4, 3) - 2,)]"
    after = rewritten(RULE, before).document.text
    assert trace_follows(after, inputs, tmp_path, script=True) and not trace_follows(before, inputs, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "if x.sum() > 0:\n    x = x * 2\nreturn x",  # no layers: for other rules
        "if x.shape[0] > 1:\n    x = self.lin(x)\nreturn x",
        "if self.training:\n    x = self.lin(x)\nreturn x",
        "if torch.jit.is_tracing() or x.sum() > 0:\n    x = self.lin(x)\nreturn x",
    ],
)
def test_no_finding(body):
    assert findings(RULE, model(body, INIT)) == []


@pytest.mark.parametrize(
    ("layer", "told"),
    [("nn.Linear(3, 3)", False), ("nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))", True), ("make(3)", True)],
)
def test_layers_with_statistics_are_spoken_of(layer, told):
    [found] = findings(RULE, model("if x.sum() > 0:\n    x = self.lin(x)\nreturn x", f"self.lin = {layer}"))
    assert found.fixable and (found.caveat is not None) is told
