"""Which pictures are taken, by how large and how damaged they are; and what their rows say of how
they were read. The same for every command that reads pictures of users."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..pictures.reading import Note


@dataclass(frozen=True)
class Taken:
    """max_pixels: larger pictures are not decoded (pictures.reading.read says what memory a pixel
    takes); None: as the run's own were, or MAX_PIXELS. refuse_damaged: whether those whose pixels
    may be wrong (pictures.damage) are refused; else they are named as damaged, and looked at."""

    max_pixels: int | None = None
    refuse_damaged: bool = False

    def check(self, notes: Iterable[Note]) -> None:
        """ValueError for a picture that was read with these notes and is not taken."""
        from ..pictures.reading import DAMAGED  # Pillow

        damage = "; ".join(note.what for note in notes if note.kind == DAMAGED)
        if damage and self.refuse_damaged:
            raise ValueError(f"{DAMAGED}, refused: {damage}")


def in_words(notes: Iterable[Note]) -> str:
    """What is worth knowing of how a picture was read, in a line.

    >>> from riqa_lib.pictures.reading import Note
    >>> in_words([Note("12 bits in 16", "stretched"), Note("damaged EXIF", "")])
    '12 bits in 16: stretched; damaged EXIF'
    """
    return "; ".join(": ".join(filter(None, note)) for note in notes)
