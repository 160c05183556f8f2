"""Settings of the fundus runs: what a Run has, and how a profile, a row and overrides make one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from ..bounds import Range
from ..networks.fundus_net import FundusNetConfig
from ..pictures.fundus_data import FundusData
from ..ssl.teacher_student import Student, Teacher
from .fundus_profiles import PROFILES, ROWS, TEACHERS, WITH_ENCODER
from .optimisation import TrainConfig
from .settings import RunSettings, must_be_one_of, replaced

ALSO = ("mshf", "eyeq_d", "single")  # sets with details, which every run is asked about


TUNING = 1000  # seed of the runs that lambda_a is chosen by: none of those reported


@dataclass(frozen=True)
class Run(RunSettings):
    """All settings of one run. With the keys of its data they are config.json; its hash names the
    run's folder.

    >>> Run().but(method="teacher", **{"method.folds": False}).method
    Teacher.Config(name='teacher', learns='train', folds=False, own_defects=0.0)
    """

    method: Any = Student.Config()
    set: str = "eyeq"  # what it learns from
    data: FundusData = FundusData()
    model: FundusNetConfig = FundusNetConfig()
    train: TrainConfig = TrainConfig(steps=300, batch=32, lr=2e-3, evaluations=6, ema=0.98)
    seed: Annotated[int, Range(0)] = 0
    taught_by: str = ""  # Student: folder name of the Teacher's run that its details come from

    methods: ClassVar[dict[str, Any]] = {"teacher": Teacher, "student": Student}
    where: ClassVar[str] = "fundus."


def settings(
    profile: str, row: str = "multi_eyeq", seed: int = 0, overrides: dict[str, object] | None = None
) -> Run:
    """The settings of a row in a profile; of the overrides only those that begin with "fundus."
    count.

    ValueError for an unknown profile, row or setting; each message lists what is allowed.

    >>> run = settings("demo", "multi_deepdrid", 1, {"fundus.student.lambda_a": 0.5, "seed": 7})
    >>> run.set, run.seed, run.method.lambda_a
    ('deepdrid', 1, 0.5)
    """
    must_be_one_of("profile", profile, PROFILES)
    must_be_one_of("row", row, ROWS)
    on, its = ROWS[row]
    usual = PROFILES[profile]
    if profile != "smoke":  # which only shows that everything runs
        usual = usual | WITH_ENCODER[str(its["model.encoder"])]
    changes = usual | _ours(overrides or {}) | its
    of_the_teacher = {
        key.removeprefix("teacher_train."): changes.pop(key)
        for key in list(changes)
        if key.startswith("teacher_train.")
    }
    kind = "teacher" if row in TEACHERS else "student"
    run = Run(set=on, seed=seed).but(method=kind).adjusted(changes)
    replaced(run.train, of_the_teacher, "fundus.teacher_train.")  # a Student's are checked too
    if row in TEACHERS:
        # nothing of its small set is left over to select by
        its_train = {f"train.{name}": value for name, value in of_the_teacher.items()}
        return run.but(**its_train | {"train.select": "last"})
    if row.startswith("single_"):
        return run.but(**{"method.grid": ()})
    return run


def _ours(overrides: dict[str, object]) -> dict[str, object]:
    """The overrides that begin with "fundus.", without it; ValueError for what the row gives."""
    ours = {
        key.removeprefix("fundus."): value
        for key, value in overrides.items()
        if key.startswith("fundus.")
    }
    for key in ours:
        if key.partition(".")[0] in ("method", "seed", "set", "taught_by"):
            raise ValueError(
                f"'fundus.{key}' is given by the row; "
                "set one of: data, model, train, teacher_train, teacher, student"
            )
    return ours
