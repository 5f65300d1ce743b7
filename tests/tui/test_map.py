"""The map as text: boxes, lines and what they say."""

from lab.tui.map import draw, label, lines

WIDTH = 100


def test_each_cluster_has_a_box_with_its_state_and_counts(lab):
    text = draw(lab.state(), WIDTH).plain
    assert "╭─ west ─" in text
    assert "● ready" in text
    assert "pods 11/11" in text


def test_a_pair_of_links_in_the_same_condition_is_one_line_with_two_arrows(lab):
    (line,) = lines(lab.state())
    row = draw(lab.state(), WIDTH).plain.splitlines()[-1]
    assert "◀" in row
    assert "▶" in row
    assert label(line) == "gateway+flat+federated  3.4 ms / 3.9 ms"


def test_links_that_differ_are_drawn_apart_and_point_at_the_mirrored_cluster(lab):
    state = lab.state(links=(lab.link("west", "east"), lab.link("east", "west", state="down", reason="gone")))
    to_east, to_west = draw(state, WIDTH).plain.splitlines()[-2:]
    assert ("▶" in to_east, "◀" in to_east) == (True, False)
    assert ("▶" in to_west, "◀" in to_west) == (False, True)


def test_a_link_says_its_faults_its_impairment_and_why_it_is_down(lab):
    hurt = {
        "state": "down",
        "reason": "east is paused",
        "faults": ("pause-1",),
        "impairment": {"delay": "20ms"},
    }
    (line,) = lines(lab.state(links=(lab.link("west", "east", **hurt),)))
    assert label(line) == "gateway+flat+federated  down  ↯pause-1  3.4 ms  delay 20ms  east is paused"


def test_a_line_past_a_cluster_crosses_its_stem_and_leaves_the_boxes_whole(lab):
    names = ("west", "east", "north")
    links = (lab.link("west", "north"), lab.link("west", "east"), lab.link("east", "north"))
    text = draw(lab.state(clusters=tuple(map(lab.cluster, names)), links=links), 120).plain
    assert "┿" in text or "gateway" in text.splitlines()[5]
    assert text.count("╯") == 3


def test_boxes_that_do_not_fit_wrap_and_links_become_a_list(lab):
    names = [f"c{number}" for number in range(10)]
    state = lab.state(clusters=tuple(map(lab.cluster, names)), links=(lab.link("c0", "c9"),))
    text = draw(state, WIDTH).plain
    assert all(f"╭─ {name} ─" in text for name in names)
    assert "c0 ━━▶ c9  gateway+flat+federated" in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_a_long_cluster_name_is_cut_not_spilled(lab):
    state = lab.state(clusters=(lab.cluster("a" * 40), lab.cluster("b")), links=())
    assert max(map(len, draw(state, 60).plain.splitlines())) <= 60
