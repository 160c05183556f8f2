"""Figures show what their tables hold, say what data they are of, and are saved the same each
time."""

from __future__ import annotations

import ast
import io

import cheaper
import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from formulas import words
from matplotlib import colors
from PIL import Image

from riqa_lib import paths
from riqa_lib.figures import curves, draw_all, results, style
from riqa_lib.figures.data import class_shares, contact_sheet
from riqa_lib.figures.levels_against_grade import tint_of
from riqa_lib.tables import published, related_models, table2
from riqa_lib.tables.names import ALWAYS, FIVE, NAMES, name_of, order

P = [f"p{k}" for k in range(5)]


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


def predictions(seeds: int = 2, n: int = 60) -> pd.DataFrame:
    g = np.random.default_rng(0)
    truth = g.choice(5, n, p=[0.1, 0.2, 0.3, 0.3, 0.1])
    parts = []
    for method in ("supervised", "fixmatch"):
        for seed in range(seeds):
            p = np.exp(-((np.arange(5) - truth[:, None] - g.normal(0, 0.7, (n, 1))) ** 2))
            part = pd.DataFrame(
                {
                    "method": method,
                    "seed": seed,
                    "labels": 30,
                    "id": [f"i{i:02d}" for i in range(n)],
                }
            )
            part = part.assign(group=part["id"], split="test", truth=truth)
            part[P] = p / p.sum(axis=1, keepdims=True)
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def history() -> pd.DataFrame:
    rows = [
        {
            "method": m,
            "seed": s,
            "step": t,
            "val_mae": 1 - t / 200 + 0.1 * s,
            "val_macro_mae": 1.2 - t / 200,
            "val_kept": 0.3 + t / 400 if m == "fixmatch" else 0.0,
            "val_kept_accuracy": 0.7 if m == "fixmatch" else np.nan,
        }
        for m in ("supervised", "fixmatch")
        for s in range(2)
        for t in (50, 100, 150)
    ]
    return pd.DataFrame(rows)


def counts() -> pd.DataFrame:
    rows = [
        ("koniq-like", s, k, n, "label")
        for s in ("train", "test")
        for k, n in enumerate((5, 20, 50, 30, 5))
    ]
    rows += [("pool", "pool", k, 10, "truth") for k in range(5)]
    return pd.DataFrame(rows, columns=["source", "split", "grade", "count", "known"])


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    p = predictions()
    table = table2.table2(p, published.published(), True, [2], {"mae": 0.4}, resamples=30)
    facts = pd.DataFrame({"item": ["data"], "value": ["simulated"]})
    return {
        "predictions": p,
        "history": history(),
        "counts": counts(),
        "table2": table,
        "provenance": facts,
    }


def test_class_shares_has_the_shares() -> None:
    ax = class_shares(counts(), simulated=True).axes[0]
    bars = [b for b in ax.patches if b.get_width() > 0 and b.get_height() > 0]
    assert [b.get_width() for b in bars[:5]] == pytest.approx(np.array([5, 20, 50, 30, 5]) / 110)
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        "train · koniq-like",
        "test · koniq-like",
        "pool",
    ]
    assert [bool(b.get_hatch()) for b in bars] == [False] * 10 + [True] * 5


def test_learning_curves_have_the_seeds_and_their_mean() -> None:
    figure = curves.learning_curves(history(), simulated=True)
    assert len(figure.axes) == 2
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["ViT, supervised"].get_ydata().tolist() == pytest.approx([0.8, 0.55, 0.3])
    assert len(figure.axes[0].lines) == 2 * (2 + 1)
    lone = curves.learning_curves(
        history().query("seed == 0").drop(columns="val_macro_mae"), simulated=True
    )
    assert len(lone.axes) == 1
    assert len(lone.axes[0].lines) == 2


