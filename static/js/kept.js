/* What was typed of a patient and not sent yet survives the end of a session.

It stays in this tab's sessionStorage: on the doctor's device, in no other tab, never at the
server. It goes with the answer, with signing out, when somebody else signs in, and after an hour. */
"use strict";

(() => {
  const KEY = "consilium.values";
  const LONGEST = 60 * 60 * 1000;
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  const signedOut = new BroadcastChannel("consilium.signed-out");

  const forget = () => sessionStorage.removeItem(KEY);

  function find() {
    const text = sessionStorage.getItem(KEY);
    const kept = text && JSON.parse(text);
    if (!kept || Date.now() - kept.at < LONGEST) return kept;
    forget();
    return null;
  }

  /* What was filled in: by name, without the token, the ticks, which stand for one answer only, and files. */
  const LEFT_OUT = ["hidden", "checkbox", "file"];

  function filled(form) {
    const fields = [...form.elements].filter((one) => one.name && !LEFT_OUT.includes(one.type));
    const chosen = fields.filter((one) => one.type !== "radio" || one.checked);
    return Object.fromEntries(chosen.map((one) => [one.name, one.value]));
  }

  function keep(form, person) {
    const kept = { person, task: form.dataset.keeps, at: Date.now(), values: filled(form) };
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  }

  function putBack(form, values) {
    for (const one of form.elements) {
      if (!(one.name in values)) continue;
      if (one.type === "radio") one.checked = one.value === values[one.name];
      else one.value = values[one.name];
    }
  }

  /* Right after a session that ended it is back; otherwise it may be another patient's, so it is asked. */
  function offer(form, kept, person) {
    const notice = document.querySelector("[data-kept]");
    const back = notice.querySelector("[data-kept-back]");
    const restore = () => {
      putBack(form, kept.values);
      keep(form, person);
      back.hidden = true;
    };
    const at = clock.format(new Date(kept.at));
    const ended = document.referrer && new URL(document.referrer).pathname.startsWith(form.dataset.signIn);
    const ticks = form.querySelector("[type=checkbox]") ? "; tick again what you had ticked" : "";
    const text = ended
      ? `Your session ended before this was sent. What you typed is back as you left it at ${at}${ticks}.`
      : `What you typed here at ${at} was not sent. Put it back only for the same patient.`;
    back.addEventListener("click", () => {
      restore();
      notice.hidden = true;
      form.querySelector("input:not([type=hidden])").focus();
    });
    notice.querySelector("[data-kept-empty]").addEventListener("click", () => {
      form.reset();
      forget();
      notice.hidden = true;
      form.querySelector("input:not([type=hidden])").focus();
    });
    if (ended) restore();
    notice.querySelector("p").textContent = text;
    notice.hidden = false;
    document.getElementById("announcer").textContent = text;
  }

  function onForm(form, kept, person) {
    if ("answered" in form.dataset) keep(form, person);
    else if (kept && kept.task === form.dataset.keeps) offer(form, kept, person);
    form.addEventListener("input", () => keep(form, person));
  }

  const person = document.body.dataset.person;
  const form = document.querySelector("form[data-keeps]");
  let kept = find();
  if (kept && ((person && kept.person !== person) || document.querySelector("[data-forgets]"))) {
    forget();
    kept = null;
  }
  if (form) onForm(form, kept, person);
  else if (kept) window.setTimeout(forget, kept.at + LONGEST - Date.now());
  signedOut.addEventListener("message", forget);
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-signs-out]")) return;
    forget();
    signedOut.postMessage("");
  });
})();
