"use strict";
/* Several videos played as one: the longest leads, the others follow its clock. Times are seconds. */
class SyncedVideos {
  /* videos: elements whose source is set. changed(time, duration, playing) is called whenever one of them changes. */
  constructor(videos, changed) {
    this.videos = videos;
    this.changed = changed;
    this.rate = 1;
    this.loop = true;
    this.playing = false;
    this.closed = false;
    this.ready = Promise.all(videos.map((video) => new Promise((done) => {
      if (video.readyState >= 1 || video.error) { done(); return; }
      video.addEventListener("loadedmetadata", done, { once: true });
      video.addEventListener("error", done, { once: true });
    }))).then(() => this.report());
  }

  get leader() {
    const length = (video) => (Number.isFinite(video.duration) ? video.duration : 0);
    return this.videos.reduce((best, video) => (!best || length(video) > length(best) ? video : best), null);
  }

  get duration() { return this.leader && Number.isFinite(this.leader.duration) ? this.leader.duration : 0; }

  get time() { return this.leader ? this.leader.currentTime : 0; }

  report() { if (!this.closed) this.changed(this.time, this.duration, this.playing); }

  /* Whose sound is heard: an element, or null for silence. */
  hear(chosen) { this.videos.forEach((video) => { video.muted = video !== chosen; }); }

  setRate(rate) {
    this.rate = rate;
    this.videos.forEach((video) => { video.playbackRate = rate; });
  }

  seek(time) {
    const target = Math.min(Math.max(time, 0), this.duration);
    this.videos.forEach((video) => {
      if (video.readyState >= 1) video.currentTime = Math.min(target, video.duration);
    });
    this.changed(target, this.duration, this.playing);
  }

  async play() {
    await this.ready;
    if (this.closed || !this.leader) return;
    const start = this.time >= this.duration - 1e-3 ? 0 : this.time;
    this.seek(start);
    this.playing = true;
    this.setRate(this.rate);
    await Promise.all(this.videos.map((video) => this.start(video)));
    this.report();
    this.follow();
  }

  /* A video that has ended before the leader rests on its last frame. */
  async start(video) {
    if (video.error || !(this.time < video.duration)) return;
    try {
      await video.play();
    } catch (problem) {
      if (problem.name !== "NotAllowedError" || video.muted) return;
      video.muted = true;  // a browser that allows no sound yet still shows the pictures
      await video.play().catch(() => {});
    }
  }

  pause() {
    this.playing = false;
    this.videos.forEach((video) => video.pause());
    this.report();
  }

  toggle() { return this.playing ? this.pause() : this.play(); }

  follow() {
    if (!this.playing || this.closed) return;
    const leader = this.leader;
    if (leader.ended) {
      if (!this.loop) { this.pause(); return; }
      this.seek(0);
      this.videos.forEach((video) => this.start(video));
    }
    for (const video of this.videos) {
      if (video === leader || video.error || video.seeking || !(leader.currentTime < video.duration - 0.1)) continue;
      const late = leader.currentTime - video.currentTime;
      if (Math.abs(late) > 0.3) video.currentTime = leader.currentTime;
      else video.playbackRate = this.rate * (1 + (Math.abs(late) > 0.01 ? Math.max(-0.15, Math.min(0.15, late)) : 0));
    }
    this.report();
    requestAnimationFrame(() => this.follow());
  }

  /* Let go of the elements; nothing is called any more. */
  close() {
    this.playing = false;
    this.closed = true;
    this.videos.forEach((video) => { video.pause(); video.removeAttribute("src"); video.load(); });
  }
}
