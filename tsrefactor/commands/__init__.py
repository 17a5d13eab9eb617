"""The commands, one a file. Each does its work and returns its exit code; `tsrefactor.cli` only reads the flags."""
