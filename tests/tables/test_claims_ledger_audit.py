"""The papers' own arithmetic, against computations written out by hand: picture by picture, no
numpy."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from conftest import real_data
from fundus_trees import make_eyeq, make_eyeq_d

from riqa_lib.datasets import koniq
from riqa_lib.tables import claims_ledger_audit as audit
from riqa_lib.tables import claims_ledger_labels as labels
from riqa_lib.tables import published as paper
from riqa_lib.tables.claims_ledger_rules import Missing
from riqa_lib.tables.published import published

# typed here once more, from the papers
TRAIN, VAL, TEST = (
    (180, 1103, 4120, 2767, 175),
    (22, 137, 515, 345, 21),
    (23, 139, 515, 347, 23),
)
TABLE_2 = {  # MAE, MAE 3, MAE 4, MAE 3&4
    "ViT": (0.53, 0.54, 0.65, 0.55),
    "SimMatch": (0.45, 0.24, 0.47, 0.25),
    "AdaMatch": (0.47, 0.23, 0.65, 0.25),
    "CoMatch": (0.46, 0.22, 0.30, 0.23),
    "FreeMatch": (0.43, 0.33, 0.43, 0.34),
    "CRMatch": (0.40, 0.33, 0.39, 0.33),
}
FACTS = labels.tracked()
PICTURES = [grade for grade, n in enumerate(TEST) for _ in range(n)]


def items(name):
    return audit.AUDITS[name](FACTS.__getitem__)


def value(name):
    (one,) = items(name)
    return one.value


def errors(said, of=range(5)):
    """Errors of a predictor that always says one grade, on the test pictures of these grades."""
    return [abs(said - grade) for grade in PICTURES if grade in of]


def mean(values):
    return sum(values) / len(values)


# ---------------------------------------------------------------- Table 1
def test_the_totals_of_the_text():
    assert sum(TRAIN) == 8345
    assert value("train_total") == 0
    assert 140_000 - 159 - 200 == 139_641
    assert value("pool_total") == 0
    assert sum(map(sum, (TRAIN, VAL, TEST))) == 10_073 + 359
    assert value("whole_total") == 0


def test_the_split_is_that_of_whole_floors():
    for grade in range(5):
        n = TRAIN[grade] + VAL[grade] + TEST[grade]
        train, val = n * 8 // 10, n // 10
        assert (train, val, n - train - val) == (TRAIN[grade], VAL[grade], TEST[grade])
    assert audit.split_again().tolist() == [[*TRAIN], [*VAL], [*TEST]]
    assert value("floor_split") == 0


def test_two_rates_are_no_shares(monkeypatch):
    val, test = items("rates")
    assert val.value == pytest.approx(33.19 - 100 * 345 / 1040)
    assert test.value == pytest.approx(33.17 - 100 * 347 / 1047)
    assert test.label == "test, grade 3: 33.17 for 33.142"
    table = published("stated")
    right = table.assign(value=table["value"].replace({33.17: 33.14}))
    monkeypatch.setattr(audit, "published", lambda name: right)
    assert abs(items("rates")[1].value) < 0.01


def test_label_rules_miss_table_1_by():
    """66/1379/5150/3459/19 are left for KonIQ's pictures by 159 and 200 hand labels."""
    left = [sum(n) for n in zip(TRAIN, VAL, TEST, strict=True)]
    left = [left[0] - 159, *left[1:4], left[4] - 200]
    assert left == [66, 1379, 5150, 3459, 19]
    rules = {"mode": (76, 1379, 5150, 3468, 0), "equal_width": (183, 1189, 3081, 5408, 212)}
    off = {k: sum(abs(a - b) for a, b in zip(n, left, strict=True)) for k, n in rules.items()}
    assert off == {"mode": 38, "equal_width": 4518}
    assert value("equal_width") == off["equal_width"]
    told = "pictures apart (mode of the votes: 38; both agree on 73.9%)"
    assert items("equal_width")[0].label == told
    assert value("hand_labels") == off["mode"]
    assert items("hand_labels")[0].label == "pictures apart (with 149 and 210 by hand: 18)"


