"""Data sets: files on disk become one validated frame (riqa_lib.datasets.folder) with splits that
do not leak."""
