"use strict";
/* A user study: sets of videos in an order that follows from the participant's name, questions, answers as JSON. */
(() => {
  const at = (id) => document.getElementById(id);
  const data = JSON.parse(at("data").textContent);
  const LETTERS = "ABCDEF";
  const STORE = `inkspeak-study-${data.study}`;
  let state = null;  // {participant, started, place, entries: [{clip, shown, answers, plays, seconds}]}
  let player = null;
  let marked = 0;
  let since = 0;

  /* --- the order: a function of study and name, so that a lost page begins the same again --- */
  const hash = (text) => {
    let value = 2166136261;
    for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 16777619) >>> 0;
    return value;
  };
  const generator = (seed) => () => {  // mulberry32
    seed = (seed + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const shuffled = (list, random) => {
    const copy = [...list];
    for (let last = copy.length - 1; last > 0; last -= 1) {
      const other = Math.floor(random() * (last + 1));
      [copy[last], copy[other]] = [copy[other], copy[last]];
    }
    return copy;
  };
  const plan = (participant) => {
    const random = generator(hash(`${data.study}/${participant}`));
    return shuffled(data.rounds, random).slice(0, data.each).map((round) => (
      { clip: round.clip, shown: shuffled(round.videos, random), answers: {}, plays: 0, seconds: 0 }
    ));
  };

  /* --- what is kept on the device --- */
  const keep = () => {
    try { localStorage.setItem(STORE, JSON.stringify(state)); } catch { /* private windows keep nothing */ }
  };
  const kept = () => {
    try { return JSON.parse(localStorage.getItem(STORE)); } catch { return null; }
  };
  const forget = () => {
    try { localStorage.removeItem(STORE); } catch { /* nothing was kept */ }
  };

  const view = (name) => {
    ["welcome", "trial", "end"].forEach((id) => { at(id).hidden = id !== name; });
    if (name !== "trial" && player) { player.close(); player = null; }
    window.scrollTo(0, 0);
  };
  const entry = () => state.entries[state.place];
  const complete = (item) => data.questions.every((question) => item.answers[question.key]);

  /* --- one set of videos --- */
  const spend = () => {
    if (!since) return;
    entry().seconds = Math.round((entry().seconds + (performance.now() - since) / 1000) * 10) / 10;
    since = 0;
  };

  const playOne = (video) => {
    player.pause();
    player.hear(video);
    video.currentTime = 0;
    video.play();
  };

  const show = () => {
    view("trial");
    if (player) player.close();
    const now = entry();
    since = performance.now();
    at("heading").textContent = `Set ${state.place + 1} of ${state.entries.length}`;
    at("progress").value = state.entries.filter(complete).length / state.entries.length;
    const videos = now.shown.map((code) => {
      const video = document.createElement("video");
      video.src = `videos/${code}.mp4`;
      video.playsInline = true;
      video.preload = "auto";
      return video;
    });
    at("videos").replaceChildren(...videos.map((video, index) => {
      const button = document.createElement("button");
      const name = document.createElement("strong");
      name.textContent = LETTERS[index];
      button.append(video, name);
      button.setAttribute("aria-label", `play video ${LETTERS[index]} alone`);
      button.addEventListener("click", () => playOne(video));
      return button;
    }));
    player = new SyncedVideos(videos, (time, duration, playing) => {
      at("play").textContent = playing ? "Stop" : "Play all";
    });
    player.loop = false;
    player.setRate(at("slow").checked ? 0.5 : 1);
    window.studyPlayer = player;
    at("questions").replaceChildren(...data.questions.map((question, index) => {
      const box = document.createElement("fieldset");
      const legend = document.createElement("legend");
      const about = document.createElement("small");
      const choices = document.createElement("div");
      legend.textContent = question.text;
      about.textContent = question.about;
      choices.className = "choices";
      now.shown.forEach((code, place) => {
        const label = document.createElement("label");
        const input = document.createElement("input");
        Object.assign(input, { type: "radio", name: question.key, value: code, checked: now.answers[question.key] === code });
        input.addEventListener("change", () => answer(index, place));
        label.append(input, LETTERS[place]);
        choices.append(label);
      });
      box.append(legend, about, choices);
      return box;
    }));
    at("back").disabled = state.place === 0;
    mark(Math.max(0, data.questions.findIndex((question) => !now.answers[question.key])));
  };

  const mark = (index) => {
    marked = Math.min(Math.max(index, 0), data.questions.length - 1);
    [...at("questions").children].forEach((box, place) => box.classList.toggle("marked", place === marked));
    at("next").disabled = !complete(entry());
    at("next").textContent = state.place + 1 < state.entries.length ? "Next ›" : "To the end ›";
  };

  const answer = (index, place) => {
    const code = entry().shown[place];
    if (!code) return;
    const key = data.questions[index].key;
    entry().answers[key] = code;
    delete state.finished;
    at("questions").querySelectorAll(`input[name="${key}"]`)[place].checked = true;
    keep();
    mark(index + 1);
  };

  const go = (by) => {
    if (by > 0 && !complete(entry())) return;
    spend();
    if (state.place + by < 0) return;
    state.place += by;
    keep();
    if (state.place < state.entries.length) show();
    else finish();
    const heading = document.querySelector("section:not([hidden]) h1");
    heading.focus({ preventScroll: true });
  };

  const playAll = () => {
    if (!player.playing) { entry().plays += 1; player.hear(player.videos[0]); keep(); }
    player.toggle();
  };

  /* --- the end --- */
  const finish = () => {
    view("end");
    const { participant, started, entries } = state;
    const finished = state.finished || new Date().toISOString();
    state.finished = finished;
    keep();
    const told = { format: data.format, study: data.study, participant, started, finished, trials: entries };
    const text = JSON.stringify(told, null, 1);
    at("answers").value = text;
    at("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    at("save").download = `answers_${data.study}_${participant.replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
    at("told").textContent = "";
  };

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(at("answers").value);
    } catch {
      at("answers").select();
      if (!document.execCommand("copy")) { at("told").textContent = "Please copy the text below yourself."; return; }
    }
    at("told").textContent = "Copied.";
  };

  const begin = () => {
    const chance = () => Math.floor(Math.random() * 36 ** 8).toString(36);
    const participant = at("participant").value.trim() || `guest-${chance()}`;
    state = { participant, started: new Date().toISOString(), place: 0, entries: plan(participant) };
    keep();
    show();
  };

  at("begin").addEventListener("click", begin);
  at("participant").addEventListener("keydown", (event) => { if (event.key === "Enter") begin(); });
  at("play").addEventListener("click", playAll);
  at("slow").addEventListener("change", () => player.setRate(at("slow").checked ? 0.5 : 1));
  at("next").addEventListener("click", () => go(1));
  at("back").addEventListener("click", () => go(-1));
  at("return").addEventListener("click", () => go(-1));
  at("copy").addEventListener("click", copy);
  at("restart").addEventListener("click", () => { forget(); at("participant").value = ""; view("welcome"); });
  at("questions").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("pagehide", () => { if (state && !at("trial").hidden) { spend(); keep(); } });

  document.addEventListener("keydown", (event) => {
    if (at("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const focus = document.activeElement;
    const pressed = focus && (focus.tagName === "BUTTON" || focus.type === "checkbox");
    const number = /^[1-6]$/.test(event.key) ? Number(event.key) - 1 : LETTERS.indexOf(event.key.toUpperCase());
    const actions = {
      " ": () => !pressed && playAll(),
      Enter: () => !pressed && go(1),
      Backspace: () => go(-1),
      ArrowDown: () => mark(marked + 1),
      ArrowUp: () => mark(marked - 1),
    };
    if (event.key.length === 1 && number >= 0) answer(marked, number);
    else if (actions[event.key]) {
      if (actions[event.key]() === false) return;
    } else return;
    event.preventDefault();
  });

  const before = kept();
  const named = new URLSearchParams(location.search).get("participant");
  if (named) at("participant").value = named;
  if (before && (!named || before.participant === named)) {
    state = before;
    if (state.place < state.entries.length) show();
    else finish();
  }
})();
