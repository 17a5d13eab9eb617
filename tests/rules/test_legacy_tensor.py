"""legacy-tensor: every form against torch, and what is left alone."""

import pytest
import torch

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.facts.file import FileFacts
from tsrefactor.rules import Example
from tsrefactor.rules.base import Settings
from tsrefactor.rules.legacy_tensor import LegacyTensor
from tsrefactor.source.document import Document
from tsrefactor.vocabulary import Target

RULE = LegacyTensor()


def model(expression):
    return (
        "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
        f"    def forward(self, x: torch.Tensor, n: int = 2, other=None):\n        return {expression}\n"
    )


def made(tmp_path, expression):
    return rewritten(RULE, source(tmp_path / "model.py", model(expression))).partition("return ")[2].strip()


FORMS = [
    ("torch.Tensor([0.5 ** i for i in range(n)])", "torch.tensor([0.5 ** i for i in range(n)])"),
    ("x.ndimension()", "x.dim()"),
    ("x.nelement()", "x.numel()"),
    ("x.size().numel()", "x.numel()"),
    ("x.shape.numel()", "x.numel()"),
    ("x.bool()", "x.to(torch.bool)"),
    ("(x + 1).bfloat16()", "(x + 1).to(torch.bfloat16)"),
    ("x.unique()", "torch.unique(x)"),
    ("x.norm(dim=1)", "x.norm(p=2, dim=1)"),
    ("x.norm(p='fro')", "x.norm()"),
    ("x.norm('fro')", "x.norm()"),
    ("x.norm(keepdim=True, dim=(0, 1))", "x.norm(p=2, keepdim=True, dim=(0, 1))"),
    ("x.nonzero(as_tuple=False)", "x.nonzero()"),
    ("torch.nonzero(x > 0.5, as_tuple=False)", "torch.nonzero(x > 0.5)"),
    ("x.nonzero(as_tuple=True)[0]", "torch.where(x)[0]"),
    ("torch.nonzero(x, as_tuple=True)[1]", "torch.where(x)[1]"),
    ("x.new()", "x.new_empty(0)"),
    ("x.new([1, n])", "torch.tensor([1, n], dtype=x.dtype, device=x.device)"),
    ("x.new(n, 3).zero_()", "x.new_zeros(n, 3)"),
    ("x.new(*x.size()).zero_()", "x.new_zeros(x.size())"),
    ("x.new(x.size()[1:]).fill_(3)", "x.new_empty(x.size()[1:]).fill_(3)"),
    ("x.new_tensor(3.5, dtype=torch.half)", "torch.tensor(3.5, dtype=torch.half, device=x.device)"),
    ("x.half().type(torch.FloatTensor)", "x.half().cpu().float()"),
    ("x.type('torch.LongTensor')", "x.cpu().long()"),
    ("x.type(torch.BoolTensor)", "x.cpu().to(torch.bool)"),
    ("torch.Tensor()", "torch.empty(0)"),
    ("torch.Tensor([-1, n, 0.5])", "torch.tensor([-1.0, float(n), 0.5])"),
    ("torch.Tensor(n, 3).fill_(1)", "torch.empty(n, 3).fill_(1)"),
    ("torch.LongTensor(x.shape).fill_(1)", "torch.empty(x.shape, dtype=torch.long).fill_(1)"),
    ("torch.spmm(x, x.t())", "torch.mm(x, x.t())"),
]


@pytest.mark.parametrize(("before", "after"), FORMS, ids=[before for before, _ in FORMS])
def test_modern_form_gives_the_same(tmp_path, before, after):
    assert made(tmp_path, before) == after
    x = torch.rand(2, 3, requires_grad=True)
    old, new = (eval(text, {"torch": torch, "x": x, "n": 2}) for text in (before, after))
    if isinstance(old, torch.Tensor):
        assert torch.equal(old, new) and old.dtype == new.dtype and old.requires_grad == new.requires_grad
    else:
        assert old == new and type(old) is type(new)


