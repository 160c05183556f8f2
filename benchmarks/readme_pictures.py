"""The README's strip: simulated photographs from bad to excellent, and one simulated eye with what
`riqa assess` says of it. Run by hand; it writes figures/reference/simulated_pictures.png.

    RIQA_HOME=home-of-the-reference python benchmarks/readme_pictures.py [RUN]

RUN: a Student, in results/runs of that home; the one that `riqa assess` takes by default. The
pictures are made by code and are the same every time; what is said of the eye is the Student's."""

from __future__ import annotations

import io
import sys
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

from riqa_lib import paths, store
from riqa_lib.assess import fundus_student, grading
from riqa_lib.figures import style
from riqa_lib.sim.fundus_camera import fundus
from riqa_lib.sim.photo_sets import picture

TARGETS = (0.15, 0.4, 0.6, 0.75, 1.0)  # quality, 0..1, of the photographs, from the worst on
DEFECT = {"illumination": 0.2, "clarity": 2.2, "contrast": 0.2}  # severities of the eye's defects
SIZE, EYE = 128, 480  # px


def said(row: dict) -> str:
    """What `assess` says of the eye, in lines."""
    calls = [
        f"{name}: {told['call']} ({told['good']:.2f} good)" for name, told in row["details"].items()
    ]
    advice = [textwrap.fill(one["say"], 34) for one in row["advice"]]
    grade = row["grade"] or f"{row['likeliest']}? (abstains)"
    return "\n".join([f"{grade}, probability {row['confidence']:.2f}", *calls, "", *advice])


def main(arguments: list[str]) -> None:
    one = fundus_student.load(arguments[0] if arguments else None, uncalibrated=True)
    eye = fundus(("readme", 1), EYE, DEFECT).pixels
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(eye).save(Path(folder) / "eye.png")
        row = next(iter(grading.assess([folder], one)))
    with style.sheet():
        drawing = style.canvas(9, 1.5, simulated=True)
        shape = [1] * len(TARGETS) + [1.15, 0.1, 2.1]
        axes = drawing.subplots(1, len(shape), width_ratios=shape)
        for k, (ax, target) in enumerate(zip(axes, TARGETS, strict=False)):
            its = picture(("readme", k), SIZE, target)
            ax.imshow(its.pixels)
            ax.set_title(f"quality {its.quality:.2f}", fontsize=8)
        axes[-3].imshow(eye)
        axes[-3].set_title("riqa assess", fontsize=8)
        axes[-1].text(0, 0.98, said(row), fontsize=7.5, va="top", transform=axes[-1].transAxes)
        for ax in axes:
            ax.set_axis_off()
        buffer = io.BytesIO()
        drawing.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
        plt.close("all")
    file = store.write_bytes(
        paths.ROOT / "figures/reference/simulated_pictures.png", buffer.getvalue()
    )
    print(file, len(buffer.getvalue()), said(row), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