# ---------------------------------------------------------------- Table 2
def error_of(mae, pictures=1047):
    """Standard error of a printed MAE whose square errors are in proportion as the constant's."""
    two = errors(2)
    ratio = sum(e * e for e in two) / sum(two)
    return math.sqrt((ratio * mae - mae * mae) / pictures)


def test_the_vit_beside_the_constant():
    two = errors(2)
    assert mean(two) == pytest.approx(578 / 1047)  # 0.552
    spread = math.sqrt(mean([e * e for e in two]) - mean(two) ** 2) / math.sqrt(1047)
    se = math.hypot(spread, error_of(0.53))
    (it,) = items("vit_constant")
    gain = mean(two) - 0.53
    assert it.value == pytest.approx(gain)
    assert round(it.value, 3) == 0.022
    assert it.low == pytest.approx(gain - 0.01 - 1.959964 * se, abs=1e-6)
    assert it.high == pytest.approx(gain + 0.005 + 1.959964 * se, abs=1e-6)
    assert it.high_90 == pytest.approx(gain + 0.005 + 1.644854 * se, abs=1e-6)
    assert [i.label for i in items("methods_constant")] == list(TABLE_2)[1:]
    for it in items("methods_constant"):
        assert it.value == pytest.approx(mean(two) - TABLE_2[it.label][0])


def upper_of(mae, upper):
    """Error on grades 0-2 that follows from that of all and of grades 3 and 4."""
    return (1047 * mae - 370 * upper) / 677


def test_grades_0_to_2_of_every_row_are_worse_than_the_constant():
    best = mean(errors(2, (0, 1, 2)))
    assert best == pytest.approx(185 / 677)  # 0.273
    found = {it.label: it for it in items("lower_grades")}
    assert list(found) == list(TABLE_2)
    for name, (mae, _, _, upper) in TABLE_2.items():
        assert found[name].value == pytest.approx(best - upper_of(mae, upper))
        # all numbers that print the same, rounded or cut
        ends = [
            best - upper_of(mae + a, upper + b)
            for down, up in ((-0.005, 0.005), (0.0, 0.01))
            for a in (down, up)
            for b in (down, up)
        ]
        assert found[name].low == pytest.approx(min(ends))
        assert found[name].high == pytest.approx(max(ends))
        assert found[name].high < 0


def test_always_3_beats_every_row_on_grades_3_and_4():
    three = mean(errors(3, (3, 4)))
    assert three == pytest.approx(23 / 370)  # 0.062
    for it in items("upper_constant"):
        assert it.value == pytest.approx(three - TABLE_2[it.label][3])
        assert it.high < 0


def test_what_is_gained_above_is_lost_below():
    vit = upper_of(0.53, 0.55)
    for it in items("no_shift"):
        mae, _, _, upper = TABLE_2[it.label]
        assert it.value == pytest.approx(vit - upper_of(mae, upper))
        assert (it.high < 0) == (it.label in ("SimMatch", "AdaMatch", "CoMatch"))
        assert (it.low > 0) == (it.label in ("FreeMatch", "CRMatch"))


def test_the_columns_fit_each_other_and_23_pictures(monkeypatch):
    for _, three, four, both in TABLE_2.values():
        assert abs((347 * three + 23 * four) / 370 - both) < 0.01
    assert value("micro") == 0
    rounded, cut = [], []
    for _, _, four, _ in TABLE_2.values():
        hundred = round(four * 100)
        fits = [Fraction(k, 23) * 100 for k in range(93)]
        rounded.append(any(hundred == math.floor(f + Fraction(1, 2)) for f in fits))
        cut.append(any(hundred == math.floor(f) for f in fits))
    assert all(r or c for r, c in zip(rounded, cut, strict=True))
    assert sum(c and not r for r, c in zip(rounded, cut, strict=True)) == 1
    (it,) = items("twenty_three")
    assert (it.value, it.label) == (0, "rows that do not fit (1 only if cut, not rounded)")
    table = published("table2")
    odd = (table["method"] == "comatch") & (table["metric"] == "mae_4")
    monkeypatch.setattr(paper, "published", lambda name: _changed(name, table, odd, 0.32))
    assert value("twenty_three") == 1  # no k/23 is printed so
    assert value("micro") == 0
    monkeypatch.setattr(paper, "published", lambda name: _changed(name, table, odd, 3.0))
    assert value("micro") == 1


