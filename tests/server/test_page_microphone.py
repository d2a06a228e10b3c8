"""Recording from a microphone: the false one, a beep, that Chromium brings for tests."""

import shutil

import httpx
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def server(start, scripted):
    return start(scripted)


@pytest.fixture
def context(chromium, server):
    """A browser with a microphone that needs no leave."""
    executable = next(
        found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))
    )
    browser = chromium.browser_type.launch(
        executable_path=executable,
        args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    )
    with browser.new_context(base_url=str(server.base_url)) as context:
        yield context
    browser.close()


def jobs(server: httpx.Client):
    return server.get("/v1/jobs").json()["data"]


def test_what_is_recorded_is_sent_and_nothing_stays_in_the_browser(context, server):
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_timeout(1200)
    page.get_by_role("button", name="Stop and send").click()
    page.locator(".jobs a", has_text="Recording of").wait_for()
    [job] = jobs(server)
    assert job["name"].startswith("Recording of")
    page.reload()
    page.locator(".jobs a", has_text="Recording of").wait_for()
    assert page.get_by_text("Not sent yet").count() == 0


def test_a_closed_tab_loses_nothing(context, server):
    page = context.new_page()
    page.goto("/")
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(3500)
    page.close()
    page = context.new_page()
    page.goto("/")
    page.get_by_text("Not sent yet").wait_for()
    page.get_by_role("button", name="Send").click()
    page.locator(".jobs a", has_text="Recording of").wait_for()
    assert len(jobs(server)) == 1
    assert page.get_by_text("Not sent yet").count() == 0


@pytest.mark.slow
def test_while_the_server_does_not_answer_it_is_kept_and_sent_later(context, server):
    page = context.new_page()
    page.goto("/")
    page.route("**/v1/jobs", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(2200)
    page.get_by_role("button", name="Stop and send").click()
    page.locator(".jobs .state", has_text="does not answer").wait_for()
    page.unroute("**/v1/jobs")
    page.locator(".jobs a", has_text="Recording of").wait_for()
    assert len(jobs(server)) == 1
