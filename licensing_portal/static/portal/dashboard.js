"use strict";

// Draws the charts of the first page. What they show is in the page as JSON (json_script), and as tables beside them.
const charts = new Map();

// A canvas knows no light-dark(), which a variable holds as it is written: an element that wears it has the color itself
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);
function color(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}
const short = new Intl.NumberFormat("en", { notation: "compact" });
const long = new Intl.NumberFormat("en");

function lines(label, width) {
  const rows = [""];
  for (const word of label.split(" ")) {
    const row = `${rows.at(-1)} ${word}`.trim();
    if (rows.at(-1) && row.length > width) rows.push(word);
    else rows[rows.length - 1] = row;
  }
  return rows.length > 2 ? [rows[0], `${rows[1]}…`] : rows;
}

function dataset(series, kind) {
  const tone = color(`--chart-${series.tone}`);
  const values = kind === "bars" ? series.values.map((value) => value || null) : series.values;
  const look = kind === "bars"
    ? { maxBarThickness: 22, minBarLength: 3, borderRadius: 3, borderSkipped: false, borderWidth: 1, borderColor: color("--body-bg") }
    : { borderColor: tone, borderWidth: 2, pointRadius: 0, pointHoverRadius: 4, pointHitRadius: 12, cubicInterpolationMode: "monotone" };
  return { label: series.name, data: values, backgroundColor: tone, ...look };
}

function scales(kind, narrow) {
  const quiet = color("--body-quiet-color");
  const numbers = {
    beginAtZero: true, stacked: kind === "bars", border: { display: false }, grid: { color: color("--hairline-color") },
    ticks: { color: quiet, precision: 0, maxTicksLimit: narrow ? 4 : 6, callback: (value) => short.format(value) },
  };
  const labels = {
    stacked: kind === "bars", border: { display: false }, grid: { display: false },
    ticks: kind === "bars"
      ? { color: quiet, autoSkip: false, callback(value) { return lines(this.getLabelForValue(value), narrow ? 18 : 30); } }
      : { color: quiet, maxRotation: 0, autoSkipPadding: 24 },
  };
  return kind === "bars" ? { x: numbers, y: labels } : { x: labels, y: numbers };
}

// Where a segment leads. For keyboards and screen readers the same links are in the table
function follow(data, element) {
  const url = element && data.series[element.datasetIndex].urls[element.index];
  if (url) location.assign(url);
}

function options(data, narrow) {
  const bars = data.kind === "bars";
  return {
    indexAxis: bars ? "y" : "x",
    maintainAspectRatio: false,
    animation: false,
    interaction: bars ? { mode: "nearest", intersect: true } : { mode: "index", intersect: false },
    scales: scales(data.kind, narrow),
    onClick: (_, found) => bars && follow(data, found[0]),
    onHover: (event, found) => {
      const leads = bars && found[0] && data.series[found[0].datasetIndex].urls[found[0].index];
      event.native.target.classList.toggle("chart-leads", Boolean(leads));
    },
    plugins: {
      legend: {
        display: data.legend, position: "top", align: "start",
        labels: {
          color: color("--body-medium-color"), usePointStyle: true, pointStyle: "circle", boxWidth: 8, boxHeight: 8, padding: 14,
          generateLabels: (chart) => Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => ({ ...item, lineWidth: 0 })),
        },
      },
      tooltip: {
        backgroundColor: color("--chart-tip-bg"), titleColor: color("--chart-tip-fg"), bodyColor: color("--chart-tip-fg"),
        padding: 10, cornerRadius: 8, boxPadding: 4, usePointStyle: true,
        callbacks: { label: (item) => ` ${item.dataset.label}: ${long.format(item.raw || 0)}` },
      },
    },
  };
}

function draw() {
  Chart.defaults.font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
    const data = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const narrow = canvas.parentElement.clientWidth < 480;
    charts.get(canvas)?.destroy();
    const datasets = data.series.map((series) => dataset(series, data.kind));
    const type = data.kind === "bars" ? "bar" : "line";
    charts.set(canvas, new Chart(canvas, { type, data: { labels: data.labels, datasets }, options: options(data, narrow) }));
  }
}

draw();
new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
