"use strict";
/* The dashboard: what is drawn is chosen once for all charts; a chart is drawn when it comes into sight. */
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("data").textContent);
  const options = { axis: data.counted ? "seen" : "step", log: false, smoothing: 0, hidden: new Set() };
  const charts = new Map();
  const stale = new Set();
  const inSight = new Set();

  for (const figure of document.querySelectorAll(".chart")) {
    charts.set(figure, new Chart(figure, data.charts[figure.dataset.chart], data.runs));
    stale.add(figure);
  }
  const freshen = () => {
    for (const figure of inSight) {
      if (!stale.delete(figure)) continue;
      charts.get(figure).draw(options);
    }
  };
  const again = () => { charts.forEach((_, figure) => stale.add(figure)); freshen(); };
  const watch = new IntersectionObserver((entries) => {
    entries.forEach((entry) => (entry.isIntersecting ? inSight.add(entry.target) : inSight.delete(entry.target)));
    freshen();
  }, { rootMargin: "300px" });
  charts.forEach((_, figure) => watch.observe(figure));

  const choice = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  at("axis").append(...(data.counted ? [choice("seen", data.axis)] : []), choice("step", "steps"));
  at("axis").addEventListener("change", () => { options.axis = at("axis").value; again(); });
  at("log").addEventListener("change", () => { options.log = at("log").checked; again(); });
  at("smoothing").addEventListener("input", () => {
    options.smoothing = Number(at("smoothing").value);
    at("smoothed").textContent = String(options.smoothing);
    again();
  });
  at("find").addEventListener("input", () => {
    const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    charts.forEach((_, figure) => {
      figure.hidden = !words.every((word) => figure.dataset.chart.toLowerCase().includes(word));
    });
    document.querySelectorAll(".curves").forEach((section) => {
      section.hidden = ![...section.querySelectorAll(".chart")].some((figure) => !figure.hidden);
    });
  });

  at("legend").append(...data.runs.map((name, run) => {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
    const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
    swatch.dataset.run = run;
    box.addEventListener("change", () => {
      if (box.checked) options.hidden.delete(run);
      else options.hidden.add(run);
      again();
    });
    label.append(box, swatch, name);
    return label;
  }));
  for (const swatch of document.querySelectorAll(".swatch[data-run]")) {
    swatch.style.background = `var(--series-${swatch.dataset.run % 8})`;
  }

  /* Phones play a film from a blob, not from a data address; it is made when the film comes near. */
  const films = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
    const video = entry.target;
    films.unobserve(video);
    const [head, body] = video.dataset.video.split(",", 2);
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    video.src = URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] }));
    video.preload = "metadata";
  }), { rootMargin: "300px" });
  document.querySelectorAll("video[data-video]").forEach((video) => films.observe(video));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.picture");
    if (!button) return;
    at("large").querySelector("img").src = button.querySelector("img").src;
    at("large").showModal();
  });
  window.runPage = { charts, options };
})();
