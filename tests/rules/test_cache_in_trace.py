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


LATER = """\
def __init__(self):
    super().__init__()
    self.n, self.scale = 0, 2.0
    self.gain = nn.Parameter(torch.ones(()))
    self.register_buffer("table", torch.zeros(0){persistent})

{method}def forward(self, x: torch.Tensor):
    if self.n != x.size(0):
        self.n = x.size(0)
        self.table = torch.arange(self.n) * {factor}
    return x + self.table
"""


@pytest.mark.parametrize(
    ("factor", "changes", "expected"),
    [
        ("self.scale", "", 1),
        ("self.gain.detach()", "", 0),
        ("self.scale", "self.scale = 3.0", 0),
        ("2", "self.table.copy_(x)", 0),
        ("2", "nn.init.ones_(self.table[1:])", 0),
        ("2", "rows = self.table.view(-1); rows.mul_(2)", 0),
        ("2", "return self.table.mul(2)", 1),
    ],
)
def test_what_else_changes_it_or_what_it_is_made_of(factor, changes, expected):
    method = f"def calibrate(self, x):\n    {changes}\n\n" if changes else ""
    made = LATER.format(factor=factor, method=method, persistent=", persistent=False")
    found = findings(RULE, model(made))
    assert (len(found), [f.caveat for f in found]) == (expected, [None] * expected)


def test_a_trace_makes_anew_what_a_state_dict_holds():
    [found] = findings(RULE, model(LATER.format(factor="2", method="", persistent="")))
    assert found.caveat and "state_dict" in found.caveat
