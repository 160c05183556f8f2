"""The labelling window of notebooks/tools/label_pictures: a picture, a button and a key a grade,
progress. Its half in the browser is window.js."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import traitlets
from PIL import Image

from .keyboard import SKIP, UNDO, keys_of
from .session import Session

LONGEST = 2000  # px of the longer side that the browser gets
LOSSLESS = 1024  # px of the longer side up to which a picture is sent as it is, as PNG
QUALITY = 95  # of the JPEG, without subsampled colours
PART = (800, 500)  # px of the original that a look at 100 % shows
AHEAD = 2  # pictures kept decoded: the one on the screen and the next


class Window(anywidget.AnyWidget):
    """What both halves know. page: what is on the screen (see `LabelApp.show`); picture: its
    bytes; buttons: [{"press": [keys], "label": text of the button}]."""

    _esm = Path(__file__).with_name("window.js")
    page = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    buttons: traitlets.List = traitlets.List().tag(sync=True)


class Sight(NamedTuple):
    """A picture ready to be sent. pixels: of the original, (H, W, 3); None where it can't be read,
    trouble says why. sent: scale of what is sent, at most 1."""

    pixels: np.ndarray | None
    data: bytes = b""
    type: str = ""
    sent: float = 1.0
    trouble: str = ""


def packed(image: Image.Image) -> tuple[bytes, str, float]:
    """An RGB image as the browser gets it: (bytes, type, scale). A small one as PNG, a larger one
    as JPEG, no longer than LONGEST px."""
    out, longer = io.BytesIO(), max(image.size)
    if longer <= LOSSLESS:
        image.save(out, "PNG", compress_level=1)
        return out.getvalue(), "image/png", 1.0
    scale = min(1.0, LONGEST / longer)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    image.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue(), "image/jpeg", scale


def part_of(pixels: np.ndarray, x: float, y: float) -> bytes:
    """The part of a picture (H, W, 3) round a place (0..1 from left and top), at most PART px, as
    PNG; moved inside where the place is near an edge."""
    height, width = pixels.shape[:2]
    wide, high = min(PART[0], width), min(PART[1], height)
    left = int(np.clip(x * width - wide / 2, 0, width - wide))
    top = int(np.clip(y * height - high / 2, 0, height - high))
    out = io.BytesIO()
    Image.fromarray(pixels[top : top + high, left : left + wide]).save(out, "PNG")
    return out.getvalue()


class LabelApp:
    """Show `app.box` in a notebook. read(id) gives a picture: uint8 (H, W, 3). Small ones are shown
    enlarged in whole steps, up to `side` px; large ones reduced, the window says how far, and a
    click shows a part of the original at 100 %.

    Keys, typed into the field below the buttons: see `keyboard.keys_of`; s skips, u takes the last
    grade back. A press counts for the picture that was on the screen, once, or not at all: each
    picture has a turn, and what answers an earlier turn is dropped."""

    def __init__(
        self, session: Session, read: Callable[[str], np.ndarray], side: int = 480
    ) -> None:
        self.session, self.read, self.side, self.turn = session, read, side, 0
        self.sights: OrderedDict[str, Sight] = OrderedDict()
        self.unreadable: set[str] = set()
        grades = keys_of(session.names)
        self.grade_of = {key: k for k, keys in enumerate(grades) for key in keys}
        buttons = [
            {"press": keys, "label": _label(keys, name)}
            for keys, name in zip(grades, session.names, strict=True)
        ]
        buttons += [{"press": [SKIP], "label": "s skip"}, {"press": [UNDO], "label": "u undo"}]
        self.box = Window(buttons=buttons)
        self.box.on_msg(self._told)
        self.show()

    def _told(self, _: Window, message: Any, __: list) -> None:
        """What the browser sends: {"turn", "id", "key"}, or {"turn", "look": [x, y]}."""
        if not isinstance(message, dict):
            return
        if "look" in message:
            self.look(message.get("turn"), *message["look"])
        else:
            self.press(message.get("turn"), message.get("id"), message.get("key"))

    def press(self, turn: object, picture: object, key: object) -> bool:
        """A key or button pressed while this picture was on the screen in this turn; whether it was
        for now. What goes wrong (a full disk) is shown."""
        if (turn, picture) != (self.turn, self.box.page["id"]):
            return False
        if key not in self.box.page["can"]:
            self.show()
            return False
        trouble, lines = "", self.session.lines
        try:
            if key == SKIP:
                self.session.skip()
            elif key == UNDO:
                self.session.undo()
            else:
                self.session.grade(self.grade_of[str(key)])
        except (OSError, ValueError) as e:
            stored = "Stored, but" if self.session.lines > lines else "Not stored"
            trouble = f"{stored}: {e}"
        self.show(trouble)
        return True

    def look(self, turn: object, x: float, y: float) -> bytes:
        """Send the part round a place (0..1 from left and top) of this turn's picture at 100 %, as
        PNG; nothing for another turn, or where there is no picture."""
        sight = self.sights.get(self.box.page["id"])
        if turn != self.turn or sight is None or sight.pixels is None:
            return b""
        part = part_of(sight.pixels, x, y)
        self.box.send({"look": self.turn}, [part])
        return part

    def show(self, trouble: str = "") -> None:
        """Draw the current picture and the progress: the next turn.

        page: turn; id ("" where there is none); state: picture, unreadable or done; words, trouble;
        done, all; can: the keys that do something; width, height: of the original in px; sent: at
        what scale it is sent; enlarged: in how many whole steps; type: of its bytes."""
        self.turn += 1
        done, all_ = self.session.progress
        left = self.session.left()
        page: dict[str, Any] = {
            "turn": self.turn,
            "id": left[0] if left else "",
            "trouble": trouble,
            "done": done,
            "all": all_,
            "can": [UNDO] if self.session.history else [],
        }
        sight = self._sight(left[0]) if left else Sight(None)
        page |= self._state(page, sight)
        with self.box.hold_sync():
            self.box.picture = sight.data
            self.box.page = page
        if left[1:]:
            self._sight(left[1])  # while the person looks

    def _state(self, page: dict[str, Any], sight: Sight) -> dict[str, Any]:
        """The rest of a page: what there is to see, to say and to press."""
        if not page["id"]:
            return {"state": "done", "words": f"All {page['all']} pictures are graded."}
        words = f"{self.session.labeller}: {page['done']} of {page['all']} graded."
        if sight.pixels is None:
            others = set(self.session.left()) - self.unreadable
            words += f" {sight.trouble}; {'skip it' if others else 'no other picture is left'}."
            return {"state": "unreadable", "words": words, "can": [SKIP, *page["can"]]}
        height, width = sight.pixels.shape[:2]
        return {
            "state": "picture",
            "words": words,
            "can": [*self.grade_of, SKIP, *page["can"]],
            "width": width,
            "height": height,
            "sent": sight.sent,
            "enlarged": max(1, self.side // max(width, height)),  # enlarging must not blur
            "type": sight.type,
        }

    def _sight(self, picture: str) -> Sight:
        """A picture read and packed; the last AHEAD are kept."""
        if picture not in self.sights:
            try:
                pixels = self.read(picture)
                self.sights[picture] = Sight(pixels, *packed(Image.fromarray(pixels)))
            except ValueError as e:
                self.sights[picture] = Sight(None, trouble=str(e))
                self.unreadable.add(picture)
        self.sights.move_to_end(picture)
        while len(self.sights) > AHEAD:
            self.sights.popitem(last=False)
        return self.sights[picture]


def _label(keys: list[str], name: str) -> str:
    """Text of a button: its keys before the grade's name, which may begin with its key."""
    return name if name.startswith(keys[0]) and len(keys) == 1 else f"{' / '.join(keys)}  {name}"
