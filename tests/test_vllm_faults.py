"""What a server may do to a request, and what becomes of it: the vllm engine before a server that is told
to.
"""

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import pytest

from chat_server import Body, ChatServer, Told, chat_server, good, question_of
from injected import RICH, _document
from reprocensus.engines.vllm import create
from reprocensus.errors import EngineError, EngineLostError, EngineStoppedError, JudgeError
from reprocensus.llm.engine import LlmEngine
from reprocensus.prompt import Quoting
from reprocensus.records import Answer, Document, SectionKind
from reprocensus.schemas import load_variables
from reprocensus.settings import Settings
from reprocensus.variables import Variable

VARIABLES = load_variables()
CODE = next(v for v in VARIABLES if v.name == "open_source_code")
PAPER = _document("p", RICH)
Answerer = Callable[[Body, int], Told]


def engine(server: ChatServer, **settings: Any) -> LlmEngine:
    quick = {"vllm_timeout_s": 5, "vllm_wait_s": 20, "vllm_start_wait_s": 0, "vllm_tries": 3}
    return create(Settings(vllm_url=server.url, **{**quick, **settings}))


def ask(
    it: LlmEngine, document: Document = PAPER, variables: tuple[Variable, ...] = (CODE,)
) -> dict[str, Answer | JudgeError]:
    return dict(asyncio.run(it.ask(document, variables)))


def only(found: dict[str, Answer | JudgeError]) -> Answer | JudgeError:
    assert len(found) == 1
    return next(iter(found.values()))


def after_checks(answer: Answerer) -> Answerer:
    """The same, counted from the first question about a paper."""
    asked = 0

    def answered(body: Body, n: int) -> Told:
        nonlocal asked
        if "<paper>" not in body["messages"][-1]["content"]:
            return good(body)
        asked += 1
        return answer(body, asked - 1)

    return answered


def told_once(told: Told) -> Answerer:
    return after_checks(lambda body, n: told if n == 0 else good(body))


def test_a_good_reply_is_an_answer_with_its_quote_and_its_tokens() -> None:
    with chat_server() as server, engine(server) as it:
        answer = only(ask(it))
        assert isinstance(answer, Answer)
        assert (answer.label, answer.claims[0].start, answer.truncated) == ("Yes", 0, False)
        words = sum(len(m["content"].split()) for m in server.bodies[-1]["messages"])
        assert answer.usage.prompt_tokens == words
        assert answer.usage.seconds > 0


