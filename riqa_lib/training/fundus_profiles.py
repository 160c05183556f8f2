"""Names and plain data of the fundus runs: methods, rows of the tables, profiles. No torch, so a
command line can list them at once; `fundus` makes settings of them.

    >>> ROWS["multi_hard_eyeq"]
    ('eyeq', {'student.pseudo': 'hard'})
"""

from __future__ import annotations

from ..sim.fundus_sets import SIZES

METHOD_NAMES = ("teacher", "student")


STUDENTS: dict[str, dict[str, object]] = {
    "single": {"student.lambda_a": 0.0},
    "multi": {},
    "multi_hard": {"student.pseudo": "hard"},
    "multi_filtered": {"student.pseudo": "filtered"},
}


ROWS: dict[str, tuple[str, dict[str, object]]] = {"teacher": ("mshf", {})} | {
    f"{kind}_{on}": (on, changes)
    for on in ("eyeq", "deepdrid")
    for kind, changes in STUDENTS.items()
}  # row -> (set, changes)


# Profiles: overrides of the defaults of fundus.Run; "teacher." and "student." apply to these
# methods only, "teacher_train." to the Teacher's training.
# fmt: off
PROFILES: dict[str, dict[str, object]] = {
    "smoke": {
        "data.pictures": tuple(SIZES["smoke"].values())[:4], "data.size": 40, "data.crop": 38,
        "model.width": 8,
        "train.steps": 6, "train.batch": 8, "train.evaluations": 2,
        "teacher_train.steps": 6,
    },
    "demo": {"teacher_train.steps": 100},
    "reference": {
        "data.pictures": (802, 5000, 2000, 160),
        "train.steps": 800, "train.evaluations": 10,
        "teacher_train.steps": 400,
    },
    "gpu": {
        "data.pictures": tuple(SIZES["gpu"].values())[:4], "data.size": 235, "data.crop": 224,
        "model.arch": "resnet18",
        "train.steps": 6000, "train.batch": 64, "train.lr": 1e-3, "train.ema": 0.999,
        "train.evaluations": 20,
        "teacher_train.steps": 1500,
        "student.grid": (0.1, 0.25, 0.5, 1.0, 2.0),
    },
    "paper": {
        "data.source": "real", "data.size": 235, "data.crop": 224,
        "model.arch": "resnet18", "model.weights": "imagenet",
        "train.steps": 6000, "train.batch": 64, "train.lr": 3e-4, "train.ema": 0.999,
        "train.evaluations": 20,
        "teacher_train.steps": 1500, "teacher.learns": "all",
        "student.grid": (0.1, 0.25, 0.5, 1.0, 2.0),
    },
}
# fmt: on
