"""Sentences below a method's own figures, against numbers put in by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from riqa_lib.tables import diagnostics
from riqa_lib.tables import mechanism_words as say

STEPS = [50, 100, 150]
P = ["p0", "p1", "p2"]


def history(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"step": STEPS, **columns})


def said(rows: list[tuple[int, list[float]]]) -> pd.DataFrame:
    """Predictions from (truth, probabilities of three grades)."""
    p = pd.DataFrame([row[1] for row in rows], columns=P)
    return p.assign(truth=[row[0] for row in rows], id=[f"i{k}" for k in range(len(rows))])


def test_pseudo_labels_are_read_at_both_ends_beside_the_constant():
    kept = {"val_kept": [0.1, 0.2, 0.3], "val_kept_accuracy": [np.nan, 0.9, 0.7]}
    words = say.pseudo_labels(history(**kept), 0.49)
    assert "last look (step 150) 30 % of the held-out pictures would get a pseudo-label" in words
    assert "70 % of them are right. At the first (step 50) it was 10 %; none to be right" in words
    assert "would be right for 49 %" in words
    none = history(val_kept=[0.0] * 3, val_kept_accuracy=[np.nan] * 3)
    assert "No held-out picture ever passes" in say.pseudo_labels(none, 0.49)
    every = say.pseudo_labels(history(val_kept=[1.0] * 3, val_kept_accuracy=[0.6] * 3), 0.49)
    assert "the threshold chooses nothing; 60 % of them are right" in every


def test_the_memory_is_held_against_one_that_sees_no_difference():
    """Diagnostics are means over steps that count as 0 while the memory is not full."""
    own = {"full": [0.0, 0.5, 1.0], "agrees": [0, 0.3, 0.8], "changed": [0, 0.1, 0.011]}
    blind = math.log(1000)
    words = say.memory(history(**own, in_loss=[0, 3.0, 0.8 * blind]), 1000)
    assert f"log 1,000 = {blind:.2f}: 20 % below it" in words
    assert f"evenly on {1000**0.8:.0f} of them" in words
    assert "80 % of the pictures and changed 1.1 % of the pseudo-labels" in words
    assert "nearly what the network alone would have said" in words
    dull = say.memory(history(**own, in_loss=[0, 3.0, 0.97 * blind]), 1000)
    assert "3 % below it, it hardly tells its pictures apart" in dull
    much = say.memory(history(**{**own, "changed": [0, 0, 0.3]}, in_loss=[0, 3, 8.0]), 1000)
    assert "16 % above it" in much
    assert "30 % of the pseudo-labels, so the memory does change" in much
    never = say.memory(history(**{**own, "full": [0.0] * 3}, in_loss=[1.0] * 3), 1000)
    assert never.startswith("The memory was never full: 1,000 labelled pictures")


def test_the_cut_and_who_reaches_it():
    words = say.relative_cut(history(cut=[0.6, 0.9, 0.5], kept=[0.7, 0.1, 0.004]))
    assert "asked for fell from 0.60 to 0.50" in words
    assert "70 % of the pool's batch had it at the first look, under 1 % at the last" in words


def test_alignment_is_said_to_move_towards_the_true_shares_or_away():
    shares = {"P_t_0": 0.05, "P_t_1": 0.7, "P_t_2": 0.25, "P_u_0": 0.1, "P_u_1": 0.4, "P_u_2": 0.5}
    h = history(**{k: [0.3, 0.3, v] for k, v in shares.items()})
    away = say.marginals(h, [0.0, 0.1, 0.9])
    assert "grade 1 with 0.40 on average on the pool and 0.70 on labelled pictures" in away
    assert "multiplies it by 1.75" in away
    assert (
        "Truly 90 % of the unlabelled pictures have grade 2, where alignment asks for 25 %" in away
    )
    assert "40 % of the predictions" in away
    assert "after it 65 %: it moves away from the truth" in away
    near = say.marginals(h, [0.1, 0.8, 0.1], ["bad", "fair", "good"])
    assert "it moves towards the truth" in near
    assert "says grade 1 (fair) with" in near
    assert say.marginals(h).endswith("No true grades of a pool are known.")


def test_the_graph_of_a_batch():
    own = {"edges": [1.0, 2.0, 15.75], "con_loss": [4.0, 3.5, 3.0], "changed": [0, 0.1, 0.02]}
    words = say.graph_over_steps(history(**own, full=[0.0, 1.0, 0.5]), 64)
    assert "15.8 neighbours among the 63 others of its batch (25 %)" in words
    blind = f"features that see no difference would have log 64 = {math.log(64):.2f}"
    assert f"The graph's loss is 3.00; {blind}" in words
    assert "The memory changed 4.0 % of the pseudo-labels" in words
    assert "never full" in say.graph_over_steps(history(**own, full=[0.0] * 3), 64)


def test_edges_are_counted_once_and_judged_beside_all_pairs():
    sure = [[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0.4, 0.3, 0.3]]
    rows = said(list(zip([0, 0, 1, -1], sure, strict=True)))
    counts = diagnostics.edge_counts(rows, 0.9)
    assert counts == {
        "pairs": 6,
        "edges": 1,
        "known_pairs": 3,
        "known_edges": 1,
        "equal_pairs": 1,
        "equal_edges": 1,
    }
    words = say.label_graph(rows, 0.9)
    assert words.startswith("17 % of the pairs of 4 pictures are joined. Of these 100 % join")
    assert "33 % are equal: the graph joins better than at random" in words
    wrong = say.label_graph(rows.assign(truth=[0, 1, 1, -1]), 0.9)
    assert "Of these 0 % join" in wrong
    assert "joins worse than at random" in wrong
    alike = say.label_graph(rows.assign(truth=0), 0.9)
    assert "100 % are equal: the graph joins hardly other than at random" in alike
    assert "Nobody knows the true grades" in say.label_graph(rows.assign(truth=-1), 0.9)
    assert "the graph says nothing" in say.label_graph(rows.iloc[2:], 0.9)


def test_thresholds_below_one_over_the_grades_keep_everything():
    taus = {"tau_0": [0.3] * 3, "tau_1": [0.3, 0.3, 0.1], "tau_2": [0.3, 0.3, 0.6]}
    own = {"tau": [0.3, 0.4, 0.6], "fair_loss": [-1, -2, -5.0]}
    words = say.thresholds(history(**own, **taus), 0.01)
    assert "rose from 0.30 to 0.60. The most probable of 3 grades always has at least 0.33" in words
    assert "the thresholds of grades 0 and 1 lie below that" in words
    assert "term is −5.00, −0.050 of the loss" in words
    high = say.thresholds(history(**own, **{k: [0.5] * 3 for k in taus}), 0.01)
    assert "no grade's threshold lies below that" in high


def test_what_thresholds_keep_is_counted():
    rows = said(
        [
            (0, [0.9, 0.1, 0.0]),
            (1, [0.8, 0.2, 0.0]),
            (0, [0.6, 0.4, 0.0]),
            (1, [0.5, 0.3, 0.2]),
            (1, [0.2, 0.8, 0.0]),
        ]
    )
    words = say.kept_per_class(rows, [0.6, 0.9, 0.9])
    assert "Of 5 pictures 60 % are kept, 67 % of these rightly (of all 60 %)" in words
    assert "most rarely is 1, of 1 picture: 0 % of them are kept. Grade 2 is never said." in words
    unknown = say.kept_per_class(rows.assign(truth=-1), [0.6, 0.1, 0.9])
    assert "rightly" not in unknown
    assert "of 1 picture: 100 % of them are kept" in unknown


def test_views_held_apart_and_turns_told():
    own = {"cosine": [0.4, 0.0, -0.7], "dist_loss": [0.2, 0.1, 0.005]}
    blind = say.views_apart(
        history(**own, rot_loss=[1.4, 1.4, 1.388], rot_right=[0.25] * 3), lambda_rot=0.1
    )
    assert "fell from 0.40 to −0.70; the distance loss is 0.005: the views are held apart" in blind
    assert "log 4 = 1.386: the head has found no orientation" in blind
    sees = history(cosine=[0.4] * 3, dist_loss=[0.2] * 3, rot_loss=[1.0] * 3, rot_right=[0.6] * 3)
    assert "stayed at 0.40" in say.views_apart(sees, 1.0)
    assert "still alike" in say.views_apart(sees, 1.0)
    assert "60 % are told right" in say.views_apart(sees, 1.0)
    assert "tells turns apart" in say.views_apart(sees, 1.0)
    assert "no head for turns" in say.views_apart(sees, 0.0)


def test_curves_are_read_of_the_method_and_of_the_supervised_row():
    rows = [history(val_mae=[0.5, 0.3, 0.4]), history(val_mae=[0.2, 0.6, 0.7])]
    both = [part.assign(method=m) for part, m in zip(rows, ("simmatch", "supervised"), strict=True)]
    words = say.learning_curves(pd.concat(both), "simmatch")
    assert words == (
        "ViT + SimMatch: least validation MAE 0.300 at step 100, 0.400 at the last, 150; ViT, "
        "supervised: least validation MAE 0.200 at step 50, 0.700 at the last, 150. The weights of "
        "the least are kept."
    )
    assert say.learning_curves(both[0], "simmatch", "last").endswith("of the last are kept.")
    assert "ViT, supervised" not in say.learning_curves(both[0], "simmatch")


@pytest.mark.parametrize(
    ("start", "full", "select", "words"),
    [
        (50, None, "best", "step 50, before the pool counts (from step 50 on). What"),
        (49, None, "best", ""),
        (0, [0.0, 0.5, 1.0], "best", "step 50, before the memory was full. What"),
        (60, [0.0, 0.5, 1.0], "best", "on) and before the memory was full"),
        (60, [0.0, 0.5, 1.0], "last", ""),
        (0, [0.1, 0.5, 1.0], "best", ""),
    ],
)
def test_what_is_not_in_the_kept_weights_is_said(start, full, select, words):
    table = history(val_mae=[0.3, 0.4, 0.5], **({"full": full} if full else {}))
    found = say.not_in_the_row(table, start, select)
    assert words in found
    assert bool(found) == bool(words)


def test_two_rows_are_counted_picture_by_picture():
    right, wrong = [1.0, 0, 0], [0, 1.0, 0]
    one = said([(0, p) for p in (right, right, wrong, wrong, right, right)] + [(-1, right)])
    other = said([(0, p) for p in (right, wrong, right, wrong, wrong, right)] + [(-1, right)])
    words = say.beside(one, other.iloc[::-1], "A", "B")
    assert words == ("Of 6 pictures A and B get 2 right together; A alone 2, B alone 1, neither 1.")
    assert say.beside(one.assign(truth=-1), other, "A", "B") == ""
