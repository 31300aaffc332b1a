"""The charts of the first page in a real Chromium: drawn under the strict policy, in both themes, leading to lists."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_policy import WATCH
from tests.factories import LicenseKeyFactory, ProductFactory
from tests.test_dashboard import happened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.statement("S33")]

PAINTED = """canvases => canvases.map(canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
})"""  # how many colors each shows
MIDDLE_OF_THE_FIRST_BAR = """canvas => {
    const bar = Chart.getChart(canvas).getDatasetMeta(0).data[0].getProps(["x", "y", "base"]);
    return {x: (bar.x + bar.base) / 2, y: bar.y};
}"""
INK = "canvases => canvases.map(canvas => Chart.getChart(canvas).options.scales.x.ticks.color)"
FIRST_COLOR = "canvas => Chart.getChart(canvas).data.datasets[0].backgroundColor"


def test_charts_are_drawn_follow_the_theme_and_lead_to_lists(admin, live_server):
    product = ProductFactory(name="Photo Editor")
    LicenseKeyFactory.create_batch(3, product=product)
    happened("license_key.assigned", 1, 5, 2)
    happened("refused.210", 4)
    admin.context.add_init_script(WATCH)
    admin.emulate_media(color_scheme="light")
    admin.goto(f"{live_server.url}/admin/")
    charts = admin.locator("canvas")
    expect(charts).to_have_count(3)
    assert min(charts.evaluate_all(PAINTED)) > 10
    assert all(ink.startswith("rgb(") for ink in charts.evaluate_all(INK)), "a canvas knows no light-dark()"
    light = charts.first.evaluate(FIRST_COLOR)
    admin.locator(".theme-toggle").first.click()
    assert charts.first.evaluate(FIRST_COLOR) != light
    admin.get_by_text("Show the numbers").first.click()
    expect(admin.get_by_role("link", name="Photo Editor")).to_be_visible()
    assert admin.evaluate("window.refused") == []
    charts.first.click(position=charts.first.evaluate(MIDDLE_OF_THE_FIRST_BAR))
    admin.wait_for_url(f"**/admin/licenses/licensekey/?status__exact=available&product={product.pk}")
