"""fieldValidation: what happens to fields that a kind does not have (Strict, Warn, Ignore)."""

from lab.pocket.apiserver.context import Api, Call
from lab.pocket.apiserver.errors import bad_request
from lab.pocket.apiserver.http.duplicates import duplicate_fields
from lab.pocket.apiserver.openapi.check import Findings, check
from lab.pocket.apiserver.openapi.schemas import model_of
from lab.pocket.apiserver.storage.record import Object


async def check_fields(api: Api, call: Call, obj: Object) -> None:
    """Drop unknown fields; tell about them and about repeated ones as the client asked; refuse wrong types.

    Without a wish of the client a built-in object goes unchecked only while the schemas are being made, on
    the first start of all; with one, the server waits for them.
    """
    level = call.query.get("fieldValidation", "")
    if call.resource.schema is not None:
        findings = Findings(unknown=call.resource.schema.prune(obj))
    else:
        loaded = api.documents.schemas.loaded
        if loaded is None and (level in ("Strict", "Warn") or api.documents.schemas.path.exists()):
            loaded = await api.documents.schemas.ready()
        findings = check(obj, loaded, model_of(call.resource)) if loaded is not None else Findings()
    _report(call, findings, level)


def _repeated(call: Call, level: str) -> list[str]:
    if level == "Ignore" or not call.body:
        return []
    return [f'duplicate field "{path}"' for path in duplicate_fields(call.body, call.content_type)]


def _report(call: Call, findings: Findings, level: str) -> None:
    kind = call.resource.kind
    prefix = f'{kind} in version "{call.resource.version}" cannot be handled as a {kind}: '
    if findings.wrong:
        path, found, wanted = findings.wrong[0]
        raise bad_request(
            f"{prefix}json: cannot unmarshal {found} into Go struct field {kind}.{path} of type {wanted}"
        )
    if findings.times:
        text = str(findings.times[0])[:100]
        raise bad_request(f'{prefix}parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse it')
    texts = _repeated(call, level) + [f'unknown field "{path}"' for path in findings.unknown]
    if texts and level == "Strict":
        raise bad_request(f"{prefix}strict decoding error: {', '.join(texts)}")
    if level != "Ignore":
        call.warnings.extend(texts)
