"""Tiny trees of KonIQ-10k, KADIS-700k, BIQ2021, CSIQ and LIVE Challenge in their own formats, and
hand labels for some of KADIS-700k."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from openpyxl import Workbook
from PIL import Image
from planted import EVIL, NAME
from scipy.io import savemat


def make_koka10k(root: Path) -> Path:
    """KonIQ-10k (60 pictures, official score file), KADIS-700k (30) and 20 hand labels below root,
    as below RIQA_DATA."""
    rng = np.random.default_rng(0)
    photos, pristine = root / "koniq10k" / "1024x768", root / "kadis700k" / "ref_imgs"
    for folder in (photos, pristine, root / "koka10k"):
        folder.mkdir(parents=True)
    lines = ["image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore"]
    for i in range(60):
        votes = rng.multinomial(
            100, np.eye(4)[i % 4] @ np.full((4, 5), 0.05) + 0.75 * np.eye(5)[i % 4]
        )
        mean = votes @ np.arange(1, 6) / 100
        sd = np.sqrt(votes @ (np.arange(1, 6) - mean) ** 2 / 99)
        lines.append(
            f'"{1000 + i}.jpg",{",".join(map(str, votes))},100,{mean},{sd},{(mean - 1) * 25}'
        )
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(
            photos / f"{1000 + i}.jpg"
        )
    (root / "koniq10k" / "koniq10k_scores_and_distributions.csv").write_text(
        "\n".join(lines) + "\n"
    )
    names = [f"photo-{i}.png" for i in range(30)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(pristine / name)
    types = ["ref_im,dist_type_1,dist_type_2", *(f"{n},3," for n in names)]
    (root / "kadis700k" / "kadis700k_ref_imgs.csv").write_text("\n".join(types) + "\n")
    rows = [f"{n},{4 * (i % 2)},me,2.5,2026-01-01T00:00:00" for i, n in enumerate(names[:20])]
    (root / "koka10k" / "extra.csv").write_text(
        "\n".join(["id,grade,labeller,seconds,when", *rows]) + "\n"
    )
    return root


BIQ2021 = {"ss01": 0.25, "ss02": 0.5, "ss03": 0.75}  # subset: its mean score


def make_biq2021(root: Path, each: int = 50) -> dict[str, object]:
    """BIQ2021's form below root: images/ssNN_N.jpg and scores.csv (image_name, MOS in 0..1,
    subset), `each` pictures a subset; the declaration that reads it, as data.folder.

    Quality is contrast; subsets differ in it, and pictures within them."""
    g, images = np.random.default_rng(2021), root / "images"
    images.mkdir(parents=True)
    lines = []
    for subset, mean in BIQ2021.items():
        for i in range(1, each + 1):
            score = float(np.clip(g.normal(mean, 0.12), 0, 1))
            noise = g.normal(size=(48, 64, 3))
            pixels = np.clip(128 + (5 + 60 * score) * noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(images / f"{subset}_{i}.jpg", quality=90)
            lines.append(f"{subset}_{i}.jpg,{score:.4f},{subset}")
    g.shuffle(lines)
    (root / "scores.csv").write_text("\n".join(["image_name,MOS,subset", *lines]) + "\n")
    declared = {"id": "image_name", "score": "MOS", "low": 0, "high": 1, "source": "subset"}
    return {"root": str(images), "table": str(root / "scores.csv"), **declared}


OWN_GRADES = ["awful", "poor", "middling", "fine", "superb"]


def make_own(root: Path, pool: int = 0) -> dict[str, object]:
    """Somebody's own pictures below root: photos/IMG_0000.png and scores.csv (file, score in 1..10,
    split, place), 25 with a score, 5 a grade, and `pool` more of split pool: every other one
    without a score, the rest with one that is invented (5.5). The declaration that reads them, as
    data.folder, with paths relative to root; with a pool also names of the grades, and sources; the
    folder, a source, a column and a file have names there that look like markup."""
    g, folder = np.random.default_rng(9), root / (NAME if pool else "photos")
    folder.mkdir(parents=True)
    score_column, street = (EVIL, EVIL) if pool else ("score", "street")
    first = f"{NAME}.png" if pool else "IMG_0000.png"
    lines = [["file", score_column, "split", "place"]]
    splits = ["train", "train", "val", "test", "test"]
    for i in range(25 + pool):
        score = 1 + 1.8 * (i // 5) + 0.3 * (i % 5) if i < 25 else 4.0
        pixels = np.clip(128 + (5 + 6 * score) * g.normal(size=(36, 40, 3)), 0, 255)
        name = f"IMG_{i:04d}.png" if i else first
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        told = [f"{score:.1f}", splits[i % 5]] if i < 25 else ["" if i % 2 else "5.5", "pool"]
        lines.append([name, *told, street if i % 3 else "home"])
    with open(root / "scores.csv", "w", newline="") as out:
        csv.writer(out).writerows(lines)
    declared: dict[str, object] = {"id": "file", "score": score_column, "low": 1, "high": 10}
    declared |= {"root": folder.name, "table": "scores.csv", "split": "split"}
    return declared | ({"names": OWN_GRADES, "source": "place"} if pool else {})


def floor_counts(n: int) -> tuple[int, int, int]:
    """Of a class's n pictures, those that train, validate and test: .8, .1, .1 in whole numbers."""
    train, val = 8 * n // 10, n // 10
    return train, val, n - train - val


