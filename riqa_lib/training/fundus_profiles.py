"""Names and plain data of the fundus runs: methods, rows of the tables, profiles. No torch, so a
command line can list them at once; `fundus` makes settings of them.

    >>> ROWS["multi_hard_eyeq"]
    ('eyeq', {'model.encoder': 'resnet', 'student.own_defects': 0.0, 'student.pseudo': 'hard'})
"""

from __future__ import annotations

from ..sim.fundus_sets import SIZES

METHOD_NAMES = ("teacher", "student")


# what a profile's settings become where a row has this encoder, unless somebody sets them
WITH_ENCODER: dict[str, dict[str, object]] = {
    "resnet": {},
    "lite0": {
        "model.drop": 0.2,
        "train.lr": 1e-3,
        "train.batch": 64,
        "train.steps": 300,
        "teacher_train.steps": 100,
    },
}

OWN_DEFECTS = 0.5  # weight of own-defect copies, where a row learns from them

TEACHERS: dict[str, tuple[str, bool]] = {
    "teacher": ("resnet", False),
    "teacher_own": ("resnet", True),
    "teacher_lite0_plain": ("lite0", False),
    "teacher_lite0": ("lite0", True),
}  # row -> (encoder, whether it learns from own-defect copies)

STUDENTS: dict[str, tuple[str, dict[str, object]]] = {
    "single": ("teacher", {"student.lambda_a": 0.0}),
    "multi": ("teacher", {}),
    "multi_hard": ("teacher", {"student.pseudo": "hard"}),
    "multi_filtered": ("teacher", {"student.pseudo": "filtered"}),
    "multi_own": ("teacher_own", {}),
    "single_lite0": ("teacher_lite0", {"student.lambda_a": 0.0}),
    "multi_lite0": ("teacher_lite0", {}),
    "multi_lite0_plain": ("teacher_lite0_plain", {}),
}  # beginning of the row -> (row of its Teacher, whose encoder and copies it has, changes)


def _row_of(teacher: str, kind: str) -> dict[str, object]:
    encoder, own = TEACHERS[teacher]
    return {"model.encoder": encoder, f"{kind}.own_defects": OWN_DEFECTS * own}


ROWS: dict[str, tuple[str, dict[str, object]]] = {
    row: ("mshf", _row_of(row, "teacher")) for row in TEACHERS
} | {
    f"{kind}_{on}": (on, _row_of(teacher, "student") | changes)
    for on in ("eyeq", "deepdrid")
    for kind, (teacher, changes) in STUDENTS.items()
}  # row -> (set, changes)

TEACHER_OF = {
    f"{kind}_{on}": teacher
    for on in ("eyeq", "deepdrid")
    for kind, (teacher, _) in STUDENTS.items()
}  # row of a Student -> row of its Teacher


# Profiles: overrides of the defaults of fundus.Run; "teacher." and "student." apply to these
# methods only, "teacher_train." to the Teacher's training.
# fmt: off
PROFILES: dict[str, dict[str, object]] = {
    "smoke": {
        "data.pictures": tuple(SIZES["smoke"].values()), "data.size": 40, "data.crop": 38,
        "model.width": 8, "data.views": 1,
        "train.steps": 6, "train.batch": 8, "train.evaluations": 2,
        "teacher_train.steps": 6,
    },
    # one view of a picture where reference looks at eight (ResNets only)
    "demo": {"train.steps": 120, "teacher_train.steps": 80, "data.views": 1},
    "reference": {
        "data.pictures": (802, 5000, 2000, 160, 432),
        "data.world": 1,  # other pictures than those that settings were tried on (demo's)
        "train.steps": 500, "train.evaluations": 10,
        "teacher_train.steps": 300,
    },
    "gpu": {
        "data.pictures": tuple(SIZES["gpu"].values()), "data.size": 235, "data.crop": 224,
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
