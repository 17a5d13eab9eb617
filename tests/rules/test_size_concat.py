"""size-concat: forms of a sequence whose length TorchScript would have to know, and what is left alone."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.size_concat import SizeConcat
from tsrefactor.vocabulary import Target

RULE = SizeConcat()


def model(body: str, parameters: str = "self, x") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def forward({parameters}):\n{lines}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return x.view(1, *x.size())", "return x.view((1,) + x.size())"),
        ("return x.expand(x.shape[0], 1, *x.shape[2:])", "return x.expand((x.shape[0], 1) + x.shape[2:])"),
        ("return x.view(*x.shape[:-1], -1, 2)", "return x.view(x.shape[:-1] + (-1, 2))"),
        ("return x.repeat(2, *((1,) * x.dim()))", "return x.repeat((2,) + ((1,) * x.dim()))"),
        ("return torch.rand(*x.shape, device=x.device)", "return torch.rand(x.shape, device=x.device)"),
        ("return x.permute(*range(x.dim()))", "return x.permute(list(range(x.dim())))"),
        ("s = list(x.shape)\nreturn x.view(*s, 1)", "s = list(x.shape)\nreturn x.view(s + [1])"),
        ("s = [1, *x.shape]\nreturn x.view(s)", "s = [1] + list(x.shape)\nreturn x.view(s)"),
        ("return x.sum(tuple([1, 2]))", "return x.sum([1, 2])"),
        ("return torch.cat(tuple(t * 2 for t in x.chunk(2)))", "return torch.cat([t * 2 for t in x.chunk(2)])"),
        ("return x.permute(tuple(range(2)) + (2,))", "return x.permute(list(range(2)) + [2])"),
        ("s = x.shape\nreturn x.view((1,) + tuple([1]) + s)", "s = x.shape\nreturn x.view([1] + [1] + list(s))"),
        ("return torch.cat((x, *x.chunk(2)))", "return torch.cat((x,) + x.chunk(2))"),
        ("return x * max(*x.shape[1:])", "return x * max(x.shape[1:])"),
        ("ts = [x, x]\nreturn torch.einsum('a,a->a', *ts)", "ts = [x, x]\nreturn torch.einsum('a,a->a', ts)"),
        ("*lead, t = x.shape\nreturn x.view(lead)", "lead, t = list(x.shape[:-1]), x.shape[-1]\nreturn x.view(lead)"),
        ("b, *_, h, w = x.shape\nreturn h", "b, h, w = x.shape[0], x.shape[-2], x.shape[-1]\nreturn h"),
        ("b, *_, d = *x.shape, x.device\nreturn d", "b, d = x.shape[0], x.device\nreturn d"),
        (
            "*_, h, w, d = *x.size(), x.dtype\nreturn d, h",
            "h, w, d = x.size()[-2], x.size()[-1], x.dtype\nreturn d, h",
        ),
        (
            "d, b, *_, e, f = x.device, *x.shape, x.dtype, 1\nreturn b",
            "d, b, e, f = x.device, x.shape[0], x.dtype, 1\nreturn b",
        ),
        ("a, *r = (x + 1).shape\nreturn r", "sizes = (x + 1).shape\na, r = sizes[0], list(sizes[1:])\nreturn r"),
        ("a, *r = x.chunk(2)\nreturn r", "sizes = x.chunk(2)\na, r = sizes[0], list(sizes[1:])\nreturn r"),
    ],
)  # fmt: skip
def test_forms(before, after, tmp_path):
    file = source(tmp_path / "model.py", model(before))
    assert rewritten(RULE, file) == model(after)


@pytest.mark.parametrize(
    "body",
    [
        "return x.view(x.size()[:-1] + (2, 2))",  # TorchScript makes a list of the tuple
        "return x.repeat(*(1, 2, 1))",
        "b, c, h = x.shape\nreturn x.view(b, c, h)",
        "b, c = x.size()[:2]\nreturn x.view(b, c)",
        "shape = (2, 3)\nreturn x.view(*shape)",
        "return x.view(torch.Size([2, 3]))",
        "return self.layer(*y)",
    ],
)
def test_what_compiles_or_is_unknown_is_left_alone(body, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", model(body))) == []


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ("ts = [x]\nreturn tuple(ts)", "tuple(ts)"),
        ("ts = [x]\nreturn (x, *ts)", "(x, *ts)"),
        ("ts = [0, 1]\nreturn x[tuple(ts)]", "tuple(ts)"),
        ("ts = [x]\nreturn self.layer(*ts)", "self.layer"),
    ],
)
def test_a_list_that_would_change_results_is_advice(body, at, tmp_path):
    file = source(tmp_path / "model.py", model(body))
    found = findings(RULE, file, diagnosis(file, "size-of-list", at))
    assert [f.fixable for f in found] == [False]


def test_a_text_that_shows_the_size_in_another_way_has_a_caveat(tmp_path):
    [found] = findings(RULE, source(tmp_path / "model.py", model("raise ValueError(f'{tuple(x.shape)}')")))
    assert found.caveat == "the text shows `tuple(x.shape)` in another way"


def test_list_for_an_unknown_callee_is_presumed(tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", model("ts = [x]\nreturn self.layer(tuple(ts))")))
    assert [(f.fixable, f.presumed) for f in found] == [(True, True)]


@pytest.mark.parametrize(
    "body",
    [
        "return f'{tuple(x.shape)}'",
        "s = (*x.shape[:-1], 3)\nreturn s",
        "s = (*x.shape[:-1], 3)\nself.sizes = s\nreturn x.view(s)",
        "s = (*x.shape[:-1], 3)\nreturn f'{s}', x.view(s)",
        "s = (*x.shape[:-1], 3)\nreturn {s: x}",
        "s = (*x.shape[:-1], 3)\nreturn isinstance(s, torch.Size), x.view(s)",
        "s = tuple(x.shape)\nt = s[1:]\nreturn x.view(s), t",
        "s = tuple(x.shape)\nreturn x.view(s), s + (1,)",
        "s = tuple(x.shape)\nreturn (lambda: s), x.view(s)",
        "s = tuple(x.shape)\nlog.log(s)\nreturn x.view(s)",
        "s = tuple(x.shape)\ntorch.save(s, 'f')\nreturn x.view(s)",
        "return max(tuple(x.shape), (1, 2))",
    ],
)
def test_a_size_that_can_be_told_from_a_tuple_is_presumed(body, tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", model(body)))
    assert [(f.fixable, f.presumed) for f in found] == [(True, True)]


@pytest.mark.parametrize(
    "body",
    [
        "s = (*x.shape[:-1], 3)\nreturn x.view(s)",
        "s = (*x.shape[:-1], 3)\nreturn x.view(s[1:] + (1,)) + s[0]",
        "s = (*x.shape[:-1], 3)\ns = s + (1,)\nreturn x.view(s)",
        "s = tuple(x.shape)\na, b = s\nreturn torch.zeros(s) * a",
        "s = tuple(x.shape)\nreturn x if s == (1, 2) else torch.zeros(size=s)",
        "return F(*tuple(x.shape))",
        "s = (x, *x.chunk(2))\nreturn s",  # a tuple stays one
        "s = [1, *x.shape]\nreturn s",
    ],
)
def test_a_size_that_nothing_tells_from_a_tuple_is_safe(body, tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", model(body)))
    assert [(f.fixable, f.presumed) for f in found if f.fixable] == [(True, False)]


def test_diagnosis_tells_of_a_list_that_the_source_does_not_show(tmp_path):
    file = source(tmp_path / "model.py", model("return x.view(*self.sizes, -1)"))
    assert findings(RULE, file) == []
    after = rewritten(RULE, file, diagnosis(file, "size-of-list", "x.view"))
    assert "return x.view(list(self.sizes) + [-1])" in after


def test_comments_between_arguments_stay(tmp_path):
    before = model("return x.view(\n    *x.shape[:2],  # lead\n    -1,\n)")
    after = rewritten(RULE, source(tmp_path / "model.py", before))
    assert "x.view(x.shape[:2] + (-1,))" in after


MORE = {
    "permute, repeat and ones": Example(
        before=model("""\
order = [0] + list(range(2, x.dim())) + [1]
y = x.permute(*order).permute(tuple(range(x.dim() - 1)) + (-1,))
keep = y.new_zeros(y.size(0), *([1] * (y.dim() - 1)))
y = y + keep + torch.ones(*y.shape[1:], dtype=y.dtype)
return y.permute(0, *range(2, y.dim()), 1)
"""),
        after=model("""\
order = [0] + list(range(2, x.dim())) + [1]
y = x.permute(order).permute(list(range(x.dim() - 1)) + [-1])
keep = y.new_zeros([y.size(0)] + ([1] * (y.dim() - 1)))
y = y + keep + torch.ones(y.shape[1:], dtype=y.dtype)
return y.permute([0] + list(range(2, y.dim())) + [1])
"""),
        inputs="[(torch.rand(2, 3, 4),), (torch.rand(3, 5, 6),)]",
        breaks=Target.SCRIPT,
        error="size of a list|range cannot be used as a tuple",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(RULE, example, tmp_path)