@pytest.mark.parametrize(
    "told",
    [
        Told('{"quotes": [], "rationale": "x", "la', finish_reason="length"),
        Told('{"quotes": [1], "rationale": "It sa'),
        Told('{"quotes": [1], "rationale": "a\x01b", "label": "Yes"}'),
        Told(""),
        Told(None),
        Told("   \n"),
        Told("y" * 200_000),
        Told("null"),
        Told('{"quotes": [1], "rationale": "It says so.", "label": "Maybe"}'),
        Told('{"quotes": [[1]], "rationale": "It says so.", "label": "Yes"}'),
        Told('{"quotes": [true], "rationale": "It says so.", "label": "Yes"}'),
        Told(None, refusal="I cannot help with that."),
        Told(None, finish_reason="content_filter"),
        Told(raw=b'{"choices": [{"message": {"content": "{'),
        Told(raw=b"<html>welcome</html>"),
        Told(raw=b'{"choices": []}'),
        Told(raw=b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
        Told(raw=b"\xff\xfe"),
        Told(raw=b"[" * 100_000),
        Told(raw=b'{"choices": [{"message": null}]}'),
        Told("one moment", status=500),
        Told("one moment", status=503),
        Told("slower", status=429, headers={"Retry-After": "0.1"}),
        Told("slower", status=429),
        Told("x", half=True),
    ],
    ids=lambda told: f"{told.status}-{str(told.text)[:30]!r}-{told.finish_reason}-{told.half}",
)
def test_what_goes_wrong_once_is_asked_again_as_it_was(told: Told) -> None:
    with chat_server(told_once(told)) as server, engine(server) as it:
        assert isinstance(only(ask(it)), Answer)
        asked = [body for body in server.bodies if "<paper>" in body["messages"][-1]["content"]]
        assert asked[0] == asked[1]
        assert len(asked) == 2


@pytest.mark.parametrize(
    ("told", "kind", "transient", "tries"),
    [
        (Told("{", finish_reason="length"), "length", False, 3),
        (Told('{"quotes": [1], "rat'), "broken_json", False, 3),
        (Told('{"quotes": [1], "rationale": "a\nb", "label": "Yes"}'), "broken_json", False, 3),
        (Told(""), "empty_reply", False, 3),
        (Told("y" * 200_000), "oversized_reply", False, 3),
        (Told('{"label": "Yes"}'), "off_schema", False, 3),
        (Told(None, refusal="No."), "refusal", False, 3),
        (Told(raw=b"{"), "bad_reply", True, 3),
        (Told("something else is wrong", status=400), "bad_request", False, 1),
        (Told("crash", status=500), "server_error", True, 5),
        (Told("x", half=True), "half_reply", True, 5),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_always_goes_wrong_is_a_failure_of_its_kind_after_some_tries(
    told: Told, kind: str, transient: bool, tries: int
) -> None:
    with chat_server(after_checks(lambda body, n: told)) as server, engine(server) as it:
        failed = only(ask(it))
        assert isinstance(failed, JudgeError)
        assert (failed.kind, failed.transient) == (kind, transient)
        asked = [body for body in server.bodies if "<paper>" in body["messages"][-1]["content"]]
        assert len(asked) == tries
        words = sum(len(m["content"].split()) for m in asked[0]["messages"])
        counted = tries * words if told.raw is None and told.status == 200 and not told.half else 0
        assert failed.spent.prompt_tokens == counted


def test_a_server_that_says_nothing_is_looked_at_and_the_request_fails_after_some_tries() -> None:
    with (
        chat_server(after_checks(lambda body, n: Told(wait_s=30))) as server,
        engine(server, vllm_timeout_s=0.3) as it,
    ):
        failed = only(ask(it))
        assert isinstance(failed, JudgeError)
        assert (failed.kind, failed.transient) == ("timeout", True)


def test_a_prompt_that_is_too_long_after_all_is_cut_and_flagged() -> None:
    """As before a server that counts no tokens for us."""

    def short(body: Body, n: int) -> Told:
        if len(body["messages"][-1]["content"]) > 6_000:
            return Told("This model's maximum context length is 2048 tokens", status=400)
        return good(body)

    long = _document("long", (*RICH, *RICH * 8))
    with chat_server(after_checks(short), context=30_000) as server, engine(server) as it:
        answer = only(ask(it, long))
        assert isinstance(answer, Answer)
        assert answer.truncated


def test_a_server_with_less_context_than_it_tells_gets_shorter_texts_until_one_fits() -> None:
    def short(body: Body, n: int) -> Told:
        if len(body["messages"][-1]["content"].split()) > 700:
            return Told("This model's maximum context length is 1024 tokens", status=400)
        return good(body)

    more = (SectionKind.BODY, "9. More", "We train a model on the data and tell how it walks. " * 2_000)
    with chat_server(after_checks(short)) as server, engine(server) as it:
        answer = only(ask(it, _document("long", (*RICH, more))))
        assert isinstance(answer, Answer)
        assert answer.truncated
        assert server.asked < 20


def test_a_paper_of_five_hundred_pages_is_cut_in_good_time() -> None:
    line = "We train model {0} on the data and measure turtle {0} as it walks on. "
    pages = [(SectionKind.BODY, f"{n} More", line.format(n) * 60) for n in range(500)]
    huge = _document("huge", (*RICH[:-1], *pages, RICH[-1]))
    assert len(huge.text) > 2_000_000
    with chat_server(context=32_768) as server, engine(server, vllm_kv_tokens=1) as it:
        began = time.process_time()
        found = ask(it, huge, VARIABLES)
        assert time.process_time() - began < 15
    assert sum(isinstance(a, Answer) and a.truncated for a in found.values()) == len(VARIABLES) - 1
    assert all(isinstance(answer, Answer) for answer in found.values())


def test_a_log_probability_that_is_none_hurts_nobody() -> None:
    def odd(body: Body, n: int) -> Told:
        text = good(body).text or ""
        return Told(
            text,
            logprobs=[{"token": text, "logprob": 1e300, "top_logprobs": [{"token": "a", "logprob": 9e9}]}],
        )

    with chat_server(after_checks(odd)) as server, engine(server) as it:
        answer = only(ask(it))
        assert isinstance(answer, Answer)
        assert answer.label_probability is None or 0 <= answer.label_probability <= 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda url: url.removesuffix("/v1"), "answered 404.*mostly ends in /v1"),
        (lambda url: f"{url}/chat/completions", "answered 404.*mostly ends in /v1"),
        (lambda url: url.replace("http://", "http://me:sesame@"), "the key in REPROCENSUS_VLLM_KEY"),
        (lambda url: f"{url}?key=sesame", "the key in REPROCENSUS_VLLM_KEY"),
        (lambda url: "not a URL", "is no URL"),
        (lambda url: "http://", "is no URL"),
        (lambda url: url.replace("http:", "https:"), "cannot be reached"),
    ],
)
def test_a_wrong_url_is_told_of_with_what_to_do_and_no_secret(
    change: Callable[[str], str], problem: str, recwarn: pytest.WarningsRecorder
) -> None:
    with chat_server() as server:
        it = create(Settings(vllm_url=change(server.url), vllm_start_wait_s=0, vllm_key="k\n"))
        with pytest.raises(EngineError, match=problem) as told, it:
            pass
    assert "sesame" not in str(told.value)
    # The session with the server is closed whatever came of it.
    gc.collect()
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


