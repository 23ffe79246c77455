#!/usr/bin/env python3
"""Writes experiment.json, the Grafana dashboard of one experiment. Standard library only.

    dashboards/generate.py            # writes dashboards/experiment.json
    dashboards/generate.py --check    # exit 1 if the file is not what would be written

Edit this file, not the JSON: a test compares the two. The same input gives the same bytes.
"""
import json
import pathlib
import sys

# Grafana migrates a dashboard up to its own version, never down: 39 is read by Grafana 10 and later.
SCHEMA_VERSION = 39
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
FILE = pathlib.Path(__file__).resolve().parent / "experiment.json"

# An experiment's ids are unique within one coordinator, so both select.
OF_EXPERIMENT = 'instance="$coordinator",experiment="$experiment"'
OF_RUNS = OF_EXPERIMENT + ',seed=~"$seed"'
OF_COORDINATOR = 'instance="$coordinator"'
SEED = "seed {{seed}} · {{run}}"

# NaN is the only value that is not equal to itself. One series a run, whichever of them it is.
NOT_FINITE = "group by (run) (" + " or ".join(
    f"{name}{{{OF_RUNS}}} != {name}{{{OF_RUNS}}} or abs({name}{{{OF_RUNS}}}) == Inf"
    for name in ("scm_run_train_loss", "scm_run_validation_loss", "scm_run_grad_norm")) + ")"

STATES = [("PENDING", "#8e8e8e"), ("ASSIGNED", "#5794f2"), ("RUNNING", "#3274d9"),
          ("STOPPING", "#ff9830"), ("PAUSED", "#fade2a"), ("SUCCEEDED", "#56a64b"),
          ("FAILED", "#e02f44"), ("ABORTED", "#a352cc"), ("CANCELLED", "#c0a8a8")]

GREEN, ORANGE, RED = "green", "orange", "red"
DAY = 86400


class Layout:
    """Places panels from left to right on Grafana's grid of 24 columns."""

    def __init__(self):
        self.panels, self.x, self.y, self.line = [], 0, 0, 0

    def _place(self, panel, width, height):
        if self.x + width > 24:
            self.x, self.y, self.line = 0, self.y + self.line, 0
        panel["gridPos"] = {"h": height, "w": width, "x": self.x, "y": self.y}
        panel["id"] = len(self.panels) + 1
        self.x, self.line = self.x + width, max(self.line, height)
        self.panels.append(panel)

    def row(self, title):
        self.x, self.y, self.line = 0, self.y + self.line, 0
        self._place({"type": "row", "title": title, "collapsed": False, "panels": []}, 24, 1)

    def add(self, kind, title, description, targets, width, height=8, unit="short", **extra):
        options = extra.pop("options", {})
        field = {"unit": unit, **extra.pop("field", {})}
        self._place({
            "type": kind, "title": title, "description": description, "datasource": DATASOURCE,
            "targets": [target(chr(ord("A") + i), *t) for i, t in enumerate(targets)],
            "fieldConfig": {"defaults": field, "overrides": extra.pop("overrides", [])},
            "options": options,
        }, width, height)
        assert not extra, extra


def target(ref, expression, legend, instant=False):
    return {"refId": ref, "datasource": DATASOURCE, "expr": expression, "legendFormat": legend,
            "instant": instant, "range": not instant, "editorMode": "code"}


def thresholds(*steps):
    """thresholds(GREEN, (0.8, ORANGE)): green below 0.8, orange from there on."""
    return {"mode": "absolute",
            "steps": [{"color": steps[0], "value": None}] +
                     [{"color": color, "value": value} for value, color in steps[1:]]}


def lines(layout, title, description, targets, width=12, height=9, unit="short", **field):
    overrides = field.pop("overrides", [])
    custom = {"lineWidth": 2, "fillOpacity": 0, "showPoints": "auto", "spanNulls": False,
              **field.pop("custom", {})}
    layout.add("timeseries", title, description, targets, width, height, unit,
               field={"custom": custom, **field}, overrides=overrides,
               options={"legend": {"displayMode": "table", "placement": "right", "showLegend": True,
                                   "calcs": ["lastNotNull"]},
                        "tooltip": {"mode": "multi", "sort": "asc"}})


def stat(layout, title, description, expression, width, unit="short", legend="", **field):
    layout.add("stat", title, description, [(expression, legend, True)], width, 4, unit, field=field,
               options={"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                        "colorMode": "value", "graphMode": "none", "textMode": "auto",
                        "justifyMode": "auto", "orientation": "auto"})


