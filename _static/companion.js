// The companion: chooses entries by article, kind, verdict and words. What is chosen stands in the
// address, so a view can be linked. On other pages it only opens the cell that an address names.
"use strict";

(() => {
  const FACETS = ["article", "kind", "verdict"];
  const plain = text => text.normalize("NFKC").toLowerCase();

  // A cell that an entry leads to may be folded.
  function openTarget() {
    const target = document.getElementById(location.hash.slice(1));
    if (!target?.id.startsWith("ledger-")) return;
    for (const fold of target.closest(".cell").querySelectorAll("details.hide")) fold.open = true;
  }

  function start() {
    openTarget();
    addEventListener("hashchange", openTarget);
    const form = document.querySelector("form.entry-filter");
    if (!form) return;
    const entries = [...document.querySelectorAll("article.entry")]
      .map(node => ({ node, text: plain(node.textContent) }));
    const sections = new Set(entries.map(({ node }) => node.closest("section")));
    const fields = form.elements;
    const status = form.querySelector("[role=status]");

    function choose() {
      const words = plain(fields.words.value).split(/\s+/).filter(Boolean);
      let found = 0;
      for (const { node, text } of entries) {
        const fits = FACETS.every(name => ["", node.dataset[name]].includes(fields[name].value))
          && words.every(word => text.includes(word));
        node.hidden = !fits;
        found += fits;
      }
      for (const section of sections) {
        section.hidden = !section.querySelector("article.entry:not([hidden])");
      }
      status.textContent = `${found} of ${entries.length} entries`;
    }

    // What is chosen goes into the address, with the anchor that stays true.
    function write(anchor) {
      const address = new URL(location);
      for (const name of [...FACETS, "words"]) {
        const value = fields[name].value.trim();
        if (value) address.searchParams.set(name, value);
        else address.searchParams.delete(name);
      }
      address.hash = anchor;
      history.replaceState(null, "", address);
    }

    function changed() {
      choose();
      write("entries"); // an entry in the address might be one that is not chosen
    }

    // An address with an entry shows it, whatever was chosen before.
    function showTarget() {
      const target = document.getElementById(location.hash.slice(1));
      if (!target?.matches("article.entry[hidden]")) return;
      for (const name of [...FACETS, "words"]) fields[name].value = "";
      choose();
      write(target.id);
      target.scrollIntoView();
    }

    const asked = new URLSearchParams(location.search);
    for (const name of [...FACETS, "words"]) fields[name].value = asked.get(name) ?? "";
    for (const name of FACETS) if (fields[name].selectedIndex < 0) fields[name].value = "";
    form.hidden = false;
    choose();
    showTarget();
    form.addEventListener("input", changed);
    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(changed)); // after the fields are empty
    addEventListener("hashchange", showTarget);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