# of CSIQ's workbook: its word for a distortion -> that of file names
CSIQ = {
    "noise": "AWGN",
    "blur": "BLUR",
    "contrast": "contrast",
    "fnoise": "fnoise",
    "jpeg": "JPEG",
    "jpeg 2000": "jpeg2000",
}
CsiqRow = tuple[object, str, object, object]  # image, dst_type, dst_lev, dmos


def csiq_rows(
    references: tuple[object, ...] = (1600, "snow_leaves"), levels: int = 2
) -> list[CsiqRow]:
    """Rows of CSIQ's workbook: each reference in all distortions, DMOS rising with the level."""
    return [
        (name, word, level, round(0.1 * level + 0.01 * k, 3))
        for name in references
        for k, word in enumerate(CSIQ)
        for level in range(1, levels + 1)
    ]


def make_csiq(root: Path, rows: list[CsiqRow] | None = None, flat: bool = False) -> Path:
    """CSIQ below root: its workbook as it is published (the scores in tab all_by_image, its header
    in row 4, columns D to I; another tab before it, with broken cells), and pictures of 24 x 20 px;
    flat: with csiq_label.txt and dst_imgs_all/ instead, as the public code of HyperIQA has them."""
    rows = csiq_rows() if rows is None else rows
    root.mkdir(parents=True, exist_ok=True)
    names = {}
    for image, word, level, dmos in rows:
        kind = CSIQ.get(word, word)
        folder = "dst_imgs_all" if flat else f"dst_imgs/{kind.lower()}"
        names[f"{folder}/{image}.{kind}.{level}.png"] = dmos
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        grey = np.full((20, 24, 3), 10 * (k % 25), np.uint8)
        grey[:, :k] = 255  # no two alike
        Image.fromarray(grey).save(root / name)
    if flat:
        lines = [f"{Path(name).name} {dmos}" for name, dmos in names.items()]
        (root / "csiq_label.txt").write_text("\n".join(lines) + "\n")
        return root
    book = Workbook()
    book.active.title = "all_by_distortion"
    book.active.append(["image", "dst_type", "dst_lev", "dmos"])
    book.active.append([1600, "noise", 1, "#REF!"])
    tab = book.create_sheet("all_by_image")
    tab["B2"] = "final scores"
    head = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
    for row, cells in enumerate([head, *rows], 4):
        if row > 4:
            image, word, level, dmos = cells
            cells = [image, 1 + [*CSIQ, word].index(word), word, level, 0.05, dmos]
        for column, cell in enumerate(cells, 4):
            tab.cell(row, column, cell)
    book.save(root / "csiq.DMOS.xlsx")
    return root


def make_live_challenge(root: Path, pictures: int = 1162, **other: np.ndarray) -> Path:
    """LIVE Challenge below root: its three .mat files, of 1,169 pictures, and the first `pictures`
    of those that count, empty files but for the first eight; other: variables of the .mat files
    instead of those made here (names, mos, sd)."""
    for folder in ("Data", "Images/trainingImages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = np.empty((1169, 1), dtype=object)
    for k in range(1169):
        names[k, 0] = f"t{k + 1}.bmp" if k < 7 else f"{k}.{'JPG' if k % 5 == 0 else 'bmp'}"
    mos = np.linspace(3.42, 92.43, 1169)[None]
    made = {"names": names, "mos": mos, "sd": np.full((1, 1169), 15.0)} | other
    for key, name in (("names", "AllImages"), ("mos", "AllMOS"), ("sd", "AllStdDev")):
        variable = f"{name}_release"
        savemat(root / "Data" / f"{variable}.mat", {variable: made[key]})
    for k in range(7 + pictures):
        folder = root / "Images" / ("trainingImages" if k < 7 else "")
        file = folder / str(names[k, 0])
        if k in range(7, 15):
            grey = np.full((20, 24, 3), 20 * k - 140, np.uint8)
            grey[:, : k - 5] = 255
            Image.fromarray(grey).save(file)
        else:
            file.write_bytes(b"")
    return root