def at_a_glance(layout):
    layout.row("At a glance")
    spent = thresholds(GREEN, (0.8, ORANGE), (1, RED))
    stat(layout, "Budget spent", "Money accrued as a share of the budget's limit.",
         f"scm_experiment_cost{{{OF_EXPERIMENT}}} / scm_experiment_budget{{{OF_EXPERIMENT}}}", 6,
         "percentunit", thresholds=spent, decimals=1)
    stat(layout, "Projected slip",
         "Projected finish minus the end of finish_by; negative is early. The experiment is aborted "
         "at max_slip_days.", f"scm_experiment_projected_slip_seconds{{{OF_EXPERIMENT}}}", 6, "s",
         thresholds=thresholds(GREEN, (0, ORANGE), (14 * DAY, RED)))
    stat(layout, "Aborted runs", "Runs that a rule has ended.",
         f"sum by (rule) (scm_experiment_aborts_total{{{OF_EXPERIMENT}}}) > 0 or "
         f"label_replace(sum (scm_experiment_aborts_total{{{OF_EXPERIMENT}}}) == 0, "
         "\"rule\", \"none\", \"\", \"\")",
         6, legend="{{rule}}", thresholds=thresholds(GREEN, (1, "purple")))
    stat(layout, "Not finite",
         "Runs of which the latest training loss, validation loss or gradient norm is NaN or infinite: "
         "exported as such, never hidden.",
         # Without any run there is no 0 either: what is missing is not green.
         f"count({NOT_FINITE}) or 0 * count(scm_run_step{{{OF_RUNS}}})", 6,
         thresholds=thresholds(GREEN, (1, RED)))
    layout.add("bargauge", "Progress", "Share of its steps that every run has made.",
               [(f"scm_run_step{{{OF_RUNS}}} / scm_run_target_steps{{{OF_RUNS}}}", SEED, True)],
               14, 10, "percentunit",
               field={"min": 0, "max": 1, "thresholds": thresholds("blue", (1, GREEN))},
               options={"orientation": "horizontal", "displayMode": "basic", "showUnfilled": True,
                        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}})
    layout.add("piechart", "Runs by state", "How many runs are in which state.",
               [(f"sum by (state) (scm_experiment_runs{{{OF_EXPERIMENT}}}) > 0", "{{state}}", True)],
               10, 10,
               overrides=[{"matcher": {"id": "byName", "options": state},
                           "properties": [{"id": "color",
                                           "value": {"mode": "fixed", "fixedColor": color}}]}
                          for state, color in STATES],
               options={"pieType": "donut", "displayLabels": ["value"],
                        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                        "legend": {"displayMode": "list", "placement": "right", "showLegend": True}})


def curves(layout):
    layout.row("Learning: one line a seed")
    lines(layout, "Training loss", "Loss of the latest step, nats a label.",
          [(f"scm_run_train_loss{{{OF_RUNS}}}", SEED)])
    lines(layout, "Validation loss", "Loss of the latest validation, nats a label.",
          [(f"scm_run_validation_loss{{{OF_RUNS}}}", SEED)])
    lines(layout, "Validation accuracy", "Accuracy of the latest validation.",
          [(f"scm_run_validation_accuracy_ratio{{{OF_RUNS}}}", SEED)], unit="percentunit",
          min=0, max=1)
    # No comparison holds for NaN: runs without a finite number do not take the others' mean with them.
    finite = f"(-Inf < scm_run_validation_loss{{{OF_RUNS}}} < Inf)"
    band = {"id": "custom.fillBelowTo", "value": "lowest"}
    lines(layout, "Validation loss: range and mean over the runs shown",
          "The band goes from the lowest to the highest run; it is a range, not a confidence interval.",
          [(f"max({finite})", "highest"), (f"avg({finite})", "mean"), (f"min({finite})", "lowest")],
          custom={"lineWidth": 1},
          overrides=[{"matcher": {"id": "byName", "options": "highest"},
                      "properties": [band, {"id": "custom.fillOpacity", "value": 15}]}])
    lines(layout, "Gradient norm", "Before clipping.",
          [(f"scm_run_grad_norm{{{OF_RUNS}}}", SEED)])
    lines(layout, "Learning rate", "Of the latest step.",
          [(f"scm_run_learning_rate{{{OF_RUNS}}}", SEED)], unit="sci")


