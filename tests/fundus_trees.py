"""Tiny trees of the four fundus sets, in exactly their published formats: tables, workbooks,
folders and small pictures.

Good pictures are bright discs, bad ones dark and flat, so that a model can learn something from
them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook
from PIL import Image

DETAILS = ("illumination", "clarity", "contrast")
SCORES = (*DETAILS, "overall")
SOURCES = ("DR-XJU", "DR-ZJU", "Glaucoma", "Healthy", "Local1", "Local2", "UWF-mosaic")
ODD = {
    "56": ("l1", "r3", "l3", "r2"),
    "164": ("r3", "r4", "r1", "l3"),
}  # two of DeepDRiD's mis-numbered patients
DEEPDRID = [
    "patient_id",
    "image_id",
    "image_path",
    "Overall quality",
    "left_eye_DR_Level",
    "right_eye_DR_Level",
    "patient_DR_Level",
    "Clarity",
    "Field definition",
    "Artifact",
]


def picture(file: Path, quality: float, size: int = 64) -> None:
    """A disc of quality 0 (dark, flat) to 1 (bright, textured)."""
    rng = np.random.default_rng([len(file.name), *file.stem.encode()])
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    light = (40 + 140 * quality) * (
        1 + 0.3 * quality * np.sin(x / 2 + rng.uniform(0, 6)) * np.sin(y / 2)
    )
    pixels = np.where(
        (np.hypot(x, y) < 0.46 * size)[..., None], light[..., None] * [1, 0.55, 0.3], 2
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels + rng.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)).save(
        file
    )


def make_eyeq(root: Path, n: int = 6, suffix: str = ".jpeg", seed: int = 0) -> Path:
    """n photographs in train, n in test; every third patient has both eyes. Returns root."""
    rng = np.random.default_rng(seed)
    patient = 10
    for split in ("train", "test"):
        names: list[str] = []
        while len(names) < n:
            patient += int(rng.integers(1, 9))
            names += [
                f"{patient}_{eye}"
                for eye in (("left", "right") if len(names) % 3 == 0 else ("right",))
            ]
        names = names[:n]
        quality = rng.permutation(np.arange(n) % 3)
        table = pd.DataFrame(
            {
                "image": [f"{i}.jpeg" for i in names],
                "quality": quality,
                "DR_grade": rng.integers(0, 5, n),
            }
        )
        root.mkdir(parents=True, exist_ok=True)
        table.to_csv(
            root / f"Label_EyeQ_{split}.csv"
        )  # with pandas' own index: a first column without a name
        for name, q in zip(names, quality, strict=True):
            picture(root / split / f"{name}{suffix}", 1 - q / 2)
    return root


def make_eyeq_d(root: Path, eyeq: Path, n: int = 4, pictures: bool = True, seed: int = 0) -> Path:
    """The first n photographs of eyeq's test split with details; overall is 2 - EyeQ's quality.
    Returns root."""
    test = pd.read_csv(eyeq / "Label_EyeQ_test.csv").head(n)
    rng = np.random.default_rng(seed)
    names = test["image"].str.removesuffix(".jpeg")
    table = pd.DataFrame({"file_name": names, "overall_quality": 2 - test["quality"]})
    for detail in DETAILS:
        table[detail] = (rng.random(len(test)) < table["overall_quality"] / 2).astype(int)
    root.mkdir(parents=True, exist_ok=True)
    table.to_csv(root / "EyeQ-D-Quality-Details.csv", index=False)
    for name, grade in zip(names if pictures else [], table["overall_quality"], strict=False):
        picture(root / "images" / f"{name}.jpeg", grade / 2)
    return root


def make_mshf(root: Path, n: int = 4, pictures: bool = True, seed: int = 0) -> Path:
    """n photographs of each group (also the ultra-wide-field one), a quarter of them in
    AI-use/test. Returns root."""
    rng = np.random.default_rng(seed)
    first = {"DR-XJU": 30}  # so that DR-XJU-30 and -31, which are .png in AI-use, are among them
    names = [f"{source}-{first.get(source, 1) + i}" for source in SOURCES for i in range(n)]
    truth = (rng.random((len(names), 4)) < 0.5).astype(int)
    votes = np.where(rng.random((len(names), 3, 4)) < 0.15, 1 - truth[:, None], truth[:, None])
    votes[:n, 0, 0] = 1 - votes[:n, 1, 0]  # readers differ
    majority = (votes.sum(axis=1) >= 2).astype(int)
    root.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    sheet = book.active
    sheet.title = "Sheet1"
    sheet.append(
        [
            "image name",
            "annotator1",
            None,
            None,
            None,
            None,
            "annotator2",
            None,
            None,
            None,
            None,
            "annotator3",
        ]
    )
    sheet.append([None, *SCORES, None, *SCORES, None, *SCORES])
    for name, v in zip(names, votes.tolist(), strict=True):
        sheet.append([f"{name}.jpg", *v[0], None, *v[1], None, *v[2]])
    for cells in ("B1:E1", "G1:J1", "L1:O1"):
        sheet.merge_cells(cells)
    book.save(root / "Individual_scores.xlsx.xlsx")
    book = Workbook()
    book.remove(book.active)
    for source in SOURCES:
        sheet = book.create_sheet(source)
        if source == "DR-ZJU":
            sheet.append(["image name", "gold standard", "clarity", "contrast", "overall"])
            for name in names:
                sheet.append([f"{name}.jpg", 0, 0, 0, 0])
            continue
        sheet.append(["image name", *SCORES])
        for name, m in zip(names, majority.tolist(), strict=True):
            if name.startswith(f"{source}-") and name not in ("DR-XJU-30", "DR-XJU-31"):
                sheet.append([f"{name}.jpg", *m])
    book.save(root / "MSHF_quality_scores.xlsx")
    for i, (name, m) in enumerate(
        zip(names if pictures else [], majority[:, :3].mean(axis=1), strict=False)
    ):
        suffix = ".png" if name in ("DR-XJU-30", "DR-XJU-31") else ".jpg"
        picture(root / "Original" / name.rpartition("-")[0] / f"{name}.jpg", m)
        picture(root / "AI-use" / ("test" if i % 4 == 3 else "train") / f"{name}{suffix}", m)
    return root


def make_deepdrid(root: Path, n: int = 3, pictures: bool = True, seed: int = 0) -> Path:
    """n patients a split, four photographs each; train begins with the mis-numbered 56 and 164.
    Returns root."""
    rng = np.random.default_rng(seed)
    base = root / "regular_fundus_images"
    ids = {
        "regular-fundus-training": [*ODD, *map(str, range(1, n + 1))][:n],
        "regular-fundus-validation": [str(265 + i) for i in range(n)],
        "Online-Challenge1&2-Evaluation": [str(347 + i) for i in range(n)],
    }
    for folder, patients in ids.items():
        rows = []
        for patient in patients:
            dr = rng.integers(0, 5, 2)
            overall = rng.permutation(2) if int(patient) % 3 else rng.integers(0, 2, 1).repeat(2)
            for i, shot in enumerate(ODD.get(patient, ("l1", "l2", "r1", "r2"))):
                name, eye = f"{patient}_{shot}", i // 2
                levels = [
                    rng.choice(c) for c in ([1, 4, 6, 8, 10], [1, 4, 6, 8, 10], [0, 1, 4, 6, 8, 10])
                ]
                rows.append(
                    [
                        patient,
                        name,
                        f"\\{folder}\\{patient}\\{name}.jpg",
                        overall[eye],
                        *[dr[eye] if e == eye else None for e in (0, 1)],
                        max(dr),
                        *levels,
                    ]
                )
                if pictures:
                    picture(base / folder / "Images" / patient / f"{name}.jpg", overall[eye])
        table = pd.DataFrame(rows, columns=DEEPDRID)
        table = table.astype(
            {c: "Int64" for c in DEEPDRID[4:6]}
        )  # whole numbers beside empty cells
        (base / folder).mkdir(parents=True, exist_ok=True)
        if folder.startswith("Online"):
            table[
                ["Overall quality", "Artifact", "Clarity", "Field definition", "image_id"]
            ].to_excel(base / folder / "Challenge2_labels.xlsx", index=False)
            levels = table["left_eye_DR_Level"].fillna(table["right_eye_DR_Level"])
            pd.DataFrame({"image_id": table["image_id"], "DR_Levels": levels}).to_excel(
                base / folder / "Challenge1_labels.xlsx", index=False
            )
            table[["image_id"]].assign(**{"Overall quality": ""}).to_csv(
                base / folder / "Challenge2_upload.csv", index=False
            )
            continue
        table.to_csv(base / folder / f"{folder}.csv", index=False)
        source = table[["patient_id", "image_id", "image_path"]].assign(
            Source=["Nicheng", "Shanghai"][len(rows) % 2]
        )
        source.to_csv(
            base / folder / f"{folder.replace('fundus-', 'fundus-source-')}.csv", index=False
        )
    return root
