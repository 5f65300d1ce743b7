"""What the redactor takes out of texts and objects, and what it must leave."""

import base64
import json

import pytest

from lab.ops.bundle.redact import REDACTED_BASE64, Redactor, is_telling, literals

CANARY = "sw0rdf1sh-9f2c"
PEM = f"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE{CANARY.replace('-', '+')}\n-----END EC PRIVATE KEY-----"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBpublic\n-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    "text",
    [
        f"password: {CANARY}",
        f"DB_PASSWORD={CANARY} started",
        f'{{"clientSecret": "{CANARY}"}}',
        f'"token": "{CANARY}"',
        f'{{\\"api_key\\":\\"{CANARY}\\"}}',
        f"--auth-token {CANARY} --verbose",
        f"--auth-token={CANARY}",
        f"Authorization: Basic {CANARY}",
        f"authorization: Bearer {CANARY}",
        f"sent Bearer {CANARY} upstream",
        f"postgres://app:{CANARY}@db.shop:5432/x",
        f"https://{CANARY}@example.com/",
        f"    client-key-data: {CANARY}",
        f"Cookie: session={CANARY}",
        PEM,
        PEM.replace("\n", "\\n"),
        PEM[:60],
        base64.b64encode(PEM.encode()).decode(),
        f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOi{CANARY}.c2ln",
    ],
)
def test_a_secret_in_a_text_is_replaced(text: str) -> None:
    clean = Redactor().text(f"before {text}\nafter")
    assert CANARY not in clean
    assert "MHcCAQEE" not in clean
    assert base64.b64encode(PEM.encode()).decode() not in clean
    assert clean.startswith("before")
    assert clean.endswith("after")


@pytest.mark.parametrize(
    "text",
    [
        "automountServiceAccountToken: false",
        "tokenExpirationSeconds: 3600",
        "secretName: linkerd-identity-issuer",
        "wrote Secret linkerd-multicluster/cluster-credentials-east",
        CERTIFICATE,
        "http://front.shop:8080/items?x=1",
        "rbac.authorization.k8s.io/v1",
        "basic settings of the token bucket",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_the_data_of_a_secret_stays_acceptable_to_an_api_server() -> None:
    secret = {"kind": "Secret", "data": {"a": "c2VjcmV0"}, "stringData": {"b": CANARY}}
    assert Redactor().value(secret) == {
        "kind": "Secret",
        "data": {"a": REDACTED_BASE64},
        "stringData": {"b": "REDACTED"},
    }


def test_a_secret_inside_an_annotation_is_emptied() -> None:
    applied = json.dumps({"kind": "Secret", "data": {"x": base64.b64encode(CANARY.encode()).decode()}})
    clean = Redactor().value({"metadata": {"annotations": {"last-applied": applied}}})
    assert json.loads(clean["metadata"]["annotations"]["last-applied"])["data"] == {"x": REDACTED_BASE64}


def test_variables_and_arguments_with_telling_names_are_replaced() -> None:
    clean = Redactor().value(
        {
            "env": [{"name": "DB_PASS", "value": CANARY}, {"name": "MODE", "value": "fast"}],
            "args": ["--api-key", CANARY, "--rate", "5"],
        }
    )
    assert clean == {
        "env": [{"name": "DB_PASS", "value": "REDACTED"}, {"name": "MODE", "value": "fast"}],
        "args": ["--api-key", "REDACTED", "--rate", "5"],
    }


def test_names_of_secrets_are_not_secret() -> None:
    reference = {"secretKeyRef": {"name": "db", "key": "password"}, "clusterCredentialsSecret": "east"}
    assert Redactor().value(reference) == reference
    assert not is_telling("tokenPath")


def test_what_a_secret_holds_is_replaced_wherever_it_stands() -> None:
    encoded = base64.b64encode(CANARY.encode()).decode()
    known = literals([{"data": {"x": encoded, "ca.crt": base64.b64encode(b"public-roots").decode()}}])
    clean = Redactor(known).text(f"the app says {CANARY} and {encoded}, trusting public-roots")
    assert clean == "the app says REDACTED and REDACTED, trusting public-roots"


def test_names_of_the_machine_have_stand_ins() -> None:
    redactor = Redactor(places=(("/srv/ann", "~"), ("ann", "USER")))
    assert redactor.text("ann runs /srv/ann/bin and /home/bob/x; banner") == (
        "USER runs ~/bin and /home/USER/x; banner"
    )


def test_a_text_without_spaces_takes_no_time() -> None:
    Redactor().text("A" * 4_000_000 + "password" * 10_000)
