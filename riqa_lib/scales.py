"""Grades, details and votes: their words, once."""

DETAILS = ("illumination", "clarity", "contrast")  # of a fundus photograph; 1 good, 0 bad
FUNDUS_GRADES = {2: ("bad", "good"), 3: ("reject", "usable", "good")}
SECOND = "_second"  # rows of the second stage: "simmatch_second" learns from what "simmatch" says
