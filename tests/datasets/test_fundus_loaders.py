"""Loaders of the four fundus sets, on tiny trees in exactly their formats (fundus_trees.py); extras
on real tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import real_data
from fundus_trees import SCORES, make_deepdrid, make_eyeq, make_eyeq_d, make_mshf
from openpyxl import Workbook, load_workbook
from sklearn.metrics import cohen_kappa_score

from riqa_lib.datasets import catalogue, deepdrid, eyeq, eyeq_d, mshf, sheets
from riqa_lib.datasets.problems import FolderError
from riqa_lib.datasets.splits import check_splits, shared_groups

CONTRACT = [
    "id",
    "path",
    "group",
    "source",
    "split",
    "grade",
    "score",
    "illumination",
    "clarity",
    "contrast",
]


def broken(call, *words: str) -> str:
    with pytest.raises(FolderError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)
    return str(caught.value)


def notes(frame: pd.DataFrame) -> dict[str, list]:
    return {note[0]: note for note in frame.attrs["notes"]}


def edit(file: Path, change) -> None:
    """Change a CSV's table and write it back as it was (eyeq: with its column without a name)."""
    table = pd.read_csv(file, dtype=str, keep_default_na=False).rename(columns={"Unnamed: 0": ""})
    change(table)
    table.to_csv(file, index=False)


def cell(file: Path, where: str, value) -> None:
    book = load_workbook(file)
    book.worksheets[0][where] = value
    book.save(file)


@pytest.fixture
def trees(tmp_path):
    make_eyeq(tmp_path / "eyeq")
    make_eyeq_d(tmp_path / "eyeq_d", tmp_path / "eyeq")
    make_mshf(tmp_path / "mshf")
    make_deepdrid(tmp_path / "deepdrid")
    return tmp_path


@pytest.mark.parametrize("module", [eyeq, eyeq_d, mshf, deepdrid])
def test_frames_keep_the_contract(trees, module):
    root = trees / module.ABOUT.key
    frame = module.load(root)
    assert frame.columns[:10].tolist() == CONTRACT
    assert frame["id"].is_unique
    assert all((root / path).is_file() for path in frame["path"])
    assert frame["grade"].isin(range(frame.attrs["classes"])).all()
    assert frame[CONTRACT[-3:]].isin([-1, 0, 1]).all(axis=None)
    assert frame.attrs["higher_is_better"] is True
    assert not {"row"} & {*frame}
    tables = module.load(root, pictures=False)
    assert tables["id"].tolist() == frame["id"].tolist()
    assert tables["path"].str.len().gt(0).all()
    pd.testing.assert_frame_equal(tables.drop(columns="path"), frame.drop(columns="path"))
    assert module.counts(frame).keys() == module.ABOUT.counts.keys()
    assert module.counts(frame)["pictures"] == len(frame)
    assert (
        module.ABOUT.compare(module.counts(frame))[0].found
        == f"{len(frame)} found, {module.ABOUT.counts['pictures']} published"
    )
    with pytest.raises(FileNotFoundError, match="no such folder"):
        module.load(root / "none")
    assert catalogue.SETS[module.ABOUT.key].load is module.load


def test_catalogue_tells_parts_from_missing(trees):
    table = catalogue.status(trees).set_index("key")
    assert (
        table.loc[["eyeq", "eyeq_d", "mshf", "deepdrid"], "state"].tolist() == [catalogue.OTHER] * 4
    )
    shutil.rmtree(trees / "mshf")
    (trees / "eyeq" / "Label_EyeQ_test.csv").unlink()
    table = catalogue.status(trees).set_index("key")
    assert table.loc[["eyeq", "mshf"], "state"].tolist() == [catalogue.BROKEN, catalogue.MISSING]


