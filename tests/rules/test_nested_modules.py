"""nested-modules: further forms, and what it leaves alone."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.nested_modules import NestedModules, _example

HEAD = """\
from torch import nn


class Model(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.pairs = nn.ModuleList([nn.ModuleList([nn.ReLU(), nn.ReLU()]) for _ in range(2)])
        self.flat = nn.ModuleList([nn.ReLU(), nn.ReLU()])
        self.sizes = [(1, 2), (3, 4)]
        self.parts = parts

    def forward(self, x, layer):
"""

MORE = {
    "zip of several": _example(
        """\
        for (fc, norm), (_, last) in zip(self.layers, self.layers):
            x = last(norm(fc(x)))
        for fc, norm in self.layers:
            x = fc(norm(x))
        return x
""",
        """\
        for layer, modules in zip(self.layers, self.layers):
            fc = layer[0]
            norm = layer[1]
            last = modules[1]
            x = last(norm(fc(x)))
        for layer in self.layers:
            fc = layer[0]
            norm = layer[1]
            x = fc(norm(x))
        return x
""",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(NestedModules(), example, tmp_path)


@pytest.mark.parametrize(
    ("code", "after"),
    [
        (
            "for a, b in self.pairs:\n            x = a(x)",
            "for pair in self.pairs:\n            a = pair[0]\n            x = a(x)",
        ),
        (
            "for a, b in self.pairs:\n            x = b(a(x), layer)",
            "for pair in self.pairs:\n            a = pair[0]\n            b = pair[1]\n            x = b(a(x), layer)",
        ),
    ],
)
def test_written(code, after, tmp_path):
    assert (
        rewritten(NestedModules(), source(tmp_path / "model.py", f"{HEAD}        {code}\n"))
        == f"{HEAD}        {after}\n"
    )


@pytest.mark.parametrize(
    "code",
    [
        "for a, b in self.sizes:\n            x = x[a:b]",
        "for a, b in zip(self.flat, self.flat):\n            x = a(b(x))",
        "for i, a in enumerate(self.flat):\n            x = a(x)",
        "for a, b in self.parts:\n            x = a(b(x))",
        "a, b = self.sizes[0]",
        "for self.a, self.b in self.pairs:\n            pass",
    ],
)
def test_left_alone(code, tmp_path):
    assert findings(NestedModules(), source(tmp_path / "model.py", f"{HEAD}        {code}\n")) == []


def test_goes_by_what_the_compiler_says(tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}        for a, b in self.parts:\n            x = a(b(x))\n")
    told = diagnosis(file, "unpack-value", "for a, b", type="module")
    assert "for part in self.parts:\n            a = part[0]\n            b = part[1]\n" in rewritten(
        NestedModules(), file, told
    )
    other = diagnosis(file, "unpack-value", "for a, b", type="Tensor")
    assert rewritten(NestedModules(), file, other) == file.text
