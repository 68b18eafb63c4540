// Quizzes: the explanation of a chosen answer at once, and a score. Nothing is kept or sent.
"use strict";

(() => {
  const make = (tag, className, text = "") => {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    return node;
  };

  function start() {
    const boxes = [...document.querySelectorAll("fieldset.quiz")];
    if (!boxes.length) return;
    const firstTry = new Map(); // box: whether its first answer was right
    const score = make("p", "quiz-score");
    score.setAttribute("role", "status");
    const again = make("button", "quiz-button", "Again");
    again.type = "button";
    const foot = make("div", "quiz-foot");
    foot.append(score, again);
    boxes.at(-1).after(foot);
    boxes[0].before(make("p", "quiz-hint", "Choose an answer, and its explanation follows. With "
      + "the keyboard, arrows move and Enter answers. Nothing is kept."));

    const count = () => {
      const right = [...firstTry.values()].filter(Boolean).length;
      const all = firstTry.size === boxes.length;
      score.textContent = all
        ? `${right} of ${boxes.length} right at the first try.`
        : `${firstTry.size} of ${boxes.length} answered, ${right} right at the first try.`;
      again.hidden = firstTry.size === 0;
    };

    const clear = box => {
      box.querySelector(".quiz-said").replaceChildren();
      for (const label of box.querySelectorAll("label")) label.classList.remove("quiz-right", "quiz-wrong");
    };

    const judge = box => {
      const inputs = [...box.querySelectorAll("input")];
      const whys = [...box.querySelectorAll(".quiz-why li")];
      const said = box.querySelector(".quiz-said");
      const several = inputs[0].type === "checkbox";
      const chosen = inputs.filter(input => input.checked);
      clear(box);
      if (!chosen.length) {
        said.append(make("p", "", "Choose at least one answer."));
        return;
      }
      const right = inputs.every((input, k) => input.checked === ("right" in whys[k].dataset));
      if (several) {
        const missing = whys.some((why, k) => "right" in why.dataset && !inputs[k].checked);
        const rest = missing ? "At least one right answer is missing." : "One of these is not right.";
        said.append(make("p", "", right ? "✓ Right: these, and no other." : `✗ Not yet. ${rest}`));
      }
      for (const input of chosen) {
        const why = whys[inputs.indexOf(input)];
        const line = make("p", "");
        if (several) line.append(`${input.value} `);
        line.append(...why.cloneNode(true).childNodes);
        said.append(line);
        input.closest("label").classList.add("right" in why.dataset ? "quiz-right" : "quiz-wrong");
      }
      said.append(box.querySelector(".quiz-page").cloneNode(true));
      if (right) box.classList.add("quiz-done"); // the other explanations may be opened now
      if (!firstTry.has(box)) firstTry.set(box, right);
      count();
    };

    for (const box of boxes) {
      const said = make("div", "quiz-said");
      said.setAttribute("role", "status");
      const options = box.querySelector(".quiz-options");
      options.after(said);
      box.classList.add("quiz-live");
      if (box.querySelector("input").type === "checkbox") {
        const button = make("button", "quiz-button", "Check");
        button.type = "button";
        button.addEventListener("click", () => judge(box));
        options.after(button);
        options.addEventListener("change", () => clear(box));
        continue;
      }
      // An arrow key chooses what it passes: that is no answer yet.
      let passing = false;
      options.addEventListener("pointerdown", () => { passing = false; });
      options.addEventListener("keydown", event => {
        passing = event.key.startsWith("Arrow");
        if ([" ", "Enter"].includes(event.key) && event.target.checked) {
          event.preventDefault();
          judge(box);
        }
      });
      options.addEventListener("change", () => {
        clear(box);
        if (!passing) judge(box);
        passing = false;
      });
    }

    again.addEventListener("click", () => {
      for (const box of boxes) {
        clear(box);
        box.classList.remove("quiz-done");
        box.querySelector(".quiz-why").open = false;
        for (const input of box.querySelectorAll("input")) input.checked = false;
      }
      firstTry.clear();
      count();
      boxes[0].querySelector("input").focus();
    });
    count();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
