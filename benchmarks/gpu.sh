#!/usr/bin/env bash
# Everything that a GPU is asked for, in one go; GPU.md says how and what for.
# Settings: OUT (folder of the tables), BUDGET (seconds), SIZE (gpu, tiny), PYTHON, RIQA_HOME.
set -eu
cd "$(dirname "$0")/.."
exec "${PYTHON:-python3}" -u -m benchmarks.gpu
