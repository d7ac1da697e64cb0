"""Who is in a room over several nodes, whatever is lost between them."""

import json
import random

import pytest
from msgspec import structs

from chat_app.core.connection import Connection
from chat_app.core.marks import present_for
from chat_app.core.remote_people import UNKNOWN_SECONDS, WAITING_LIMIT
from chat_app.hints import PeopleChanged, Typing
from chat_app.protocol import encode

from .fakes import FakeSink, account
from .people_nodes import Network, Node, asyncio, presence, run


async def nodes_of(network: Network, *names: str) -> list[Node]:
    """Nodes that know each other."""
    nodes = [Node(network, name) for name in names]
    network.tell_alive()
    await asyncio.sleep(0.5)
    return nodes


async def close(*nodes: Node) -> None:
    for node in nodes:
        await node.close()


def test_somebody_on_two_nodes_is_one_person_until_gone_from_both() -> None:
    async def scenario() -> None:
        one, two, three = nodes = await nodes_of(Network(), "1", "2", "3")
        _, sink = three.join("watcher")
        first, _ = one.join("masa")
        second, _ = two.join("masa")
        await asyncio.sleep(3)
        assert [node.names() for node in nodes] == [["masa", "watcher"]] * 3
        one.leave(first)
        await asyncio.sleep(20)
        assert [node.names() for node in nodes] == [["masa", "watcher"]] * 3
        two.leave(second)
        await asyncio.sleep(4)
        assert [node.names() for node in nodes] == [["masa", "watcher"]] * 3
        await asyncio.sleep(3)
        assert [node.names() for node in nodes] == [["watcher"]] * 3
        said = [(frame["online"], frame["joined"], frame["left"]) for frame in presence(sink)]
        assert said == [(1, ["watcher"], []), (2, ["masa"], []), (1, [], ["masa"])]
        assert not any("partial" in frame for frame in presence(sink))
        await close(*nodes)

    run(scenario)


def test_who_joins_gets_everybody_of_all_nodes() -> None:
    async def scenario() -> None:
        one, two = nodes = await nodes_of(Network(), "1", "2")
        one.join("masa")
        await asyncio.sleep(1)
        _, sink = two.join("kim")
        await asyncio.sleep(0)
        (welcome,) = presence(sink)
        assert (welcome["online"], welcome["users"]) == (2, ["kim", "masa"])
        await close(*nodes)

    run(scenario)


def test_a_drain_shows_no_leaving_and_a_stopped_node_leaves_no_ghost() -> None:
    async def scenario() -> None:
        network = Network()
        one, two, three = await nodes_of(network, "1", "2", "3")
        _, sink = three.join("watcher")
        masa, _ = one.join("masa")
        kim, _ = one.join("kim")
        await asyncio.sleep(3)
        one.leave(masa)
        one.leave(kim)
        await one.close()
        await one.broker.close()
        network.tell_alive()
        await asyncio.sleep(3)
        two.join("masa")
        await asyncio.sleep(10)
        assert three.names() == two.names() == ["masa", "watcher"]
        assert [frame["left"] for frame in presence(sink) if frame["left"]] == [["kim"]]
        await close(two, three)

    run(scenario)


def test_who_was_told_to_be_on_a_node_just_before_it_was_gone_has_time_to_reach_another() -> None:
    async def scenario() -> None:
        network = Network()
        one, two, three = await nodes_of(network, "1", "2", "3")
        _, sink = three.join("watcher")
        one.join("masa")
        one.join("kim")
        await asyncio.sleep(1)
        network.kill("1")
        for _ in range(3):
            network.tell_alive()
            await asyncio.sleep(1)
        two.join("masa")
        await asyncio.sleep(10)
        assert three.names() == two.names() == ["masa", "watcher"]
        assert [frame["left"] for frame in presence(sink) if frame["left"]] == [["kim"]]
        await close(one, two, three)

    run(scenario)


def test_who_was_on_a_killed_node_leaves_and_comes_back_once() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = await nodes_of(network, "1", "2")
        _, sink = two.join("watcher")
        one.join("masa")
        await asyncio.sleep(15)
        network.kill("1")
        network.tell_alive()
        await asyncio.sleep(2)
        assert two.names() == ["watcher"]
        again = Node(network, "1 anew")
        network.tell_alive()
        again.join("masa")
        await asyncio.sleep(2)
        assert two.names() == again.names() == ["masa", "watcher"]
        assert two.people.is_elsewhere("masa") and not two.people.is_elsewhere("watcher")
        assert [frame["online"] for frame in presence(sink)][-2:] == [1, 2]
        await close(one, two, again)

    run(scenario)