def progress(layout):
    layout.row("Progress")
    lines(layout, "Steps made", "Share of its steps that every run has made.",
          [(f"scm_run_step{{{OF_RUNS}}} / scm_run_target_steps{{{OF_RUNS}}}", SEED)],
          unit="percentunit", min=0, max=1)
    coded = " or ".join(f'scm_run_state{{{OF_RUNS},state="{state}"}} * {code}'
                        for code, (state, _) in enumerate(STATES))
    layout.add("state-timeline", "States", "The state of every run over time.",
               [(f"sum by (run, seed) ({coded})", SEED)], 12, 9,
               field={"custom": {"fillOpacity": 80, "lineWidth": 0},
                      "mappings": [{"type": "value",
                                    "options": {str(code): {"text": state, "color": color,
                                                            "index": code}
                                                for code, (state, color) in enumerate(STATES)}}]},
               options={"showValue": "auto", "mergeValues": True, "rowHeight": 0.8,
                        "legend": {"displayMode": "list", "placement": "bottom",
                                   "showLegend": False}})
    lines(layout, "Speed", "Tokens trained on a second, steps done again after a resume included.",
          [(f"rate(scm_run_tokens_total{{{OF_RUNS}}}[$__rate_interval])", SEED)], unit="short",
          min=0)
    active = ('on (instance, run) group_left () '
              f'sum by (instance, run) (scm_run_state{{{OF_RUNS},state=~"RUNNING|STOPPING"}}) > 0')
    lines(layout, "Age of the last checkpoint", "Of runs that have a process.",
          [(f"(time() - scm_run_last_checkpoint_timestamp_seconds{{{OF_RUNS}}}) * {active}", SEED)],
          unit="s", min=0)
    lines(layout, "Step of the last checkpoint", "The step from which a lost run would go on.",
          [(f"scm_run_last_checkpoint_step{{{OF_RUNS}}}", SEED)])


def money(layout):
    layout.row("Money and time (in the experiment's currency)")
    lines(layout, "Cost against budget", "Accrued, running tasks included, and the limit.",
          [(f"scm_experiment_cost{{{OF_EXPERIMENT}}}", "cost"),
           (f"scm_experiment_budget{{{OF_EXPERIMENT}}}", "budget")], min=0,
          overrides=[{"matcher": {"id": "byName", "options": "budget"},
                      "properties": [{"id": "color",
                                      "value": {"mode": "fixed", "fixedColor": RED}},
                                     {"id": "custom.lineStyle",
                                      "value": {"fill": "dash", "dash": [10, 10]}}]}])
    lines(layout, "Cost of the runs", "Accrued by every run.",
          [(f"scm_run_cost_total{{{OF_RUNS}}}", SEED)], min=0)
    lines(layout, "Projected slip", "Projected finish minus the end of finish_by; negative is early.",
          [(f"scm_experiment_projected_slip_seconds{{{OF_EXPERIMENT}}}", "slip")], unit="s")
    lines(layout, "Aborts", "Runs that a rule has ended, by rule.",
          [(f"sum by (rule) (scm_experiment_aborts_total{{{OF_EXPERIMENT}}})", "{{rule}}")], min=0)


def cluster(layout):
    layout.row("Cluster (all experiments)")
    stacked = {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 40, "lineWidth": 1}
    lines(layout, "Workers", "By state.", [(f"scm_workers{{{OF_COORDINATOR}}}", "{{state}}")],
          min=0, custom=stacked)
    lines(layout, "Tasks", "By state.", [(f"scm_tasks{{{OF_COORDINATOR}}}", "{{state}}")],
          min=0, custom=stacked)
    lines(layout, "GPU utilisation", "Share of time in which any kernel ran. Empty without GPUs.",
          [(f"scm_gpu_utilization_ratio{{{OF_COORDINATOR}}}", "{{worker}} · GPU {{gpu}}")],
          unit="percentunit", min=0, max=1)
    lines(layout, "GPU memory", "In use. Empty without GPUs.",
          [(f"scm_gpu_memory_used_bytes{{{OF_COORDINATOR}}}", "{{worker}} · GPU {{gpu}}")],
          unit="bytes", min=0)
    lines(layout, "Calls served", "gRPC calls a second that ended, by code.",
          [(f"sum by (grpc_code) (rate(grpc_server_handled_total{{{OF_COORDINATOR}}}"
            "[$__rate_interval]))", "{{grpc_code}}")], unit="reqps", min=0)
    # Sessions and followed logs stay open for hours by design.
    short = f'{OF_COORDINATOR},grpc_method!~"Session|Logs|Watch|Upload|Download.*"'
    lines(layout, "Time to answer, 95th percentile", "Unary gRPC calls.",
          [(f"histogram_quantile(0.95, sum by (le, grpc_method) (rate("
            f"grpc_server_handling_seconds_bucket{{{short}}}[$__rate_interval])))",
            "{{grpc_method}}")], unit="s", min=0)
    lines(layout, "Scrapes", "1 while Prometheus reaches the coordinator.",
          [(f"up{{{OF_COORDINATOR}}}", "up"),
           (f"scm_exported_runs_dropped{{{OF_COORDINATOR}}}", "runs left out over 200")], min=0)


