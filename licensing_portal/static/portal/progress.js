"use strict";

// Follows a bulk assignment: asks every second and a half how far it is, and shows the page anew when its state changes.
// Without it the page says the same each time it is loaded.
const panel = document.getElementById("progress");
const EVERY = 1500; // milliseconds
const beganAt = Date.now();
let beganWith = null;
let saidPercent = -1;

function show(now) {
  const bar = document.getElementById("progress-bar");
  bar.max = now.total || 1;
  bar.value = now.done;
  document.getElementById("progress-percent").textContent = `${now.percent} %`;
  document.getElementById("progress-text").textContent = now.text;
  document.getElementById("progress-waiting").hidden = !now.waiting;
  document.getElementById("progress-left").textContent = left(now);
  if (now.percent - saidPercent >= 10 || saidPercent < 0) {
    saidPercent = now.percent;
    document.getElementById("progress-said").textContent = `${now.percent} percent. ${now.text}`;
  }
}

// How long it takes at the speed seen so far; nothing before there is something to go by.
function left(now) {
  beganWith ??= now.done;
  const seconds = (Date.now() - beganAt) / 1000;
  const speed = (now.done - beganWith) / seconds;
  if (seconds < 4 || speed <= 0) {
    return "";
  }
  const rest = (now.total - now.done) / speed;
  return rest < 60 ? "Less than a minute left." : `About ${Math.ceil(rest / 60)} minutes left.`;
}

async function look() {
  try {
    const answer = await fetch(panel.dataset.url, { headers: { Accept: "application/json" } });
    if (answer.redirected || answer.status === 403) {
      return; // signed out
    }
    if (answer.ok) {
      const now = await answer.json();
      if (now.state !== panel.dataset.state) {
        location.reload();
        return;
      }
      show(now);
    }
  } catch {
    // the portal is away for a moment
  }
  setTimeout(look, EVERY);
}

setTimeout(look, EVERY);
