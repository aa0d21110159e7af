/* Signing with a wallet of this browser (EIP-1193), which announces itself (EIP-6963) or is window.ethereum.
   A form with data-wallet gives the addresses: data-message for what to sign, its action for what was signed; its own
   fields go with both. What comes to be signed is a text (personal_sign) or typed data (EIP-712). */
"use strict";

(() => {
  const announced = new Map();

  const DECLINED = 4001;
  const NOT_ALLOWED = 4100;
  const UNSUPPORTED = 4200;
  const DISCONNECTED = [4900, 4901];
  const PENDING = -32002;

  const NONE_FOUND =
    "This browser has no wallet. Install MetaMask, or another wallet that signs for web pages, and reload this page.";
  const NO_ANSWER = "The server does not answer. Check that it runs and try again.";
  const STALE = "You signed in or out since this page was opened. Reload it and try again.";

  /* A sentence for the person; everything else that is thrown is a fault of a wallet. */
  class Told extends Error {}

  function ask() {
    window.dispatchEvent(new Event("eip6963:requestProvider"));
  }

  function wallets() {
    ask();
    if (announced.size) return [...announced.values()];
    if (window.ethereum) return [{ info: { name: "The wallet of this browser", icon: "" }, provider: window.ethereum }];
    return [];
  }

  function sentence(error) {
    if (error instanceof Told) return error.message;
    const code = error && error.code;
    if (code === DECLINED) return "You declined in the wallet. Nothing was changed.";
    if (code === PENDING) return "The wallet waits for you already. Open it, answer what it asks, and try again.";
    if (code === NOT_ALLOWED) return "The wallet does not let this page use that account. Allow it in the wallet and try again.";
    if (code === UNSUPPORTED) return "This wallet cannot sign messages. Choose another one.";
    if (DISCONNECTED.includes(code)) return "The wallet is not connected. Open it, connect it and try again.";
    const said = error && typeof error.message === "string" ? error.message.slice(0, 200) : "";
    return `The wallet reports an error${said ? `: ${said}` : "."}`;
  }

  async function send(address, form, fields) {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value, ...fields });
    let answer;
    try {
      answer = await fetch(address, { method: "POST", body, redirect: "manual" });
    } catch {
      throw new Told(NO_ANSWER);
    }
    if (answer.status === 429) {
      const minutes = Math.ceil(Number(answer.headers.get("Retry-After")) / 60) || 5;
      throw new Told(`Too many attempts. Wait up to ${minutes} minutes and try again.`);
    }
    // A redirect leads to the sign-in page: the session has ended.
    if (answer.type === "opaqueredirect" || answer.status === 400 || answer.status === 403) throw new Told(STALE);
    if (!(answer.headers.get("Content-Type") || "").startsWith("application/json")) throw new Told(NO_ANSWER);
    const told = await answer.json();
    if (!answer.ok) throw new Told(told.error);
    return told;
  }

  function hexadecimal(text) {
    const bytes = new TextEncoder().encode(text);
    return `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }

  function fieldsOf(form) {
    const fields = Object.fromEntries(new FormData(form));
    delete fields.csrf_token;
    return fields;
  }

  /* Wallets sign typed data only for the chain that they are on. */
  async function reachChain(provider, chain) {
    if (Number(await provider.request({ method: "eth_chainId" })) === chain) return;
    try {
      await provider.request({ method: "wallet_switchEthereumChain", params: [{ chainId: `0x${chain.toString(16)}` }] });
    } catch (error) {
      if (error && error.code === DECLINED) throw error;
      throw new Told(`The wallet is on another network. Choose one with the chain ID ${chain} in it, as the federation’s chain has, and try again.`);
    }
  }

  async function proofOf({ message, typed, issued }, { provider }, account) {
    if (!typed) return { message, signature: await provider.request({ method: "personal_sign", params: [hexadecimal(message), account] }) };
    await reachChain(provider, typed.domain.chainId);
    return { issued, signature: await provider.request({ method: "eth_signTypedData_v4", params: [account, JSON.stringify(typed)] }) };
  }

  async function sign(form, wallet) {
    const { name } = wallet.info;
    say(form, `${name}: choose an account in the wallet.`);
    const accounts = await wallet.provider.request({ method: "eth_requestAccounts" });
    if (!Array.isArray(accounts) || !accounts.length) throw new Told("The wallet gave no account. Unlock it and try again.");
    const fields = fieldsOf(form);
    const offered = await send(form.dataset.message, form, { ...fields, address: accounts[0] });
    say(form, `${name}: read the message in the wallet and sign it.`);
    const proof = await proofOf(offered, wallet, accounts[0]);
    say(form, "The signature is checked.");
    const { location } = await send(form.action, form, { ...fields, ...proof });
    window.location.assign(location);
  }

  /* One at a time: a wallet shows one question, and a second click must not ask another. */
  async function use(form, wallet) {
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    complain(form, "");
    try {
      await sign(form, wallet);
    } catch (error) {
      say(form, "");
      complain(form, sentence(error));
    } finally {
      form.removeAttribute("aria-busy");
    }
  }

  function say(form, text) {
    form.querySelector("[role=status]").textContent = text;
  }

  function complain(form, text) {
    const message = form.querySelector(".message-danger");
    message.hidden = !text;
    message.querySelector("p").textContent = text;
  }

  function entry(form, wallet) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-wide";
    // The policy of these pages loads no image from elsewhere; EIP-6963 asks for a data: address anyway.
    if (String(wallet.info.icon || "").startsWith("data:image/")) {
      const icon = document.createElement("img");
      icon.src = wallet.info.icon;
      icon.alt = "";
      icon.width = icon.height = 24;
      button.append(icon);
    }
    button.append(String(wallet.info.name));
    button.addEventListener("click", () => use(form, wallet));
    item.append(button);
    return item;
  }

  function start(form) {
    const found = wallets();
    const choice = form.querySelector(".wallet-choice");
    choice.hidden = found.length < 2;
    complain(form, "");
    if (!found.length) return complain(form, NONE_FOUND);
    if (found.length === 1) return use(form, found[0]);
    choice.querySelector("ul").replaceChildren(...found.map((wallet) => entry(form, wallet)));
    say(form, `${found.length} wallets in this browser. Choose one.`);
    choice.querySelector("button").focus();
  }

  window.addEventListener("eip6963:announceProvider", (event) => {
    const { info, provider } = event.detail || {};
    if (info && info.uuid && info.name && provider) announced.set(info.uuid, { info, provider });
  });
  document.addEventListener("DOMContentLoaded", () => {
    for (const form of document.querySelectorAll("form[data-wallet]")) {
      form.hidden = false;
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (form.getAttribute("aria-busy") !== "true") start(form);
      });
    }
    ask();
  });
})();
