// The functions with which a test finds controls by their names.

const words = (text) => text.replace("(optional)", "").replace(/\s+/g, " ").trim();

const kinds = {
  control: (name) => [...document.querySelectorAll("a, button, summary")].find((e) => usable(e) && words(e.ariaLabel || e.textContent) === name),
  field: (name) => [...document.querySelectorAll("input, select, textarea")].find((e) => usable(e) && [...e.labels ?? []].some((l) => words(l.textContent) === name)),
};

function usable(element) {
  return element.checkVisibility() && !element.disabled;
}

// place returns the middle of a control in the window, or null if a person could not click on
// it: if it does not exist, or if something covers it.
function place(kind, name) {
  const found = kinds[kind](name);
  if (!found) return null;
  found.scrollIntoView({ block: "center", behavior: "instant" });
  const box = found.getClientRects()[0];
  const at = { X: box.x + box.width / 2, Y: box.y + box.height / 2 };
  const top = document.elementFromPoint(at.X, at.Y);
  return found.contains(top) || top?.contains(found) ? at : null;
}

// choose selects an option of a list, and reports whether there is one with that text.
function choose(name, text) {
  const list = kinds.field(name);
  const option = [...list?.options ?? []].find((o) => words(o.textContent) === text);
  if (!option) return false;
  list.value = option.value;
  list.dispatchEvent(new Event("input", { bubbles: true }));
  list.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}
