"""Names and plain data of the photographs' runs: methods, rows of the tables, profiles. No torch,
so a command line can list them at once; `photographs` makes settings of them.

    >>> list(PROFILES)
    ['smoke', 'demo', 'reference', 'gpu', 'paper']
    >>> ROWS["fixmatch_randaugment"]
    {'method': 'fixmatch', 'train.strong': 'randaugment'}
"""

from __future__ import annotations

from ..scales import SECOND

NOTEBOOKS = {
    "supervised": "03_vit_supervised",
    "fixmatch": "04_fixmatch",
    "simmatch": "05_simmatch",
    "adamatch": "06_adamatch",
    "comatch": "07_comatch",
    "freematch": "08_freematch",
    "crmatch": "09_crmatch",
    "mean_teacher": "03_vit_supervised",  # ours: no paper's, so it has no notebook of its own
}  # method -> where it is trained


METHOD_NAMES = tuple(NOTEBOOKS)

# What begins settings that a walk's other notebooks read: notebooks 13 to 18, and notebook 12's
# models (related_profiles.NAMES)
NOT_OURS = ("fundus", "dbcnn", "hyperiqa", "reiqa")


# Rows that train no network (training.baselines): what a network has to beat
BASELINES = ("source_mean", "forest", "ridge")


# The rows of the tables: what each changes in the profile's settings. All else is equal: network,
# first weights, steps, labelled batches, validation. "supervised_all" knows all training labels
# where the others know data.labels of them. "supervised_ordinal" has the targets of "mean_teacher"
# and no pool; "supervised_equal" takes more steps (AS_MANY_PICTURES_AS). Rows of the second stage:
# "simmatch_second" learns from the labels and from what "simmatch" says of the rest.
ROWS: dict[str, dict[str, object]] = {
    "supervised": {},
    "supervised_strong": {"method.strong": True},
    "supervised_ordinal": {"method.ordinal": True},
    "supervised_equal": {},
    "supervised_all": {"data.labels": 0},
    **{name: {"method": name} for name in METHOD_NAMES if name != "supervised"},
    "fixmatch_randaugment": {"method": "fixmatch", "train.strong": "randaugment"},
    **{f"{name}{SECOND}": {} for name in METHOD_NAMES},
    **{name: {} for name in BASELINES},
}


# Rows that take more steps than the profile's, as many as it takes to see the pictures that this
# method sees: what the pool brings stands apart from what longer training brings
AS_MANY_PICTURES_AS = {"supervised_equal": "fixmatch"}


# What `demo` and `reference` share: a small ViT on a frozen stem that knows ImageNet, which starts
# as ridge regression on what it sees (model.skip, training.ridge_start), and how each method is
# set: one threshold for all that have one, weak views by the running average (FreeMatch would keep
# everything at first). Set on validation pictures (benchmarks/tries.py), none on test pictures.
# fmt: off
ON_A_LAPTOP: dict[str, object] = {
    "model.stem": "lite0", "model.weights": "imagenet", "model.freeze": True,
    "model.skip": True, "model.width": 128, "model.depth": 2, "train.lr": 2e-4, "train.mu": 2,
    "fixmatch.tau": 0.7, "fixmatch.weak": "ema", "fixmatch.align": True,
    "simmatch.tau": 0.7, "simmatch.weak": "ema",
    "adamatch.momentum": 0.99, "adamatch.weak": "ema",
    "comatch.tau": 0.7, "comatch.edge": 0.5, "comatch.weak": "ema",
    "freematch.weak": "ema", "freematch.align": True, "freematch.start": 100,
    "crmatch.tau": 0.7, "crmatch.align": True,
}
# fmt: on


# Profiles: overrides of the defaults of photographs.Run. "fixmatch.tau" and the like apply where
# that method is run.
# fmt: off
PROFILES: dict[str, dict[str, object]] = {
    "smoke": {
        "data.labelled": 150, "data.pool": 60, "data.size": 40, "data.crop": 32,
        "model.width": 16, "model.depth": 1,
        "train.steps": 6, "train.batch": 8, "train.evaluations": 2,
        "pretrain.pictures": 20, "pretrain.steps": 4, "pretrain.batch": 4,
        "simmatch.tau": 0.4,
        "comatch.tau": 0.4, "comatch.edge": 0.3, "comatch.bank": 32,
        "crmatch.tau": 0.4,
        "mean_teacher.ramp_steps": 2,  # everywhere .4 of train.steps
    },
    # demo takes two fifths of the steps of reference, three quarters of its pool, looks at
    # validation less often, and at two windows of a picture where reference looks at eight (asking
    # took as long as training), so that all notebooks run within minutes. Two windows of the same
    # 29 networks, simulated test pictures: MAE .003 more in the mean, at most .014
    "demo": {
        **ON_A_LAPTOP,
        "data.pool": 1500, "data.looks": 2,
        "train.steps": 120, "train.evaluations": 5,
        "mean_teacher.ramp_steps": 48, "freematch.start": 40,
    },
    "reference": {**ON_A_LAPTOP, "train.steps": 300, "mean_teacher.ramp_steps": 120},
    "gpu": {
        "data.labelled": 10432, "data.pool": 30000, "data.size": 256,
        "data.fractions": (0.8, 0.1, 0.1), "data.crop": 224,
        "model.arch": "vit_small_patch16_224", "model.drop_path": 0.1,
        "train.steps": 20000, "train.batch": 64, "train.mu": 4, "train.lr": 5e-4,
        "train.layer_decay": 0.8, "train.ema": 0.999, "train.evaluations": 20,
        "pretrain.pictures": 6000, "pretrain.steps": 10000, "pretrain.batch": 128,
        "fixmatch.weak": "ema", "fixmatch.align": True,
        "simmatch.weak": "ema",
        "adamatch.weak": "ema",
        "comatch.weak": "ema",
        "freematch.weak": "ema", "freematch.align": True, "freematch.momentum": 0.999,
        "crmatch.align": True,
        "mean_teacher.ramp_steps": 8000,
    },
    "paper": {
        "data.source": "koka10k", "data.size": 256,
        "data.fractions": (0.8, 0.1, 0.1), "data.crop": 224,
        "model.arch": "vit_base_patch16_224", "model.weights": "imagenet", "model.drop_path": 0.1,
        "train.optimiser": "adam",
        "train.steps": 20000, "train.batch": 32, "train.mu": 4, "train.lr": 1e-4,
        "train.layer_decay": 0.75, "train.ema": 0.999, "train.evaluations": 20,
        "fixmatch.weak": "ema",
        "simmatch.weak": "ema",
        "adamatch.weak": "ema",
        "comatch.weak": "ema",
        "freematch.weak": "ema", "freematch.momentum": 0.999,
        "mean_teacher.ramp_steps": 8000,
    },
}
# fmt: on
