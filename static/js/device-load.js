/* Fetches the model in use and opens it only where its bytes have the hashes that the page was given. */
"use strict";

window.DeviceLoad = (() => {
  const { open, Refused } = window.DeviceModel;

  const ENDED = "Your session ended. Open this page again and sign in.";
  const NO_ANSWER = "The server does not answer. Check that it runs, and reload this page.";
  const NO_HASH =
    "This browser computes no hashes here, so the model cannot be checked, and an unchecked one is not used. " +
    "Open the page at http://127.0.0.1 or http://localhost, where browsers do, in a current browser.";

  async function get({ model, modelSha256, statisticsSha256 }) {
    if (!window.isSecureContext || !window.crypto || !window.crypto.subtle) throw new Refused(NO_HASH);
    let answer;
    try {
      answer = await fetch(model, { redirect: "manual", cache: "no-store" });
    } catch {
      throw new Refused(NO_ANSWER);
    }
    if (answer.type === "opaqueredirect" || answer.status === 403) throw new Refused(ENDED);
    if (answer.status === 409) throw new Refused(await answer.text());
    if (!answer.ok) throw new Refused(NO_ANSWER);
    return open(await answer.text(), { model: modelSha256, statistics: statisticsSha256 });
  }

  /* The sentence for the person who waits for a model. */
  const sentence = (error) => (error instanceof Refused ? error.message : NO_ANSWER);

  return { get, sentence };
})();
