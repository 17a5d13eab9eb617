"""layer-in-forward: every layer of the table against itself, what is left alone, and odd forms."""

import importlib.util

import pytest
import torch
from torch import nn

from tests.forked import forked
from tests.rules.more_examples.layer_in_forward import MORE
from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tests.rules.tracing import document, trace_follows
from tests.rules.tracing import model as traced_model
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layers import LAYERS
from tsrefactor.rewrite import find, rewrite
from tsrefactor.rules import Settings
from tsrefactor.rules.layer_in_forward import LayerInForward
from tsrefactor.rules.soft_refactor import SoftRefactor
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nfrom torch.autograd import Variable\n\n\n"
ARGUMENTS = {
    **{f"MaxPool{d}d": "2, 1, 1, ceil_mode=True" for d in (1, 2, 3)},
    **{f"AvgPool{d}d": "2, 1, count_include_pad=False" for d in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{d}d": "3" for d in (1, 2, 3) for kind in ("Avg", "Max")},
    **{f"{kind}Pad{d}d": "1" for d in (1, 2, 3) for kind in ("Zero", "Reflection", "Replication")},
    **{f"ConstantPad{d}d": "1, 2" for d in (1, 2, 3)},
    **{f"Dropout{d}": "0.25" for d in ("", "1d", "2d", "3d")},
    "AlphaDropout": "p=0.25", "FeatureAlphaDropout": "0.25", "ReLU": "True", "Softmax": "1", "LogSoftmax": "dim=1",
    "Softmin": "1", "GLU": "1", "LeakyReLU": "1, True", "ELU": "2", "CELU": "alpha=2", "GELU": "'tanh'",
    "Hardtanh": "0, 1", "Threshold": "0, 1, True", "RReLU": "0.1, 0.2", "Softplus": "2", "Hardshrink": "0.3",
    "Upsample": "None, 2, 'bilinear', False", "UpsamplingNearest2d": "scale_factor=2",
    "UpsamplingBilinear2d": "(9, 9)", "PixelShuffle": "2", "PixelUnshuffle": "2", "ChannelShuffle": "2",
    "Flatten": "end_dim=2", "Unfold": "2, stride=2", "Fold": "(2, 3), 2", "LocalResponseNorm": "2, 1",
    "CosineSimilarity": "-1, 1e-6", "PairwiseDistance": "1, keepdim=True", "L1Loss": "reduction='sum'",
    "SmoothL1Loss": "beta=2", "HuberLoss": "'sum', 2", "KLDivLoss": "reduction='batchmean'",
    "CrossEntropyLoss": "ignore_index=0, label_smoothing=0.1", "CosineEmbeddingLoss": "1", "MarginRankingLoss": "1",
    "TripletMarginLoss": "1, 1, swap=True", "MultiMarginLoss": "1, 2", "BCELoss": "torch.rand(4)",
    "MSELoss": "None, False", "BCEWithLogitsLoss": "pos_weight=torch.rand(4)", "HingeEmbeddingLoss": "2",
}  # fmt: skip
INPUTS = {
    **dict.fromkeys(("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"), "x.log_softmax(1), y.argmax(1)"),
    **dict.fromkeys(("MultiLabelMarginLoss", "MultiLabelSoftMarginLoss"), "x, y.round().long()"),
    "CosineEmbeddingLoss": "x, y, y.sum(1).sign()",
    "MarginRankingLoss": "x.sum(1), y.sum(1), y.sum(1).sign()",
    "TripletMarginLoss": "x, y, x * 2",
    "CTCLoss": "x[:, None].log_softmax(2), y[:1, :2].argmax(1, True) + 1, y[0, :1].long() + 3, y[0, :1].long() + 1",
    "Fold": "x.view(1, 8, 2)",
    "PixelShuffle": "x.view(1, 4, 2, 2)", "PixelUnshuffle": "x.view(1, 1, 4, 4)",
    "ChannelShuffle": "x.view(1, 4, 2, 2)",
}  # fmt: skip


def inputs_of(name):
    if name in INPUTS:
        return INPUTS[name]
    if name.endswith("Loss") or name in ("CosineSimilarity", "PairwiseDistance"):
        return "x, y"
    dimensions = int(name[-2]) if name[-2:] in ("1d", "2d", "3d") else 2
    return f"x.view({', '.join(['1', '2', *['2'] * (dimensions - 1)])}, -1) * 4 - 2"


def run(path, before, after):
    """What both texts give in eager, in training and in evaluation, with gradients; and the second scripted."""
    torch.set_num_threads(1)
    results = []
    for name, text in (("before", before), ("after", after)):
        path = path.with_name(f"{name}.py")
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for training in (True, False):
            torch.manual_seed(0)
            x, y = torch.rand(4, 4).requires_grad_(), torch.rand(4, 4)
            out = module.Model().train(training)(x, y)
            if out.is_floating_point():
                out.sum().backward()
            results.append((out, x.grad))
    torch.manual_seed(0)
    inputs = torch.rand(4, 4), torch.rand(4, 4)
    scripted = torch.jit.script(module.Model())(*inputs)
    same = all(
        torch.equal(a, b) if a is not None else b is None
        for old, new in zip(results[:2], results[2:], strict=True)
        for a, b in zip(old, new, strict=True)
    )
    return same, torch.allclose(scripted, results[0][0])


@pytest.mark.parametrize("layer", [origin.rpartition(".")[2] for origin in LAYERS])
def test_function_does_what_the_layer_does(layer, tmp_path):
    assert hasattr(nn, layer)
    call = f"nn.{layer}({ARGUMENTS.get(layer, '')})({inputs_of(layer)})"
    before = HEAD + f"class Model(nn.Module):\n    def forward(self, x, y):\n        return {call}\n"
    after = rewritten(LayerInForward(), source(tmp_path / "model.py", before))
    assert f"nn.{layer}(" not in after
    assert forked(run, tmp_path / "m.py", before, after) == (True, True)


def model(body, head=HEAD, init=""):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return head + f"class Model(nn.Module):\n{init}    def forward(self, x, n: int = 2):\n{lines}"


def made(tmp_path, body):
    after = rewritten(LayerInForward(), source(tmp_path / "model.py", model(body)))
    return after.partition("n: int = 2):\n")[2].replace("\n        ", "\n").strip()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return nn.MSELoss()(target=x, input=x * 2)", "return F.mse_loss(target=x, input=x * 2)"),
        ("return nn.LeakyReLU(n)(x)", "return F.leaky_relu(x, float(n))"),
        ("return nn.LeakyReLU(0.1, True)(input=x)", "return F.leaky_relu(input=x, negative_slope=0.1, inplace=True)"),
        ("return nn.ZeroPad2d(n)(x)", "return F.pad(x, [n] * 4)"),
        ("return nn.ZeroPad2d((n, 1, 0, 0))(x)", "return F.pad(x, (n, 1, 0, 0))"),
        ("return nn.Flatten()(x)", "return torch.flatten(x, 1)"),
        ("return nn.MaxPool2d(n, return_indices=True)(x)", "return F.max_pool2d(x, n, return_indices=True)"),
        ("return nn.Softmax(1)(nn.ReLU()(x))", "return F.softmax(F.relu(x), dim=1)"),
        ("return Variable(x - 1, volatile=True)", "return (x - 1).detach()"),
        ("return Variable(x, requires_grad=True)", "return x.detach().requires_grad_()"),
        ("return Variable(x.data)", "return x.data"),
        ("return Variable(x.new(3).zero_().cuda())", "return x.new(3).zero_().cuda()"),
        ("return Variable(torch.zeros(3).fill_(x[0]))", "return torch.zeros(3).fill_(x[0]).detach()"),
        ("return Variable(data=torch.zeros(3), requires_grad=True)", "return torch.zeros(3).requires_grad_()"),
        ("return x + nn.Parameter(x * 2)", "return x + (x * 2).detach().requires_grad_()"),
        ("return x + nn.Parameter(torch.ones(n), requires_grad=False)", "return x + torch.ones(n)"),
    ],
)
def test_forms(tmp_path, before, after):
    assert made(tmp_path, before) == after


