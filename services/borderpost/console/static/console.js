"use strict";
// Everything works without this file but what is live: rows that change, keys, looking closer, laying faces over
// one another. It asks nobody but the console.

// What comes from the console is escaped there; no other text is ever taken for markup.
const ours = window.trustedTypes
  ? window.trustedTypes.createPolicy("borderpost", { createHTML: (text) => text })
  : { createHTML: (text) => text };

// The queue: rows as they come. What somebody is at keeps its focus.
const rows = document.getElementById("rows");
let chosen = -1;

const all = () => [...document.querySelectorAll("[data-row]")];

function choose(index) {
  const list = all();
  if (!list.length) return;
  chosen = Math.max(0, Math.min(index, list.length - 1));
  list.forEach((row, at) => row.classList.toggle("chosen", at === chosen));
  list[chosen].querySelector("[data-open]").focus();
}

async function refresh() {
  const away = document.getElementById("away");
  try {
    const answer = await fetch(rows.dataset.live, { headers: { Accept: "text/html" } });
    if (answer.status === 401) return window.location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    away.hidden = true;
    if (text === rows.dataset.text) return;
    rows.dataset.text = text;
    const focused = document.activeElement;
    const kept = rows.contains(focused) && focused.closest("[data-row]");
    const link = kept && kept.querySelector("[data-open]").getAttribute("href");
    rows.innerHTML = ours.createHTML(text);
    const again = link && rows.querySelector(`[data-open][href="${link}"]`);
    if (again) {
      chosen = all().indexOf(again.closest("[data-row]"));
      all().forEach((row, at) => row.classList.toggle("chosen", at === chosen));
      (focused.matches(".take") ? again.parentElement.querySelector(".take") || again : again).focus();
    }
  } catch {
    away.hidden = false;
  }
}

if (rows && rows.dataset.live) {
  const every = 1000 * Number(rows.dataset.seconds);
  const tick = async () => {
    if (document.visibilityState === "visible") await refresh();
    setTimeout(tick, every);
  };
  setTimeout(tick, every);
}

// Keys, where nobody is typing.
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  const row = all()[chosen];
  const act = {
    j: () => choose(chosen + 1),
    k: () => choose(chosen - 1),
    t: () => (row && row.querySelector(".take") ? row.querySelector(".take").click() : document.querySelector("[data-key=t]")?.click()),
    "/": () => document.querySelector("[data-key='/']")?.focus(),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// Looking closer.
const closer = document.getElementById("closer");
for (const button of document.querySelectorAll(".zoom")) {
  button.addEventListener("click", () => {
    const from = button.querySelector("img");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [from.naturalWidth, from.naturalHeight];
    canvas.getContext("2d").drawImage(from, 0, 0);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", from.alt);
    closer.querySelector("canvas").replaceWith(canvas);
    closer.showModal();
  });
}

// Faces laid over one another: the eyes of all are at the same place. Drawn from the pictures on the page, which are
// got once.
const overlay = document.getElementById("overlay");
if (overlay) {
  const pictures = [...document.querySelectorAll(".face:not(.beside) img")];
  const [left, right] = overlay.querySelectorAll("select");
  const [canvas, slider] = [overlay.querySelector("canvas"), overlay.querySelector("input")];
  for (const [select, first] of [[left, 0], [right, 1]]) {
    pictures.forEach((picture, at) => select.append(new Option(`${at + 1} ${picture.alt}`, at, at === first, at === first)));
  }
  const draw = () => {
    const context = canvas.getContext("2d");
    context.globalAlpha = 1;
    context.drawImage(pictures[left.value], 0, 0, 720, 900);
    context.globalAlpha = slider.value / 100;
    context.drawImage(pictures[right.value], 0, 0, 720, 900);
  };
  for (const control of [left, right, slider]) control.addEventListener("input", draw);
  Promise.allSettled(pictures.map((picture) => picture.decode())).then(draw);
  overlay.hidden = pictures.length < 2;
}

// How long a case is still held.
const lease = document.querySelector("[data-lease]");
if (lease) {
  const until = Date.parse(lease.dataset.lease);
  const show = () => {
    const seconds = Math.max(0, Math.round((until - Date.now()) / 1000));
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    lease.textContent = lease.dataset.words.replace("{left}", clock);
    lease.classList.toggle("soon", seconds < 120);
  };
  show();
  setInterval(show, 1000);
}

// What takes long says so, and is not asked for twice.
for (const form of document.querySelectorAll("[data-busy]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    button.textContent = form.dataset.busy;
    setTimeout(() => (button.disabled = true));
  });
}

for (const button of document.querySelectorAll("[data-save]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([document.querySelector(button.dataset.from).textContent]));
    link.download = button.dataset.save;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

// One box for all of a table.
for (const box of document.querySelectorAll("[data-all]")) {
  box.parentElement.hidden = false;
  box.addEventListener("input", () => {
    for (const each of document.getElementsByName(box.dataset.all)) each.checked = box.checked;
  });
}

// What is folded is printed, too.
window.addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("main details:not(.menu)")) folded.open = true;
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Before a session ends by itself, whoever is there is asked.
const WARN_SECONDS = 60;
const idle = document.getElementById("idle");
if (idle) {
  let begun = Date.now();
  const left = () => Number(document.body.dataset.idle) - (Date.now() - begun) / 1000;
  setInterval(() => {
    if (left() < -1) window.location.reload();
    else if (left() < WARN_SECONDS && !idle.open) idle.showModal();
  }, 1000);
  document.getElementById("idle-stay").addEventListener("click", async () => {
    const answer = await fetch("/here", { method: "POST", body: new URLSearchParams({ csrf: document.body.dataset.csrf }) });
    if (!answer.ok) return window.location.reload();
    begun = Date.now();
    idle.close();
  });
}

document.documentElement.dataset.ready = "";