def test_pseudo_labels_leaves_out_who_has_none() -> None:
    figure = curves.pseudo_labels(history(), simulated=True)
    named = [
        line.get_label() for line in figure.axes[0].lines if not line.get_label().startswith("_")
    ]
    assert named == ["ViT + FixMatch"]
    with pytest.raises(ValueError, match="no method chooses"):
        curves.pseudo_labels(history().query("method == 'supervised'"), simulated=True)


def test_table2_points_are_where_the_table_says(frames) -> None:
    table = frames["table2"]
    figure = results.table2_points(table, predictions(), simulated=True)
    ax = figure.axes[0]
    drawn = {
        (round(float(x), 6), float(y))
        for line in ax.lines
        for x, y in zip(*line.get_data(), strict=True)
    }
    table = table[~table["method"].isin(list(ALWAYS))]
    assert [t.get_text() for t in ax.get_yticklabels()] == table["row"].tolist()
    assert ax.get_xlabel() == "trained with 30 labels"
    for y, row in enumerate(table.to_dict("records")):
        if row["method"] == "constant":  # beyond the axis: written at its edge
            assert (round(row["mae"], 6), y) not in drawn
            assert f"{row['mae']:.2f} →" in [t.get_text() for t in ax.texts]
            continue
        assert (round(row["mae"], 6), y) in drawn
        if row["method"] != "rater":
            assert (round(row["mae_low"], 6), y) in drawn
            assert ax.get_xlim()[0] < row["mae_low"] < row["mae_high"] < ax.get_xlim()[1]
    dots = [c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 2]
    assert len(dots) == 2
    assert np.mean(dots[0][:, 0]) == pytest.approx(
        table.set_index("method").loc["supervised", "mae"]
    )
    assert "published" not in words(figure)
    assert 0.53 not in {x for x, _ in drawn}  # the published number is of other pictures
    assert "one seed" not in words(results.table2_points(table, simulated=True))


def test_second_stages_and_many_rows(frames) -> None:
    p = predictions()
    later = p[p["method"] == "fixmatch"].assign(method="fixmatch_second", labels=60)
    both = pd.concat([p, later], ignore_index=True)
    drawn = results.by_stage(results.confusion, "confusion", both, simulated=True)
    assert list(drawn) == ["confusion", "confusion_second"]
    titles = [[ax.get_title("left") for ax in f.axes] for f in drawn.values()]
    assert titles == [["ViT, supervised", "ViT + FixMatch"], ["ViT + FixMatch, second stage"]]
    assert list(results.by_stage(results.confusion, "confusion", p, simulated=True)) == [
        "confusion"
    ]
    table = table2.table2(both, published.published(), True, [2], {"mae": 0.4}, resamples=30)
    ax = results.table2_points(table, both, simulated=True).axes[0]
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names[-2:] == ["ViT + FixMatch, n = 30", "ViT + FixMatch, second stage, n = 60"]
    assert [line.get_marker() for line in ax.lines].count("s") == 2  # the second stage, and its key
    old = frames["table2"][
        [
            "row",
            "method",
            "labels",
            *(f"{m}{e}" for m in ("mae", "macro_mae", "srcc") for e in ("", "_low", "_high")),
        ]
    ]
    # a table of before, without the later columns
    assert results.table2_points(old, simulated=True).axes


def test_many_learning_curves_get_a_panel_each() -> None:
    one = history().query("method == 'supervised'")
    names = ["supervised", "fixmatch", *FIVE]
    many = pd.concat(
        [one.assign(method=m, val_mae=one["val_mae"] - 0.01 * i) for i, m in enumerate(names)]
    )
    figure = curves.learning_curves(many, simulated=True)
    titled = {ax.get_title("left"): ax for ax in figure.axes if ax.get_title("left")}
    assert list(titled) == [name_of(m) for m in order(names)]
    base, method = (
        next(line for line in titled["ViT + FixMatch"].lines if line.get_label().startswith(start))
        for start in ("_child0", "ViT")
    )
    assert base.get_ydata().tolist() == pytest.approx([0.8, 0.55, 0.3])
    longer = many.assign(step=many["step"] * (1 + 4 * (many["method"] == "fixmatch")))
    axes = {ax.get_title("left"): ax for ax in curves.learning_curves(longer, simulated=True).axes}
    two = curves.learning_curves(longer[longer["method"].isin(names[:2])], simulated=True)
    assert [ax.get_title("left") for ax in two.axes] == ["ViT, supervised", "ViT + FixMatch"]
    ends = [axes[name].get_xlim()[1] for name in ("ViT + FixMatch", "ViT, supervised")]
    assert ends[0] > 700 > 200 > ends[1]
    assert method.get_ydata().tolist() == pytest.approx([0.79, 0.54, 0.29])


