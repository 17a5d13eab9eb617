"""What an examination of one case found, as plain picklable data. The command's own process reads it: no torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..facts.diagnosis import Diagnosis
from ..vocabulary import Verdict

UNSTABLE = "~"
REFUSED = "raises"
BUFFERS, INPUTS, GRADIENTS = "buffers", "inputs", "gradients"


@dataclass
class Fingerprint:
    """What eager does with a case; the rewritten source must have the same one.

    ``modes``: "eval" and "train" → input label → digest of the outputs, and under "buffers", "inputs" and
    "gradients" those of all buffers and of the case's own inputs after the calls, and of the gradients of parameters
    and inputs. A digest is ``structure:bits`` (structure: paths, dtypes, shapes; of outputs the bits of each path; they
    are ``~`` where two seeded runs of one source already differ), or ``raises`` where eager refuses a generated input.
    ``keys``: state_dict keys in order. ``signature``: that of forward without annotations. ``settled``: everything was
    run twice, so that all that varies is marked; else only what was found to differ from a target's results.
    """

    modes: dict[str, dict[str, str]]
    keys: tuple[str, ...]
    signature: str
    settled: bool = False

    def differences(self, other: Fingerprint) -> list[str]:
        """What a user would notice between this source (the old one) and ``other``, one line each; empty when equal.

        Compared is what both have: a quick fingerprint holds fewer inputs and no gradients. What varies from run to run
        in the old source is compared in structure; what varies in ``other`` alone is a difference.
        """
        found = []
        for mode in sorted(self.modes.keys() & other.modes.keys()):
            mine, theirs = self.modes[mode], other.modes[mode]
            for label in mine:
                if label in theirs and not _agree(mine[label], theirs[label]):
                    found.append(_describe(label, mode, mine[label], theirs[label]))
        if self.keys != other.keys:
            found.append(f"state_dict keys differ: {_key_changes(self.keys, other.keys)}")
        if self.signature != other.signature:
            found.append(f"the signature of forward changed from {self.signature} to {other.signature}")
        return found

    def settled_by(self, again: Fingerprint) -> Fingerprint:
        """This one with what a second look knows of what varies; where that has no word, as the looks of a loaded
        machine hold fewer inputs, nothing is excused."""
        modes = {mode: {**labels, **again.modes.get(mode, {})} for mode, labels in self.modes.items()}
        return replace(self, modes=modes, settled=True)


def _agree(old: str, new: str) -> bool:
    structure, _, bits = old.partition(":")
    new_structure, _, new_bits = new.partition(":")
    pairs = zip(bits.split(","), new_bits.split(","), strict=False)  # one structure has as many
    return structure == new_structure and all(mine in (theirs, UNSTABLE) for mine, theirs in pairs)


def _describe(label: str, mode: str, old: str, new: str) -> str:
    where = f"in {mode} mode"
    if label == BUFFERS:
        return f"buffers differ after the calls {where}"
    if label == INPUTS:
        return f"in-place updates of the inputs differ {where}"
    if label == GRADIENTS:
        return f"gradients differ {where}"
    if REFUSED in (old, new):
        change = "no longer runs" if new == REFUSED else "now runs, which raised before,"
        return f"eager {change} on {label} {where}"
    kind = "outputs" if old.partition(":")[0] == new.partition(":")[0] else "structure, shape or dtype of the outputs"
    return f"{kind} differ on {label} {where}"


def _key_changes(old: tuple[str, ...], new: tuple[str, ...], shown: int = 3) -> str:
    gone, come = [k for k in old if k not in new], [k for k in new if k not in old]
    if not gone and not come:
        return "another order"
    parts = []
    for keys, word in ((gone, "lost"), (come, "new")):
        if keys:
            more = f" and {len(keys) - shown} more" if len(keys) > shown else ""
            parts.append(f"{word} {', '.join(keys[:shown])}{more}")
    return "; ".join(parts)


@dataclass
class Examination:
    """The verdicts on one case under one target.

    ``verdicts``: "script", "trace" and "reload", those that were run; one that stands for a model that does not run
    in eager is alone. ``diagnosis``: of the first failure, unless the target passed another way. ``passed_as``:
    under what the target passed, reload apart. ``coverage``: the inputs that were generated for it. ``warnings``: the
    tracer's, in user files, as (message, file, line). ``thorough``: the case's own inputs passed, and generated ones
    and the other mode were tried; the fingerprint holds them. ``far_fetched``: a trace held on all of these, and is
    wrong on an input that was made to prove it so. ``seconds``: wall time.
    """

    verdicts: dict[str, Verdict]
    diagnosis: Diagnosis | None = None
    fingerprint: Fingerprint | None = None
    passed_as: str | None = None
    notes: tuple[str, ...] = ()
    coverage: str = ""
    warnings: tuple[tuple[str, str, int], ...] = ()
    thorough: bool = False
    far_fetched: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """The target passes and, where that was tried, so does the saved and reloaded program."""
        return self.passed_as is not None and all(v.passed for k, v in self.verdicts.items() if k == "reload")
