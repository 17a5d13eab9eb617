"""distribution-class: its classes against those of torch, and what is left alone."""

from dataclasses import replace

import pytest
import torch
from torch import distributions

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.facts.distributions import ATTRIBUTES, METHODS, PARAMETERS, written
from tsrefactor.rules import Example
from tsrefactor.rules.distribution_class import DistributionClass
from tsrefactor.vocabulary import Target

MODEL = """\
import torch
from torch.distributions import {}


class Model(torch.nn.Module):
    def forward(self, x, y):
        {}
"""


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_classes_do_what_torch_does(name, dtype):
    distribution = next(d for d in ATTRIBUTES if d in name)
    members = {*ATTRIBUTES[distribution], *METHODS[distribution]}
    made = {"torch": torch, "F": torch.nn.functional}
    exec(written(name, distribution, members, "torch", "F"), made)
    given = {p: torch.rand(3, 4, dtype=dtype) * 0.5 + 0.25 for p in PARAMETERS[name]}
    theirs, ours = getattr(distributions, distribution)(**given), made[name](**given)
    for attribute in ATTRIBUTES[distribution]:
        assert torch.equal(getattr(ours, attribute), getattr(theirs, attribute)), attribute
    for method in METHODS[distribution]:
        torch.manual_seed(0)
        sample = theirs.sample()
        other = (sample * 0.5, sample.abs() + 1)
        given = {"log_prob": (sample,), "kl_divergence": other}.get(method, ())
        torch.manual_seed(0)
        ask = distributions.kl_divergence if method == "kl_divergence" else getattr(theirs, method, None)
        wanted = ask(theirs, distributions.Normal(*given)) if method == "kl_divergence" else ask(*given)
        torch.manual_seed(0)
        assert torch.equal(getattr(ours, method)(*given), wanted), method


BODY = """\
        draw = Bernoulli(probs=x.sigmoid())
        kept = draw.sample()
        choice = Categorical(x.softmax(-1))
        action = choice.sample()
        noise = Normal(0.0, y).rsample()
        return draw.log_prob(kept), choice.log_prob(action), draw.mean, Bernoulli(logits=x).entropy() + noise
"""
MORE = Example(
    before=MODEL.format("Bernoulli, Categorical, Normal", BODY.strip()),
    after="",
    inputs="[(torch.rand(2, 4) + 1, torch.rand(2, 4) + 1), (torch.rand(3, 4) + 1, torch.rand(3, 4) + 1)]",
    breaks=Target.SCRIPT,
)


def test_samples(tmp_path):
    after = rewritten(DistributionClass(), source(tmp_path / "model.py", MORE.before))
    assert (
        "(ScriptNormal(torch.full_like(y, 0.0), y) if torch.jit.is_scripting() else Normal(0.0, y)).rsample()" in after
    )
    prove(DistributionClass(), replace(MORE, after=after), tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        "return Normal(x, y)",
        "d = Normal(x, y)\n        return self.head(d)",
        "d = Normal(x, y)\n        d = d.expand(x.shape)\n        return d.mean",
        "d = Normal(x, y) if x.dim() else Normal(y, x)\n        return d.mean",
        "d = Normal(x, y)\n        return d.rsample((2,))",
        "d = Normal(x, y)\n        return d.icdf(x)",
        "return Normal(0, 1).log_prob(x)",
        "return Normal(0, x + y).log_prob(x)",
        "d = Normal(*x)\n        return d.mean",
        "d = Normal(x, y)\n        self.last = d\n        return d.mean",
        "return kl_divergence(Normal(x, y), self.prior)",
        "d = Normal(x, y)\n        d = Normal(0, 1)\n        return d.log_prob(x)",
        "return torch.normal(x, y)",
    ],
)
def test_left_alone(tmp_path, body):
    text = MODEL.format("Normal, kl_divergence", body)
    assert findings(DistributionClass(), source(tmp_path / "model.py", text)) == []