def test_a_node_that_was_only_late_is_taken_up_again() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        one.join("masa")
        await asyncio.sleep(15)
        state = network.people.pop("1")
        network.tell_alive()
        await asyncio.sleep(1)
        assert two.names() == []
        network.people["1"] = state
        network.tell_alive()
        await asyncio.sleep(1)
        assert two.names() == ["masa"]
        await close(*nodes)

    run(scenario)


def test_another_name_is_told_once_on_every_node() -> None:
    async def scenario() -> None:
        one, two = nodes = await nodes_of(Network(), "1", "2")
        _, sink = two.join("watcher")
        masa, _ = one.join("masa")
        two.join("masa")
        await asyncio.sleep(3)
        masa.account = structs.replace(masa.account, name="Anna", name_key="anna")
        one.registry.rename(masa.account)
        await asyncio.sleep(1)
        assert one.names() == ["Anna", "watcher"]
        two.registry.rename(masa.account)
        await asyncio.sleep(3)
        assert two.names() == ["Anna", "watcher"]
        said = [(frame["joined"], frame["left"]) for frame in presence(sink)][-1]
        assert said == (["Anna"], ["masa"])
        assert [frame["joined"] for frame in presence(sink)].count(["Anna"]) == 1
        await close(*nodes)

    run(scenario)


def test_a_missed_hint_is_made_up_for_by_reading_the_node_once() -> None:
    async def scenario() -> None:
        network = Network()
        one, two, three = nodes = await nodes_of(network, "1", "2", "3")
        one.join("ann")
        await asyncio.sleep(1)
        network.loses = lambda hint: True
        one.join("bo")
        await asyncio.sleep(1)
        network.loses = lambda hint: False
        assert two.names() == ["ann"] and network.reads == []
        one.join("kim")
        one.join("li")
        await asyncio.sleep(1)
        assert two.names() == three.names() == ["ann", "bo", "kim", "li"]
        assert network.reads == ["1", "1"], "each of the others once"
        await close(*nodes)

    run(scenario)


def test_a_missed_last_hint_is_found_by_the_version_of_who_lives() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        network.loses = lambda hint: True
        one.join("ann")
        await asyncio.sleep(1)
        assert two.names() == []
        network.tell_alive()
        await asyncio.sleep(1)
        assert two.names() == ["ann"]
        network.tell_alive()
        await asyncio.sleep(1)
        assert network.reads == ["1"]
        await close(*nodes)

    run(scenario)


def test_what_is_read_may_be_older_than_the_hints_and_hints_come_while_it_is_read() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        one.join("ann")
        await asyncio.sleep(1)
        stale = network.people["1"]
        two.people.changed("1", PeopleChanged(3, "lobby", {"kim": "kim"}, ()))
        network.people["1"] = stale
        await asyncio.sleep(0.5)
        assert two.names() == ["ann"]
        network.people["1"] = 2, {"lobby": {"ann": "ann", "bo": "bo"}}
        await asyncio.sleep(1)
        assert two.names() == ["ann", "bo", "kim"]
        network.reads.clear()
        two.people.changed("1", PeopleChanged(2, "lobby", {}, ("ann",)))
        two.people.changed("1", PeopleChanged(5, "lobby", {}, ("kim",)))
        for version in range(6, WAITING_LIMIT + 20):
            two.people.changed("1", PeopleChanged(version, "lobby", {f"p{version}": f"p{version}"}, ()))
        network.people["1"] = WAITING_LIMIT + 19, {"lobby": {"ann": "ann", "zoe": "zoe"}}
        await asyncio.sleep(8)
        assert two.names() == ["ann", "zoe"] and len(network.reads) == 1
        await close(*nodes)

    run(scenario)


def test_who_came_before_the_room_was_known_here_is_in_it() -> None:
    async def scenario() -> None:
        one, two = nodes = await nodes_of(Network(), "1", "2")
        one.add("news")
        one.join("ann", "news")
        await asyncio.sleep(1)
        two.add("news")
        assert two.names("news") == ["ann"]
        await close(*nodes)

    run(scenario)


def test_at_most_one_hint_for_a_room_in_a_fifth_of_a_second() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        flapping, _ = one.join("flapping")
        for number in range(10):
            one.join(f"p{number}")
        one.leave(flapping)
        await asyncio.sleep(0.3)
        (hint,) = [hint for _, hint in network.sent]
        assert isinstance(hint, PeopleChanged)
        assert sorted(hint.joined) == sorted(f"p{number}" for number in range(10)) and hint.left == ()
        network.sent.clear()
        for number in range(10, 60):
            one.join(f"p{number}")
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        assert 5 <= len(network.sent) <= 6, "told for a second"
        assert two.names() == sorted(f"p{number}" for number in range(60))
        await close(*nodes)

    run(scenario)