def test_a_key_from_a_file_may_end_its_line_and_no_other_control_character_is_sent() -> None:
    with chat_server() as server:
        server.key = "sesame"
        with engine(server, vllm_key="sesame\n"):
            pass
        with pytest.raises(EngineError, match="control characters"), engine(server, vllm_key="ses\name"):
            pass


def test_a_redirect_is_not_followed() -> None:
    """Whoever it leads to is not told the key, nor shown papers."""
    elsewhere = Told("gone", status=307, headers={"Location": "http://127.0.0.1:9/v1/chat/completions"})
    with chat_server(after_checks(lambda body, n: elsewhere)) as server, engine(server) as it:
        failed = only(ask(it))
        assert isinstance(failed, JudgeError)
        assert (failed.kind, "answered 307" in str(failed)) == ("bad_request", True)


def test_one_reading_is_shared_and_every_question_comes_last() -> None:
    with chat_server() as server, engine(server) as it:
        found = ask(it, variables=VARIABLES)
        assert all(isinstance(answer, Answer) for answer in found.values())
        bodies = [b for b in server.bodies if "<paper>" in b["messages"][-1]["content"]]
        papers = {b["messages"][-1]["content"].rsplit("</paper>", 1)[0] for b in bodies}
        assert len(bodies) == len(VARIABLES)
        assert len(papers) == len({v.text.what for v in VARIABLES}) == 2
        assert len({question_of(b) for b in bodies}) == len(VARIABLES)
        assert {h["x-user-id"] for h in server.headers[-9:]} == {PAPER.text_sha256[:16]}
        cached = sum(a.usage.cached_tokens for a in found.values() if isinstance(a, Answer))
        assert cached > 0


def test_a_server_that_dies_is_waited_for_and_asked_nothing_meanwhile() -> None:
    dead = threading.Event()

    def slow(body: Body, n: int) -> Told:
        dead.set()
        return Told(good(body).text, wait_s=0.3)

    documents = [_document(f"p{n}", RICH) for n in range(20)]
    with chat_server(after_checks(slow)) as server, engine(server) as it:
        results: list[dict[str, Answer | JudgeError]] = []

        async def everything() -> None:
            results.extend(await asyncio.gather(*(it.ask(d, VARIABLES) for d in documents)))  # type: ignore[arg-type]

        work = threading.Thread(target=lambda: asyncio.run(everything()))
        work.start()
        assert dead.wait(20)
        server.stop()
        time.sleep(1.5)
        server.start()
        work.join(60)
        answers = [answer for found in results for answer in found.values()]
        assert len(answers) == 180
        assert all(isinstance(answer, Answer) for answer in answers)
        # Only what was under way is asked twice, and one looks whether the server is back.
        asked = sum("<paper>" in b["messages"][-1]["content"] for b in server.bodies)
        assert asked <= 2 * 180
        assert it.details().server["times_away"] == 1


def test_a_server_that_stays_away_ends_the_run_with_a_message() -> None:
    server = ChatServer().start()
    with engine(server, vllm_wait_s=1) as it:
        server.stop()
        with pytest.raises(EngineLostError, match="did not come back within 1 s"):
            ask(it)
        began = time.monotonic()
        with pytest.raises(EngineLostError):
            ask(it)
        assert time.monotonic() - began < 1


def test_a_run_that_ends_waits_for_no_server() -> None:
    with chat_server(after_checks(lambda body, n: Told(wait_s=60))) as server, engine(server) as it:
        threading.Timer(0.3, it.stop).start()
        with pytest.raises(EngineStoppedError):
            ask(it)


def test_papers_in_flight_are_limited_by_their_tokens() -> None:
    documents = [_document(f"p{n}", RICH) for n in range(12)]
    with (
        chat_server(after_checks(lambda body, n: Told(good(body).text, wait_s=0.02))) as server,
        engine(server, vllm_kv_tokens=2_000) as it,
    ):

        async def everything() -> None:
            await asyncio.gather(*(it.ask(d, (CODE,)) for d in documents))

        asyncio.run(everything())
        details = it.details().server
        assert details["kv_tokens_peak"] <= 2_000
        assert 1 < server.most_under_way < 12


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"vllm_model": "other"}, "not other; --model or REPROCENSUS_VLLM_MODEL"),
        ({"vllm_context": 200_000}, "is 100000 tokens, not 200000: lower REPROCENSUS_VLLM_CONTEXT"),
        ({"vllm_key": "wrong"}, "REPROCENSUS_VLLM_KEY"),
    ],
)
def test_a_run_does_not_start_on_a_server_that_is_not_right(settings: dict[str, Any], problem: str) -> None:
    with chat_server() as server:
        server.key = "right" if "vllm_key" in settings else None
        with pytest.raises(EngineError, match=problem), engine(server, **settings):
            pass


