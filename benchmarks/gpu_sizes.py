"""What `benchmarks/gpu.sh` runs: the settings of its sizes, and the steps of the plan it keeps."""

from __future__ import annotations

# Table 2 of the steps that come before it here: baselines, supervised, mean teacher, SimMatch.
STEPS = ("01_koka10k", "03_vit_supervised", "05_simmatch", "11_table2")

# The hybrid ViT, trained from pixels; nothing of it is chosen by a result.
HYBRID: dict[str, object] = {
    "model.arch": "", "model.stem": "lite0", "model.weights": "imagenet", "model.freeze": False,
}  # fmt: skip

# size: (profile, settings, steps that are timed a method)
# fmt: off
SIZES: dict[str, tuple[str, dict[str, object], int]] = {
    "gpu": ("gpu", {
        **HYBRID, "model.width": 384, "model.depth": 6, "model.heads": 6, "model.mlp_ratio": 4.0,
        "data.labelled": 1000, "data.pool": 800, "data.fractions": [0.6, 0.1, 0.3],
        "data.size": 208, "data.crop": 192,
        "train.steps": 100, "train.evaluations": 4, "simmatch.tau": 0.7,
        "mean_teacher.ramp_steps": 40,  # .4 of the steps, as everywhere
    }, 10),
    "tiny": ("smoke", {  # proves the script
        **HYBRID, "data.labelled": 80, "data.pool": 20,
        "train.steps": 2, "train.batch": 4, "train.evaluations": 1,
    }, 1),
}
# fmt: on
# how many methods are measured, of those of `riqa bench` in its order; None: all
MEASURED: dict[str, int | None] = {"gpu": None, "tiny": 2}
# how many pictures the usual pipeline decodes and ours stores; None: as everywhere
STORED: dict[str, int | None] = {"gpu": None, "tiny": 80}
