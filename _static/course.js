// The way to a page: what one needs before it, in order, and the minutes of all of it.
document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector(".way-to");
  if (!box) return;
  const picture = document.querySelector("figure.arcs svg");
  const choice = box.querySelector("select");
  const says = box.querySelector("[role=status]");
  const option = k => choice.querySelector(`option[value="${k}"]`);
  box.hidden = false;
  const show = () => {
    for (const part of picture.querySelectorAll(".on")) part.classList.remove("on");
    says.replaceChildren();
    picture.classList.toggle("chosen", choice.value !== "");
    if (choice.value === "") return;
    const first = option(choice.value).dataset.first;
    const way = [...(first ? first.split(" ") : []), choice.value];
    const minutes = way.reduce((sum, k) => sum + Number(option(k).dataset.minutes), 0);
    const list = document.createElement("ol");
    for (const k of way) {
      const item = document.createElement("li"), link = document.createElement("a");
      link.href = option(k).dataset.href;
      link.textContent = option(k).textContent;
      item.append(link, ` (${option(k).dataset.minutes} minutes)`);
      list.append(item);
      picture.querySelector(`[data-page="${k}"]`).classList.add("on");
    }
    for (const arc of picture.querySelectorAll("path")) {
      const both = way.includes(arc.dataset.from) && way.includes(arc.dataset.to);
      arc.classList.toggle("on", both);
    }
    const hours = (minutes / 60).toFixed(1);
    const told = document.createElement("p");
    told.textContent = way.length === 1
      ? `It needs no other page: ${minutes} minutes.`
      : `${way.length} pages, ${minutes} minutes (${hours} hours):`;
    says.append(told, list);
  };
  choice.addEventListener("change", show);
  show();
});
