"""Grades, details and votes: their words, once."""

DETAILS = ("illumination", "clarity", "contrast")  # of a fundus photograph; 1 good, 0 bad
FUNDUS_GRADES = {2: ("bad", "good"), 3: ("reject", "usable", "good")}
SECOND = "_second"  # rows of the second stage: "simmatch_second" learns from what "simmatch" says
VOTES = ("c1", "c2", "c3", "c4", "c5")  # columns: people who gave a picture grade 0, 1, 2, 3, 4
PHOTO_GRADES = (
    "bad",
    "poor",
    "fair",
    "good",
    "excellent",
)  # 0 to 4, as on the ITU's scale (BT.500)
