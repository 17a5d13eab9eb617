"""comprehension-loop: which names and places it takes, and what it leaves alone."""

import pytest

from tests.rules.texts import rewritten, source
from tsrefactor.rules.comprehension_loop import ComprehensionLoop

HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x, y, v):\n        "


@pytest.mark.parametrize(
    ("code", "after"),
    [
        (
            "v = [v * 2 for v in v if v.dim() > 1]",
            "kept = []\n"
            "        for this_v in v:\n"
            "            if this_v.dim() > 1:\n"
            "                kept.append(this_v * 2)\n"
            "        v = kept",
        ),
        (
            "kept = self.fc(torch.cat([t for t in (x, y) if t is not None]))",
            "kept_2 = []\n"
            "        for t in (x, y):\n"
            "            if t is not None:\n"
            "                kept_2.append(t)\n"
            "        kept = self.fc(torch.cat(kept_2))",
        ),
        (
            "return sum(t for t in v if t.dim() > 1 if t.sum() or x)",
            "kept = []\n"
            "        for t in v:\n"
            "            if t.dim() > 1 and (t.sum() or x):\n"
            "                kept.append(t)\n"
            "        return sum(kept)",
        ),
        (
            "names: List[str] = list(n for n in v if n != 'x')",
            "kept = []\n"
            "        for n in v:\n"
            "            if n != 'x':\n"
            "                kept.append(n)\n"
            "        names: List[str] = kept",
        ),
        (
            "names: List[str] = [n for n in v if n]",
            "names: List[str] = []\n        for n in v:\n            if n:\n                names.append(n)",
        ),
        (
            "ys = [self.bump(lazy) for n in v if n]\n        lazy = lambda: ys",
            "kept = []\n        for n in v:\n            if n:\n                kept.append(self.bump(lazy))\n"
            "        ys = kept\n        lazy = lambda: ys",
        ),
        (
            "try:\n            y = [self.bump(n) for n in v if n]\n        except ValueError:\n            pass",
            "try:\n            kept = []\n            for n in v:\n                if n:\n"
            "                    kept.append(self.bump(n))\n            y = kept\n"
            "        except ValueError:\n            pass",
        ),
        (
            "x += torch.cat([y] + [self.bump(n) for n in v if n])",
            "kept = []\n        for n in v:\n            if n:\n                kept.append(self.bump(n))\n"
            "        x += torch.cat([y] + kept)",
        ),
    ],
)
def test_written_as_a_loop(code, after, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    assert rewritten(ComprehensionLoop(), file) == f"{HEAD}{after}\n"


def test_over_a_slice_of_modules(tmp_path):
    head = (
        "import torch\n\n\nclass Model(torch.nn.Module):\n    def __init__(self):\n"
        "        self.convs = torch.nn.ModuleList([torch.nn.ReLU()])\n        self.names = ['a']\n\n"
        "    def forward(self, x):\n"
    )
    names = "        names = [name for name in self.names[1:]]\n"
    file = source(
        tmp_path / "model.py",
        f"{head}{names}        return [conv(x) * i for i, conv in enumerate(self.convs[1:])]\n",
    )
    assert rewritten(ComprehensionLoop(), file) == (
        f"{head}{names}        items = []\n"
        "        for i, conv in enumerate(self.convs[1:]):\n"
        "            items.append(conv(x) * i)\n        return items\n"
    )


@pytest.mark.parametrize(
    "code",
    [
        "return [t * 2 for t in v]",
        "return {k: t * 2 for k, t in v.items()}",
        "return {t for t in v if t}",
        "return [[t for t in u if t] for u in v]",
        "return any(t > 1 for t in v if t)",
        "return x if y else [t for t in v if t]",
        "return x and [t for t in v if t]",
        "return torch.dropout_(x), [self.fc(t) for t in v if t]",
        "return self.count, [self.bump(t) for t in v if t]",
        "return self.d['n'] + len([self.bump(t) for t in v if t])",
        "self.total += sum([self.bump(t) for t in v if t])",
        "return x[0] + sum([self.bump(t) for t in v if t])",
        "return sum(self.buf.add_(t) for t in v if t)",
        "return {self.key(t): self.fc(t) for t in v if t}",
        "return [u for t in v if (u := t + 1)]",
        "assert x, [t for t in v if t]",
        "while [t for t in v if t]:\n            v = v[1:]",
        "if x:\n            pass\n        elif [t for t in v if t]:\n            pass",
        "return max((t for t in v if t), key=self.fc)",
        "return sum((t for t in v if t), x)",
        "if not torch.jit.is_scripting():\n            self.seen = [t for t in v if t]",
    ],
)
def test_left_alone(code, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    assert rewritten(ComprehensionLoop(), file) == file.text
