"""Loaders of the photographs' real formats, on tiny trees made here in exactly those formats; two
extras on real tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import real_data
from scipy.io import savemat

from riqa_lib.__main__ import main
from riqa_lib.datasets import catalogue, kadid, kadis, koniq, live, tid
from riqa_lib.datasets.problems import FolderError

VOTES = [[1, 2, 3, 4, 0], [0, 0, 5, 70, 30], [40, 40, 20, 0, 0], [0, 10, 20, 60, 10]]
K = np.arange(1, 6)


def touch(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def broken(call, *words: str) -> None:
    with pytest.raises(FolderError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


# ---------------------------------------------------------------- KonIQ-10k
def koniq_table(kind: str) -> pd.DataFrame:
    n = np.array(VOTES)
    total, mean = n.sum(1), n @ K / n.sum(1)
    table = pd.DataFrame({"image_name": [f"{i}.jpg" for i in range(4)]})
    for k in range(5):
        table[f"c{k + 1}"] = n[:, k] if kind == "counts" else n[:, k] / total
    table["c_total"] = total
    z = 25 * (mean - 1) + [1, -2, 3, 0]
    table["MOS"], table["SD"] = (mean, 0.5) if kind == "counts" else (z, 0.5)
    if kind == "counts":
        table["MOS_zscore"] = z
    else:
        table["set"] = ["training", "validation", "test", "training"]
    return table


@pytest.fixture
def koniq_root(tmp_path):
    touch(tmp_path / "512x384", [f"{i}.jpg" for i in range(4)] + ["unscored.jpg"])
    return tmp_path


@pytest.mark.parametrize("kind", ["counts", "shares"])
@pytest.mark.parametrize(
    "name", ["koniq10k_scores_and_distributions.csv", "koniq10k_distributions_sets.csv", "x.CSV"]
)
def test_koniq_takes_both_score_files_by_content(koniq_root, kind, name):
    table = koniq_table(kind)
    table.to_csv(koniq_root / name, index=False)
    frame = koniq.load(koniq_root)
    assert frame["path"].tolist() == [f"512x384/{i}.jpg" for i in range(4)]
    assert frame[koniq.VOTES].to_numpy().tolist() == VOTES
    slow = [
        sum(k * v for k, v in zip(range(1, 6), votes, strict=True)) / sum(votes) for votes in VOTES
    ]
    assert frame["score"].tolist() == pytest.approx(slow)
    assert frame["mos_z"].tolist() == pytest.approx(
        table["MOS_zscore" if kind == "counts" else "MOS"].tolist()
    )
    assert ("split" in frame) == (kind == "shares")
    assert frame.attrs["notes"] == [["files not in the table", 0, "512x384/", "1"]]
    assert frame.attrs["higher_is_better"] is True


def test_koniq_size_defaults_to_the_largest_present(koniq_root):
    koniq_table("counts").to_csv(koniq_root / "a.csv", index=False)
    touch(koniq_root / "1024x768", [f"{i}.JPG" for i in range(4)])
    assert koniq.load(koniq_root)["path"][0] == "1024x768/0.JPG"
    assert koniq.load(koniq_root, size="512x384")["path"][0] == "512x384/0.jpg"
    with pytest.raises(ValueError, match="expected one of 1024x768"):
        koniq.load(koniq_root, size="8x8")
    broken(lambda: koniq.load(koniq_root, size="224x224"), "missing folder (1): 224x224")


def test_koniq_joins_both_files_and_refuses_other_votes(koniq_root):
    koniq_table("counts").to_csv(koniq_root / "a.csv", index=False)
    other = koniq_table("shares").iloc[::-1]
    other.to_csv(koniq_root / "b.csv", index=False)
    assert koniq.load(koniq_root)["split"].tolist() == ["train", "val", "test", "train"]
    other.iloc[1:].to_csv(koniq_root / "b.csv", index=False)
    broken(lambda: koniq.load(koniq_root), "score files disagree (1): row 5: 3.jpg")


def test_koniq_refuses_scores_that_do_not_fit_the_votes(koniq_root):
    table = koniq_table("counts")
    table.loc[1, "MOS"] = 78.0  # 0 to 100 among 1 to 5
    table.loc[2, "MOS_zscore"] = 90.0
    table.loc[3, "c1"] = 7
    table.to_csv(koniq_root / "a.csv", index=False)
    broken(
        lambda: koniq.load(koniq_root),
        "row 3: 1.jpg: 78, the votes say about 4.238 on 1 to 5",
        "MOS_zscore that does not fit",
        "row 4: 2.jpg: 90",
        "wrong sum (1): row 5: 3.jpg: c1..c5 sum to 107, expected c_total",
    )
    table = koniq_table("shares").assign(MOS=[1.0, 2, 3, 4])  # neither scale
    table.to_csv(koniq_root / "a.csv", index=False)
    broken(lambda: koniq.load(koniq_root, pictures=False), "MOS that does not fit the votes")


def test_koniq_reports_everything_at_once(koniq_root):
    table = koniq_table("shares")
    table.loc[3, ["image_name", "set"]] = ["0.jpg", "exam"]
    (koniq_root / "512x384" / "1.jpg").unlink()
    text = table.to_csv(index=False).splitlines()
    (koniq_root / "a.csv").write_text("\n".join([*text, "9.jpg,0.1,0."]) + "\n")
    broken(
        lambda: koniq.load(koniq_root),
        "row 5: 0.jpg: also in row 2",
        "'exam'",
        "row 3: 512x384/1.jpg",
        "row 6: 9.jpg: 3, expected 10",
    )
    (koniq_root / "a.csv").write_text("a,b\n")
    with pytest.raises(FileNotFoundError, match="no score file"):
        koniq.load(koniq_root)
    with pytest.raises(FileNotFoundError, match=r"database\.mmsp-kn\.de"):
        koniq.load(koniq_root / "none")


def test_koniq_a_few_pictures_short_is_used_and_told(tmp_path):
    """Twelve pictures in both score files, of which the first and the last four are not there."""
    n = np.tile(VOTES, (3, 1))
    total, mean = n.sum(1), n @ K / n.sum(1)
    names = [f"{i}.jpg" for i in range(12)]
    counts = pd.DataFrame({"image_name": names, **{f"c{k}": n[:, k - 1] for k in K}})
    shares = pd.DataFrame({"image_name": names, **{f"c{k}": n[:, k - 1] / total for k in K}})
    counts.assign(c_total=total, MOS=mean, SD=0.5, MOS_zscore=25 * (mean - 1)).to_csv(
        tmp_path / koniq.FILES[0], index=False
    )
    split = ["training", "validation", "test"] * 4
    shares.assign(c_total=total, MOS=25 * (mean - 1), SD=9, set=split).to_csv(
        tmp_path / koniq.FILES[1], index=False
    )
    touch(tmp_path / "1024x768", names[1:8])
    frame = koniq.load(tmp_path)
    assert frame["id"].tolist() == names[1:8]
    assert frame["path"].tolist() == [f"1024x768/{i}" for i in names[1:8]]
    assert frame[koniq.VOTES].to_numpy().tolist() == n[1:8].tolist()
    assert frame["split"].tolist()[:3] == ["val", "test", "train"]
    assert frame.index.tolist() == list(range(7))
    assert part_of(frame) == (
        "7 of 12 pictures; not there: 1024x768/0.jpg, 1024x768/8.jpg, 1024x768/9.jpg, "
        "1024x768/10.jpg, 1024x768/11.jpg"
    )
    assert (frame.attrs["named"], frame.attrs["absent"].split()) == (12, [names[0], *names[8:]])
    assert len(koniq.load(tmp_path, pictures=False)) == 12
    for name in names[1:8]:
        (tmp_path / "1024x768" / name).unlink()
    broken(lambda: koniq.load(tmp_path), "missing picture (12): row 2: 1024x768/0.jpg")
    touch(tmp_path / "1024x768" / "1024x768", names)
    broken(lambda: koniq.load(tmp_path), "1024x768/1024x768/: move what is in it to 1024x768/")


def part_of(frame: pd.DataFrame) -> str:
    """What the notes say of a part of a set; "" for a whole one."""
    return next((n[3] for n in frame.attrs["notes"] if n[0] == "part of the set"), "")


@pytest.mark.parametrize("kind", ["counts", "shares"])
def test_koniq_saved_anew_by_a_european_spreadsheet(koniq_root, kind):
    koniq_table(kind).to_csv(koniq_root / "a.csv", index=False)
    expected = koniq.load(koniq_root)
    koniq_table(kind).to_csv(koniq_root / "a.csv", index=False, sep=";", decimal=",")
    frame = koniq.load(koniq_root)
    pd.testing.assert_frame_equal(frame, expected)
    # beside the other one it is read too, and other votes in it are not overlooked
    other = koniq_table("shares" if kind == "counts" else "counts")
    other.iloc[1:].to_csv(koniq_root / "b.csv", index=False)
    broken(lambda: koniq.load(koniq_root), "score files disagree (1): row 2: 0.jpg")


def test_koniq_tells_of_tables_that_it_does_not_read(koniq_root):
    (koniq_root / "meta.csv").write_text("img_name,mos,std\n0.jpg,3,1\n")
    with pytest.raises(FileNotFoundError, match=r"no score file.*; meta.csv has img_name, mos, st"):
        koniq.load(koniq_root)
    koniq_table("counts").to_csv(koniq_root / "a.csv", index=False)
    notes = koniq.load(koniq_root).attrs["notes"]
    assert ["table not read", 0, "meta.csv", "its columns: img_name, mos, std"] in notes


# ---------------------------------------------------------------- KADIS-700k
def test_some_of_kadis_is_used_and_told(tmp_path):
    rows = ["ref_im,dist_type_1,dist_type_2", *(f"p{i}.png,3," for i in range(40))]
    (tmp_path / "kadis700k_ref_imgs.csv").write_text("\n".join(rows) + "\n")
    touch(tmp_path / "ref_imgs", [f"p{i}.png" for i in (39, 5)])
    frame = kadis.load(tmp_path)
    assert frame["id"].tolist() == ["p5.png", "p39.png"]
    told = part_of(frame)
    assert told.startswith("2 of 40 pictures; not there: ref_imgs/p0.png, ref_imgs/p1.png, ")
    assert told.endswith(" and 28 more")
    assert part_of(kadis.load(tmp_path, pictures=False)) == ""


def test_kadis(tmp_path):
    (tmp_path / "kadis700k_ref_imgs.csv").write_text(
        "ref_im,dist_type_1,dist_type_2\nA-1.png,23,\nb-2.png,7,8\n"
    )
    touch(tmp_path / "ref_imgs", ["a-1.PNG", "b-2.png", "more.png"])
    touch(tmp_path / "dist_imgs", ["A-1_23_01.bmp", "b-2_07_05.bmp", "b-2_08_05.bmp"])
    frame = kadis.load(tmp_path)
    assert frame["id"].tolist() == ["A-1.png", "b-2.png"]
    assert frame["path"].tolist() == ["ref_imgs/a-1.PNG", "ref_imgs/b-2.png"]
    assert frame[["dist_type_1", "dist_type_2"]].to_numpy().tolist() == [[23, 0], [7, 8]]
    notes = {(n[0], n[2]): n[3] for n in frame.attrs["notes"]}
    assert notes["distorted pictures", "dist_imgs/"] == "2 of 10"
    assert (
        notes["files not in the table", "dist_imgs/"]
        == notes["files not in the table", "ref_imgs/"]
        == "1"
    )
    assert notes["types 7 and 8", ""].startswith("1 rows")
    rows = ["ref_im,dist_type_1,dist_type_2", "A-1.png,26,", "b-2.png,,1", "a-1.png,1,", "q.png,1,"]
    (tmp_path / "kadis700k_ref_imgs.csv").write_text("\n".join(rows))
    broken(
        lambda: kadis.load(tmp_path),
        "row 2: A-1.png: '26'",
        "row 3: b-2.png: ''",
        "row 4: a-1.png: also in row 2",
        "ref_imgs/q.png",
    )


# ---------------------------------------------------------------- KADID-10k
def test_kadid(tmp_path):
    rows = ["I01_01_01.png,I01.png,4.57,0.496", "I02_25_05.png,I02.png,1.0,0.2"]
    (tmp_path / "dmos.csv").write_text("\n".join(["dist_img,ref_img,dmos,var", *rows]))
    touch(tmp_path / "images", ["I01.png", "I02.png", "I01_01_01.png", "i02_25_05.PNG"])
    frame = kadid.load(tmp_path)
    assert frame.attrs["higher_is_better"] is True
    assert frame.attrs["notes"] == []
    assert frame["group"].tolist() == ["I01", "I02"]
    assert frame[["type", "level"]].to_numpy().tolist() == [[1, 1], [25, 5]]
    assert frame["path"][1] == "images/i02_25_05.PNG"
    rows += ["I02_26_05.png,I02.png,3,1", "I01_02_05.png,I02.png,57,1", "I01_02"]
    (tmp_path / "dmos.csv").write_text("\n".join(["dist_img,ref_img,dmos,var", *rows]))
    broken(
        lambda: kadid.load(tmp_path),
        "unexpected name (1): row 4",
        "other reference (1): row 5: I01_02_05.png: I02.png",
        "'57', expected 1 to 5",
        "row 6: I01_02: 1, expected 4",
        "missing picture (2)",
    )


# ---------------------------------------------------------------- TID
@pytest.mark.parametrize(("load", "last"), [(tid.load_2008, "17_4"), (tid.load_2013, "24_5")])
def test_tid(tmp_path, load, last):
    table = tmp_path / "MOS_with_names.txt"
    table.write_text(f"5.5143 I01_01_1.bmp\n3.2 i25_{last}.BMP\n")
    touch(tmp_path / "distorted_images", ["i01_01_1.bmp", f"I25_{last}.bmp"])
    frame = load(tmp_path)
    assert frame["path"].tolist() == [
        "distorted_images/i01_01_1.bmp",
        f"distorted_images/I25_{last}.bmp",
    ]
    assert frame["id"].tolist() == ["i01_01_1.bmp", f"i25_{last}.bmp"]
    assert frame["group"].tolist() == ["I01", "I25"]
    assert f"{frame['type'][1]}_{frame['level'][1]}" == last
    table.write_text(
        "5.5143 I01_01_1.bmp\n5 i01_01_1.bmp\n9.5 I02_01_1.bmp\n1 I03_25_1.bmp\n1 I03_0\n"
    )
    broken(
        lambda: load(tmp_path),
        "row 2: i01_01_1.bmp: also in row 1",
        "row 3: I02_01_1.bmp: '9.5'",
        "unexpected line (2): row 4",
        "'1 I03_0'",
    )


# ---------------------------------------------------------------- LIVE
@pytest.fixture
def live_root(tmp_path):
    """982 files; every tenth is a copy of its reference."""
    for folder, n in live.FOLDERS.items():
        touch(
            tmp_path / folder,
            [f"img{k}.bmp" if k % 2 else f"IMG{k}.BMP" for k in range(1, n + 1)] + ["info.txt"],
        )
    names = np.empty((1, live.N), dtype=object)
    names[0] = [f"ref{i % 29}.bmp" for i in range(live.N)]
    savemat(tmp_path / "refnames_all.mat", {"refnames_all": names})
    orgs = (np.arange(live.N) % 10 == 0).astype(float)[None]
    savemat(tmp_path / "dmos.mat", {"dmos": np.linspace(0, 90, live.N)[None], "orgs": orgs})
    return tmp_path


def test_live_drops_copies_and_keeps_the_order(live_root):
    frame = live.load(live_root)
    assert len(frame) == live.N - 99
    assert frame.attrs["higher_is_better"] is False
    assert frame["type"].drop_duplicates().tolist() == ["jp2k", "jpeg", "wn", "gblur", "fastfading"]
    row = frame.set_index("id").loc["jpeg/img2.bmp"]  # the 229th of 982
    assert row["score"] == pytest.approx(np.linspace(0, 90, live.N)[228])
    assert row["group"] == f"ref{228 % 29}.bmp"
    assert row["path"] == "jpeg/IMG2.BMP"
    assert "jp2k/img1.bmp" not in set(frame["id"])
    orgs = np.zeros((1, live.N))
    savemat(
        live_root / "dmos_realigned.mat", {"dmos_new": np.full((1, live.N), 111.0), "orgs": orgs}
    )
    assert set(live.load(live_root)["score"]) == {111.0}
    assert live.load(live_root, realigned=False)["score"].max() < 91


def test_live_reports_what_is_wrong(live_root):
    (live_root / "wn" / "img3.bmp").unlink()
    part = live.load(live_root)
    assert len(part) == live.N - 100
    assert part_of(part) == f"{live.N - 100} of {live.N - 99} pictures; not there: wn/img3.bmp"
    assert part.set_index("id")["path"]["wn/img5.bmp"] == "wn/img5.bmp"
    assert len(live.load(live_root, pictures=False)) == live.N - 99
    away = live_root / "wn"
    away.rename(live_root / "White Noise")
    broken(lambda: live.load(live_root), "missing folder (1): wn; there are White Noise/")
    (live_root / "White Noise").rename(away)
    savemat(
        live_root / "dmos.mat", {"dmos": np.full((1, live.N), np.nan), "orgs": np.zeros((1, 7))}
    )
    broken(lambda: live.load(live_root), "dmos.mat: orgs: 7 values, expected 982")
    (live_root / "dmos.mat").write_bytes(b"no")
    broken(lambda: live.load(live_root), "unreadable .mat file (1): dmos.mat")


# ---------------------------------------------------------------- all sets
def test_the_command_tells_missing_from_broken(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RIQA_DATA", str(tmp_path))
    assert main(["data"]) == 0
    text = capsys.readouterr().out
    for one in catalogue.SETS.values():
        assert all(
            word in text
            for word in (
                f"{one.about.title} ({one.about.key}): not found",
                one.about.licence,
                one.about.where,
            )
        )
    touch(tmp_path / "tid2013" / "distorted_images", ["i01_01_1.bmp"])
    (tmp_path / "tid2013" / "mos_with_names.txt").write_text("5 i01_01_1.bmp\n")
    assert main(["data", "--root", str(tmp_path)]) == 0
    assert "1 found, 3000 published" in capsys.readouterr().out
    (tmp_path / "tid2013" / "mos_with_names.txt").write_text("5 i01_01_2.bmp\n")
    assert main(["data"]) == 1
    assert "missing picture (1): row 1: distorted_images/i01_01_2.bmp" in capsys.readouterr().out
    both = tmp_path / "tid2013" / "distorted_images" / "i01_01_2.bmp"
    (tmp_path / "tid2013" / "mos_with_names.txt").write_text("5 i01_01_2.bmp\n4 i01_01_1.bmp\n")
    assert main(["data"]) == 0
    said = capsys.readouterr().out
    assert "TID2013 (tid2013): partial\n" in said
    assert "counts    pictures: 1 of 3000, references: 1 of 25" in said
    assert "part of the set: TID2013: 1 of 2 pictures; not there: distorted_images/" in said
    assert said.endswith("not found; 1 partial\n")
    assert catalogue.status(tmp_path).set_index("key").loc["tid2013", "wrong"] == ""
    both.write_bytes(b"x")
    assert catalogue.status(tmp_path).set_index("key").loc["tid2013", "state"] == catalogue.OTHER
    (tmp_path / "tid2013" / "distorted_images" / "i01_01_1.bmp").unlink()
    (tmp_path / "tid2013" / "mos_with_names.txt").rename(tmp_path / "tid2013" / "mos.txt")
    assert main(["data"]) == 1  # pictures alone are no set
    said = capsys.readouterr().out
    assert "mos_with_names.txt: no such file; there are distorted_images/, mos.txt" in said
    table = catalogue.status(tmp_path).set_index("key")
    assert table.loc["tid2013", "state"] == catalogue.BROKEN
    assert table.loc["koniq10k", ["state", "published"]].tolist() == [catalogue.MISSING, 10073]
    assert main(["data", "--root", str(tmp_path / "none")]) == 1
    monkeypatch.delenv("RIQA_DATA")
    assert main(["data"]) == 0
    assert "RIQA_DATA is not set" in capsys.readouterr().out


def test_sets_that_are_called_otherwise_or_lie_one_folder_too_deep(tmp_path, capsys):
    (tmp_path / "KADIS-700k" / "ref_imgs").mkdir(parents=True)
    (tmp_path / "sets" / "live").mkdir(parents=True)
    inner = tmp_path / "koniq10k" / "koniq10k"
    touch(inner / "512x384", [f"{i}.jpg" for i in range(4)])
    koniq_table("counts").to_csv(inner / koniq.FILES[0], index=False)
    assert main(["data", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "did you mean KADIS-700k? rename it kadis700k" in said
    assert "it is one folder too deep, in sets/" in said
    assert "no score file" in said
    assert "it is one folder too deep, in koniq10k/" in said
    with pytest.raises(FileNotFoundError, match=r"no such folder; did you mean KADIS-700k\?"):
        kadis.load(tmp_path / "kadis700k")
    (inner / "512x384").rename(inner / "koniq 512x384")
    broken(
        lambda: koniq.load(inner, size="512x384"), "did you mean koniq 512x384? rename it 512x38"
    )


# ---------------------------------------------------------------- real tables
def real(root: Path, name: str) -> Path:
    (root / name).symlink_to(real_data("labels", name))
    return root


@pytest.mark.real
def test_real_koniq_votes(tmp_path):
    frame = koniq.load(real(tmp_path, "koniq10k_distributions_sets.csv"), pictures=False)
    assert koniq.ABOUT.compare(koniq.counts(frame)) == []
    assert frame["split"].value_counts().to_dict() == {"train": 7058, "test": 2015, "val": 1000}
    assert (frame["score"].min(), frame["score"].max()) == pytest.approx((1.096, 4.31), abs=0.005)
    assert np.bincount(frame[koniq.VOTES].to_numpy().argmax(1), minlength=5).tolist() == [
        76,
        1379,
        5150,
        3468,
        0,
    ]


@pytest.mark.real
def test_real_kadis_names(tmp_path):
    frame = kadis.load(real(tmp_path, "kadis700k_ref_imgs.csv"), pictures=False)
    assert kadis.ABOUT.compare(kadis.counts(frame)) == []
    assert frame["id"].nunique() == 140000
    assert ((frame["dist_type_1"] == 7) & (frame["dist_type_2"] == 8)).sum() == 5529
