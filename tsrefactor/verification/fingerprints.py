"""Digests of what eager does, comparable between processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from .eager import Call, EagerModel, Observation, forward_signature, mode_name
from .results import BUFFERS, GRADIENTS, REFUSED, UNSTABLE, Fingerprint
from .values import Leaf, digest


def outputs_digest(observation: Observation) -> str:
    """Of all repetitions of the call."""
    return digest([leaf for outputs in observation.outputs for leaf in outputs])


def fingerprint(
    model: EagerModel,
    observations: Sequence[Observation],
    unstable_buffers: set[str],
    refused: Sequence[tuple[str, str]] = (),
    gradients: dict[str, str] | None = None,
) -> Fingerprint:
    """Of ``observations``, with (mode, label) of the generated inputs that eager refuses.

    ``unstable_buffers``: modes in which two seeded runs left different buffers. ``gradients``: their digests by mode.
    """
    modes: dict[str, dict[str, str]] = {}
    buffers: dict[str, list[Leaf]] = defaultdict(list)
    for seen in observations:
        text = outputs_digest(seen)
        modes.setdefault(seen.mode, {})[seen.call.label] = text if seen.stable else unstable(text)
        if not seen.call.generated:
            buffers[seen.mode] += seen.buffers
    for mode, label in refused:
        modes.setdefault(mode, {})[label] = REFUSED
    for mode, held in buffers.items():
        modes[mode][BUFFERS] = unstable(digest(held)) if mode in unstable_buffers else digest(held)
    for mode, text in (gradients or {}).items():
        modes[mode][GRADIENTS] = text
    deterministic = UNSTABLE not in {text.partition(":")[2] for digests in modes.values() for text in digests.values()}
    return Fingerprint(modes, tuple(model.module.state_dict()), forward_signature(model.module), deterministic)


def unstable(text: str) -> str:
    """A digest without its bits, for what varies from run to run."""
    return f"{text.partition(':')[0]}:{UNSTABLE}"


def gradient_digests(
    model: EagerModel, calls: Sequence[Call], trainings: Sequence[bool], varying: set[bool]
) -> dict[str, str]:
    """Per mode one digest of the gradients on all ``calls``; without bits in modes whose results are ``varying``."""
    found = {}
    for training in trainings:
        text = _gradient_digest(model, calls, training)
        found[mode_name(training)] = unstable(text) if training in varying else text
    return found


def _gradient_digest(model: EagerModel, calls: Sequence[Call], training: bool) -> str:
    held: list[Leaf] = []
    for wanted in calls:
        try:
            held += model.gradients(wanted, training)
        except Exception as error:  # a model without a backward has that as its fingerprint
            held.append(Leaf(wanted.label, f"no gradient: {type(error).__name__}"))
    return digest(held)
