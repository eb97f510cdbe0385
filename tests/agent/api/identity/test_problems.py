"""Every error is problem+json, and says nothing of the inside."""

from __future__ import annotations

import logging

import pytest

from tests.agent.api.identity.world import World, problem


async def test_a_refusal_travels_in_its_own_words(world: World) -> None:
    body = problem(await world.browser().get("/fails/refused"), 403, "four_eyes")
    assert body["detail"] == "dana.meyer asked for this and cannot approve it"


@pytest.mark.parametrize(("how", "status", "code"), [("unable", 503, "unavailable"), ("anyhow", 500, "failed")])
async def test_what_nobody_foresaw_is_in_the_log_and_only_its_number_in_the_answer(
    world: World, caplog: pytest.LogCaptureFixture, how: str, status: int, code: str
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await world.browser().get(f"/fails/{how}")
    body = problem(answer, status, code)
    assert "hunter2" not in answer.text and "/srv" not in answer.text and "RuntimeError" not in answer.text
    assert body["correlation"] in body["detail"] and body["correlation"] in caplog.text
    assert "/srv/countersign" in caplog.text


async def test_what_the_framework_refuses_has_the_same_shape(world: World) -> None:
    browser = world.browser()
    problem(await browser.get("/nowhere"), 404, "not_found")
    answer = await browser.post("/api/me")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"
    body = problem(await browser.post("/given", json={"level": "hunter2"}), 422, "invalid")
    assert body["errors"][0]["where"] == "body.level" and "hunter2" not in str(body)
    problem(await browser.post("/given", content=b"{", headers={"Content-Type": "application/json"}), 422, "invalid")


async def test_no_problem_is_kept_by_a_cache(world: World) -> None:
    assert (await world.browser().get("/read")).headers["cache-control"] == "no-store"
