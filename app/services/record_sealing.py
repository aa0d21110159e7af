"""How a patient's record is sealed: attributes, shares, and the minimum for each doctor.

Attributes lie under AES-256-GCM with a key derived from the patient's shared scalar (HKDF-SHA256);
shares, minima and reasons are boxes (ECIES, `crypto.box`) for one doctor's key each. Everything is
bound to the patient's identifier, so that nothing can be put in the place of something else.
docs/formats.md gives the layouts.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, fields
from typing import Final

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.models import CarerRow, DoctorKeyRow, PatientEntryRow, PatientRow, PatientVersionRow
from app.services.open_keys import OpenKey
from crypto.box import open_box, seal_box
from crypto.context import canonical, parse
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

    @property
    def initials(self) -> str:
        """The first letters of given and family name."""
        return "".join(f"{one.strip()[:1].upper()}." for one in (self.given_name, self.family_name))


@dataclass(frozen=True)
class Minimum:
    """What a doctor of the care group sees without opening: initials, and what was asked last."""

    initials: str
    task: str = ""
    result: str = ""


@dataclass(frozen=True)
class Answer:
    """A model's answer that was kept: `result` in words, `values` as (label, value) were read.

    `at` is an ISO 8601 moment in UTC.
    """

    task: str
    title: str
    result: str
    values: tuple[tuple[str, str], ...]
    version: str
    model_sha256: str
    at: str


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
    values = {one.name: getattr(attributes, one.name) for one in fields(attributes)}
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
        return Attributes(**parse(AESGCM(key).decrypt(nonce, sealed, bound)))
    except (InvalidTag, ValueError) as error:
        raise SealError(f"version {row.version} of the record was altered") from error


def seal_entry(patient: str, commitments: Commitments, answer: Answer) -> bytes:
    """An answer sealed to the record's own public key, for which nobody has to open it."""
    told = cbor2.dumps(asdict(answer), canonical=True)
    return seal_box(load_public_key(commitments[0]), told, _ENTRY, patient)


def open_entry(row: PatientEntryRow, secret: bytes) -> Answer:
    """The answer. Raises SealError when it was altered or is another patient's."""
    told = parse(open_box(load_private_key(secret), row.sealed, _ENTRY, row.patient_id))
    values = tuple((label, value) for label, value in told["values"])
    return Answer(**{**told, "values": values})


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
    """The minimum for one doctor."""
    told = canonical(_MINIMUM, minimum.initials, minimum.task, minimum.result)
    return seal_box(public_key(key), told, _MINIMUM, patient)


def open_minimum(row: CarerRow, key: OpenKey) -> Minimum:
    """What the doctor sees unopened; ALTERED in the place of the initials when it was altered."""
    try:
        told = parse(open_box(key.private, row.minimum, _MINIMUM, row.patient_id))
    except CryptoError:
        return Minimum(ALTERED)
    return Minimum(*told[1:])
