"use strict";
/* One chart as SVG: curves of several runs, a linear or logarithmic scale, smoothing, and a cursor that reads values. */
const CHART = { width: 400, height: 176, left: 46, right: 8, top: 8, bottom: 20 };

/* Four digits that count, large counts with k and M. */
function chartNumber(value) {
  const size = Math.abs(value);
  if (size >= 1e6 && size < 1e9) return `${Number((value / 1e6).toPrecision(4))}M`;
  if (size >= 1e4 && size < 1e6) return `${Number((value / 1e3).toPrecision(4))}k`;
  if (size && (size < 1e-3 || size >= 1e9)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/* Round numbers between two ends: 1, 2 or 5 times a power of ten apart; on a logarithmic scale powers of ten. */
function chartTicks(low, high, log) {
  if (log) {
    const ticks = [];
    for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power += 1) ticks.push(10 ** power);
    if (ticks.length >= 2) return ticks.length > 6 ? ticks.filter((_, place) => place % Math.ceil(ticks.length / 6) === 0) : ticks;
    return [low, Math.sqrt(low * high), high];
  }
  const span = high - low || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) ticks.push(Math.abs(tick) < step * 1e-9 ? 0 : tick);
  return ticks;
}

/* Running average with weight `amount` on the past, without the pull towards zero at the beginning. */
function smoothedValues(values, amount) {
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    sum = sum * amount + value * (1 - amount);
    weight = weight * amount + (1 - amount);
    return sum / weight;
  });
}

class Chart {
  /* figure: element with .plot and .reading; series: [{run, dashed, step, seen, value}]; names: of the runs. */
  constructor(figure, series, names) {
    Object.assign(this, { figure, series, names });
    this.plot = figure.querySelector(".plot");
    this.reading = figure.querySelector(".reading");
    this.remark = figure.querySelector("figcaption small");
    this.at = null;
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerdown", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.read(null); });
    figure.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || !this.places) return;
      event.preventDefault();
      const near = this.at === null ? (by > 0 ? -1 : this.places.length) : this.places.indexOf(this.at);
      this.read(this.places[Math.min(Math.max(near + by, 0), this.places.length - 1)]);
    });
    figure.addEventListener("blur", () => this.read(null));
  }

  /* options: {axis: "seen" | "step", log, smoothing, hidden: Set of runs} */
  draw(options) {
    const positive = (value) => !options.log || value > 0;
    this.drawn = this.series.filter((one) => !options.hidden.has(one.run)).map((one) => {
      const kept = one.value.map((value, place) => place).filter((place) => positive(one.value[place]));
      const raw = kept.map((place) => one.value[place]);
      return {
        ...one, raw, x: kept.map((place) => one[options.axis][place]),
        y: options.smoothing ? smoothedValues(raw, options.smoothing) : raw, lost: one.value.length - kept.length,
      };
    }).filter((one) => one.x.length);
    const xs = this.drawn.flatMap((one) => one.x);
    const ys = this.drawn.flatMap((one) => (options.smoothing ? [...one.y, ...one.raw] : one.y));
    this.places = [...new Set(xs)].sort((a, b) => a - b);
    this.at = null;
    if (!xs.length) {
      this.plot.textContent = "";
      this.reading.textContent = "";
      this.remark.textContent = options.log ? "nothing above 0 to draw on this scale" : "";
      this.scale = null;
      return;
    }
    const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const [x0, x1] = ends(xs);
    let [y0, y1] = ends(ys);
    if (y0 === y1) [y0, y1] = options.log ? [y0 / 2, y1 * 2] : [y0 - (Math.abs(y0) || 1) / 2, y1 + (Math.abs(y1) || 1) / 2];
    const level = options.log ? Math.log10 : (value) => value;
    const { width, height, left, right, top, bottom } = CHART;
    const across = (value) => left + (x1 > x0 ? (value - x0) / (x1 - x0) : 0.5) * (width - left - right);
    const up = (value) => height - bottom - ((level(value) - level(y0)) / (level(y1) - level(y0))) * (height - top - bottom);
    this.scale = { across, up, x0, x1 };
    const parts = chartTicks(y0, y1, options.log).map((tick) => (
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${up(tick)}" y2="${up(tick)}"/>`
      + `<text x="${left - 5}" y="${up(tick) + 3}" text-anchor="end">${chartNumber(tick)}</text>`
    ));
    chartTicks(x0, x1, false).forEach((tick) => parts.push(
      `<text x="${across(tick)}" y="${height - 5}" text-anchor="${across(tick) > width - 30 ? "end" : "middle"}">${chartNumber(tick)}</text>`,
    ));
    const path = (one, values, name) => {
      const points = one.x.map((x, place) => `${across(x).toFixed(1)} ${up(values[place]).toFixed(1)}`);
      const line = `stroke="var(--series-${one.run % 8})"${one.dashed ? ' stroke-dasharray="5 4"' : ""}`;
      if (points.length === 1) {
        const [x, y] = points[0].split(" ");
        return `<circle class="${name}" cx="${x}" cy="${y}" r="3" fill="var(--series-${one.run % 8})"/>`;
      }
      return `<path class="${name}" ${line} d="M${points.join("L")}"/>`;
    };
    for (const one of this.drawn) {
      if (options.smoothing) parts.push(path(one, one.raw, "curve raw"));
      parts.push(path(one, one.y, "curve"));
    }
    this.plot.innerHTML = `<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${parts.join("")}<line class="cursor" y1="${top}" y2="${height - bottom}" hidden/></svg>`;
    const lost = this.drawn.reduce((sum, one) => sum + one.lost, 0);
    this.remark.textContent = lost ? `${lost} values not above 0 are not drawn` : "";
    this.read(null);
  }

  point(event) {
    if (!this.scale) return;
    const box = this.plot.firstChild.getScreenCTM().inverse();
    const x = box.a * event.clientX + box.e;
    const { across } = this.scale;
    this.read(this.places.reduce((best, place) => (Math.abs(across(place) - x) < Math.abs(across(best) - x) ? place : best)));
  }

  /* Values at (or last before) a place, of the runs that reach it; null takes the cursor away. */
  read(place) {
    this.at = place;
    const cursor = this.plot.querySelector(".cursor");
    if (!cursor) return;
    cursor.toggleAttribute("hidden", place === null);
    if (place === null) { this.reading.textContent = ""; return; }
    cursor.setAttribute("x1", this.scale.across(place));
    cursor.setAttribute("x2", this.scale.across(place));
    const reaching = this.drawn.filter((one) => one.x[0] <= place && place <= one.x[one.x.length - 1]);
    const entries = reaching.map((one) => {
      const near = one.x.findLastIndex((x) => x <= place);
      const entry = document.createElement("span");
      const swatch = document.createElement("i");
      swatch.className = "swatch";
      swatch.style.background = `var(--series-${one.run % 8})`;
      entry.append(swatch, `${this.names[one.run]}${one.dashed ? " (ablated)" : ""} ${chartNumber(one.y[near])}`);
      return entry;
    });
    const head = document.createElement("span");
    head.textContent = `at ${place.toLocaleString("en", { maximumFractionDigits: 1 })}:`;
    this.reading.replaceChildren(head, ...entries);
  }
}
