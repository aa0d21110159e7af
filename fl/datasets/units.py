"""Units of laboratory values and measures in which the world disagrees, and how they convert.

`factor` times a number in the other unit is the number in the column's own. Lengths and masses: the
international yard and pound agreement of 1959 (1 in = 25.4 mm, 1 lb = 0.45359237 kg). Pressure:
1 mmHg = 133.322387415 Pa (BIPM, The International System of Units, 8th edition, table 8).
Concentrations: molar masses of PubChem, glucose 180.156 g/mol (CID 5793), cholesterol 386.65 g/mol
(CID 5997); a mmol/L of a substance of M g/mol is M / 10 mg/dL.
"""

from __future__ import annotations

from dataclasses import dataclass

from fl.datasets.task import Column

# So many digits of a converted number are kept: more than any of these are measured with.
DIGITS = 6


@dataclass(frozen=True)
class Unit:
    """A unit in which a file may hold a column's numbers; `factor` leads to the column's own."""

    name: str
    factor: float = 1.0

    def convert(self, value: float) -> float:
        """The number in the column's unit."""
        return value if self.factor == 1.0 else float(f"{value * self.factor:.{DIGITS}g}")


NO_UNIT = Unit("")

_INCH, _POUND, _MMHG_OF_KPA = 25.4, 0.45359237, 1000 / 133.322387415
_MOLAR = {"glucose": 180.156, "cholesterol": 386.65}
_FACTORS = {
    "mm": (("cm", 10.0), ("in", _INCH)),
    "cm": (("mm", 0.1), ("m", 100.0), ("in", _INCH / 10)),
    "m": (("cm", 0.01), ("in", _INCH / 1000)),
    "in": (("cm", 10 / _INCH), ("mm", 1 / _INCH)),
    "kg": (("g", 0.001), ("lb", _POUND)),
    "lb": (("kg", 1 / _POUND),),
    "mmhg": (("kPa", _MMHG_OF_KPA),),
    "kpa": (("mmHg", 1 / _MMHG_OF_KPA),),
    "years": (("months", 1 / 12),),
    "months": (("years", 12.0),),
}
_OF_COUNTRIES = frozenset({"mg/dl", "mmol/l", "kg", "lb"})
# As headings of columns name them, in small letters.
KNOWN_UNITS = frozenset(_FACTORS) | {"g", "l", "ml", "mmol", "mg", "bpm", "days"}


def units_of(column: Column) -> tuple[Unit, ...]:
    """The units in which a column's numbers may come, its own first."""
    own = Unit(column.unit)
    spelled = column.unit.casefold()
    others = [Unit(name, factor) for name, factor in _FACTORS.get(spelled, ())]
    molar = next((mass for word, mass in _MOLAR.items() if word in column.label.casefold()), None)
    if molar is not None and spelled == "mg/dl":
        others.append(Unit("mmol/l", molar / 10))
    if molar is not None and spelled == "mmol/l":
        others.append(Unit("mg/dl", 10 / molar))
    return (own, *others)


def asked_units(column: Column) -> tuple[Unit, ...]:
    """The units in which a person may enter a column's number, its own first.

    More than one only where countries measure in different ones: glucose and cholesterol in mg/dl
    or mmol/l, a mass in kg or lb.
    """
    own, *others = units_of(column)
    return (own, *(one for one in others if one.name in _OF_COUNTRIES))


def quantity_of(column: Column) -> str:
    """What is measured, where that decides about the unit: "glucose", "cholesterol" or "mass"."""
    label = column.label.casefold()
    return next((word for word in _MOLAR if word in label), "mass")
