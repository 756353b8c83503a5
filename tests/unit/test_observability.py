"""Alerts, dashboard and docs speak of what the code has: metrics, labels and their values, events and their fields."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import borderpost
from borderpost.gateway.errors import DecisionLogUnavailableError
from borderpost.runtime.metric_table import METRICS, SECONDS, closed
from borderpost.runtime.settings import SERVICES, Settings

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docker/observability"
DOCS: Final = (ROOT / "docs/observability.md").read_text("utf-8")
ALERTS: Any = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
DASHBOARD: Any = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
RULES: Any = [rule for group in ALERTS["groups"] for rule in group["rules"]]

BY_PROMETHEUS: Final = {
    "up": {"job", "part", "instance"},
    "process_open_fds": {"job", "part"},
    "process_max_fds": set[str](),
    "process_cpu_seconds_total": {"job", "part"},
    "process_resident_memory_bytes": {"job", "part"},
}
"""Metrics of Prometheus itself and of its client library, with their labels."""

OF_A_TARGET: Final = {"job", "part", "instance"}
"""Labels that prometheus.yml gives to what it asks."""

WORDS: Final = {
    *("sum", "rate", "increase", "by", "or", "and", "vector", "time", "histogram_quantile", "topk", "min"),
    *("label_values", "le"),
}
"""What PromQL has of its own, as far as it is used here."""


def shown() -> dict[str, set[str]]:
    """Every series that there may be: its name and its labels."""
    found = {name: set(labels) for name, labels in BY_PROMETHEUS.items()}
    for metric in METRICS:
        endings = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        for ending in endings:
            more = {"le"} if ending == "_bucket" else set()
            found[metric.name + ending] = {*metric.labels, *more, *OF_A_TARGET}
    return found | {rule["record"]: set[str]() for rule in RULES if "record" in rule}


def of_dashboard() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, *(each["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query")]


def of_docs() -> list[str]:
    return [
        text
        for text in re.findall(r"`([^`]+)`", DOCS)
        if re.search(r"borderpost[:_]\w+", text) and "(" in text
    ]


EXPRESSIONS: Final = {
    **{f"rule {rule.get('record') or rule['alert']}": rule["expr"] for rule in RULES},
    **{f"dashboard {number}": text for number, text in enumerate(of_dashboard())},
    **{f"docs {number}": text for number, text in enumerate(of_docs())},
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_asks_for_metrics_that_there_are_by_labels_and_values_that_they_have(
    expression: str,
) -> None:
    series = shown()
    assert expression.count("(") == expression.count(")")
    bare = re.sub(r"\{[^}]*\}|\[\w+\]|\bby\s*\([^)]*\)|label_values\((\w+),[^)]*\)", r" \1 ", expression)
    names = {name for name in re.findall(r"[a-zA-Z_][\w:]*", bare) if name not in WORDS}
    assert names
    assert names <= series.keys()
    asked = re.findall(r"([a-zA-Z_][\w:]*)\{([^}]*)\}", expression)
    for name, selector in asked:
        for label, _, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
            assert label in series[name], name
            _want_possible(label, value)
    for labels in re.findall(r"\bby\s*\(([^)]*)\)", expression):
        used = set().union(*(series[name] for name in names))
        assert {label.strip() for label in labels.split(",")} <= used


def _want_possible(label: str, value: str) -> None:
    if label in OF_A_TARGET or value.startswith("$"):
        return
    assert DecisionLogUnavailableError.reason  # of the gateway's process: known where its errors are
    for each in value.split("|"):
        if label == "le":
            assert re.fullmatch(r"\d+\.\d+", each)
            assert float(each) in SECONDS
        else:
            assert closed(label, each) == each


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    assert len(alerts) > 15
    for alert in alerts:
        assert re.fullmatch(r"\d+[smhd]", alert["for"]), alert["alert"]
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "means", "do"}
        assert all(len(text) > 10 for text in alert["annotations"].values())
    names = [rule.get("record") or rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_events_that_alerts_send_somebody_to_look_for_exist() -> None:
    events = {name for name, _ in logged()}
    told = " ".join(rule["annotations"]["do"] for rule in RULES if "alert" in rule)
    named = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", told)) - {metric.name for metric in METRICS}
    named -= {name for name in named if name.startswith("borderpost_")}
    assert named
    assert named <= events


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert {"title", "description", "type", "targets", "datasource", "gridPos"} <= panel.keys()
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
    titles = " ".join(panel["title"] for panel in panels).lower()
    for shown_part in ("outcomes", "by step", "errors", "shed", "open cases", "log", "age", "certificates"):
        assert shown_part in titles


def test_prometheus_asks_every_service_at_its_port_and_the_compose_file_opens_it_to_the_network() -> None:
    asked = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0][
        "static_configs"
    ]
    ports = {each["labels"]["part"]: int(each["targets"][0].rpartition(":")[2]) for each in asked}
    settings = Settings()
    shown = {name: settings.service(name).metrics for name in SERVICES}
    assert ports == {name: int(at.rpartition(":")[2]) for name, at in shown.items() if at != "off"}
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]
    for name, port in ports.items():
        assert compose[name]["environment"] == {f"BORDERPOST_{name.upper()}__METRICS": f"0.0.0.0:{port}"}
        assert "ports" not in compose[name]


def logged() -> list[tuple[str, frozenset[str]]]:
    """Every event that the code logs, with its fields."""
    found = []
    for path in Path(borderpost.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            first = call.args[0] if call.args else None
            if re.fullmatch(r"_log\.(debug|info|warning|error|exception|critical)", name):
                fields = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
                if isinstance(first, ast.Constant):
                    found.append((str(first.value), fields))
                else:  # the one place where the name comes from outside: see below
                    assert (path.name, ast.unparse(first)) == ("background.py", "waits"), path
            elif name == "_again" and path.parent.name == "decisions":
                assert isinstance(first, ast.Constant)
                found.append((str(first.value), frozenset({"reason"})))
    return found


def documented() -> dict[str, str]:
    """Every event of the table in the docs, with what it says of the fields."""
    rows = re.findall(r"^\| (`[a-z_`, ]+) \| \w+ \|[^|]*\|([^|]*)\|$", DOCS, re.MULTILINE)
    return {name: fields for names, fields in rows for name in re.findall(r"`(\w+)`", names)}


def test_every_event_and_field_that_is_logged_is_documented_and_no_other_is() -> None:
    told, seen = documented(), logged()
    assert {name for name, _ in seen} == told.keys()
    for name, fields in seen:
        assert fields <= set(re.findall(r"\w+", told[name])), name


def test_every_logger_goes_by_the_name_that_is_looked_for() -> None:
    for path in Path(borderpost.__file__).parent.rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if "get_logger(" in line:
                assert line.strip() == "_log = structlog.get_logger(__name__)", path
