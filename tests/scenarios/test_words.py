"""A scenario says faults with the words of the command line."""

import pytest

from lab.topology.scenario import FAULT_WORDS
from lab.verbs.namespace import namespace


@pytest.mark.parametrize("kind", FAULT_WORDS)
def test_a_fault_needs_the_words_that_its_verb_needs(kind):
    arguments = namespace[f"fault.{kind}"].get_arguments()
    assert tuple(one.name for one in arguments if one.positional) == FAULT_WORDS[kind]