def test_a_server_that_does_not_obey_a_schema_is_refused_with_what_to_do() -> None:
    with (
        chat_server(lambda body, n: Told("Hello!")) as server,
        pytest.raises(EngineError, match="a JSON schema was not obeyed: 'Hello!': start the server with"),
        engine(server),
    ):
        pass


def test_no_server_at_all_is_told_with_its_address() -> None:
    server = ChatServer().start()
    server.stop()
    with pytest.raises(EngineError, match="cannot be reached"), engine(server):
        pass


def test_the_key_is_sent_and_never_shown() -> None:
    with chat_server() as server:
        server.key = "sesame-1234"
        with engine(server, vllm_key="sesame-1234") as it:
            assert server.headers[0]["Authorization"] == "Bearer sesame-1234"
            assert "sesame" not in json.dumps(it.details().server) + repr(it.options)


def test_exact_demands_that_no_prefix_is_taken_from_the_cache() -> None:
    with chat_server() as server, engine(server, vllm_exact=True) as it:
        first, second = only(ask(it)), only(ask(it))
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        assert first.usage.cached_tokens == second.usage.cached_tokens == 0
        salts = [b["cache_salt"] for b in server.bodies if "<paper>" in b["messages"][-1]["content"]]
        assert len(set(salts)) == len(salts) == 2


def test_exact_is_refused_by_a_server_whose_replies_change_in_a_crowd() -> None:
    def wobbly(body: Body, n: int) -> Told:
        told = good(body)
        return Told("abcdefghijklmnopqrstuvwx"[: 24 - n % 2]) if (told.text or "").startswith("xx") else told

    with (
        chat_server(wobbly) as server,
        pytest.raises(EngineError, match="VLLM_BATCH_INVARIANT"),
        engine(server, vllm_exact=True),
    ):
        pass


def test_what_changes_answers_changes_the_models_name_and_nothing_else_does() -> None:
    def name(**settings: Any) -> str:
        return create(Settings(vllm_model="m", vllm_context=8192, **settings)).model

    assert name() == name(vllm_tries=9, vllm_kv_tokens=5, vllm_price_per_hour=2.0)
    others = [
        name(vllm_exact=True),
        name(vllm_quoting="text"),
        name(vllm_seed=1),
        name(vllm_revision="abc"),
        name(vllm_extra={}),
        create(Settings(vllm_model="m", vllm_context=4096)).model,
    ]
    assert len({name(), *others}) == 1 + len(others)
    assert name(vllm_revision="abc").startswith("m@abc ")


@cache
def engine_like(quoting: Quoting) -> LlmEngine:
    """An engine that is never started."""
    return create(Settings(vllm_model="m", vllm_context=8192, vllm_quoting=quoting.value))


@pytest.mark.parametrize("dropped", ["close", "abort"])
def test_a_connection_that_is_dropped_as_it_is_used_is_no_server_that_is_away(
    dropped: Literal["close", "abort"],
) -> None:
    """So a server does with one that was idle for long."""
    with chat_server(told_once(Told(dropped=dropped))) as server, engine(server) as it:
        assert isinstance(only(ask(it)), Answer)
        asked = [body for body in server.bodies if "<paper>" in body["messages"][-1]["content"]]
        assert asked[0] == asked[1]
        assert len(asked) == 2
        assert it.details().server["times_away"] == 0


def test_a_server_that_drops_every_connection_is_away() -> None:
    with chat_server(after_checks(lambda body, n: Told(dropped="close"))) as server, engine(server) as it:
        failed = only(ask(it))
        assert isinstance(failed, JudgeError)
        assert (failed.kind, failed.transient) == ("server_away", True)
        assert it.details().server["times_away"] == 5


def test_what_is_asked_while_a_server_is_away_is_a_check_and_no_question() -> None:
    """So whoever holds the server's counters against the account of a run finds it."""
    with chat_server(told_once(Told("one moment", status=503))) as server, engine(server) as it:
        assert isinstance(only(ask(it)), Answer)
        looks = [body for body in server.bodies if body["messages"][-1]["content"] == "Hi"]
        assert [(look["user"], look["max_tokens"]) for look in looks] == [("check", 1)]
        assert it.details().server["times_away"] == 1