def test_confusion_counts() -> None:
    p = predictions()
    figure = results.confusion(p, "fixmatch", simulated=True)
    own = p[p["method"] == "fixmatch"]
    table = pd.crosstab(own["truth"], own[P].to_numpy().argmax(axis=1))
    shown = [int(t.get_text().split("\n")[1]) for t in figure.axes[0].texts]
    assert shown == [n for row in table.to_numpy() for n in row if n]
    assert len(results.confusion(p, simulated=True).axes) == 2
    with pytest.raises(ValueError, match="no method comatch; found supervised, fixmatch"):
        results.confusion(p, "comatch", simulated=True)


def test_reliability_of_a_forecaster_that_is_calibrated_and_one_that_is_not() -> None:
    g = np.random.default_rng(1)
    p = np.repeat([[0.6, 0.4, 0, 0, 0], [0.9, 0.1, 0, 0, 0]], 2000, axis=0)
    honest = pd.DataFrame(p, columns=P).assign(
        method="a", seed=0, truth=(g.random(4000) > p[:, 0]).astype(int)
    )
    boasting = honest.assign(method="b", truth=(g.random(4000) > 0.5).astype(int))
    base = honest.assign(method="supervised")
    both = pd.concat([honest, boasting, base])
    figure = results.reliability(both, simulated=False, bins=2)
    panels = {ax.get_title("left"): ax for ax in figure.axes}
    error = {
        name: float(ax.texts[0].get_text().removeprefix("ECE ")) for name, ax in panels.items()
    }
    assert error["a"] == error["ViT, supervised"] <= 0.02
    assert error["b"] == pytest.approx(0.25, abs=0.03)
    own, grey = panels["b"].lines[1:]
    assert own.get_xdata().tolist() == pytest.approx([0.6, 0.9])
    assert own.get_ydata().tolist() == pytest.approx([0.5, 0.5], abs=0.05)
    assert grey.get_ydata().tolist() == panels["a"].lines[1].get_ydata().tolist()
    curves_of_base = [
        line for line in panels["ViT, supervised"].lines if len(line.get_xdata()) == 2
    ]
    assert sum(line.get_color() == style.GREY for line in curves_of_base) == 1  # the diagonal
    heights = [bar.get_height() for bar in panels["a"].patches if bar.get_height() > 0]
    assert heights == pytest.approx([0.3, 0.3])  # both confidences are given equally often
    assert "ViT, supervised" not in words(results.reliability(boasting, simulated=False, bins=2))


def test_contact_sheet() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 8, 10, 3), dtype=np.uint8)
    frame = pd.DataFrame({"grade": [0, 4, 2, 3, -1]})
    figure = contact_sheet(pixels, frame, simulated=True, columns=3)
    assert (figure.axes[4].images[0].get_array() == pixels[4]).all()
    assert [ax.get_title() for ax in figure.axes] == [
        "grade 0",
        "grade 4",
        "grade 2",
        "grade 3",
        "no label",
        "",
    ]
    for wrong in (pixels[:4], pixels / 255, pixels[..., 0]):
        with pytest.raises(ValueError, match=r"expected uint8 \(5, H, W, 3\)"):
            contact_sheet(wrong, frame, simulated=True)


