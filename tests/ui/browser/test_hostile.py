"""Texts of models, tools and people are shown as text, wherever they are shown."""

from typing import Final

from playwright.async_api import Page, expect

from tests.cli.hostile import HOSTILE
from tests.ui import failures, samples
from tests.ui.browser.conftest import Open
from tests.ui.kubernetes import Kubernetes, Obj

# What no text may add to a page.
ADDED: Final = """() => [...document.querySelectorAll([
  'iframe, object, embed, img, base, form, video, audio, marquee, math, style, template',
  'script:not([src^="./assets/"]), link:not([href*="/assets/"]), meta[http-equiv]',
  '[onerror], [onload], [onclick], [onmouseover], [onfocus], [ontoggle]',
  'a[href^="javascript:"], a[href^="data:"]',
].join())].map((one) => one.outerHTML.slice(0, 200))"""
SIGN: Final = "<img src=x onerror=alert(1)>"


def hostile_run() -> Obj:
    """Each text in each place of a status that a model, a tool or a person can write."""
    found = samples.triage()
    spec: Obj = {"nodes": [], "requestedBy": SIGN}
    nodes = []
    for number, text in enumerate(HOSTILE):
        name = f"n{number}"
        python = {"source": "def run(text):\n    return text"}
        spec["nodes"].append(
            {
                "name": name,
                "inputs": {"text": "${inputs.texts[" + str(number) + "]}"},
                "python": python,
            }
        )
        attempt = samples.attempt(1, 1, 2, 3, reason="NodeError", message=text[:512])
        nodes.append(
            {
                **samples.done(name, attempt),
                "phase": "Failed" if number % 2 else "Succeeded",
                "reason": text[:64],
                "message": text[:1024],
                "tail": text[:2048],
                "output": {text[:200]: [text]},
                "outputDigest": "sha256:" + "0" * 64,
            }
        )
    found["spec"] = {**spec, "inputs": {"texts": list(HOSTILE)}}
    found["status"] |= {"nodes": nodes, "phase": "Failed", "waiting": SIGN}
    found["status"]["conditions"] = [
        {
            "type": "Succeeded",
            "status": "False",
            "reason": "NodeFailed",
            "message": "\n".join(text[:300] for text in HOSTILE),
            "lastTransitionTime": samples.at(9),
        }
    ]
    return found


async def unharmed(page: Page) -> None:
    assert await page.evaluate(ADDED) == []


async def test_s517_a_run_full_of_markup(tab: Open, kubernetes: Kubernetes) -> None:
    kubernetes.put("agentworkflows", hostile_run())
    async with tab() as one:
        await expect(one.page.locator("tbody")).to_contain_text(SIGN)
        await unharmed(one.page)
        for view in ("graph", "timeline", "trace", "yaml", "table"):
            await one.open(f"runs/demo/triage-4711?view={view}")
            await expect(one.page.locator(".run-head")).to_contain_text(SIGN)
            await unharmed(one.page)
        await expect(one.page.locator("tbody tr")).to_have_count(len(HOSTILE))
        for number in range(0, len(HOSTILE), 6):
            await one.open(f"runs/demo/triage-4711?view=table&node=n{number}")
            panel = one.page.get_by_role("region", name=f"n{number}", exact=True)
            await panel.get_by_label("Output", exact=True).wait_for()
            await unharmed(one.page)
        text = await one.page.evaluate("document.body.innerText")
        assert not any(sign in text for sign in "\u202e\u2066\x1b\x9b")


async def test_s517_a_log_a_round_and_a_difference_full_of_markup(
    tab: Open, kubernetes: Kubernetes
) -> None:
    run = hostile_run()
    kubernetes.put("agentworkflows", run)
    kubernetes.put("agentworkflows", failures.failed())
    log = failures.kept_log("\n".join(text[:100] for text in HOSTILE))
    kubernetes.put("noderecords", log)
    async with tab() as one:
        one.expected = ("404",)
        await one.open(f"runs/demo/{failures.NAME}/logs?node=draft_reply")
        await expect(one.page.locator(".log pre")).to_contain_text(SIGN)
        await unharmed(one.page)
        await one.open("runs/demo/triage-4711/rerun")
        await expect(one.page.locator("tbody tr")).to_have_count(len(HOSTILE))
        await unharmed(one.page)
        await one.open(f"runs/demo/triage-4711/diff?other={failures.NAME}&all=1")
        await expect(one.page.locator("main")).to_contain_text(SIGN)
        await unharmed(one.page)
        for text in HOSTILE[:60:6]:
            for part in ("rerun?from=", "diff?other=", "logs?node="):
                place = f"#/runs/demo/{failures.NAME}/{part}"
                await one.page.evaluate(
                    "([place, text]) => { location.hash = place + encodeURIComponent(text) }",
                    [place, text],
                )
        await one.page.locator(".problem, .empty, .verdict").first.wait_for()
        await unharmed(one.page)


async def test_s517_a_question_full_of_markup(tab: Open, kubernetes: Kubernetes) -> None:
    texts = [text[:2000] for text in HOSTILE]
    properties: Obj = {
        f"f{number}": {"type": "string", "title": text[:200], "description": text, "default": text}
        for number, text in enumerate(texts)
    }
    properties["choice"] = {"enum": texts}
    kubernetes.put(
        "approvals",
        samples.question(
            message="\n".join(text[:400] for text in texts),
            context={"texts": texts, "<b>": "a key"},
            answerSchema={"type": "object", "properties": properties},
            approvers={"users": texts[:20]},
        ),
    )
    async with tab() as one:
        await one.open("approvals")
        await one.page.locator(".card").wait_for()
        await unharmed(one.page)
        await one.open("approvals/demo/triage-4711-approve-refund")
        await expect(one.page.locator(".message")).to_contain_text(SIGN)
        await expect(one.page.locator(".field")).to_have_count(len(texts) + 2)
        await one.page.get_by_text("As a command").click()
        await unharmed(one.page)


async def test_s517_an_address_full_of_markup(tab: Open) -> None:
    async with tab() as one:
        one.expected = ("404", "421", "400")
        for text in HOSTILE[:60:3]:
            await one.page.evaluate("text => { location.hash = '#/runs/demo/' + text }", text)
            await one.page.evaluate("text => { location.hash = '#/runs?q=' + text }", text)
        await one.open("runs")
        await one.page.locator("tbody tr").first.wait_for()
        await unharmed(one.page)