def test_one_more_in_a_room_of_a_thousand_costs_one_small_hint_and_one_small_frame() -> None:
    async def scenario() -> None:
        network = Network()
        nodes = await nodes_of(network, "1", "2", "3", "4", "5")
        for number in range(1_000):
            nodes[number % 5].join(f"person {number:04}")
        _, sink = nodes[1].join("watcher")
        await asyncio.sleep(8)
        assert all(len(node.names()) == 1_001 for node in nodes)
        network.sent.clear()
        sink.received.clear()
        nodes[0].join("one more")
        await asyncio.sleep(3)
        network.tell_alive()
        await asyncio.sleep(3)
        assert all(len(node.names()) == 1_002 for node in nodes)
        ((_, hint),) = network.sent
        assert len(encode(hint)) < 200 and network.reads == []
        (frame,) = presence(sink)
        assert frame["joined"] == ["one more"] and "users" not in frame and len(json.dumps(frame)) < 200
        await close(*nodes)

    run(scenario)


# -- the broker is away


def test_who_is_elsewhere_stays_shown_for_a_while_and_the_frames_say_that_it_is_not_known() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        one.join("ann")
        _, sink = two.join("watcher")
        await asyncio.sleep(3)
        network.go_away()
        await asyncio.sleep(0.1)
        told = presence(sink)[-1]
        assert told["partial"] is True and told["online"] == 2
        assert (told["joined"], told["left"]) == ([], []) and "users" not in told
        await asyncio.sleep(UNKNOWN_SECONDS - 1)
        assert two.names() == ["ann", "watcher"]
        two.join("kim")
        await asyncio.sleep(2)
        assert two.names() == ["kim", "watcher"]
        told = presence(sink)[-1]
        assert told["partial"] is True and told["users"] == ["kim", "watcher"] and told["left"] == []
        network.come_back()
        network.tell_alive()
        await asyncio.sleep(1)
        told = presence(sink)[-1]
        assert told["users"] == ["ann", "kim", "watcher"] and "partial" not in told
        assert told["joined"] == [] and one.names() == ["ann", "kim", "watcher"]
        await close(*nodes)

    run(scenario)


def test_a_short_absence_of_the_broker_tells_only_what_happened_in_it() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        ann, _ = one.join("ann")
        one.join("bo")
        _, sink = two.join("watcher")
        await asyncio.sleep(3)
        network.go_away()
        one.leave(ann)
        one.join("kim")
        await asyncio.sleep(5)
        sink.received.clear()
        network.come_back()
        network.tell_alive()
        await asyncio.sleep(20)
        assert two.names() == ["bo", "kim", "watcher"]
        frames = presence(sink)
        assert [name for frame in frames for name in frame["joined"]] == ["kim"]
        assert [name for frame in frames for name in frame["left"]] == ["ann"]
        assert "partial" not in frames[-1] and not any("users" in frame for frame in frames)
        await close(*nodes)

    run(scenario)


def test_a_broker_that_comes_back_empty_lets_nobody_leave() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        one.join("ann")
        _, sink = two.join("watcher")
        await asyncio.sleep(3)
        network.go_away(empty=True)
        await asyncio.sleep(5)
        network.up = True
        two.broker.receiver.connection_changed(True)
        two.broker.receiver.nodes_alive({})
        await asyncio.sleep(2)
        assert two.people.partial, "the other one has not come back yet"
        one.broker.receiver.connection_changed(True)
        network.tell_alive()
        await asyncio.sleep(1)
        assert two.names() == one.names() == ["ann", "watcher"] and not two.people.partial
        assert not any(frame["left"] for frame in presence(sink))
        await close(*nodes)

    run(scenario)


def test_from_its_start_a_node_says_that_it_does_not_know_until_it_does() -> None:
    async def scenario() -> None:
        network = Network()
        (one,) = await nodes_of(network, "1")
        one.join("ann")
        await asyncio.sleep(1)
        two = Node(network, "2")
        _, sink = two.join("watcher")
        await asyncio.sleep(0.1)
        assert presence(sink)[-1]["partial"] is True
        network.tell_alive()
        await asyncio.sleep(0.1)
        told = presence(sink)[-1]
        assert "partial" not in told and told["users"] == ["ann", "watcher"]
        await close(one, two)

    run(scenario)


