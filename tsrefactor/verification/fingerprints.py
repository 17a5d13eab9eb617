"""Digests of what eager does, comparable between processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from .eager import Call, EagerModel, Observation, forward_signature, mode_name
from .results import BUFFERS, GRADIENTS, INPUTS, REFUSED, UNSTABLE, Fingerprint
from .values import Leaf, digest


def outputs_digest(observation: Observation) -> str:
    """Of all repetitions of the call: their structure, and the bits of each path that do not vary."""
    every = [leaf for outputs in observation.outputs for leaf in outputs]
    bits = (UNSTABLE if path in observation.varying else told for path, told in _bits(observation).items())
    return f"{digest(every).partition(':')[0]}:{','.join(bits)}"


def varying_paths(first: Observation, second: Observation) -> frozenset[str]:
    """The paths of outputs in which two runs differ; all of them where their structure does."""
    mine, theirs = _bits(first), _bits(second)
    if mine.keys() != theirs.keys():
        return frozenset(mine)
    return frozenset(path for path, told in mine.items() if told != theirs[path])


def _bits(observation: Observation) -> dict[str, str]:
    by_path: dict[str, list[Leaf]] = defaultdict(list)
    for leaf in (leaf for outputs in observation.outputs for leaf in outputs):
        by_path[leaf.path].append(leaf)
    return {path: digest(found).replace(":", "") for path, found in by_path.items()}


def fingerprint(
    model: EagerModel,
    observations: Sequence[Observation],
    varying: set[tuple[str, str]],
    refused: Sequence[tuple[str, str]] = (),
    gradients: dict[str, str] | None = None,
) -> Fingerprint:
    """Of ``observations``, with (mode, label) of the generated inputs that eager refuses.

    ``varying``: (mode, "buffers" or "inputs") that two seeded runs left different. ``gradients``: digests by mode.
    """
    modes: dict[str, dict[str, str]] = {}
    left: dict[tuple[str, str], list[Leaf]] = defaultdict(list)
    for seen in observations:
        modes.setdefault(seen.mode, {})[seen.call.label] = outputs_digest(seen)
        if not seen.call.generated:
            left[seen.mode, BUFFERS] += seen.buffers
            left[seen.mode, INPUTS].append(Leaf(seen.call.label, seen.inputs))
    for mode, label in refused:
        modes.setdefault(mode, {})[label] = REFUSED
    for (mode, key), held in left.items():
        modes[mode][key] = unstable(digest(held)) if (mode, key) in varying else digest(held)
    for mode, text in (gradients or {}).items():
        modes[mode][GRADIENTS] = text
    return Fingerprint(modes, tuple(model.module.state_dict()), forward_signature(model.module))


def unstable(text: str) -> str:
    """A digest without its bits, for what varies from run to run."""
    return f"{text.partition(':')[0]}:{UNSTABLE}"


def gradient_digests(model: EagerModel, calls: Sequence[Call], trainings: Sequence[bool]) -> dict[str, str]:
    """Per mode one digest of the gradients on all ``calls``."""
    return {mode_name(training): _gradient_digest(model, calls, training) for training in trainings}


def _gradient_digest(model: EagerModel, calls: Sequence[Call], training: bool) -> str:
    held: list[Leaf] = []
    for wanted in calls:
        try:
            held += model.gradients(wanted, training)
        except Exception as error:  # a model without a backward has that as its fingerprint
            held.append(Leaf(wanted.label, f"no gradient: {type(error).__name__}"))
    return digest(held)
