"""Secrets of type kubernetes.io/service-account-token: filled with the account's token, CA and namespace."""

import base64

from lab.pocket.apiserver.context import Api
from lab.pocket.apiserver.storage.record import Key, Object

TYPE = "kubernetes.io/service-account-token"
_NAME = "kubernetes.io/service-account.name"
_UID = "kubernetes.io/service-account.uid"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def fill_token(api: Api, secret: Object) -> None:
    """Nothing happens while the account does not exist; its creation fills the Secret then."""
    if secret.get("type") != TYPE:
        return
    meta = secret["metadata"]
    notes = meta.get("annotations") or {}
    account = api.store.get(Key("/serviceaccounts", meta.get("namespace", ""), notes.get(_NAME, "")))
    if account is None:
        return
    uid = account.obj["metadata"]["uid"]
    data = secret.get("data") or {}
    if data.get("token") and notes.get(_UID) == uid:
        return
    meta["annotations"] = {**notes, _UID: uid}
    token = api.tokens.legacy(meta["namespace"], meta["name"], notes[_NAME], uid)
    secret["data"] = {
        **data,
        "token": _b64(token.encode()),
        "ca.crt": _b64((api.settings.pki / "ca.crt").read_bytes()),
        "namespace": _b64(meta["namespace"].encode()),
    }


def fill_waiting(api: Api, namespace: str, account: str) -> None:
    """After an account appeared: fill the Secrets that were made before it."""
    for record in list(api.store.iterate("/secrets", namespace)):
        obj = record.obj
        notes = obj["metadata"].get("annotations") or {}
        if obj.get("type") != TYPE or notes.get(_NAME) != account or (obj.get("data") or {}).get("token"):
            continue
        filled = record.copy()
        fill_token(api, filled)
        api.store.put(record.key, filled, record.revision)
