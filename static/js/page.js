/* What every page needs a script for: menu, theme, local times, copying, dialogs, printing. */
"use strict";

(() => {
  const root = document.documentElement;
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  const shownTheme = () => root.dataset.bsTheme || (systemDark.matches ? "dark" : "light");

  function noteTheme() {
    root.dataset.shownTheme = shownTheme();
    const button = document.querySelector(".theme-switch");
    if (button) {
      const other = shownTheme() === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Use ${other} colours`);
      button.title = `Use ${other} colours`;
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  function switchTheme() {
    root.dataset.bsTheme = shownTheme() === "dark" ? "light" : "dark";
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `theme=${root.dataset.bsTheme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    noteTheme();
  }

  function toggleMenu(button) {
    const menu = document.getElementById(button.getAttribute("aria-controls"));
    const open = menu.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
  }

  async function copy(button) {
    const label = button.getAttribute("aria-label");
    await navigator.clipboard.writeText(button.dataset.copy);
    document.getElementById("announcer").textContent = "Copied";
    button.setAttribute("aria-label", "Copied");
    button.classList.add("tick");
    window.setTimeout(() => {
      button.setAttribute("aria-label", label);
      button.classList.remove("tick");
    }, 1500);
  }

  function localTimes(within) {
    for (const element of within.querySelectorAll("time[data-local]")) {
      const at = new Date(element.dateTime);
      element.textContent = moment.format(at);
      element.title = `${at.toLocaleString()} (${zone})`;
    }
  }

  function onClick(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches(".theme-switch")) switchTheme();
    else if (button.matches(".menu-button")) toggleMenu(button);
    else if (button.dataset.copy) copy(button);
    else if (button.dataset.opens) document.getElementById(button.dataset.opens).showModal();
    else if (button.matches("[data-closes]")) button.closest("dialog").close();
    else if (button.matches("[data-print]")) window.print();
  }

  /* On paper nothing can be unfolded: what is marked for it is printed open, and folded again. */
  function unfold() {
    for (const one of document.querySelectorAll("details[data-prints]:not([open])")) {
      one.open = true;
      one.dataset.folds = "";
    }
  }

  function fold() {
    for (const one of document.querySelectorAll("details[data-folds]")) {
      one.open = false;
      delete one.dataset.folds;
    }
  }

  root.classList.add("js");
  window.addEventListener("beforeprint", unfold);
  window.addEventListener("afterprint", fold);
  systemDark.addEventListener("change", noteTheme);
  document.addEventListener("click", onClick);
  document.addEventListener("htmx:afterSwap", (event) => localTimes(event.detail.target));
  document.addEventListener("DOMContentLoaded", () => {
    noteTheme();
    localTimes(document);
    const wrong = document.querySelector("[aria-invalid='true']");
    if (wrong) wrong.focus();
  });
})();