def test_layer_held_by_a_variable(tmp_path):
    body = "# of a layer\npool = nn.AvgPool2d(n)\nfor _ in range(2):\n    x = pool(x)  # twice\nreturn pool(x + 1)"
    after = "for _ in range(2):\n    x = F.avg_pool2d(x, n)  # twice\nreturn F.avg_pool2d(x + 1, n)"
    assert made(tmp_path, body) == after


@pytest.mark.parametrize(
    "body",
    [
        "fc = nn.Linear(4, 4)\nreturn fc(x)",
        "return nn.PReLU()(x)",
        "act = nn.ReLU()\nreturn self.apply_to(act, x)",
        "act = nn.ReLU()\nself.act = act\nreturn act(x)",
        "act = nn.ReLU()\nif n > 2:\n    act = nn.Tanh()\nreturn act(x)",
        "act = nn.ReLU()\nreturn [act(y) for f in (lambda: act(x),)]",
        "pool = nn.AvgPool2d(n)\nn = n + 1\nreturn pool(x)",
        "pool = nn.AvgPool2d(pick())\nreturn pool(x)",
        "loss = nn.CrossEntropyLoss(weight=x)\nx.mul_(2)\nreturn loss(x, x)",
        "self.w = nn.Parameter(x)\nreturn self.w",
        "w = nn.Parameter(x)\nself.register(w)\nreturn w",
        "w = nn.Parameter(x)\nself.w = w\nreturn x",
        "self.blocks.append(nn.Parameter(x))\nreturn x",
        "return Variable(*x)",
        "return isinstance(x, Variable)",
    ],
)
def test_lookalikes_are_left_alone(tmp_path, body):
    assert findings(LayerInForward(), source(tmp_path / "model.py", model(body))) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return nn.Upsample(scale_factor=self.scale)(x)", "one number or several"),
        ("return nn.ZeroPad2d(self.padding)(x)", "one number or several"),
        ("return nn.AvgPool2d(*x)(x)", "unpacked with `*`"),
        ("return nn.AvgPool2d(2)(x, **self.more)", "unpacked with `**`"),
        ("return nn.AvgPool2d(2)(x, x)", "other arguments"),
        ("return nn.Sigmoid(inplace=True)(x)", "the function does not"),
        ("return Variable(x, requires_grad=self.training)", "only known when it runs"),
    ],
)
def test_refusals(tmp_path, body, why):
    found = findings(LayerInForward(), source(tmp_path / "model.py", model(body)))
    assert [f.fixable for f in found] == [False] and why in found[0].message