def test_bright_pictures_are_the_good_ones_in_all_four(trees):
    """The trees' pictures are bright where quality is good: a grade that is turned round shows."""
    from PIL import Image

    for module in (eyeq, eyeq_d, mshf, deepdrid):
        root = trees / module.ABOUT.key
        frame = module.load(root)
        light = [np.asarray(Image.open(root / path)).mean() for path in frame["path"]]
        label = (
            frame[["illumination", "clarity", "contrast"]].sum(axis=1)
            if module is mshf
            else frame["grade"]
        )
        assert np.corrcoef(light, label)[0, 1] > 0.9, module.ABOUT.key


# ---------------------------------------------------------------- EyeQ
def test_eyeq_turns_the_grades_round(tmp_path):
    make_eyeq(tmp_path)
    for split in ("train", "test"):
        raw = pd.read_csv(tmp_path / f"Label_EyeQ_{split}.csv")
        frame = eyeq.load(tmp_path)
        frame = frame[frame["split"] == split]
        assert next(iter(raw)) == "Unnamed: 0"
        assert frame["id"].tolist() == [name.split(".")[0] for name in raw["image"]]
        assert frame["grade"].tolist() == [{0: 2, 1: 1, 2: 0}[q] for q in raw["quality"]]
        assert frame["quality"].tolist() == raw["quality"].tolist()
        assert frame["dr_grade"].tolist() == raw["DR_grade"].tolist()
        assert frame["group"].tolist() == [f"patient-{name.split('_')[0]}" for name in raw["image"]]
        assert frame["eye"].tolist() == [name.split("_")[1].split(".")[0] for name in raw["image"]]
        assert frame["group"].nunique() < len(frame)
    check_splits(eyeq.load(tmp_path))


def test_eyeq_finds_png_jpeg_and_jpg_in_either_folder(tmp_path):
    make_eyeq(tmp_path, suffix=".jpeg")
    (tmp_path / "data").mkdir()
    shutil.move(tmp_path / "Label_EyeQ_test.csv", tmp_path / "data" / "Label_EyeQ_test.csv")
    names = eyeq.load(tmp_path)["id"].tolist()
    jpegs = tmp_path / "train"
    (jpegs / f"{names[0]}.jpeg").rename(jpegs / f"{names[0]}.png")
    (jpegs / f"{names[1]}.jpeg").rename(jpegs / f"{names[1].upper()}.JPG")
    shutil.copy(jpegs / f"{names[2]}.jpeg", jpegs / f"{names[2]}.png")
    (tmp_path / "images").mkdir()
    shutil.move(jpegs / f"{names[3]}.jpeg", tmp_path / "images" / f"{names[3]}.png")
    (jpegs / "9_left.jpeg").write_bytes(b"x")
    frame = eyeq.load(tmp_path)
    assert frame["path"].tolist()[:5] == [
        f"train/{names[0]}.png",
        f"train/{names[1].upper()}.JPG",
        f"train/{names[2]}.png",
        f"images/{names[3]}.png",
        f"train/{names[4]}.jpeg",
    ]
    assert frame["path"].iloc[-1] == f"test/{names[-1]}.jpeg"
    assert notes(frame)["files not in the table"] == ["files not in the table", 0, "train/", "1"]


def test_eyeq_leaves_out_failing_pictures_and_no_others(tmp_path):
    make_eyeq(tmp_path, suffix=".png")
    edit(
        tmp_path / "Label_EyeQ_train.csv",
        lambda t: t.__setitem__("image", ["15337_left.jpeg", *t["image"][1:]]),
    )
    frame = eyeq.load(tmp_path)
    assert len(frame) == 11
    assert "15337_left" not in set(frame["id"])
    assert [
        "left out, the set's own preprocessing fails on it",
        2,
        "15337_left",
        "",
    ] in frame.attrs["notes"]
    assert len(eyeq.load(tmp_path, pictures=False)) == 12
    first = frame["id"].iloc[0]
    (tmp_path / "train" / f"{first}.png").rename(
        tmp_path / "train" / "15337_left.png"
    )  # raw files have the picture
    text = broken(
        lambda: eyeq.load(tmp_path),
        f"row 3: Label_EyeQ_train.csv: {first}: expected train/{first}.png (or .jpeg, .jpg)",
    )
    assert "15337" not in text


