"""Tiny trees of KonIQ-10k, KADIS-700k and BIQ2021 in their own formats, and hand labels for some of
KADIS-700k."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


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
    data.folder, with paths relative to root; with a pool also names of the grades, and sources."""
    g, folder = np.random.default_rng(9), root / "photos"
    folder.mkdir(parents=True)
    lines = ["file,score,split,place"]
    splits = ["train", "train", "val", "test", "test"]
    for i in range(25 + pool):
        score = 1 + 1.8 * (i // 5) + 0.3 * (i % 5) if i < 25 else 4.0
        pixels = np.clip(128 + (5 + 6 * score) * g.normal(size=(36, 40, 3)), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"IMG_{i:04d}.png")
        told = f"{score:.1f},{splits[i % 5]}" if i < 25 else f"{'' if i % 2 else '5.5'},pool"
        lines.append(f"IMG_{i:04d}.png,{told},{'street' if i % 3 else 'home'}")
    (root / "scores.csv").write_text("\n".join(lines) + "\n")
    declared: dict[str, object] = {"id": "file", "score": "score", "low": 1, "high": 10}
    declared |= {"root": "photos", "table": "scores.csv", "split": "split"}
    return declared | ({"names": OWN_GRADES, "source": "place"} if pool else {})


def floor_counts(n: int) -> tuple[int, int, int]:
    """Of a class's n pictures, those that train, validate and test: .8, .1, .1 in whole numbers."""
    train, val = 8 * n // 10, n // 10
    return train, val, n - train - val
