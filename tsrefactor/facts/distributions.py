"""Distributions of torch as small classes that TorchScript compiles: the same operations, in the same order."""

from __future__ import annotations

from collections.abc import Collection

_EPS = "eps = 2.220446049250313e-16 if probs.dtype == {torch}.float64 else 1.1920928955078125e-07"
_CLAMPED = "clamped = self.probs.clamp(eps, 1 - eps)"

PARAMETERS = {
    "ScriptNormal": ("loc", "scale"),
    "ScriptCategoricalProbs": ("probs",),
    "ScriptCategoricalLogits": ("logits",),
    "ScriptBernoulliProbs": ("probs",),
    "ScriptBernoulliLogits": ("logits",),
}
"""Class → what it is made of."""
_MADE = {
    "ScriptNormal": ("self.loc, self.scale = {torch}.broadcast_tensors(loc, scale)",),
    "ScriptCategoricalProbs": (
        "self.probs = probs / probs.sum(-1, keepdim=True)",
        _EPS,
        "self.logits = {torch}.log(self.probs.clamp(eps, 1 - eps))",
    ),
    "ScriptCategoricalLogits": (
        "self.logits = logits - logits.logsumexp(dim=-1, keepdim=True)",
        "self.probs = {torch}.softmax(self.logits, dim=-1)",
    ),
    "ScriptBernoulliProbs": (
        "self.probs = probs",
        _EPS,
        _CLAMPED,
        "self.logits = {torch}.log(clamped) - {torch}.log1p(-clamped)",
    ),
    "ScriptBernoulliLogits": ("self.logits = logits", "self.probs = {torch}.sigmoid(logits)"),
}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "Normal": {"loc": "", "scale": "", "mean": "self.loc", "stddev": "self.scale", "variance": "self.scale.pow(2)"},
    "Categorical": {"probs": "", "logits": ""},
    "Bernoulli": {"probs": "", "logits": "", "mean": "self.probs"},
}
"""Distribution → its attributes: what they are made of, nothing for those that each of them has."""
METHODS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "Normal": {
        "log_prob": (
            ("value",),
            (
                "variance = self.scale**2",
                "return -((value - self.loc) ** 2) / (2 * variance) - self.scale.log() - 0.9189385332046727",
            ),
        ),
        "entropy": ((), ("return 1.4189385332046727 + {torch}.log(self.scale)",)),
        "sample": ((), ("with {torch}.no_grad():", "    return {torch}.normal(self.loc, self.scale)")),
        "rsample": (
            (),
            (
                "noise = {torch}.randn(self.loc.shape, dtype=self.loc.dtype, device=self.loc.device)",
                "return self.loc + noise * self.scale",
            ),
        ),
        "kl_divergence": (
            ("loc", "scale"),
            (
                "ratio = (self.scale / scale).pow(2)",
                "distance = ((self.loc - loc) / scale).pow(2)",
                "return 0.5 * (ratio + distance - 1 - ratio.log())",
            ),
        ),
    },
    "Categorical": {
        "log_prob": (
            ("value",),
            (
                "value, logits = {torch}.broadcast_tensors(value.long().unsqueeze(-1), self.logits)",
                "return logits.gather(-1, value[..., :1]).squeeze(-1)",
            ),
        ),
        "entropy": (
            (),
            ("logits = self.logits.clamp(min=-3.4028234663852886e38)", "return -(logits * self.probs).sum(-1)"),
        ),
        "sample": (
            (),
            (
                "probs = self.probs.reshape(-1, self.probs.shape[-1])",
                "return {torch}.multinomial(probs, 1, True).T.reshape(self.probs.shape[:-1])",
            ),
        ),
    },
    "Bernoulli": {
        "log_prob": (
            ("value",),
            (
                "logits, value = {torch}.broadcast_tensors(self.logits, value)",
                'return -{F}.binary_cross_entropy_with_logits(logits, value, reduction="none")',
            ),
        ),
        "entropy": (
            (),
            ('return {F}.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")',),
        ),
        "sample": ((), ("with {torch}.no_grad():", "    return {torch}.bernoulli(self.probs)")),
    },
}
"""Distribution → its methods: what they take, and their lines."""


def written(name: str, distribution: str, used: Collection[str], torch: str, functional: str) -> str:
    """The class, with those attributes and methods that are used."""
    attributes, methods = ATTRIBUTES[distribution], METHODS[distribution]
    given = "".join(f", {p}: {torch}.Tensor" for p in PARAMETERS[name])
    lines = [
        f"class {name}:",
        f'    """torch.distributions.{distribution}, as TorchScript takes it."""',
        "",
        f"    def __init__(self{given}):",
        *(f"        {line}" for line in _MADE[name]),
        *(f"        self.{a} = {value}" for a, value in attributes.items() if a in used and value),
    ]
    for method, (parameters, body) in methods.items():
        if method in used:
            lines += ["", f"    def {method}({', '.join(('self', *parameters))}):", *(f"        {b}" for b in body)]
    return "\n".join(lines).format(torch=torch, F=functional) + "\n"
