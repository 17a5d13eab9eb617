"""The forms that detach-data writes, and what it must not touch."""

import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.detach_data import DetachData

RULE = [DetachData()]
INIT = "self.w = nn.Parameter(torch.ones(3))"

WRITTEN = {
    "x.data.shape[0] * x": "x.shape[0] * x",
    "x + self.w.data": "x + self.w.detach()",
    "x + (x * 2).data": "x + (x * 2).detach()",
    "x.sum().type_as(x.data)": "x.sum().type_as(x)",
    "x + x.data.new_zeros(3)": "x + x.new_zeros(3)",
    "x + torch.rand_like(x.data)": "x + torch.rand_like(x)",
    "x.data": "x.detach()",
}

# What is changed in place is another tensor by then.
SUMS = {
    "total = torch.sum(x.data) / 3\ntotal /= 2\nreturn x * total": "torch.sum(x.detach()) / 3",
    "peak = x.data.abs().max()\npeak.mul_(2)\nreturn x * peak": "x.detach().abs()",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_what_is_written(written):
    after = rewritten(RULE, model(f"return {written}", INIT)).document.text
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
        "assert x.data.dim() == 4\nreturn x",
        "return x.type(x.data.type())",
        "return x + 1 if isinstance(x.data, torch.FloatTensor) else x",
    ],
)
def test_left_alone(body):
    assert findings(RULE, model(body, INIT)) == []


def test_what_may_be_no_tensor_is_presumed():
    (found,) = findings(RULE, model("def forward(self, batch):\n    return batch.data.sum()"))
    assert found.presumed
