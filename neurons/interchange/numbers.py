"""Numbers in the units of the files, without loss.

A double in SI units and the double nearest to it in mV or pA do not map onto each other one to one.
The files therefore carry the shortest decimal of the SI number with its point moved, all digits
kept; moving the point back gives the same double. Other readers see an ordinary number.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from rheobase._errors import InputError
from rheobase._files import whole_file

_MARK = "\ue000"  # around a decimal on its way through json, which knows floats only


def shifted(value: float, power: int) -> Decimal:
    """Return ``value`` times 10**``power``, exact.

    Examples
    --------
    >>> shifted(250e-12, 12), shifted(-0.0651, 3)
    (Decimal('2.5E+2'), Decimal('-65.1'))
    """
    return Decimal(repr(float(value))).scaleb(power)


def unshifted(value: Decimal | float, power: int) -> float:
    """Return the double nearest to ``value`` times 10**-``power``.

    Examples
    --------
    >>> x = 0.1
    >>> unshifted(shifted(x, 12), 12) == x, x * 1e12 * 1e-12 == x
    (True, False)
    """
    return float(Decimal(str(value)).scaleb(-power))


def text(value: Decimal) -> str:
    """Return ``value`` as plain digits with a point, so that no reader takes it for an integer.

    Examples
    --------
    >>> text(Decimal("2.5E+2")), text(Decimal("-65.1"))
    ('250.0', '-65.1')
    """
    plain = format(value, "f")
    return plain if "." in plain else plain + ".0"


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` (decimals with all their digits) as indented JSON."""
    marked = json.dumps(content, indent=2, default=lambda d: _MARK + text(d))
    digits = re.sub(r'"\\ue000([-.0-9]+)"', r"\1", marked)
    with whole_file(path) as part:
        part.write_text(digits + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return the content of ``path``, numbers with a point as decimals.

    Raises
    ------
    InputError
        If there is no such file or it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"not a JSON file: {path}: {error}") from error
