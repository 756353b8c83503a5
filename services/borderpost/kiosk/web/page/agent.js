// Asks the agent on this machine. Nothing else is asked.

const token = document.querySelector('meta[name="token"]').content;

export class Refused extends Error {
  constructor(status) {
    super(`the agent answered ${status}`);
    this.status = status;
  }
}

async function post(name, type, body) {
  const headers = { "X-Borderpost-Token": token, "Content-Type": type };
  const answer = await fetch(`/api/${name}`, { method: "POST", headers, body });
  if (!answer.ok) throw new Refused(answer.status);
  return answer.json();
}

export const ask = (name, what = {}) => post(name, "application/json", JSON.stringify(what));

export const send = (name, picture) => post(name, picture.type, picture);

export const texts = async () => (await fetch("/texts.json")).json();
