"""The forms that detach-data writes, and what it must not touch."""

import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.detach_data import DetachData

RULE = [DetachData()]
HELPERS = "def shrink(w):\n    v = w.view(-1)\n    v.mul_(0.9)\n\n\ndef scaled(w):\n    return w * 2\n\n\n"
INIT = "self.w = nn.Parameter(torch.ones(3))"

WRITTEN = {
    "x.data.shape[0] * x": "x.shape[0] * x",
    "x + self.w.data": "x + self.w.detach()",
    "x + (x * 2).data": "x + (x * 2).detach()",
    "x.sum().type_as(x.data)": "x.sum().type_as(x)",
    "x + x.data.new_zeros(3)": "x + x.new_zeros(3)",
    "x + torch.rand_like(x.data)": "x + torch.rand_like(x)",
    "x.data": "x.detach()",
    "x + F.relu(x.data).view(-1)": "x + F.relu(x.detach()).view(-1)",
    "x + scaled(x.data)": "x + scaled(x.detach())",
    "x.masked_fill(x.data > 0, 0.0)": "x.masked_fill(x.detach() > 0, 0.0)",
    "self.w.new_zeros(3).copy_(x.data)": "self.w.new_zeros(3).copy_(x.detach())",
}

# What is changed in place is another tensor by then.
SUMS = {
    "total = torch.sum(x.data) / 3\ntotal /= 2\nreturn x * total": "torch.sum(x.detach()) / 3",
    "peak = x.data.abs().max()\npeak.mul_(2)\nreturn x * peak": "x.detach().abs()",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_written(written):
    after = rewritten(RULE, model(f"return {written}", INIT, HELPERS)).document.text
    assert f"return {WRITTEN[written]}\n" in after


@pytest.mark.parametrize("body", SUMS)
def test_sums_of_values(body):
    assert SUMS[body] in rewritten(RULE, model(body, INIT)).document.text


@pytest.mark.parametrize(
    "body",
    [
        "x.data.clamp_(0, 1)\nreturn x",
        "x.data[0] = 1\nreturn x",
        "x.data[:, 0].view(-1).fill_(1)\nreturn x",
        "x.data += 1\nreturn x",
        "y = self.norm(x.data)\ny /= 2\nreturn x",
        "y = x.data\ny.mul_(2)\nreturn x",
        "y = x.data.view(-1)\ny[0] = 1\nreturn x",
        "rows = x.data\nflat = rows.view(-1)\nflat.mul_(2)\nreturn x",
        "torch.mul(x, 0.9, out=x.data)\nreturn x",
        "nn.init.ones_(x.data)\nreturn x",
        "return x + self.relu(x.data)",
        "return x + F.dropout(x.data, 0.5, True, True)",
        "return x + self.unknown(x.data)",
        "shrink(x.data)\nreturn x",
        "if isinstance(x, PackedSequence):\n    return x.data + 1\nreturn x",
        "return PackedSequence(self.fc(x.data), x.batch_sizes)",
        "assert x.data.dim() == 4\nreturn x",
        "return x.type(x.data.type())",
        "return x + 1 if isinstance(x.data, torch.FloatTensor) else x",
    ],
)
def test_left_alone(body):
    init = f"{INIT}\nself.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(3, 3)"
    assert findings(RULE, model(body, init, HELPERS)) == []


def test_what_may_be_no_tensor_is_presumed():
    (found,) = findings(RULE, model("def forward(self, batch):\n    return batch.data.sum()"))
    assert found.presumed
