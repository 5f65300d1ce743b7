"""A scenario says faults with the words of the command line."""

import pytest

from lab.topology.scenario import FAULT_OPTIONS, FAULT_WORDS
from lab.verbs.namespace import namespace


@pytest.mark.parametrize("kind", FAULT_WORDS)
def test_a_fault_needs_the_words_of_its_verb(kind):
    arguments = namespace[f"fault.{kind}"].get_arguments()
    assert tuple(one.name for one in arguments if one.positional) == FAULT_WORDS[kind]
    flags = {one.name.replace("-", "_") for one in arguments if not one.positional} - {"lab"}
    assert flags == set(FAULT_OPTIONS.get(kind, ()))
