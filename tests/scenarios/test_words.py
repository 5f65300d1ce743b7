"""A scenario says faults with the words of the command line."""

import inspect

import pytest

from lab.topology.fault_words import FAULT_OPTIONS, FAULT_WORDS
from lab.verbs.namespace import namespace


@pytest.mark.parametrize("kind", FAULT_WORDS)
def test_a_fault_has_the_words_of_its_verb(kind):
    _, *words = inspect.signature(namespace[f"fault.{kind}"].body).parameters.values()
    needed = tuple(word.name for word in words if word.default is inspect.Parameter.empty)
    assert needed == FAULT_WORDS[kind]
    assert {word.name for word in words} - {*needed, "lab", "for_"} == set(FAULT_OPTIONS.get(kind, ()))