def test_a_slow_reader_is_told_the_newest_state_and_whether_it_is_known() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        one.join("ann")
        connection, sink = two.join("slow")
        await asyncio.sleep(2)
        sink.room = 0
        network.go_away()
        await asyncio.sleep(1)
        connection.block(memoryview(b"x"))
        two.room().people.tell_everyone(users=False)
        network.come_back()
        network.tell_alive()
        await asyncio.sleep(1)
        sink.waiting.clear()
        sink.drain()
        assert "partial" not in presence(sink)[-1] and presence(sink)[-1]["users"] == ["ann", "slow"]
        await close(*nodes)

    run(scenario)


# -- typing, and the call of everybody


def test_typing_shows_on_the_other_nodes_as_seldom_as_here() -> None:
    async def scenario() -> None:
        network = Network()
        one, two = nodes = await nodes_of(network, "1", "2")
        ann, _ = one.join("ann")
        _, sink = two.join("watcher")
        await asyncio.sleep(3)
        for _ in range(5):
            one.room().people.type(ann.account)
        await asyncio.sleep(0.5)
        told = [frame["users"] for frame in sink.frames() if frame["type"] == "typing"]
        assert told == [["ann"]]
        assert [hint for _, hint in network.sent if isinstance(hint, Typing)] == [Typing("ann", "lobby")]
        two.people.typing("nobody", "lobby")
        two.people.typing("ann", "nowhere")
        await asyncio.sleep(3)
        assert len([frame for frame in sink.frames() if frame["type"] == "typing"]) == 1
        await close(*nodes)

    run(scenario)


def test_here_calls_those_of_every_node() -> None:
    async def scenario() -> None:
        one, two = nodes = await nodes_of(Network(), "1", "2")
        one.join("ann")
        two.join("bo")
        await asyncio.sleep(1)
        moderator = structs.replace(account("bo"), role="moderator")
        assert set(present_for(moderator, two.room(), "@here tea") or ()) == {"ann", "bo"}
        await close(*nodes)

    run(scenario)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_lost_all_nodes_agree_in_the_end_and_so_do_their_clients(seed: int) -> None:
    chance = random.Random(seed)

    async def scenario() -> None:
        network = Network()
        nodes = await nodes_of(network, "n0", "n1", "n2")
        born = len(nodes)
        watchers = {node: node.join(f"watcher of {node.broker.node_id}")[1] for node in nodes}
        there: list[tuple[Node, Connection]] = []
        for _ in range(300):
            action = chance.random()
            if action < 0.4:
                node = chance.choice(nodes)
                there.append((node, node.join(f"p{chance.randrange(12)}")[0]))
            elif action < 0.7 and there:
                node, connection = there.pop(chance.randrange(len(there)))
                node.leave(connection)
            elif action < 0.75:
                lost = chance.choice([0.0, 0.3, 1.0])
                network.loses = lambda hint, lost=lost: chance.random() < lost  # type: ignore[misc]
            elif action < 0.78:
                if network.up:
                    network.go_away(empty=chance.random() < 0.5)
                else:
                    network.come_back()
            elif action < 0.8 and network.up:
                dead = nodes.pop(chance.randrange(3))
                network.kill(dead.broker.node_id)
                there = [(node, connection) for node, connection in there if node is not dead]
                await dead.close()
                nodes.append(Node(network, f"n{born}"))
                watchers[nodes[-1]] = nodes[-1].join(f"watcher of n{born}")[1]
                born += 1
            await asyncio.sleep(chance.choice([0, 0.05, 0.5, 4]))
            if chance.random() < 0.2:
                network.tell_alive()
        network.loses = lambda hint: False
        if not network.up:
            network.come_back()
        for _ in range(4):
            network.tell_alive()
            await asyncio.sleep(5)
        expected = sorted(
            {connection.account.name for _, connection in there}
            | {f"watcher of {node.broker.node_id}" for node in nodes}
        )
        for node in nodes:
            assert node.names() == expected and not node.people.partial, f"seed {seed}"
            assert shown(watchers[node]) == expected, f"seed {seed}"
        await close(*nodes)

    run(scenario)


def shown(sink: FakeSink) -> list[str]:
    """Who a client shows, from all it was told."""
    names: set[str] = set()
    for frame in presence(sink):
        names = set(frame["users"]) if "users" in frame else names
        names = (names | set(frame["joined"])) - set(frame["left"])
        assert frame["online"] == len(names), frame
    return sorted(names)
