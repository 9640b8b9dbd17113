"""The portal behind a real proxy, used in a real browser, as its agents use it."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import (
    element_to_be_clickable,
    url_contains,
    visibility_of_element_located,
)
from selenium.webdriver.support.wait import WebDriverWait

from tests.support.components import need_program
from tests.support.ports import free_port
from tests.support.service import JETON, Service
from tests.support.snippets import ROOT, blocks, run_bash

pytestmark = pytest.mark.system

EXAMPLE = Path(__file__).parents[1]
NAME, NIR, BORN = "Ana Petit", "284057512345672", "12/05/1984"
SECOND = ("Luc Martin", "155129912345637", "01/12/1955")
SHOTS = os.environ.get("JETON_SCREENSHOTS")
"""A folder for pictures of both screens, as the documentation has them."""


@dataclass
class House:
    office: str
    internet: str
    database: Path

    def stored(self) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.database) as database:
            return list(database.execute("SELECT name, nir, born FROM people ORDER BY id"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("portal")
    service = Service.create(folder)
    reveals = ["detokenise:fr-nir:claims", "detokenise:birth-date:claims"]
    tokenises = ["tokenise:fr-nir", "tokenise:birth-date"]
    service.add_client("portal-office", [*tokenises, *reveals])
    service.add_client("portal-internet", tokenises)
    ports = {number: free_port() for number in ("8300", "8301", "8302", "8201")}
    routes = (EXAMPLE / "routes.toml").read_text() + "\n[proxy]\nport = 8201\n"
    for number, port in ports.items():
        routes = routes.replace(number, str(port))
    service.edit(lambda text: f"{text}\n{routes}")
    database = folder / "people.db"
    portal = [sys.executable, "-m", "portal", str(ports["8300"]), str(database), "dupont:secret"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(portal, cwd=EXAMPLE, stdout=log, stderr=log) as behind,
        subprocess.Popen(
            [*JETON, "proxy", "--config", str(service.config)], stdout=log, stderr=log
        ) as proxy,
    ):
        try:
            _await(f"http://127.0.0.1:{ports['8201']}/readyz")
            _await(f"http://127.0.0.1:{ports['8300']}/")
            yield House(
                f"http://127.0.0.1:{ports['8301']}",
                f"http://127.0.0.1:{ports['8302']}",
                database,
            )
        finally:
            proxy.terminate()
            behind.terminate()


def _await(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = need_program("chromium"), need_program("chromedriver")
    options = Options()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",  # the tests may run as root, where Chromium has none
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=900,560",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    options.add_experimental_option(
        "prefs",
        {"download.default_directory": str(tmp_path), "download.prompt_for_download": False},
    )
    opened = webdriver.Chrome(options=options, service=Driver(driver))
    opened.set_page_load_timeout(60)
    try:
        yield opened
    finally:
        opened.quit()


def log_in(browser: webdriver.Chrome, url: str) -> None:
    browser.delete_all_cookies()  # they are one machine's, whatever the port
    browser.get(url)
    browser.find_element(By.NAME, "agent").send_keys("dupont")
    browser.find_element(By.NAME, "password").send_keys("secret")
    browser.find_element(By.ID, "login").click()
    WebDriverWait(browser, 30).until(url_contains("/people"))


def add(browser: webdriver.Chrome, name: str, nir: str, born: str) -> None:
    form = browser.find_element(By.CSS_SELECTOR, "form[method=post]")
    for field, text in (("name", name), ("nir", nir), ("born", born)):
        form.find_element(By.NAME, field).send_keys(text)
    form.find_element(By.ID, "add").click()
    cell = (By.XPATH, f"//*[local-name()='td'][text()='{name}']")
    WebDriverWait(browser, 30).until(visibility_of_element_located(cell))


def rows(browser: webdriver.Chrome) -> list[tuple[str, ...]]:
    return [
        tuple(cell.text for cell in row.find_elements(By.TAG_NAME, "td"))
        for row in browser.find_elements(By.CSS_SELECTOR, "tr.person")
    ]


def exported(browser: webdriver.Chrome, folder: Path) -> str:
    WebDriverWait(browser, 30).until(element_to_be_clickable((By.ID, "export"))).click()
    file = folder / "people.csv"
    WebDriverWait(browser, 30).until(lambda _: file.exists())
    return file.read_text()


def shoot(browser: webdriver.Chrome, name: str) -> None:
    if SHOTS:
        browser.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def test_the_database_holds_tokens_and_each_screen_what_it_may(
    house: House, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    log_in(browser, house.office)
    for person in ((NAME, NIR, BORN), SECOND):
        add(browser, *person)
    assert rows(browser) == [(NAME, NIR, BORN), SECOND]
    shoot(browser, "portal-office")
    for _, nir, born in house.stored():
        assert nir not in {NIR, SECOND[1]}
        assert int(born[-4:]) >= 2200

    search = browser.find_element(By.CSS_SELECTOR, "form[method=get] input[name=nir]")
    search.send_keys(NIR)
    browser.find_element(By.ID, "search").click()
    WebDriverWait(browser, 30).until(lambda one: len(rows(one)) == 1)
    assert rows(browser) == [(NAME, NIR, BORN)]
    assert NIR in exported(browser, tmp_path)

    log_in(browser, house.internet)  # the same password, phished
    assert rows(browser) == house.stored()
    assert NIR not in browser.page_source
    shoot(browser, "portal-internet")
    (tmp_path / "people.csv").unlink()
    assert NIR not in exported(browser, tmp_path)


def test_the_readmes_commands_do_what_they_say(tmp_path: Path) -> None:
    need_program("curl")
    shutil.copytree(EXAMPLE / "portal", tmp_path / "portal")
    shutil.copy(EXAMPLE / "routes.toml", tmp_path)
    script = "\n".join(blocks(str((EXAMPLE / "README.md").relative_to(ROOT)), "bash"))
    script = "\n".join(line for line in script.splitlines() if not line.startswith("pip install"))
    for number in ("8300", "8301", "8302", "8201"):
        port = str(free_port())
        routes = tmp_path / "routes.toml"
        text = routes.read_text().replace(number, port)
        script = script.replace(number, port)
        if number == "8201":
            text += f"\n[proxy]\nport = {port}\n"
        routes.write_text(text)
    printed = run_bash(script, tmp_path)
    assert f"{NAME};{NIR};{BORN}" in printed
    assert printed.count(NIR) == 1
    assert "1 people" in printed