def test_set_up_code_keeps_its_layers_and_parameters(tmp_path):
    init = (
        "    def __init__(self):\n        super().__init__()\n        self.start = nn.Tanh()(torch.zeros(3))\n"
        "        self.weight = self.make()\n\n"
        "    def make(self):\n        weight = nn.Parameter(torch.ones(3))\n        return weight\n\n"
    )
    assert findings(LayerInForward(), source(tmp_path / "model.py", model("return x", init=init))) == []


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(LayerInForward(), example, tmp_path)


VARIABLE = "from torch.autograd import Variable\n\n\n"


def test_a_trace_wants_it_only_in_blocks_whose_course_it_keeps(tmp_path):
    settings = Settings(Target.TRACE)
    body = (
        "y = Variable(torch.zeros(4))\nfor i in range({}):\n    y = y + Variable(torch.ones(4)) * x[i]\n"
        "    y = nn.Tanh()(y)\nreturn nn.Tanh()(y)"
    )
    frozen, fixed = (traced_model(body.format(n), before=VARIABLE) for n in ("x.size(0)", "3"))
    assert [len(find([LayerInForward()], FileFacts(document(t)), settings)) for t in (frozen, fixed)] == [2, 0]
    after = rewrite(document(frozen), [LayerInForward(), SoftRefactor()], settings).document.text
    inputs = "[(torch.rand(3, 4),), (torch.rand(5, 4),)]"
    assert trace_follows(after, inputs, tmp_path) and not trace_follows(frozen, inputs, tmp_path)


@pytest.mark.parametrize(("scale", "told"), [("scale", True), ("scale: int", False)])
def test_a_number_that_another_instance_may_not_have_is_told(tmp_path, scale, told):
    text = (
        f"from torch import nn\n\n\nclass Model(nn.Module):\n    def __init__(self, {scale} = 2):\n"
        "        super().__init__()\n        self.scale = scale\n\n    def forward(self, x):\n"
        "        return nn.Upsample(scale_factor=self.scale)(x)\n"
    )
    [finding] = findings(LayerInForward(), source(tmp_path / "m.py", text))
    assert finding.presumed == told == (finding.caveat is not None)
