"""A place in the bytes of a mesh file, and the numbers that follow it as text or in binary.

Every length that a file states is compared with the bytes it has left before it is believed.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rheobase._errors import InputError

Kind = Literal["int", "size", "float"]


class Cursor:
    """A place in a mesh file that refuses to pass its end.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    binary
        Whether numbers are in binary.
    order
        "<" or ">", the byte order of binary numbers.
    size
        Bytes of the format's unsigned ``size_t``.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        self.path = path
        self.at = 0
        self.binary = False
        self.order = "<"
        self.size = 8

    def fail(self, expected: str) -> InputError:
        """Return the error that ``expected`` is not what follows."""
        return InputError(f"expected {expected} at byte {self.at} of {len(self.data)}: {self.path}")

    def done(self) -> bool:
        """Pass white space and return whether that was all."""
        while self.at < len(self.data) and self.data[self.at : self.at + 1].isspace():
            self.at += 1
        return self.at == len(self.data)

    def line(self) -> str:
        """Return the next line of text."""
        end = self.data.find(b"\n", self.at, self.at + 4096)
        if end < 0:
            raise self.fail("a line of text")
        text = self.data[self.at : end].strip().decode("utf-8", errors="replace")
        self.at = end + 1
        return text

    def wholes(self, n: int, what: str) -> list[int]:
        """Return the ``n`` whole numbers of the next line."""
        words = self.line().split()
        try:
            values = [int(w) for w in words]
        except ValueError:
            values = []
        if len(values) != n:
            raise self.fail(f"{n} whole number(s) ({what}) on the line before")
        return values

    def count(self, what: str) -> int:
        """Return the number on the next line, which counts ``what``."""
        (n,) = self.wholes(1, what)
        if n < 0:
            raise self.fail(f"a number of {what} >= 0 on the line before")
        return n

    def records(self, dtype: np.dtype[Any], n: int, what: str) -> NDArray[Any]:
        """Return ``n`` binary records without copying them."""
        if n * dtype.itemsize > len(self.data) - self.at:
            raise self.fail(f"{n} {what} ({n * dtype.itemsize} bytes)")
        rows = np.frombuffer(self.data, dtype, count=n, offset=self.at)
        self.at += n * dtype.itemsize
        return rows

    def text(self, section: str) -> bytes:
        """Return the text up to the line that closes ``section``, and stop before that line."""
        end = self.data.find(f"$End{section}".encode(), self.at)
        if end < 0:
            raise self.fail(f"$End{section} after it")
        text = self.data[self.at : end]
        self.at = end
        return text

    def close(self, section: str) -> None:
        """Pass the line that closes ``section``, after the line break that follows binary data."""
        self.done()
        closing = f"$End{section}".encode()
        if self.data[self.at : self.at + len(closing) + 1].rstrip() != closing:
            raise self.fail(closing.decode())
        self.at += len(closing)

    def numbers(self, section: str, *, whole: bool = False) -> Numbers:
        """Return the numbers of ``section`` from here on.

        Parameters
        ----------
        section
            Its name, without $.
        whole
            Whether it holds whole numbers only (read faster as text).
        """
        return Binary(self) if self.binary else Text(self, section, whole=whole)


class Numbers(ABC):
    """Numbers of a section, to be taken one after the other."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    @abstractmethod
    def left(self) -> int:
        """Return how many numbers there can be at most from here on."""

    @abstractmethod
    def take(self, kind: Kind, n: int, what: str) -> NDArray[Any]:
        """Return the next ``n`` numbers: float64 or int64."""

    def whole(self, kind: Kind, what: str) -> int:
        """Return the next whole number."""
        return int(self.take(kind, 1, what)[0])

    def count(self, what: str) -> int:
        """Return the next number, which counts ``what`` and cannot exceed what is left."""
        n = self.whole("size", f"number of {what}")
        if not 0 <= n <= self.left():
            raise self.cursor.fail(f"{n} {what}")
        return n


class Binary(Numbers):
    """Binary numbers of the file's byte order and word size."""

    def left(self) -> int:
        """Return how many of the smallest numbers there is room for."""
        return (len(self.cursor.data) - self.cursor.at) // 4

    def take(self, kind: Kind, n: int, what: str) -> NDArray[Any]:
        """Return the next ``n`` numbers."""
        c = self.cursor
        code = {"int": "i4", "size": f"i{c.size}", "float": "f8"}[kind]
        values = c.records(np.dtype(c.order + code), n, what)
        return values.astype(np.float64 if kind == "float" else np.int64)


class Text(Numbers):
    """Numbers read from text, all at once."""

    def __init__(self, cursor: Cursor, section: str, *, whole: bool) -> None:
        super().__init__(cursor)
        self.section = section
        start = cursor.at
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                text = cursor.text(section)
                dtype = np.int64 if whole else np.float64
                self.values = np.fromstring(text, dtype, sep=" ")
            except (DeprecationWarning, ValueError) as error:
                if isinstance(error, InputError):
                    raise
                kind = "whole numbers" if whole else "numbers"
                raise InputError(
                    f"expected {kind} between byte {start} and {cursor.at} (${section}), got "
                    f"something else: {cursor.path}"
                ) from None
        if not text.strip():
            self.values = self.values[:0]
        self.i = 0

    def left(self) -> int:
        """Return how many numbers are left."""
        return len(self.values) - self.i

    def take(self, kind: Kind, n: int, what: str) -> NDArray[Any]:
        """Return the next ``n`` numbers."""
        if n > self.left():
            raise InputError(
                f"expected {n} numbers ({what}) after number {self.i} of {len(self.values)} of "
                f"${self.section}: {self.cursor.path}"
            )
        values = self.values[self.i : self.i + n]
        self.i += n
        if kind == "float" or values.dtype == np.int64:
            return values
        return self.as_whole(values, what)

    def as_whole(self, values: NDArray[Any], what: str) -> NDArray[np.int64]:
        """Return numbers of a section of mixed numbers as whole ones."""
        if not (np.abs(values) < 2.0**53).all() or (values != np.rint(values)).any():
            raise InputError(
                f"expected whole numbers ({what}), got {values[values != np.rint(values)][:1]} in "
                f"${self.section}: {self.cursor.path}"
            )
        return values.astype(np.int64)


def run_length(values: NDArray[Any], width: int, most: int, fixed: slice) -> int:
    """Return how many rows, from the first on, have the columns ``fixed`` of the first.

    Parameters
    ----------
    values
        Numbers, in rows of ``width`` as long as the rows are alike.
    width
        Numbers in a row.
    most
        Largest answer.
    fixed
        The columns to compare.
    """
    most = min(most, len(values) // width)
    n, step = 0, 16  # doubling: short runs cost little, long ones are compared at once
    while n < most:
        end = min(n + step, most)
        rows = values[n * width : end * width].reshape(-1, width)[:, fixed]
        other = (rows != values[fixed]).any(axis=1)
        if other.any():
            return n + int(other.argmax())
        n, step = end, 2 * step
    return most