@pytest.mark.parametrize(
    ("draw", "table", "column"),
    [
        (class_shares, counts(), "known"),
        (curves.learning_curves, history(), "val_mae"),
        (curves.pseudo_labels, history(), "val_kept_accuracy"),
        (results.confusion, predictions(), "truth"),
        (results.reliability, predictions(), "method"),
        (results.table2_points, pd.DataFrame({"row": ["x"], "method": ["x"]}), "mae_low"),
    ],
)
def test_missing_columns_and_empty_tables_are_errors(draw, table, column) -> None:
    with pytest.raises(ValueError, match=rf"no column .*{column}.*; found "):
        draw(table.drop(columns=column, errors="ignore"), simulated=True)
    if column in table:
        with pytest.raises(ValueError, match="no rows"):
            draw(table.iloc[:0], simulated=True)


def test_draw_all_saves_what_it_can_with_its_label(frames, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    cheaper.unrendered(monkeypatch)
    found = draw_all.draw_all(frames, "demo")
    names = [
        "class_shares",
        "learning_curves",
        "pseudo_labels",
        "table2",
        "confusion",
        "reliability",
    ]
    assert found == [
        paths.figures("demo") / f"{n}.{kind}" for n in names for kind in ("png", "pdf")
    ]
    assert sorted(f.name for f in paths.figures("demo").iterdir()) == sorted(f.name for f in found)
    assert b"table2; simulated data; python -m riqa_lib figures (demo)" in found[6].read_bytes()
    few = draw_all.draw_all({"counts": frames["counts"], "provenance": frames["provenance"]}, "few")
    assert [f.name for f in few] == ["class_shares.png", "class_shares.pdf"]
    later = frames["predictions"].replace({"method": {"fixmatch": "fixmatch_second"}})
    # saving takes long
    monkeypatch.setattr(style, "save", lambda figure, name, walk, command: [name])
    late = draw_all.draw_all({"predictions": later, "provenance": frames["provenance"]}, "late")
    assert late == ["confusion", "confusion_second", "reliability", "reliability_second"]


def test_saving_twice_gives_the_same_bytes_and_no_date(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))

    def draw():
        return style.save(curves.learning_curves(history(), simulated=True), "curves", "demo")

    first = [f.read_bytes() for f in draw()]
    assert first == [f.read_bytes() for f in draw()]
    assert not any(b"CreationDate" in data or b"tIME" in data for data in first)
    assert first[0].startswith(b"\x89PNG")
    assert first[1].startswith(b"%PDF")
    assert b"curves; simulated data; python -m riqa_lib figures" in first[0]


def test_what_the_layout_leaves_of_rounding_is_not_in_the_files(tmp_path, monkeypatch) -> None:
    """Constrained layout ends 1e-13 apart in different processes, seen in a PDF of 30 axes."""
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))

    def drawn(noise):
        figure = curves.learning_curves(history(), simulated=True)
        lay_out = figure.draw_without_rendering

        def noisy():
            lay_out()
            for ax in figure.axes:
                box = ax.get_position()
                ax.set_position([box.x0 + noise, box.y0 - noise, box.width, box.height])

        monkeypatch.setattr(figure, "draw_without_rendering", noisy)
        return [f.read_bytes() for f in style.save(figure, "curves", "demo")]

    exact = drawn(0.0)
    assert drawn(1e-12) == exact
    assert drawn(1e-3) != exact


