"""The grant: what an approval becomes, a signed token for exactly one proposal (contract: docs/grant.md).

EdDSA (RFC 8037) in a JWS (RFC 7515); only this file signs.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from agent.core.errors import CountersignError

ISSUER = "countersign-approvals"
TYPE = "countersign-grant+jwt"


def make_key(private: Path, public: Path) -> None:
    """Make an Ed25519 key pair: the private key readable by its owner alone. Existing keys are left as they are."""
    if private.exists():
        return
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.generate()
    handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read the signing key. Raises CountersignError when it is missing, foreign, or readable by others."""
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise CountersignError(f"the signing key {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise CountersignError(f"the signing key {path} can be read by others; run: chmod 600 {path}")
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError) as error:
        raise CountersignError(f"{path} holds no usable private key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CountersignError(f"{path} is not an Ed25519 key")
    return key


def sign_grant(
    key: Ed25519PrivateKey, digest: str, approver: str, audience: str, now: datetime, expires_at: datetime
) -> str:
    """Return the grant for one proposal: who approved, for which server, until when."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    claims = {
        "iss": ISSUER,
        "sub": approver,
        "aud": audience,
        "jti": digest,
        "digest": digest,
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    headers = {"typ": TYPE, "kid": hashlib.sha256(public).hexdigest()[:16]}
    return jwt.encode(claims, key, algorithm="EdDSA", headers=headers)