def _changed(name, table, rows, value):
    """Published tables, of Table 2 with one number changed."""
    if name != "table2":
        return published(name)
    return table.assign(value=table["value"].mask(rows, value))


def test_the_best_rows_beside_the_others():
    for it in items("best_overall"):
        mae = TABLE_2[it.label][0]
        se = math.hypot(error_of(0.40), error_of(mae))
        assert it.value == pytest.approx(mae - 0.40)
        assert it.low == pytest.approx(mae - 0.40 - 0.01 - 1.959964 * se, abs=1e-6)
        assert it.high == pytest.approx(mae - 0.40 + 0.01 + 1.959964 * se, abs=1e-6)
    for it in items("best_on_4"):
        four = TABLE_2[it.label][2]
        se = math.sqrt((0.30 * 0.70 + four * (1 - four)) / 23)
        assert it.value == pytest.approx(four - 0.30)
        assert it.low == pytest.approx(four - 0.30 - 0.01 - 1.959964 * se, abs=1e-6)
    (it,) = items("one_rater")
    assert it.value == pytest.approx(0.4018134 - 0.40)
    assert it.low == pytest.approx(it.value - 0.01 - 1.959964 * error_of(0.40), abs=1e-6)


# ---------------------------------------------------------------- Telesco et al.
def right_by_hand(f1, recall, bad=220, good=180):
    """Right answers of every pair of whole counts that prints so, with three decimals."""
    found = []
    for hit in range(1, bad + 1):
        for false in range(good + 1):
            r, p = hit / bad, hit / (hit + false)
            if abs(r - recall) <= 0.0005 and abs(2 * p * r / (p + r) - f1) <= 0.0005:
                found.append(hit + good - false)
    return found


def test_deepdrids_gain_is_one_right_answer():
    assert right_by_hand(0.763, 0.782) == audit.right_of(0.763, 0.782, 220, 180) == [293]
    assert right_by_hand(0.778, 0.845) == audit.right_of(0.778, 0.845, 220, 180) == [294]
    assert audit.right_of(0.8, 0.8, 20, 20, half=0.02) == right_by_loop(0.8, 0.8, 20, 20, 0.02)
    (it,) = items("right_answers")
    assert it.label == "293 → 294 right of 400"
    assert it.value == pytest.approx(1 / 400)
    a, b = 293 / 400, 294 / 400
    half = 1.959964 * math.sqrt((a * (1 - a) + b * (1 - b)) / 400)
    assert it.low == pytest.approx(1 / 400 - half, abs=1e-6)
    assert it.high == pytest.approx(1 / 400 + half, abs=1e-6)


def right_by_loop(f1, recall, bad, good, half):
    return [
        h + good - f
        for h in range(1, bad + 1)
        for f in range(good + 1)
        if abs(h / bad - recall) <= half and abs(2 * h / (h + bad + f) - f1) <= half
    ]


def test_numbers_that_fit_several_counts_or_none_are_no_evidence(monkeypatch):
    monkeypatch.setattr(audit, "_told", lambda measure: (0.5, 0.999))
    with pytest.raises(Missing, match="fit no counts"):
        items("right_answers")


def test_deepdrids_precision_falls():
    (it,) = items("precision")

    def of(f1, recall):
        return 1 / (2 / f1 - 1 / recall)  # F1 is the harmonic mean

    assert it.value == pytest.approx(of(0.778, 0.845) - of(0.763, 0.782))
    assert it.label == "precision 0.745 → 0.721"
    half = (-0.0005, 0.0005)
    single = [of(0.763 + a, 0.782 + b) for a in half for b in half]
    multi = [of(0.778 + a, 0.845 + b) for a in half for b in half]
    assert it.low == pytest.approx(min(multi) - max(single))
    assert it.high == pytest.approx(max(multi) - min(single))