@pytest.mark.parametrize(
    "expression",
    [
        "x.new(x)",
        "x.new((2, 3))",
        "x.type(torch.cuda.FloatTensor)",
        "x.type(torch.float32)",
        "x.type(x.type())",
        "x.mean(0).new_tensor([1])",
        "torch.Tensor(x)",
        "torch.Tensor(self.sizes)",
        "torch.Tensor([x[0], 1])",
        "torch.Tensor([i * 2 for i in range(n)])",
        "torch.Tensor([row for row in x])",
        "torch.FloatTensor([1, 2])",
        "torch.FloatTensor(2, 3)",
        "torch.tensor(x.size())",
        "self.nelement()",
        "self.child.new(2)",
        "self.names.unique()",
        "self.flags.bool()",
        "[n].new(2)",
        "x.new_zeros(2)",
    ],
)
def test_lookalikes_are_left_alone(tmp_path, expression):
    assert findings(RULE, source(tmp_path / "model.py", model(expression))) == []


def test_receiver_that_the_compiler_names_a_tensor(tmp_path):
    file = source(tmp_path / "model.py", model("self.bank.bool()"))
    told = diagnosis(file, "no-attribute-on-type", "self.bank.bool", type="Tensor", attribute="bool")
    assert findings(RULE, file) == []
    assert "return self.bank.to(torch.bool)" in rewritten(RULE, file, told)


def test_constructor_that_compiles_wrongly_is_a_trap(tmp_path):
    file = source(tmp_path / "model.py", model("torch.LongTensor(x.size()), torch.Tensor(x.size())"))
    assert [f.trap for f in findings(RULE, file)] == [True, False]


@pytest.mark.parametrize(("method", "presumed"), [("nelement", False), ("bool", True)])
def test_receiver_that_nothing_tells_is_presumed(tmp_path, method, presumed):
    text = model(f"y.{method}()").replace("n: int", "y, n: int")
    assert [f.presumed for f in findings(RULE, source(tmp_path / "model.py", text))] == [presumed]


def test_a_flag_that_is_set_is_a_call(tmp_path):
    head, _, tail = model("x").rpartition("        return")
    lines = "        x.requires_grad = False  # a target\n        self.bank.requires_grad = n > 1\n"
    file = source(tmp_path / "model.py", f"{head}{lines}        return{tail}")
    assert "        x.requires_grad_(False)  # a target\n        self.bank.requires_grad = n" in rewritten(RULE, file)
    told = diagnosis(
        file, "set-attribute-on-value", "self.bank.requires_grad", type="Tensor", attribute="requires_grad"
    )
    assert "        self.bank.requires_grad_(n > 1)\n" in rewritten(RULE, file, told)


def test_a_flag_that_is_set_compiles_as_a_call(tmp_path):
    def body(flag: str) -> str:
        return (
            "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"
            f"        y = x.detach() + 1\n        y.{flag}\n        return y * x\n"
        )

    example = Example(
        body("requires_grad = False"), body("requires_grad_(False)"), "[(torch.rand(2),)]", Target.SCRIPT, error="set"
    )
    prove(RULE, example, tmp_path)


@pytest.mark.parametrize(("end", "presumed"), [("x.size(0)", False), ("x.size(0) - 2", True)])
def test_a_range_that_may_end_below_zero_is_presumed(tmp_path, end, presumed):
    file = source(tmp_path / "model.py", model(f"torch.LongTensor(list(range({end})))"))
    found = RULE.findings(FileFacts(Document(file)), Settings(Target.TRACE))
    assert [f.presumed for f in found] == [presumed]


def test_numbers_of_data_in_a_list_are_no_constant_of_a_trace(tmp_path):
    head, _, _ = model("x").rpartition("        return")
    lines = "        kept = []\n        for row in x:\n            kept.append(int(row.argmax()))\n        same = [1]\n"
    made = "torch.LongTensor(kept), torch.LongTensor(same)"
    file = source(tmp_path / "model.py", f"{head}{lines}        return {made}\n")
    [found] = RULE.findings(FileFacts(Document(file)), Settings(Target.TRACE))
    assert found.message.endswith("write `torch.tensor(kept, dtype=torch.long)`") and not found.presumed
