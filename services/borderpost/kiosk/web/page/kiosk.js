// The steps of one traveler, from the choice of the language to where they go.

import { Refused, ask, send, texts } from "/agent.js";
import * as camera from "/camera.js";

const IDLE_MS = 45_000; // then the page asks; the agent forgets after 90 s without a request
const OUTCOME_MS = 20_000;
const STILL_MS = 25_000; // so long it waits for an answer (WCAG 2.2, 2.2.1: 20 s at least)
const STEPS = 4;
const DOCUMENT_WIDTH = 2560;
const FACE_WIDTH = 1280;
const PROGRESS = { what: 1, document: 2, side: 2, face: 3, wait: 4 };

const at = (id) => document.getElementById(id);
const files = document.querySelector('meta[name="files"]').content === "yes";
const catalogues = await texts();
let language = "en";
let declined = false;
let otherSide = false;
let step = "welcome";
let visit = 0; // answers to a visit that has ended are not shown
let shown = 0; // nor are those to a step that is left
let timer = 0;

const words = () => catalogues[language];

function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = words()[element.dataset.text];
  }
  at("face-progress").setAttribute("aria-label", words().PROGRESS);
}

function show(next) {
  step = next;
  shown += 1;
  at("still").close();
  camera.close();
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== next;
  at("steps").hidden = at("cancel").hidden = !(next in PROGRESS);
  at("cancel").disabled = next === "wait";
  [...at("steps").children].forEach((item, i) => item.classList.toggle("done", i < PROGRESS[next]));
  at("steps").setAttribute("aria-label", words().STEP.replace("{}", PROGRESS[next] ?? 0).replace("{}", STEPS));
  const heading = at(next).querySelector("h1");
  document.title = `${heading.innerText} · Borderpost`;
  heading.focus();
  scrollTo(0, 0);
  watch();
}

function watch() {
  clearTimeout(timer);
  at("still").close();
  if (step === "welcome" || step === "wait") return;
  timer = setTimeout(askWhetherThere, step === "GO" || step === "OFFICER" ? OUTCOME_MS : IDLE_MS);
}

function askWhetherThere() {
  at("still").showModal();
  timer = setTimeout(home, STILL_MS);
}

async function stay() {
  watch();
  if (step !== "GO" && step !== "OFFICER") await ask("here");
}

async function home() {
  visit += 1;
  show("welcome");
  try {
    await ask("end");
  } catch {
    location.reload(); // the agent was started anew
  }
}

// Whatever goes wrong, nobody is left standing: the officer helps.
function guarded(act) {
  return async (...given) => {
    const now = visit;
    try {
      await act(...given);
    } catch (error) {
      if (now !== visit) return;
      if (error instanceof Refused && error.status === 403) location.reload();
      else show("OFFICER");
    }
  };
}

async function begin(chosen, group = false) {
  visit += 1;
  declined = otherSide = false;
  speak(chosen);
  await ask("begin", { language: chosen, group });
  show("what");
}

async function toDocument(other = false) {
  otherSide = other;
  show("document");
  at("document-notice").textContent = "";
  const now = shown;
  const there = await camera.open(at("document-video"), "environment", DOCUMENT_WIDTH);
  if (now !== shown) return;
  if (!there && !files) return show("OFFICER");
  at("document-view").hidden = at("document-take").hidden = !there;
  at("document-choose").hidden = !files;
  if (!there) at("document-notice").textContent = words().NO_CAMERA;
}

async function documentTaken(picture) {
  if (!(await taken(otherSide ? "other" : "page", picture, at("document-notice")))) return;
  if (declined) await screen();
  else if (otherSide) await toFace();
  else show("side");
}

// Hands a picture in; false if it is none that can be read.
async function taken(name, picture, notice) {
  try {
    await send(name, picture);
    return true;
  } catch (error) {
    if (!(error instanceof Refused) || ![413, 415].includes(error.status)) throw error;
    notice.textContent = words().NO_PICTURE;
    return false;
  }
}

async function toFace() {
  show("face");
  at("face-notice").textContent = "";
  at("face-progress").value = 0;
  const now = shown;
  const video = at("face-video");
  const there = await camera.open(video, "user", FACE_WIDTH);
  if (now !== shown) return;
  at("face-view").hidden = at("face-progress").hidden = !there;
  at("face-choose").hidden = there; // before a camera a face is live
  if (!there && !files) return show("OFFICER");
  if (!there) {
    at("face-notice").textContent = `${words().NO_CAMERA} ${words().FACE_FILE}`;
    return;
  }
  let done = false;
  try {
    await ask("guide");
    while (!done) {
      const guidance = await send("frame", await camera.picture(video, FACE_WIDTH));
      if (now !== shown) return;
      guide(guidance);
      done = guidance.done;
    }
  } catch (error) {
    // A frame that was on its way when a file was chosen, or the step was left, is missed by nobody.
    if (now === shown) throw error;
    return;
  }
  if (now === shown) await screen();
}

function guide(guidance) {
  const said = guidance.advice[0] ?? guidance.prompt;
  // Said once, not with every frame: a screen reader repeats what is set anew.
  if (at("face-notice").textContent !== said) at("face-notice").textContent = said;
  if (guidance.progress > at("face-progress").value) watch();
  at("face-progress").value = guidance.progress;
}

async function screen() {
  const now = visit;
  show("wait");
  const told = await ask("screen", { declined });
  if (now !== visit) return;
  at("advice").replaceChildren(
    ...told.advice.map((advice) => {
      const item = document.createElement("li");
      item.textContent = advice;
      return item;
    }),
  );
  show(["GO", "AGAIN"].includes(told.next) ? told.next : "OFFICER");
}

function onClick(id, act) {
  at(id).addEventListener("click", guarded(act));
}

function onFile(id, act) {
  at(id).addEventListener(
    "change",
    guarded(async () => {
      const [file] = at(id).files;
      if (!file) return;
      const picture = new Blob([await file.arrayBuffer()], { type: file.type });
      at(id).value = "";
      await act(picture);
    }),
  );
}

for (const button of document.querySelectorAll("[data-start]")) {
  button.addEventListener("click", guarded(() => begin(button.dataset.start)));
}
for (const button of document.querySelectorAll("[data-finish]")) button.addEventListener("click", home);
for (const button of document.querySelectorAll("[data-group]")) {
  button.addEventListener("click", guarded(() => begin(language, true)));
}
at("cancel").addEventListener("click", home);
onClick("start", () => toDocument());
onClick("decline", () => {
  declined = true;
  return toDocument();
});
onClick("document-take", async () => documentTaken(await camera.picture(at("document-video"), DOCUMENT_WIDTH)));
onFile("document-file", documentTaken);
onClick("side-next", toFace);
onClick("side-other", () => toDocument(true));
onClick("side-again", () => toDocument());
onFile("face-file", async (picture) => {
  if (await taken("face", picture, at("face-notice"))) await screen();
});
onClick("again", () => toDocument());
onClick("stay", stay);
at("still").addEventListener("cancel", guarded(stay)); // Escape
for (const event of ["pointerdown", "keydown"]) {
  document.addEventListener(event, () => at("still").open || watch());
}

speak(language);
show("welcome");
document.documentElement.dataset.ready = "";
