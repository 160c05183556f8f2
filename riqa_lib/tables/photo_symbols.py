"""The letters of the formulas of notebooks 03 and 10, with the settings that a reader asks for
first. `symbols` makes tables of them; everything else is in the run's config.json."""

from __future__ import annotations

from .symbols import Symbol

SUPERVISED = (
    Symbol("L", "the loss that training makes small"),
    Symbol("B", "labelled pictures in a batch", "train.batch"),
    Symbol("x_i,\\ y_i", "a labelled picture, as its weak view, and its grade, 0 (worst) upwards"),
    Symbol("p(y \\mid x)", "the probability that the network gives grade $y$ of picture $x$"),
    Symbol("k", "any grade; ordinal targets give it a share that falls with $|k - y|$"),
    Symbol("C", "number of grades"),
    Symbol("", "optimiser steps, a batch each", "train.steps"),
    Symbol("", "how often validation is asked; its best weights are kept", "train.evaluations"),
    Symbol("", "learning rate at its highest", "train.lr"),
    Symbol("", "which views the control with strong views learns from", "train.strong"),
    Symbol("", "side of a stored picture, in pixels", "data.size"),
    Symbol("", "side of the window of it that the network sees", "data.crop"),
    Symbol("", "labels that are used (0: all)", "data.labels"),
    Symbol("", "where the first weights come from", "model.weights"),
)

SECOND_STAGE = (
    Symbol("u_j", "picture $j$ of the pool: nobody's grade of it is read"),
    Symbol("p_c(u_j)", "probability that the first stage's network gives grade $c$ of it"),
    Symbol("\\hat y_j", "its pseudo-label: the most probable grade"),
    Symbol("\\tilde y_i", "what the second stage learns: the grade, where there is one, else it"),
    Symbol("B", "pictures in a batch, of labels and pool together", "train.batch"),
    Symbol(
        "", "least probability of a pseudo-label that is used (0: all)", "data.pseudo_confidence"
    ),
)
