"use strict";
/* The player of an evaluation: one clip at a time, all methods side by side, clips from worst to best. */
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("data").textContent);
  if (!at("watch")) return;
  let order = [];
  let shown = -1;
  let player = null;
  let addresses = [];

  const element = (tag, content, name) => {
    const made = document.createElement(tag);
    if (content !== undefined) made.textContent = content;
    if (name) made.className = name;
    return made;
  };

  /* Phones play a film from a blob, not from a data address. */
  const blobAddress = (text) => {
    const [head, body] = text.split(",", 2);
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    const address = URL.createObjectURL(new Blob([bytes], { type: head.slice(5).split(";")[0] }));
    addresses.push(address);
    return address;
  };

  const figure = (value) => {
    if (value === undefined || value === null) return "–";
    const size = Math.abs(value);
    return size && (size < 1e-3 || size >= 1e6) ? value.toExponential(3) : String(Number(value.toPrecision(4)));
  };

  const resultOf = (clip) => clip.results.find((result) => result.method === at("method").value) || {};

  const sort = () => {
    const metric = data.metrics.find((entry) => entry.name === at("metric").value);
    const sign = metric.better === "higher" ? 1 : -1;
    const key = (clip) => {
      const result = resultOf(clip);
      if (result.failed) return [0, 0];
      const value = result.figures && result.figures[metric.name];
      return value === undefined ? [2, 0] : [1, sign * value];
    };
    order = data.clips.map((clip, index) => ({ index, key: key(clip) }));
    order.sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.index - b.index);
    order = order.map((entry) => entry.index);
    at("clip").replaceChildren(...order.map((index) => {
      const clip = data.clips[index];
      const result = resultOf(clip);
      const told = result.failed ? "failed" : figure(result.figures && result.figures[metric.name]);
      const option = element("option", `${clip.name} (${told})`);
      option.value = index;
      return option;
    }));
  };

  const card = (title, entry, metric, fresh) => {
    const made = element("figure", undefined, "video");
    if (entry.video) {
      const video = document.createElement("video");
      video.playsInline = true;
      video.muted = true;
      video.preload = "auto";
      video.setAttribute("aria-label", title);
      video.src = blobAddress(entry.video);
      fresh.push({ title, video });
      made.append(video);
    } else {
      made.append(element("div", entry.failed || entry.missing || "no video", "no-video"));
    }
    const caption = element("figcaption", title);
    if (entry.figures) caption.append(element("small", ` ${metric.title} ${figure(entry.figures[metric.name])}`));
    made.append(caption);
    return made;
  };

  const show = (index) => {
    if (player) player.close();
    addresses.forEach((address) => URL.revokeObjectURL(address));
    addresses = [];
    shown = index;
    const clip = data.clips[index];
    const metric = data.metrics.find((entry) => entry.name === at("metric").value);
    const fresh = [];
    const cards = [card("reference, drawn frame by frame", clip.reference, metric, fresh)];
    clip.results.forEach((result) => cards.push(card(result.method, result, metric, fresh)));
    at("videos").replaceChildren(...cards);
    at("clip").value = index;
    at("previous").disabled = order[0] === index;
    at("next").disabled = order[order.length - 1] === index;
    at("sound").replaceChildren(...[...fresh.map((entry) => entry.title), "none"].map((title) => element("option", title)));
    player = new SyncedVideos(fresh.map((entry) => entry.video), (time, duration, playing) => {
      at("position").max = duration || 1;
      at("position").value = time;
      at("time").textContent = `${time.toFixed(2)} / ${duration.toFixed(2)} s`;
      at("play").textContent = playing ? "Stop" : "Play all";
    });
    at("play").disabled = !fresh.length;
    player.loop = at("loop").checked;
    player.setRate(Number(at("speed").value));
    hear();
    window.evaluationPlayer = player;
  };

  const hear = () => player.hear(player.videos[at("sound").selectedIndex] || null);
  const again = () => { sort(); show(order[0]); };
  const move = (by) => {
    const place = order.indexOf(shown) + by;
    if (place >= 0 && place < order.length) show(order[place]);
  };
  /* To the middle of a frame, so that rounding never shows its neighbour. */
  const step = (by) => {
    player.pause();
    player.seek((Math.floor(player.time * data.fps + 1e-6) + by + 0.5) / data.fps);
  };
  const slow = () => {
    at("speed").value = at("speed").value === "1" ? "0.25" : "1";
    player.setRate(Number(at("speed").value));
  };

  at("metric").addEventListener("change", again);
  at("method").addEventListener("change", again);
  at("clip").addEventListener("change", () => show(Number(at("clip").value)));
  at("previous").addEventListener("click", () => move(-1));
  at("next").addEventListener("click", () => move(1));
  at("play").addEventListener("click", () => player.toggle());
  at("position").addEventListener("input", () => player.seek(Number(at("position").value)));
  at("speed").addEventListener("change", () => player.setRate(Number(at("speed").value)));
  at("loop").addEventListener("change", () => { player.loop = at("loop").checked; });
  at("sound").addEventListener("change", hear);
  at("back").addEventListener("click", () => step(-1));
  at("forward").addEventListener("click", () => step(1));
  at("shown").addEventListener("change", () => {
    for (const row of at("figures").tBodies[0].rows) {
      row.hidden = at("shown").value !== "" && row.dataset.method !== at("shown").value;
    }
  });
  at("figures").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-clip]");
    if (!button) return;
    show(Number(button.dataset.clip));
    at("watch").scrollIntoView();
    at("play").focus({ preventScroll: true });
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const focus = document.activeElement;
    if (focus && ["SELECT", "INPUT", "TEXTAREA"].includes(focus.tagName)) return;
    if (event.key === " " && focus && focus.tagName === "BUTTON") return;  // the button's own press
    if (event.key.startsWith("Arrow") && focus && focus.classList.contains("scroll")) return;  // scrolls the table
    const actions = {
      " ": () => player.toggle(),
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      ArrowUp: () => move(-1),
      ArrowDown: () => move(1),
      s: slow,
      l: () => at("loop").click(),
      0: () => player.seek(0),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });

  again();
})();
