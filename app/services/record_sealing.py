"""How a patient's record is sealed: attributes, shares, and the minimum for each doctor.

Attributes lie under AES-256-GCM with a key derived from the patient's shared scalar (HKDF-SHA256);
shares, minima and reasons are boxes (ECIES, `crypto.box`) for one doctor's key each. Everything is
bound to the patient's identifier, so that nothing can be put in the place of something else.
docs/formats.md gives the layouts.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.models import CarerRow, DoctorKeyRow, PatientEntryRow, PatientRow, PatientVersionRow
from app.services.open_keys import OpenKey
from app.services.patient_consent import NOT_KNOWN, Consent
from app.services.record_entries import Came, Entry, decode, encode
from crypto.box import open_box, seal_box
from crypto.context import Item, canonical, parse
from crypto.envelope import PublicKey, load_private_key, load_public_key
from crypto.errors import CryptoError, EncodingError, SealError
from crypto.feldman import Commitments, derive_key

ALTERED: Final = "altered"
SHARE: Final = "consilium/record-share/v1"
LENT: Final = "consilium/record-lent-share/v1"
REASON: Final = "consilium/record-reason/v1"
_ENTRY: Final = "consilium/record-entry/v1"
_MINIMUM: Final = "consilium/record-minimum/v1"
_ATTRIBUTES: Final = "consilium/record-attributes/v1"
_COMMITMENTS: Final = "consilium/record-commitments/v1"
_NONCE_BYTES: Final = 12


@dataclass(frozen=True)
class Attributes:
    """What is held of a patient; `born` is an ISO 8601 date. Texts may be empty but the names."""

    family_name: str
    given_name: str
    born: str
    sex: str = "not stated"
    number: str = ""
    contact: str = ""
    notes: str = ""
    consent: Consent = NOT_KNOWN

    @property
    def initials(self) -> str:
        """The first letters of given and family name."""
        return "".join(f"{one.strip()[:1].upper()}." for one in (self.given_name, self.family_name))


@dataclass(frozen=True)
class Fared:
    """How one answer came out: its reference, the model's hash, the risk in thousandths."""

    answer: str
    model_sha256: str
    risk: int
    came: Came


@dataclass(frozen=True)
class Minimum:
    """What a doctor of the care group sees without opening: initials, and what was asked last.

    `fared` is how answers came out, to be counted over all patients; `refused` while the patient
    does not agree to be recorded, so that nothing is added unopened.
    """

    initials: str
    task: str = ""
    result: str = ""
    fared: tuple[Fared, ...] = ()
    refused: bool = False


def public_key(row: DoctorKeyRow) -> PublicKey:
    """The key that is sealed to. Raises EncodingError for what is none."""
    return load_public_key(bytes.fromhex(row.public_key))


def commitments_bytes(commitments: Commitments) -> bytes:
    """How the commitments are stored."""
    return canonical(_COMMITMENTS, *commitments)


def commitments_of(row: PatientRow) -> Commitments:
    """The commitments of a patient. Raises EncodingError for what is none."""
    fields = parse(row.commitments)
    if not isinstance(fields, list) or fields[:1] != [_COMMITMENTS] or len(fields) < 3:
        raise EncodingError("expected the commitments of a record")
    return tuple(fields[1:])


def seal_version(
    patient: str, version: int, secret: bytes, attributes: Attributes, by: int
) -> PatientVersionRow:
    """The row of attributes that are sealed under the patient's key."""
    values = asdict(attributes)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    key = derive_key(secret, _ATTRIBUTES.encode())
    bound = canonical(_ATTRIBUTES, patient, version)
    sealed = AESGCM(key).encrypt(nonce, cbor2.dumps(values, canonical=True), bound)
    return PatientVersionRow(patient_id=patient, version=version, sealed=nonce + sealed, made_by=by)


def open_version(row: PatientVersionRow, secret: bytes) -> Attributes:
    """The attributes. Raises SealError when they were altered or are another patient's."""
    nonce, sealed = row.sealed[:_NONCE_BYTES], row.sealed[_NONCE_BYTES:]
    key = derive_key(secret, _ATTRIBUTES.encode())
    bound = canonical(_ATTRIBUTES, row.patient_id, row.version)
    try:
        told: dict[str, Any] = parse(AESGCM(key).decrypt(nonce, sealed, bound))
        return Attributes(**{**told, "consent": Consent(**told.get("consent", {}))})
    except (InvalidTag, ValueError) as error:
        raise SealError(f"version {row.version} of the record was altered") from error


def seal_entry(patient: str, commitments: Commitments, entry: Entry) -> bytes:
    """An entry sealed to the record's own public key, for which nobody has to open it."""
    return seal_box(load_public_key(commitments[0]), encode(entry), _ENTRY, patient)


def open_entry(row: PatientEntryRow, secret: bytes) -> Entry:
    """The entry. Raises SealError when it was altered or is another patient's."""
    return decode(parse(open_box(load_private_key(secret), row.sealed, _ENTRY, row.patient_id)))


def carer_row(
    patient: str, user: int, key: DoctorKeyRow, point: int, share: bytes, minimum: Minimum
) -> CarerRow:
    """The row of a doctor of the care group, with share and minimum sealed to the key."""
    return CarerRow(
        patient_id=patient,
        user_id=user,
        key_id=key.id,
        point=point,
        share=seal_box(public_key(key), share, SHARE, patient, point),
        minimum=seal_minimum(patient, key, minimum),
    )


def seal_minimum(patient: str, key: DoctorKeyRow, minimum: Minimum) -> bytes:
    """The minimum for one doctor; an outcome takes the same room whatever it says."""
    fared: list[Item] = [
        [one.answer, one.model_sha256, one.risk.to_bytes(2, "big"), one.came]
        for one in minimum.fared
    ]
    told = canonical(
        _MINIMUM, minimum.initials, minimum.task, minimum.result, fared, minimum.refused
    )
    return seal_box(public_key(key), told, _MINIMUM, patient)


def open_minimum(row: CarerRow, key: OpenKey) -> Minimum:
    """What the doctor sees unopened; ALTERED in the place of the initials when it was altered.

    One that was sealed before outcomes were recorded ends with the result.
    """
    try:
        told = parse(open_box(key.private, row.minimum, _MINIMUM, row.patient_id))
    except CryptoError:
        return Minimum(ALTERED)
    initials, task, result, *later = told[1:]
    fared, refused = later or ([], False)
    return Minimum(initials, task, result, tuple(_fared(one) for one in fared), refused)


def _fared(told: list[Any]) -> Fared:
    answer, model, risk, came = told
    return Fared(answer, model, int.from_bytes(risk, "big"), came)