def sign_test(b, c):
    """Two-sided exact p-value of b against c, by counting."""
    n, least = b + c, min(b, c)
    return min(1, 2 * sum(math.comb(n, k) for k in range(least + 1)) / 2**n)


@pytest.mark.parametrize(("share", "expected"), [(0.10, 0.0625), (0.15, 0.075), (0.20, 0.0875)])
def test_the_least_difference_that_160_pictures_show(share, expected):
    n = round(160 * share)
    seen = [abs(n - 2 * b) / 160 for b in range(n + 1) if sign_test(b, n - b) < 0.05]
    assert min(seen) == pytest.approx(expected)
    assert audit.least_shown(160, share) == pytest.approx(expected)


def test_what_160_pictures_show_is_more_than_the_margin():
    assert value("could_show") == pytest.approx(0.03 - 0.0625)
    assert math.isnan(audit.least_shown(20))  # two discordant pictures show nothing


def test_the_sizes_of_the_fundus_sets():
    assert 235 + 187 + 78 + 302 == 802
    assert (value("teacher_pictures"), value("student_pictures"), value("held_out")) == (0, 0, 0)
    assert value("second_opinion") == 0


# ---------------------------------------------------------------- label files
def test_facts_are_counted_again_from_the_files_that_are_there(tmp_path):
    known, again = labels.facts(tmp_path)
    assert (known, again) == (FACTS, frozenset())
    eyeq = make_eyeq(tmp_path / "eyeq", n=6)
    known, again = labels.facts(tmp_path)
    assert again == {"eyeq_train"}
    assert known == {**FACTS, "eyeq_train": 6}
    make_eyeq_d(tmp_path / "eyeq_d", eyeq, n=4)
    file = tmp_path / "eyeq_d" / "EyeQ-D-Quality-Details.csv"
    lines = file.read_text().splitlines()
    name, grade, rest = lines[1].split(",", 2)
    lines[1] = f"{name},{(int(grade) + 1) % 3},{rest}"  # one graded otherwise
    file.write_text("\n".join(lines) + "\n")
    known, again = labels.facts(tmp_path)
    assert (known["eyeq_d_pictures"], known["eyeq_d_in_test"]) == (4, 4)
    assert known["eyeq_d_same_grade"] == 3
    assert len(again) == 4


def test_votes_are_counted_by_hand(tmp_path, monkeypatch):
    """Three pictures, in KonIQ's own format: modes 2, 0 and 2 (a tie: the lower)."""
    head = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore"
    rows = [
        "a.jpg,0,1,3,0,0,4,2.75,0.4,50",
        "b.jpg,4,0,0,0,0,4,1,0,10",
        "c.jpg,0,0,2,2,0,4,3.5,0.5,70",
    ]
    (tmp_path / koniq.FILES[0]).write_text("\n".join([head, *rows]) + "\n")
    pristine = "ref_im,dist_type_1,dist_type_2\nx-1.png,1,2\ny-2.png,3,4\n"
    (tmp_path / labels.KADIS).write_text(pristine)
    monkeypatch.setenv("RIQA_DATA", str(tmp_path))
    known, again = labels.facts()
    assert [known[f"koniq_mode_{k}"] for k in range(5)] == [1, 0, 2, 0, 0]
    assert [known[f"koniq_equal_width_{k}"] for k in range(5)] == [1, 0, 1, 1, 0]
    assert known["koniq_same_grade"] == 2
    assert known["koniq_one_rater"] == pytest.approx((1 / 4 + 0 + 2 / 4) / 3)
    assert known["kadis_pictures"] == 2
    assert {"koniq_pictures", "kadis_pictures"} <= again
    assert "eyeq_train" not in again


def test_facts_are_shown_with_their_source():
    lines = labels.show().splitlines()
    assert len(lines) == 2 + len(FACTS)
    assert any(line.startswith("| koniq_mode_2 | 5,150 | counted from ") for line in lines)
    assert any(line.startswith("| koniq_one_rater | 0.402 | ") for line in lines)


def test_the_tracked_facts_are_those_of_the_real_files():
    known, again = labels.facts(real_data("labels"))
    assert again == FACTS.keys()
    assert known == pytest.approx(FACTS, abs=1e-6)
