"""From rules to a rewritten document: findings, their conflicts, rounds to a fixpoint."""

from .engine import Applied, InternalError, Refused, Rewrite, apply_findings, find, rewrite

__all__ = ["Applied", "InternalError", "Refused", "Rewrite", "apply_findings", "find", "rewrite"]
