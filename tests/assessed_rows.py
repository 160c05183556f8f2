"""Made-up rows of `assess`, as page, overlays and watch get them."""

from __future__ import annotations

import numpy as np

from riqa_lib.assess.looks import LOOK, Look
from riqa_lib.pictures.field import Field, crop_field
from riqa_lib.scales import DETAILS

GRADES = ("reject", "usable", "good")
HOW = {  # p of GRADES, advice
    "reject": ((0.9, 0.08, 0.02), ("refocus", "clarity bad (probability 0.94): not sharp; x 0.1")),
    "usable": ((0.1, 0.85, 0.05), ("clean the lens", "contrast bad (probability 0.81): a veil")),
    "good": ((0.01, 0.04, 0.95), None),
}
EVIL = "<img src=x onerror=document.title='owned'>"  # a name of a file, of a patient


def graded(file, grade="good", *, sure=True, threshold=0.8, look=False, **more):
    """A row of a graded picture, or without a sure grade; look: with what is shown of it."""
    p, told = HOW[grade]
    bad = told[1].split()[0] if told else ""
    details = {d: {"good": 0.06 if d == bad else 0.93, "call": "bad"} for d in DETAILS}
    details |= {d: c | {"call": "good"} for d, c in details.items() if c["good"] > 0.5}
    row = {
        "file": str(file),
        "state": "graded" if sure else "abstained",
        "reason": "",
        "grade": grade if sure else "",
        "likeliest": grade,
        "confidence": max(p),
        "distance": round(max(p) - (threshold if sure else 1.01), 4),
        "score": round(100 * (p[1] / 2 + p[2]), 2),
        "probabilities": dict(zip(GRADES, p, strict=True)),
        "details": details,
        "advice": [{"say": told[0], "why": told[1], "detail": bad}] if told else [],
        "width": 64,
        "height": 48,
    }
    if look:
        row[LOOK] = a_look(bad or "overall")
    return row | more


def refused(file, state="refused", reason="no round field", **more):
    """A row of a picture that was not graded."""
    return {"file": str(file), "state": state, "reason": reason} | more


def a_look(head, size=32):
    """A picture of 64 x 48 px with a field that the frame cuts, and a map of a head."""
    rgb = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    field = Field(30.0, 25.0, 22.0, 1.0)
    crop, mask = crop_field(rgb, size, field)
    cam = np.zeros((size, size), np.float32)
    cam[4:9, 20:25] = 1
    return Look(rgb, field, crop, mask, {head: cam * mask})
