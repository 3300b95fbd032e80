// Console.js adds to pages that also work without it: buttons that copy, and forms that
// show their result while someone types.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = "Copied";
    } catch {
      field.select();
      button.textContent = "Press Ctrl+C to copy";
    }
  });
}

// A form with data-live sends itself after each change, with the method and to the address
// of the button that it names, and replaces the element of the same id by that of the page.
for (const form of document.querySelectorAll("form[data-live]")) {
  const target = document.getElementById(form.dataset.live);
  const button = document.getElementById(form.dataset.liveButton);
  let timer, request;
  const update = async () => {
    request?.abort();
    request = new AbortController();
    const data = new URLSearchParams(new FormData(form));
    const method = button.formMethod || form.method;
    const url = new URL(button.getAttribute("formaction") || form.action, location.href);
    const options = { method, signal: request.signal };
    if (method === "get") url.search = new URLSearchParams([...data].filter(([name]) => name === "name" || name === "slug"));
    else options.body = data;
    try {
      const response = await fetch(url, options);
      if (!response.ok || response.redirected) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const result = page.getElementById(target.id);
      if (result) target.replaceChildren(...result.childNodes);
    } catch (error) {
      if (error.name !== "AbortError") console.warn(error);
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(update, 300);
  });
}

// On phones the navigation is a line that scrolls. It shows the present screen.
document.querySelector(".side [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

// The switcher of workspaces and other menus close with Escape, and when the focus leaves.
for (const menu of document.querySelectorAll("details.menu")) {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}