def variable(name, label, query, **extra):
    return {"type": "query", "name": name, "label": label, "datasource": DATASOURCE,
            "query": {"query": query, "refId": f"variable-{name}", "qryType": 3}
            if query.startswith("query_result") else
            {"query": query, "refId": f"variable-{name}", "qryType": 1},
            "definition": query, "refresh": 2, "sort": 0, "hide": 0, "multi": False,
            "includeAll": False, "regex": "", "current": {}, "options": [], "skipUrlSync": False,
            **extra}


def variables():
    # The menu shows "id  name", the latest first, of every experiment within the time shown.
    named = ('label_join(last_over_time(scm_experiment_info{instance="$coordinator"}[$__range]), '
             '"title", "  ", "experiment", "name")')
    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus",
         "regex": "", "refresh": 1, "hide": 0, "multi": False, "includeAll": False, "current": {},
         "options": [], "skipUrlSync": False},
        variable("coordinator", "Coordinator", "label_values(scm_workers, instance)"),
        variable("experiment", "Experiment", f"query_result({named})",
                 regex='/experiment="(?<value>[^"]+)".*title="(?<text>(?:[^"\\\\]|\\\\.)+)"/', sort=8),
        variable("seed", "Seed", f"label_values(scm_run_step{{{OF_EXPERIMENT}}}, seed)", multi=True,
                 includeAll=True, allValue=".+", sort=3,
                 current={"selected": True, "text": ["All"], "value": ["$__all"]}),
    ]


def annotations():
    return [
        {"builtIn": 1, "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "enable": True,
         "hide": True, "iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts",
         "type": "dashboard"},
        # The value is the time of the abort; Grafana wants it in milliseconds.
        {"name": "Aborts", "datasource": DATASOURCE, "enable": True, "hide": False,
         "iconColor": "purple",
         "expr": f"scm_experiment_last_abort_timestamp_seconds{{{OF_EXPERIMENT}}} * 1000",
         "useValueForTime": True, "step": "10s", "titleFormat": "Aborted by {{rule}}",
         "textFormat": "scmctl why {{experiment}}", "tagKeys": "rule"},
        {"name": "Checkpoints", "datasource": DATASOURCE, "enable": False, "hide": False,
         "iconColor": "green",
         "expr": f"scm_run_last_checkpoint_timestamp_seconds{{{OF_RUNS}}} * 1000",
         "useValueForTime": True, "step": "10s", "titleFormat": "Checkpoint of {{run}}",
         "textFormat": "seed {{seed}}", "tagKeys": "run"},
    ]


def dashboard():
    layout = Layout()
    for part in (at_a_glance, curves, progress, money, cluster):
        part(layout)
    return {
        "uid": "scm-experiment", "title": "scm experiment", "tags": ["scm"], "version": 1,
        "description": "One experiment: its runs seed by seed, aborts, money and time. Made by "
                       "dashboards/generate.py.",
        "schemaVersion": SCHEMA_VERSION, "editable": False, "graphTooltip": 1, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "browser", "timepicker": {},
        "fiscalYearStartMonth": 0, "liveNow": False, "weekStart": "", "links": [],
        "templating": {"list": variables()}, "annotations": {"list": annotations()},
        "panels": layout.panels,
    }


def main():
    text = json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        same = FILE.is_file() and FILE.read_text(encoding="utf-8") == text
        if not same:
            print(f"{FILE.name} is not what generate.py writes; run dashboards/generate.py",
                  file=sys.stderr)
        return 0 if same else 1
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