def test_a_saved_figure_is_shown_as_it_was_laid_out(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    figure = curves.learning_curves(history(), simulated=True)
    fresh, _ = curves.learning_curves(history(), simulated=True)._repr_png_()
    files = style.save(figure, "curves", "demo")
    shown, size = figure._repr_png_()
    assert shown == files[0].read_bytes()  # drawn once
    places = [ax.get_position().bounds for ax in figure.axes]
    assert size == {"width": round(110 * figure.get_figwidth())}  # a height would distort it on phones
    assert Image.open(files[0]).width == round(160 * figure.get_figwidth())
    assert pixels(figure._repr_png_()[0]) == pixels(fresh)  # rounding moves no pixel
    assert [ax.get_position().bounds for ax in figure.axes] == places
    assert all(ax.get_in_layout() for ax in figure.axes)


def test_a_saved_figure_is_drawn_once_for_its_layout_and_once_for_each_file(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    figure = curves.learning_curves(history(), simulated=True)
    ax = figure.axes[0]
    draw = ax.draw
    drawn = []
    monkeypatch.setattr(ax, "draw", lambda renderer: drawn.append(draw(renderer)))
    style.save(figure, "curves", "demo")
    assert len(drawn) == 3
    figure._repr_png_()
    assert len(drawn) == 3


def test_a_figure_that_changed_since_it_was_saved_is_drawn_anew(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    figure = curves.learning_curves(history(), simulated=True)
    (png, _) = style.save(figure, "curves", "demo")
    figure.axes[0].lines[0].set_color("red")
    shown, _ = figure._repr_png_()
    assert pixels(shown) != pixels(png.read_bytes())


def test_a_figure_says_what_its_data_are(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    assert style.data_label(results.confusion(predictions(), simulated=True)) == "simulated data"
    assert style.data_label(results.confusion(predictions(), simulated=False)) == "real data"
    from matplotlib.figure import Figure

    with pytest.raises(ValueError, match="does not say whether its data are simulated"):
        style.save(Figure(), "bare", "demo")
    assert not paths.figures("demo").exists()


def test_notebooks_show_figures_without_pyplot() -> None:
    figure = curves.learning_curves(history(), simulated=True)
    assert figure._repr_png_()[0].startswith(b"\x89PNG")


def test_an_interval_is_a_line_and_a_dot_or_what_of_both_is_known() -> None:
    def drawn(row, **look):
        ax = style.canvas(3, 2, simulated=True).subplots()
        style.interval(ax, 2, row, "x", style.RED, **look)
        return [(*line.get_xdata(), line.get_marker(), *line.get_ydata()) for line in ax.lines]

    nan = float("nan")
    dot = (0.5, "s", 2)
    assert drawn({"x": 0.5, "x_low": 0.1, "x_high": 0.9}) == [
        (0.1, 0.9, "None", 2, 2),
        (0.5, "o", 2),
    ]
    assert drawn({"x": 0.5, "x_low": nan, "x_high": nan}, marker="s") == [dot]
    assert drawn({"x": 0.5}, marker="s") == [dot]
    assert drawn({"x": nan, "x_low": nan, "x_high": nan}) == []
    other = {"x": 0.5, "x_low": 9, "x_high": 9, "a": 0.2, "b": 0.7}
    assert drawn(other, low="a", high="b")[0][:2] == (0.2, 0.7)


def test_nothing_to_draw_is_nothing_to_save(tmp_path, monkeypatch):
    monkeypatch.setenv("RIQA_HOME", str(tmp_path))
    assert style.save(None, "none", "demo") == []
    assert list(tmp_path.iterdir()) == []


def test_colours_stay_apart_and_settings_stay_put() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    curves.learning_curves(history(), simulated=True)
    assert dict(mpl.rcParams) == before
    # rows of the table of related work alone have tints of their own figure
    beside = {*related_models.ROWS} - {*style.METHOD}
    assert len({tint_of(row, 0) for row in beside}) == len(beside) > 0
    assert set(style.METHOD) == set(NAMES) - set(ALWAYS) - beside
    assert style.colour("comatch_second") == style.colour("comatch")
    values = [np.array(colors.to_rgb(c)) for c in style.METHOD.values()]
    gaps = [np.abs(a - b).sum() for i, a in enumerate(values) for b in values[:i]]
    assert min(gaps) > 0.25


def test_no_picture_or_training_library_is_imported_here() -> None:
    for file in (
        f
        for package in ("stats", "tables", "figures")
        for f in (REPOSITORY / "riqa_lib" / package).glob("*.py")
    ):
        name, tree = file.stem, ast.parse(file.read_text())
        names = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not {n.split(".")[0] for n in names} & {"PIL", "skimage", "torch", "seaborn"}, name
        assert not any("pyplot" in n for n in names), name
