"""cache-in-trace: what is the same whenever it is made, and what is not."""

import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.cache_in_trace import CacheInTrace

RULE = [CacheInTrace()]
MAKE = """\
def make(self, n):
    self.n = n
    self.table = torch.arange(n)

"""


def text(*lines):
    body = "".join(f"    {line}\n" for line in lines)
    make = MAKE if "self.make(" in body else ""
    return model(f"{make}def forward(self, x: torch.Tensor):\n{body}", "self.n, self.table = 0, None")


@pytest.mark.parametrize(
    ("test", "made", "wanted"),
    [
        ("self.n != x.size(0)", "self.make(x.size(0))", "torch.jit.is_tracing() or self.n != x.size(0)"),
        (
            "self.table is None or self.table.size(0) < x.size(0)",
            "self.table = torch.arange(len(x), device=x.device)",
            "torch.jit.is_tracing() or self.table is None or self.table.size(0) < x.size(0)",
        ),
        (
            "x.dim() > 1 and self.n < x.size(0)",
            "self.make(x.shape[0])",
            "torch.jit.is_tracing() or (x.dim() > 1 and self.n < x.size(0))",
        ),
    ],
)
def test_made_again(test, made, wanted):
    after = rewritten(RULE, text(f"if {test}:", f"    {made}", "return x + self.table")).document.text
    assert f"if {wanted}:\n" in after


def test_one_of_two_branches():
    lines = ("if self.n == x.size(0):", "    y = self.table", "else:", "    self.make(x.size(0))", "    y = self.table")
    after = rewritten(RULE, text(*lines, "return x + y")).document.text
    assert "if not torch.jit.is_tracing() and self.n == x.size(0):\n" in after


def test_state_that_forward_changes_is_no_cache():
    lines = ("if self.n != x.size(0):", "    self.make(x.size(0))", "self.table.data = x.data", "return x + self.table")
    assert findings(RULE, text(*lines)) == []


@pytest.mark.parametrize(
    ("test", "made"),
    [
        ("self.table is None", "self.make(x.size(0))"),
        ("self.n != x.size(0)", "self.table = x * 2"),
        ("self.n != x.size(0)", "self.n = x.size(0); self.table = torch.rand(self.n)"),
        ("self.n != x.size(0)", "self.n = len(x); self.table = nn.Parameter(torch.zeros(len(x)))"),
        ("self.n != x.size(0)", "self.n = len(x); self.table = nn.Linear(len(x), 2).weight"),
        ("self.n < x.size(0)", "self.n += x.size(0); self.table = torch.arange(self.n)"),
        ("self.n < x.size(0) or torch.all(x == 0)", "self.make(x.size(0))"),
        ("self.n < x.size(0)", "self.n = self.n + 1"),
        ("self.n < x.size(0)", "self.other = torch.arange(x.size(0))"),
        ("not torch.jit.is_tracing() and self.n < x.size(0)", "self.make(x.size(0))"),
    ],
)
def test_left_alone(test, made):
    assert findings(RULE, text(f"if {test}:", f"    {made}", "return x + self.table")) == []