def test_eyeq_reports_everything_at_once(tmp_path):
    make_eyeq(tmp_path)
    test = pd.read_csv(tmp_path / "Label_EyeQ_test.csv")["image"]

    def change(table):
        table.loc[0, "quality"], table.loc[1, "DR_grade"], table.loc[2, "image"] = (
            "3",
            "",
            "7_middle.jpeg",
        )
        table.loc[3, "image"] = table.loc[4, "image"]
        table.loc[5, "image"] = test[0]

    edit(tmp_path / "Label_EyeQ_train.csv", change)
    train = pd.read_csv(tmp_path / "Label_EyeQ_train.csv")["image"]
    broken(
        lambda: eyeq.load(tmp_path),
        f"row 2: Label_EyeQ_train.csv: {train[0]}: '3', expected a whole number 0 to 2",
        f"bad DR_grade (1): row 3: Label_EyeQ_train.csv: {train[1]}: ''",
        "7_middle.jpeg: expected <patient>_left.jpeg",
        f"row 6: Label_EyeQ_train.csv: {train[4]}: also in row 5",
        f"patient in both splits (1): row 7: patient-{test[0].split('_')[0]}",
        "missing picture",
    )
    (tmp_path / "Label_EyeQ_train.csv").write_text(",image,grade\n0,1_left.jpeg,1\n")
    broken(lambda: eyeq.load(tmp_path), "missing column (2): row 1: quality", "DR_grade")
    (tmp_path / "Label_EyeQ_train.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"Label_EyeQ_train\.csv: no such file"):
        eyeq.load(tmp_path)


# ---------------------------------------------------------------- EyeQ-D
def test_eyeq_d_is_not_turned_round_and_joins(trees):
    small, large = eyeq_d.load(trees / "eyeq_d"), eyeq.load(trees / "eyeq")
    raw = pd.read_csv(trees / "eyeq_d" / "EyeQ-D-Quality-Details.csv")
    assert small["grade"].tolist() == raw["overall_quality"].tolist()
    for detail in eyeq.DETAILS:
        assert small[detail].tolist() == raw[detail].tolist()
    frame = eyeq_d.join(small.iloc[::-1], large)  # by name, not by place
    assert (frame["grade"] == frame["eyeq_grade"]).all()
    assert frame["path"].tolist() == [f"test/{name}.jpeg" for name in raw["file_name"][::-1]]
    assert frame["dr_grade"].tolist() == [
        large.set_index("id").loc[i, "dr_grade"] for i in frame["id"]
    ]
    assert frame.attrs["same_grade"] == 4
    assert (
        notes(frame)["overall grade"][3]
        == "equals EyeQ's own label for 4 of 4 photographs, so it is no independent opinion"
    )
    changed = small.assign(grade=[(small["grade"][0] + 1) % 3, *small["grade"][1:]])
    assert (
        "for 3 of 4 photographs, in the published set for all"
        in notes(eyeq_d.join(changed, large))["overall grade"][3]
    )


def test_eyeq_d_without_pictures_takes_eyeqs(trees):
    shutil.rmtree(trees / "eyeq_d" / "images")
    small = eyeq_d.load(trees / "eyeq_d")
    assert set(small["path"]) == {""}
    assert "no folder images/" in notes(small)
    frame = eyeq_d.join(small, eyeq.load(trees / "eyeq"))
    assert all((trees / "eyeq" / path).is_file() for path in frame["path"])
    assert list(notes(frame)) == ["overall grade"]


def test_eyeq_d_refuses_what_is_not_in_the_test_split(trees):
    small, large = eyeq_d.load(trees / "eyeq_d"), eyeq.load(trees / "eyeq")
    trained = large["id"].iloc[0]
    moved = small.assign(id=[trained, "1_left", *small["id"][2:]])
    broken(
        lambda: eyeq_d.join(moved, large),
        f"not in EyeQ's test split (2): {trained}: found in train; 1_left: found nowhere",
    )


def test_eyeq_d_reports_everything_at_once(trees):
    def change(table):
        table.loc[0, "clarity"], table.loc[1, "overall_quality"], table.loc[2, "file_name"] = (
            "2",
            "x",
            "7_left.jpeg",
        )

    edit(trees / "eyeq_d" / "EyeQ-D-Quality-Details.csv", change)
    broken(
        lambda: eyeq_d.load(trees / "eyeq_d"),
        "bad clarity (1): row 2",
        "'2', expected a whole number 0 to 1",
        "bad overall_quality (1): row 3",
        "unexpected name (1): row 4: 7_left.jpeg",
        "missing picture (1): row 4",
    )


# ---------------------------------------------------------------- MSHF
def test_mshf_majority_of_three(trees):
    frame = mshf.load(trees / "mshf").set_index("id")
    rows = list(
        load_workbook(trees / "mshf" / "Individual_scores.xlsx.xlsx").active.iter_rows(
            values_only=True
        )
    )
    assert rows[0][:2] == ("image name", "annotator1")
    assert rows[1][1] == rows[1][6] == rows[1][11] == "illumination"
    kept = [row for row in rows[2:] if not row[0].startswith("UWF")]
    assert len(kept) == len(frame) == 24
    split_votes = 0
    for row in kept:
        mine = frame.loc[row[0].removesuffix(".jpg")]
        for j, name in enumerate(SCORES):
            votes = [row[1 + j], row[6 + j], row[11 + j]]
            assert [mine[f"{name}_{k}"] for k in (1, 2, 3)] == votes
            assert mine[name] == (1 if votes.count(1) > votes.count(0) else 0)
            split_votes += len(set(votes)) == 2
        assert mine["grade"] == 2 * mine["overall"]
    assert split_votes > 5  # so majority differs from any one reader, from any and from all
    assert frame["group"].tolist() == frame["source"].tolist()
    assert frame.groupby("device")["source"].unique().map(sorted).to_dict() == {
        "colour": ["DR-XJU", "DR-ZJU", "Glaucoma", "Healthy"],
        "portable": ["Local1", "Local2"],
    }


def test_mshf_leaves_wide_field_out_and_matches_on_stems(trees):
    root = trees / "mshf"
    frame = mshf.load(root)
    assert not frame["source"].eq("UWF-mosaic").any()
    assert notes(frame)["ultra-wide-field pictures, left out"][3] == "4"
    assert "files not in the table" not in notes(frame)
    assert (root / "AI-use" / "train" / "DR-XJU-30.png").is_file()
    two = frame.set_index("id").loc[["DR-XJU-30", "DR-XJU-31"]]
    assert two["split"].tolist() == ["train", "train"]
    assert two["path"].tolist() == [
        "Original/DR-XJU/DR-XJU-30.jpg",
        "Original/DR-XJU/DR-XJU-31.jpg",
    ]
    for name, split in zip(frame["id"], frame["split"], strict=True):
        assert list((root / "AI-use" / split).glob(f"{name}.*"))
    shutil.rmtree(root / "Original")
    copies = mshf.load(root).set_index("id")
    assert copies.loc["DR-XJU-30", "path"] == "AI-use/train/DR-XJU-30.png"
    assert copies.loc["Local1-4", "path"] == "AI-use/test/Local1-4.jpg"


def test_mshf_split_by_source_shares_none(trees):
    frame = mshf.load(trees / "mshf")
    assert shared_groups(frame)  # the authors' split does
    with pytest.raises(ValueError, match="more than one split"):
        check_splits(frame)
    held = mshf.hold_out(frame, ["Local1", "Healthy"])
    check_splits(held)
    assert sorted(held.loc[held["split"] == "test", "source"].unique()) == ["Healthy", "Local1"]
    assert held["author_split"].tolist() == frame["split"].tolist()
    for sources in ([], ["Local3"], frame["source"].unique()):
        with pytest.raises(ValueError, match="sources to hold out"):
            mshf.hold_out(frame, sources)


def test_mshf_without_ai_use_has_no_split(trees):
    shutil.rmtree(trees / "mshf" / "AI-use")
    frame = mshf.load(trees / "mshf")
    assert set(frame["split"]) == {"pool"}
    assert notes(frame)["in neither AI-use/train nor AI-use/test"][3] == "24 of 24"


def test_mshf_refuses_the_tab_of_zeros(trees):
    file = trees / "mshf" / "MSHF_quality_scores.xlsx"
    scores, said = mshf.agreed(file)
    frame = mshf.load(trees / "mshf").set_index("id")
    assert [n.name for n in said] == ["MSHF_quality_scores.xlsx: DR-ZJU"]
    assert said[0].found.startswith("28 pictures of DR-XJU")
    assert said[0].found.endswith("all zero")
    assert not any(i.startswith("DR-ZJU") for i in scores.index)
    assert not {"DR-XJU-30", "DR-XJU-31"} & {*scores.index}
    mine = frame.loc[[i for i in scores.index if i in frame.index]]
    assert (mine[list(SCORES)] == scores.loc[mine.index]).all(axis=None)
    assert notes(frame)["agreed scores equal to the majority"][3] == (
        "of 18 pictures: illumination 18, clarity 18, contrast 18, overall 18"
    )
    book = load_workbook(file)
    book["Healthy"]["C2"] = 1 - book["Healthy"]["C2"].value  # a check, never a label
    book["Local1"]["A2"] = "Local2-9.jpg"  # another group's picture
    book["DR-ZJU"]["B2"] = 1  # not all zero, still of all groups
    book.save(file)
    again = mshf.load(trees / "mshf")
    assert (again.set_index("id")[list(SCORES)] == frame[list(SCORES)]).all(axis=None)
    assert [n[2] for n in again.attrs["notes"] if n[0] == "tab refused"] == [
        f"{file.name}: DR-ZJU",
        f"{file.name}: Local1",
    ]
    assert notes(again)["agreed scores equal to the majority"][3] == (
        "of 14 pictures: illumination 14, clarity 13, contrast 14, overall 14"
    )
    file.unlink()
    assert "agreed scores equal to the majority" not in notes(mshf.load(trees / "mshf"))


def test_mshf_reports_everything_at_once(trees):
    root = trees / "mshf"
    file = root / "Individual_scores.xlsx.xlsx"
    for where, value in {"C3": 2, "G4": None, "A5": "Remote-1.jpg", "A6": "DR-XJU-30.png"}.items():
        cell(file, where, value)
    (root / "Original" / "Local2" / "Local2-1.jpg").unlink()
    shutil.copy(
        root / "AI-use" / "train" / "Local2-2.jpg", root / "AI-use" / "test" / "Local2-2.JPEG"
    )
    next((root / "AI-use").rglob("Local2-1.jpg")).unlink()
    broken(
        lambda: mshf.load(root),
        "bad vote (2): row 3: DR-XJU-30.jpg: reader 1, clarity: '2', expected 0 or 1",
        "row 4: DR-XJU-31.jpg: reader 2, illumination: '', expected 0 or 1",
        "unknown source (1): row 5: Remote-1.jpg",
        "doubled id (1): row 6: DR-XJU-30: also in row 3",
        "in both halves of AI-use (1): Local2-2",
        "missing picture (2)",
        "Local2-1: expected Original/Local2/Local2-1.jpg or a copy in AI-use/",
    )
    cell(file, "H2", "contrast")
    broken(
        lambda: mshf.load(root),
        "unexpected header (1): row 2: reader 2, columns G-J: illumination, contrast, contrast",
    )
    cell(file, "A1", "name")
    broken(lambda: mshf.load(root), "row 1: A: 'name', expected 'image name'")
    file.write_bytes(b"no workbook")
    broken(lambda: mshf.load(root), "unreadable workbook (1): Individual_scores.xlsx.xlsx")
    file.unlink()
    with pytest.raises(FileNotFoundError, match="Individual_scores"):
        mshf.load(root)


# ---------------------------------------------------------------- DeepDRiD
def test_deepdrid_labels_and_paths(trees):
    root = trees / "deepdrid"
    frame = deepdrid.load(root).set_index("id")
    for split, folder in deepdrid.FOLDERS.items():
        base = root / "regular_fundus_images" / folder
        raw = (
            pd.read_excel(base / "Challenge2_labels.xlsx")
            if split == "test"
            else pd.read_csv(base / f"{folder}.csv")
        )
        assert len(raw) == 12
        for row in raw.to_dict("records"):
            mine = frame.loc[row["image_id"]]
            assert mine["grade"] == row["Overall quality"]  # 1 is good already
            assert mine["artifact"] == 10 - row["Artifact"]  # turned round
            assert mine["artifact_native"] == row["Artifact"]
            assert (
                mine["clarity_level"] == row["Clarity"]
            )  # not turned round, and no detail of the contract
            assert mine["field_definition"] == row["Field definition"]
            assert mine["split"] == split
            patient = row["image_id"].split("_")[0]
            assert mine["group"] == f"patient-{patient}"
            assert (
                mine["path"]
                == f"regular_fundus_images/{folder}/Images/{patient}/{row['image_id']}.jpg"
            )
            if split != "test":
                assert row["image_path"] == f"\\{folder}\\{patient}\\{row['image_id']}.jpg"
                eye = "left" if row["left_eye_DR_Level"] == row["left_eye_DR_Level"] else "right"
                assert mine[["eye", "dr_grade"]].tolist() == [eye, row[f"{eye}_eye_DR_Level"]]
    test = pd.read_excel(
        root / "regular_fundus_images" / deepdrid.FOLDERS["test"] / "Challenge1_labels.xlsx"
    ).set_index("image_id")
    assert frame.loc[test.index, "dr_grade"].tolist() == test["DR_Levels"].tolist()
    assert set(frame.loc[frame["split"] != "test", "source"]) <= {"Nicheng", "Shanghai"}
    check_splits(frame)


def test_deepdrid_labels_belong_to_eyes(trees):
    frame = deepdrid.load(trees / "deepdrid")
    odd = frame[frame["group"].isin(["patient-56", "patient-164"])].set_index("id")
    assert odd["eye"].to_dict() == {
        "56_l1": "left",
        "56_r3": "left",
        "56_l3": "right",
        "56_r2": "right",
        "164_r3": "left",
        "164_r4": "left",
        "164_r1": "right",
        "164_l3": "right",
    }
    assert set(odd["view"]) == {0}
    rest = frame[~frame["id"].isin(odd.index)]
    assert (rest["eye"].str[0] + rest["view"].astype(str) == rest["id"].str.split("_").str[1]).all()
    assert frame.groupby(["group", "eye"])["grade"].nunique().eq(1).all()
    named = frame.groupby(["group", frame["id"].str.extract(r"_([lr])")[0]])["grade"].nunique()
    assert named.gt(1).sum() == 3  # by their names, these eyes would have two labels
    assert notes(frame)["mis-numbered photographs"][2] == "patient-56, patient-164"
    assert "eyes with two overall labels" not in notes(frame)
    folder = deepdrid.FOLDERS["val"]
    table = trees / "deepdrid" / "regular_fundus_images" / folder / f"{folder}.csv"
    edit(table, lambda t: t.__setitem__("Overall quality", ["0", "1", *t["Overall quality"][2:]]))
    assert notes(deepdrid.load(trees / "deepdrid"))["eyes with two overall labels"][2:] == [
        "patient-265 left",
        "1",
    ]


def test_deepdrid_takes_parts_and_dr_level_5(trees):
    root = trees / "deepdrid" / "regular_fundus_images"
    shutil.rmtree(root / deepdrid.FOLDERS["test"])
    table = root / deepdrid.FOLDERS["val"] / f"{deepdrid.FOLDERS['val']}.csv"

    def change(t):
        t.loc[0, "left_eye_DR_Level"], t.loc[1, "left_eye_DR_Level"] = "5", ""
        t.loc[3, "image_path"] = r"\regular-fundus-validation\265\other.jpg"

    edit(table, change)
    (root / deepdrid.FOLDERS["val"] / "Images" / "265" / "265_l9.jpg").write_bytes(b"x")
    frame = deepdrid.load(root)  # regular_fundus_images itself will do
    assert frame["split"].unique().tolist() == ["train", "val"]
    assert frame["path"][0] == "regular-fundus-training/Images/56/56_l1.jpg"
    val = frame[frame["split"] == "val"]
    assert val["dr_grade"].iloc[:2].tolist() == [-1, -1]
    assert val["eye"].iloc[:2].tolist() == ["left", "left"]
    said = notes(frame)
    assert said["folder not there"][2] == "Online-Challenge1&2-Evaluation"
    assert said["files not in the table"][2:] == ["regular-fundus-validation/Images/", "1"]
    assert said["image_path names another picture (ignored)"][2:] == ["265_r2", "1 rows"]
    with pytest.raises(FileNotFoundError, match="none of regular-fundus-training"):
        deepdrid.load(trees / "eyeq")


def test_deepdrid_reports_everything_at_once(trees):
    root = trees / "deepdrid" / "regular_fundus_images"
    train, val, test = (root / f for f in deepdrid.FOLDERS.values())

    def change(t):
        t.loc[0, "Artifact"], t.loc[1, "Clarity"], t.loc[2, "Overall quality"] = "3", "0", ""
        t.loc[3, "patient_id"], t.loc[4, "right_eye_DR_Level"], t.loc[5, "left_eye_DR_Level"] = (
            "57",
            "1",
            "9",
        )
        t.loc[6, "image_id"], t.loc[7, "image_id"] = "164", "164_r3"

    edit(train / f"{train.name}.csv", change)
    edit(val / f"{val.name}.csv", lambda t: t.__setitem__("image_id", ["1_l2", *t["image_id"][1:]]))
    (test / "Images" / "347" / "347_l1.jpg").unlink()
    cell(test / "Challenge2_labels.xlsx", "D3", 7)
    broken(
        lambda: deepdrid.load(trees / "deepdrid"),
        "bad Artifact (1): row 2: regular-fundus-training: 56_l1: '3', "
        "expected one of 0, 1, 4, 6, 8, 10",
        "bad Clarity (1): row 3",
        "bad Overall quality (1): row 4",
        "other patient (2): row 5",
        "DR level of both eyes (1): row 6",
        "bad DR level (1): row 7",
        "unexpected image_id (1): row 8",
        "doubled id (1): row 9: regular-fundus-training: 164_r3: also in row 6",
        "patient in more than one split (1): patient-1: train, val",
        "bad Field definition (1): row 3: Online-Challenge1&2-Evaluation: 347_l2: '7'",
        f"row 2: {test.name}: 347_l1: expected {root.name}/{test.name}/Images/347/347_l1.jpg",
    )
    (test / "Challenge2_labels.xlsx").unlink()
    with pytest.raises(
        FileNotFoundError, match="Challenge2_labels"
    ):  # the empty template is not taken for labels
        deepdrid.load(trees / "deepdrid")


# ---------------------------------------------------------------- workbooks
def test_sheets_read_cells_as_text(tmp_path):
    book = Workbook()
    for row in ([None, None], ["a", " b "], [1.0, True], [None, None], [0.5, " x "]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    table, problems = sheets.read_sheet(tmp_path / "a.xlsx", ["b", "a"])
    assert problems == []
    assert table.to_dict() == {"b": {3: "1", 5: "x"}, "a": {3: "1", 5: "0.5"}}
    assert [sheets.text_of(c) for c in (2.0, 2.5, None, False)] == [
        "2",
        "2.5",
        "",
        "0",
    ]  # a file may hold 2.0 for 2
    broken(
        lambda: sheets.read_sheet(tmp_path / "a.xlsx", ["c"]),
        "missing column (1): row 2: c: found a, b",
    )
    Workbook().save(tmp_path / "b.xlsx")
    broken(lambda: sheets.read_sheet(tmp_path / "b.xlsx", ["c"]), "empty table")


# ---------------------------------------------------------------- real tables
def linked(target: Path, root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / target.name).symlink_to(target)
    return root


@pytest.mark.real
def test_real_eyeq_and_eyeq_d(tmp_path):
    for name in ("Label_EyeQ_train.csv", "Label_EyeQ_test.csv"):
        linked(real_data("labels", name), tmp_path / "eyeq")
    linked(real_data("labels", "EyeQ-D-Quality-Details.csv"), tmp_path / "eyeq_d")
    large, small = eyeq.load(tmp_path / "eyeq", pictures=False), eyeq_d.load(tmp_path / "eyeq_d")
    assert eyeq.ABOUT.compare(eyeq.counts(large)) == []
    assert eyeq_d.ABOUT.compare(eyeq_d.counts(small)) == []
    assert shared_groups(large) == {}
    assert {*large["id"]} & eyeq.FAILING == {"15337_left", "13227_left"}
    assert large.loc[large["id"].isin(eyeq.FAILING), "grade"].tolist() == [0, 0]
    frame = eyeq_d.join(small, large)
    assert (len(frame), frame.attrs["same_grade"]) == (160, 160)
    for weights in (None, "quadratic"):
        assert cohen_kappa_score(frame["grade"], frame["eyeq_grade"], weights=weights) == 1.0
    native = large.set_index("id").loc[
        frame["id"], "quality"
    ]  # as published, the encodings are opposite
    assert cohen_kappa_score(frame["grade"], native, weights="quadratic") < -0.5
    assert frame["dr_grade"].value_counts().sort_index().tolist() == [94, 18, 39, 5, 4]
    by_grade = frame.groupby("grade")["illumination"].agg(["sum", "size"])
    assert by_grade.to_numpy().tolist() == [[1, 33], [5, 49], [48, 78]]


@pytest.mark.real
def test_real_deepdrid_photographs(tmp_path):
    raw = pd.read_csv(real_data("fundus", "labels.csv"), dtype=str, keep_default_na=False)
    for split in ("train", "val"):  # as in the original: a table each, and the folder Images
        folder = deepdrid.FOLDERS[split]
        part = raw[raw["image_path"].str.split("\\").str[1] == folder]
        (tmp_path / folder / "Images").mkdir(parents=True)
        part.to_csv(tmp_path / folder / f"{folder}.csv", index=False)
        for patient in part["patient_id"]:
            (tmp_path / folder / "Images" / patient).symlink_to(
                real_data("fundus", "Images", patient)
            )
    frame = deepdrid.load(tmp_path).set_index("id")
    assert len(frame) == 4
    assert frame["split"].value_counts().to_dict() == {"val": 3, "train": 1}
    mine = raw.assign(id=raw["image_id"].str.removesuffix(".jpg")).set_index("id").loc[frame.index]
    assert frame["grade"].tolist() == mine["Overall quality"].astype(int).tolist()
    assert frame["artifact_native"].tolist() == mine["Artifact"].astype(int).tolist()
    assert frame["clarity_level"].tolist() == mine["Clarity"].astype(int).tolist()
    assert frame["field_definition"].tolist() == mine["Field definition"].astype(int).tolist()
    assert set(frame["eye"]) == {"left"}
    assert set(frame["view"]) == {2}
    assert all((tmp_path / path).is_file() for path in frame["path"])
